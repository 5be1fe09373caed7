"""What the vault notices of a database that somebody changed, and what a rotation leaves when it is killed."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Iterator

from pydantic import SecretStr

from integration_assets.config import Settings
from integration_assets.tenants.registry import rotation
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.master import generate
from integration_assets.tenants.registry.vault import TamperedError
from integration_assets_tests.proofs.registry import Row, Scale, counted, proof
from integration_assets_tests.proofs.security.pages import installation_settings
from integration_assets_tests.support.filled_registry import Spot, filled, open_all, open_spot, put, sealed
from integration_assets_tests.support.killed_rotations import killed, reencrypted, rotated
from integration_assets_tests.support.registries import opened, with_two_tenants
from integration_assets_tests.support.snapshots import folder

MOMENTS = ("before_commit", "after_commit")


@proof(
    "vault",
    "security",
    "Nobody changes a stored secret unnoticed, and a killed rotation leaves every secret readable.",
    small=1,
)
def measure(_scale: Scale) -> Iterator[Row]:
    """Count how many are as they must be, and of how many."""
    with folder() as home:
        for registry in with_two_tenants(installation_settings(home, generate())):
            secrets = filled(registry)
            swaps = list(_swaps(registry, secrets))
            tampered = list(_tampered(registry, secrets))
    yield counted("ciphertext swaps noticed, every place with every other", sum(swaps), len(swaps))
    yield counted("changed ciphertexts, nonces, keys and rollbacks noticed", sum(tampered), len(tampered))
    for name, work in (("rotation", rotated), ("re-encryption", reencrypted)):
        kills = [one for moment in MOMENTS for one in _kills(work, moment)]
        yield counted(
            f"{name} killed at every commit, nothing unreadable, the old key of no more use", sum(kills), len(kills)
        )


def _noticed(registry: Registry, spot: Spot) -> bool:
    try:
        open_spot(registry, spot)
    except TamperedError:
        return True
    return False


def _swaps(registry: Registry, secrets: dict[Spot, str]) -> Iterator[bool]:
    values = {spot: sealed(registry, spot) for spot in secrets}
    for one, other in itertools.permutations(secrets, 2):
        put(registry, one, values[other])
        yield _noticed(registry, one)
        put(registry, one, values[one])


def _tampered(registry: Registry, secrets: dict[Spot, str]) -> Iterator[bool]:
    for spot in secrets:
        value = sealed(registry, spot)
        for part in ("nonce", "ct"):
            raw = bytearray(base64.b64decode(value[part]))
            for place in (0, len(raw) // 2, len(raw) - 1):
                changed = bytearray(raw)
                changed[place] ^= 1
                put(registry, spot, {**value, part: base64.b64encode(changed).decode()})
                yield _noticed(registry, spot)
        for other in ({**value, "key_id": "no such key"}, {**value, "ct": ""}, {**value, "v": 99}):
            put(registry, spot, other)
            yield _noticed(registry, spot)
        put(registry, spot, value, secret_serial=7)
        yield _noticed(registry, spot)
        put(registry, spot, value, secret_serial=1)


def _kills(work: Callable[[Registry], int], moment: str) -> Iterator[bool]:
    """Whether all opens after each kill, and after the work was done again."""
    with folder() as home:
        settings = installation_settings(home, generate())
        secrets: dict[Spot, str] = {}
        for registry in with_two_tenants(settings):
            secrets = filled(registry)
        rotation_batch, rotation.BATCH = rotation.BATCH, 1 if work is rotated else 3
        try:
            number, struck = 0, True
            while struck:
                number += 1
                keys = _keys(settings)
                both = settings.model_copy(update={"key": SecretStr(f"{generate()},{keys}")})
                given = both if work is rotated else settings
                struck = killed(given, work, number, moment)
                whole = _all_open(given, secrets)
                registry = opened(given)
                work(registry)
                registry.close()
                if work is rotated:
                    settings = settings.model_copy(update={"key": SecretStr(_keys(both).split(",")[0])})
                yield whole and _all_open(settings, secrets)
        finally:
            rotation.BATCH = rotation_batch


def _keys(settings: Settings) -> str:
    assert settings.key is not None
    return settings.key.get_secret_value()


def _all_open(settings: Settings, secrets: dict[Spot, str]) -> bool:
    registry = opened(settings, create=False)
    try:
        return open_all(registry, secrets) == secrets
    finally:
        registry.close()
