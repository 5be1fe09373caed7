"""Keys are changed without a moment at which a secret cannot be read, wherever the process is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from unittest import mock

import pytest
from sqlalchemy import event, insert

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError
from integration_assets.tenants.registry import rotation, vault
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.master import generate
from integration_assets.tenants.registry.models import InternalIntegration, new_id
from integration_assets.tenants.registry.rotation import key_status
from integration_assets.tenants.registry.secrets import place_of
from integration_assets.tenants.registry.vault import seal
from integration_assets_tests.support.filled_registry import Spot, filled
from integration_assets_tests.support.killed_rotations import (
    all_open,
    keys_of,
    killed_at_every_commit,
    reencrypted,
    rotated,
    with_keys,
)
from integration_assets_tests.support.registries import ACTOR, opened, tenant_id, with_two_tenants

pytestmark = pytest.mark.proof  # kills at every step, on both databases: part of `make proofs`

Work = Callable[[Registry], int]
MANY = 300
STATEMENTS_PER_SECRET = 3


@pytest.fixture
def secrets(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[Spot, str]]:
    """Sixteen secrets of two tenants, in a registry that works in batches of three, two for each kind."""
    monkeypatch.setattr(rotation, "BATCH", 3)
    with_tenants = with_two_tenants(settings)
    yield filled(next(with_tenants))
    for _ in with_tenants:
        raise AssertionError("there is one registry")


@pytest.mark.parametrize("moment", ["before_commit", "after_commit"])
def test_a_rotation_killed_at_any_commit_goes_on(settings: Settings, secrets: dict[Spot, str], moment: str) -> None:
    """After each kill both keys open everything; run again, the new key alone does, and the old one is of no use."""
    wrong = list(killed_at_every_commit(settings, secrets, rotated, moment))
    assert wrong == [[]] * 6  # three keys, an empty batch, the end; the sixth was not reached


@pytest.mark.proof
@pytest.mark.parametrize("moment", ["before_commit", pytest.param("after_commit", marks=pytest.mark.long)])
def test_a_reencryption_killed_at_any_commit_goes_on(settings: Settings, secrets: dict[Spot, str], moment: str) -> None:
    """After each kill everything opens; run again, no old data key is left."""
    wrong = list(killed_at_every_commit(settings, secrets, reencrypted, moment))
    assert len(wrong) > 10
    assert wrong == [[]] * len(wrong)


def test_half_a_rotation_starts_with_both_keys_only(settings: Settings, secrets: dict[Spot, str]) -> None:
    """With either key alone the start is refused, and it is said what to do; with both all is there."""
    old, new = keys_of(settings)[0], generate()
    both = with_keys(settings, new, old)
    registry = opened(both)
    rotation.BATCH = 1
    rotation._rotate_batch(registry)
    status = key_status(registry)
    registry.close()
    assert sorted(status.master_keys.values()) == [1, 2]
    for alone in (with_keys(settings, new), settings):
        with pytest.raises(ConfigurationError, match=r"the new one first, and run `integration-assets keys rotate`"):
            opened(alone)
    assert all_open(both, secrets)
    assert all_open(with_keys(settings, old, new), secrets)


def test_a_new_key_seals_nothing_of_before(settings: Settings, secrets: dict[Spot, str]) -> None:
    """A reencryption leaves no data key and no sealed value of before it."""
    from integration_assets_tests.support.filled_registry import sealed

    registry = opened(settings)
    before = {spot: sealed(registry, spot) for spot in secrets}
    assert reencrypted(registry) == len(secrets)
    for spot in secrets:
        after = sealed(registry, spot)
        assert after["key_id"] != before[spot]["key_id"]
        assert after["ct"] != before[spot]["ct"]
    with directory(registry, ACTOR) as tenants:
        assert tenants.audit_trail()[0].action == "keys.reencrypt"
        tenants.verify_audit_trail()
    registry.close()


def test_rotations_cost_as_much_as_there_are_secrets(
    sqlite_registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each secret is opened once and sealed once, and takes the same few statements however many there are."""
    monkeypatch.setattr(rotation, "BATCH", 20)
    owner = tenant_id(sqlite_registry, "acme")
    _add_many(sqlite_registry, owner)
    statements: list[str] = []
    event.listen(sqlite_registry.engine, "before_cursor_execute", lambda *seen: statements.append(seen[2]))
    with (
        mock.patch.object(rotation, "seal", wraps=vault.seal) as sealed_again,
        mock.patch.object(rotation, "unseal", wraps=vault.unseal) as opened_once,
    ):
        assert reencrypted(sqlite_registry) == MANY
        rotated(sqlite_registry)
    assert (sealed_again.call_count, opened_once.call_count) == (MANY, MANY)
    assert len(statements) <= STATEMENTS_PER_SECRET * MANY


def _add_many(registry: Registry, owner: str) -> None:
    with directory(registry, ACTOR) as tenants:
        now = tenants.tenant("acme").created_at
    with registry.session() as session:
        key = registry.keyring.active(session, owner)
        rows = []
        for number in range(MANY):
            row = InternalIntegration(id=new_id(), tenant_id=owner, auth_flow="bearer", secret_serial=1)
            values = {
                "id": row.id,
                "tenant_id": owner,
                "name": str(number),
                "auth_flow": "bearer",
                "base_url": "https://x.example",
                "secret": seal(key, b"a-token-of-usual-length-0123456789", place_of(row)),
                "secret_serial": 1,
                "created_at": now,
                "updated_at": now,
            }
            rows.append(values)
        session.execute(insert(InternalIntegration), rows)
