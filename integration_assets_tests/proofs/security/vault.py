"""What the vault notices of a database that somebody changed, and what a rotation leaves when it is killed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.master import generate
from integration_assets_tests.proofs.registry import Row, Scale, counted, proof
from integration_assets_tests.proofs.security.pages import installation_settings
from integration_assets_tests.support.filled_registry import Spot, filled, noticed, put, sealed, swaps_noticed
from integration_assets_tests.support.killed_rotations import killed_at_every_commit, reencrypted, rotated
from integration_assets_tests.support.registries import with_two_tenants
from integration_assets_tests.support.snapshots import folder

# The small form kills at the first of them: `tenants/test_rotation.py`, which CI runs too, kills at the others.
KILLED = (
    ("re-encryption", reencrypted, "after_commit"),
    ("re-encryption", reencrypted, "before_commit"),
    ("rotation", rotated, "after_commit"),
    ("rotation", rotated, "before_commit"),
)


@proof(
    "vault",
    "security",
    "Nobody changes a stored secret unnoticed, and a killed rotation leaves every secret readable.",
    whole=len(KILLED),
    small=1,
    unit="changes of keys killed at every commit",
)
def measure(scale: Scale) -> Iterator[Row]:
    """Count how many are as they must be, and of how many."""
    with folder() as home:
        for registry in with_two_tenants(installation_settings(home, generate())):
            secrets = filled(registry)
            swaps = list(swaps_noticed(registry, secrets))
            tampered = list(_tampered(registry, secrets))
    yield counted("ciphertext swaps noticed, every place with every other", sum(swaps), len(swaps))
    yield counted("changed ciphertexts, nonces, keys and rollbacks noticed", sum(tampered), len(tampered))
    for name, work, moment in KILLED[: scale.count]:
        kills = list(_kills(work, moment))
        yield counted(
            f"{name} killed {moment.replace('_', ' ')} of each: nothing unreadable, the old key of no more use",
            sum(kills),
            len(kills),
        )


def _tampered(registry: Registry, secrets: dict[Spot, str]) -> Iterator[bool]:
    for spot in secrets:
        value = sealed(registry, spot)
        for part in ("nonce", "ct"):
            raw = bytearray(base64.b64decode(value[part]))
            for place in (0, len(raw) // 2, len(raw) - 1):
                changed = bytearray(raw)
                changed[place] ^= 1
                put(registry, spot, {**value, part: base64.b64encode(changed).decode()})
                yield noticed(registry, spot)
        for other in ({**value, "key_id": "no such key"}, {**value, "ct": ""}, {**value, "v": 99}):
            put(registry, spot, other)
            yield noticed(registry, spot)
        put(registry, spot, value, secret_serial=7)
        yield noticed(registry, spot)
        put(registry, spot, value, secret_serial=1)


def _kills(work: Callable[[Registry], int], moment: str) -> Iterator[bool]:
    with folder() as home:
        settings = installation_settings(home, generate())
        for registry in with_two_tenants(settings):
            secrets = filled(registry)
        yield from (not wrong for wrong in killed_at_every_commit(settings, secrets, work, moment))
