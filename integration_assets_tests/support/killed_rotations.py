"""A change of keys in a process of its own that is killed at one of its commits, and what is wrong afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from unittest import mock

from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.orm import Session

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError
from integration_assets.tenants.registry import rotation
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.master import generate
from integration_assets.tenants.registry.rotation import key_status, reencrypt, rotate
from integration_assets_tests.support.filled_registry import Spot, open_all
from integration_assets_tests.support.registries import ACTOR, opened


def rotated(registry: Registry) -> int:
    """All data keys sealed by the newest master key."""
    return rotate(registry, ACTOR)


def reencrypted(registry: Registry) -> int:
    """All secrets sealed by new data keys."""
    return reencrypt(registry, ACTOR)


def killed(settings: Settings, work: Callable[[Registry], int], number: int, moment: str) -> bool:
    """Do the work in a process of its own that is killed at its n-th commit; whether it was."""
    child = os.fork()
    if child == 0:
        try:
            registry = opened(settings, create=False)
            left = [number]

            def strike(_: Session) -> None:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            event.listen(Session, moment, strike)
            work(registry)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def with_keys(settings: Settings, *keys: str) -> Settings:
    """The same installation with these keys, the newest first."""
    return settings.model_copy(update={"key": SecretStr(",".join(keys))})


def keys_of(settings: Settings) -> list[str]:
    """Its keys, the newest first."""
    assert settings.key is not None
    return settings.key.get_secret_value().split(",")


def all_open(settings: Settings, secrets: Mapping[Spot, str]) -> bool:
    """Whether every secret is read as it was, by a process that starts now."""
    registry = opened(settings, create=False)
    try:
        return open_all(registry, secrets) == secrets
    finally:
        registry.close()


def killed_at_every_commit(
    settings: Settings, secrets: Mapping[Spot, str], work: Callable[[Registry], int], moment: str
) -> Iterator[list[str]]:
    """Kill the work at its first commit, its second and so on to its end, finish it each time, and say what is wrong.

    In batches so small that there are many commits. A rotation makes a new key each time, and the one before is gone.
    """
    with mock.patch.object(rotation, "BATCH", 1 if work is rotated else 3):
        number, struck = 0, True
        while struck:
            number += 1
            before = settings
            given = with_keys(before, generate(), *keys_of(before)) if work is rotated else before
            struck = killed(given, work, number, moment)
            wrong = [] if all_open(given, secrets) else ["something does not open after the kill"]
            registry = opened(given)
            work(registry)
            status = key_status(registry)
            registry.close()
            if work is rotated:
                settings = with_keys(before, keys_of(given)[0])
                wrong += [] if status.removable else ["the old key is not said to be removable"]
                wrong += ["the old key still starts"] if _starts(before) else []
            elif status.retiring or status.secrets != len(secrets):
                wrong.append(f"{status.retiring} old data keys are left, {status.secrets} secrets are there")
            wrong += [] if all_open(settings, secrets) else ["something does not open in the end"]
            yield wrong


def _starts(settings: Settings) -> bool:
    try:
        opened(settings, create=False).close()
    except ConfigurationError as refused:
        return "is not the key of this registry" not in refused.message
    return True
