"""Tenants that share a feedback credential: their runs carry a tag, by which Dagster's queue limits them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from integration_assets.config import Settings
from integration_assets.runs.launch import CREDENTIAL_TAG
from integration_assets.tenants.registry.changes import NewThirdParty
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.words import Provider, Scope
from integration_assets.tenants.shared_credentials import shared_credentials
from integration_assets_tests.support.registries import ACTOR, tenant_id

SHARED = "canny-key-of-one-company-0123456789"
NIGHT = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)


@pytest.fixture
def tenants(sqlite_registry: Registry) -> list[str]:
    """Tenants of which the first two read one Canny workspace."""
    with directory(sqlite_registry, ACTOR) as everybody:
        everybody.add_tenant("initech")
    keys = {"acme": SHARED, "globex": SHARED, "initech": "another-key-abcdefgh-9999"}
    for slug, key in keys.items():
        new = NewThirdParty(provider=Provider("canny"), environment=Scope.ANY, secret=key)
        with tenant_repository(sqlite_registry, tenant_id(sqlite_registry, slug), ACTOR) as repository:
            repository.add_third_party(new)
    return list(keys)


def test_those_who_share_a_credential_are_named_alike_and_others_not_at_all(
    sqlite_settings: Settings, sqlite_registry: Registry, tenants: list[str]
) -> None:
    """No secret is opened for it, nor noted as opened; the name gives nothing of it away."""
    with directory(sqlite_registry, ACTOR) as everybody:
        before = len(everybody.audit_trail())
    found = shared_credentials(sqlite_settings)
    assert found.keys() == {"acme", "globex"}
    assert len(set(found.values())) == 1
    assert SHARED[-4:] not in found["acme"]
    with directory(sqlite_registry, ACTOR) as everybody:
        assert len(everybody.audit_trail()) == before


def test_runs_of_the_schedule_carry_the_tag(
    sqlite_settings: Settings, tenants: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run of the two that share one, and no other."""
    from integration_assets.definitions import defs

    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(sqlite_settings.home))
    assert sqlite_settings.key is not None
    monkeypatch.setenv("INTEGRATION_ASSETS_KEY", sqlite_settings.key.get_secret_value())
    repository, tags = defs.get_repository_def(), dict[str, str | None]()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.add_dynamic_partitions("integration_assets_tenants", tenants)
        for slot in range(48):
            context = dg.build_schedule_context(
                instance=instance,
                scheduled_execution_time=NIGHT + slot * timedelta(minutes=5),
                repository_def=repository,
            )
            # Opened once: the context opens it anew for each tick otherwise.
            context._instance = instance  # type: ignore[assignment]  # declared as None
            for run in repository.get_schedule_def("sync_schedule").evaluate_tick(context).run_requests or ():
                tags[str(run.partition_key)] = run.tags.get(CREDENTIAL_TAG)
    assert tags["acme"] == tags["globex"] is not None
    assert tags["initech"] is None
