"""A rotation of keys in a process of its own that is killed at one of its commits."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.orm import Session

from integration_assets.config import Settings
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.rotation import reencrypt, rotate
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
