"""What somebody disabled is not used, opened or tried, by no way there is to an integration."""

from __future__ import annotations

import pytest

from integration_assets.config import Environment, Settings
from integration_assets.errors import ConfigurationError
from integration_assets.tenants.credentials import integrations_in_use
from integration_assets.tenants.registry.changes import InternalChanges, NewThirdParty, ThirdPartyChanges
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.words import Provider, Scope
from integration_assets.tenants.settings import (
    check_configured,
    chosen_integrations,
    internal_systems,
    note_outcomes,
    open_internal_systems,
    settings_for,
)
from integration_assets_tests.support.filled_registry import filled
from integration_assets_tests.support.registries import ACTOR, tenant_id

FIELDS = {
    (Provider("canny"), Scope.ANY): "canny_api_key",
    (Provider("hubspot"), Scope.SANDBOX): "hubspot_sandbox_token",
    (Provider("hubspot"), Scope.PRODUCTION): "hubspot_production_token",
    (Provider("slack"), Scope.ANY): "slack_bot_token",
}


def switch(registry: Registry, provider: Provider, scope: Scope, *, enabled: bool) -> str:
    """Enable or disable acme's integration of that place; its id."""
    with tenant_repository(registry, tenant_id(registry, "acme"), ACTOR) as repository:
        [found] = [
            one for one in repository.third_party_integrations() if (one.provider, one.environment) == (provider, scope)
        ]
        repository.change_third_party(found.id, ThirdPartyChanges(enabled=enabled))
        return found.id


def openings(registry: Registry, record_id: str) -> int:
    """How often the secret of a record was opened, by the audit trail."""
    with tenant_repository(registry, tenant_id(registry, "acme"), ACTOR) as repository:
        trail = repository.audit_trail(limit=1_000)
    return sum(entry.action == "secret.open" and entry.record_id == record_id for entry in trail)


@pytest.mark.parametrize("place", list(FIELDS))
def test_a_disabled_third_party_integration_is_not_used(
    sqlite_registry: Registry, sqlite_settings: Settings, place: tuple[Provider, Scope]
) -> None:
    """Its secret is in no run's settings, is not opened, and nothing is noted beside it; enabled again it is used."""
    filled(sqlite_registry)
    record_id = switch(sqlite_registry, *place, enabled=False)
    own = settings_for(sqlite_settings, "acme", "run 1")
    assert {field for field in FIELDS.values() if getattr(own, field) is None} == {FIELDS[place]}
    assert openings(sqlite_registry, record_id) == 0
    in_use = integrations_in_use(sqlite_registry, sqlite_settings, "acme", ACTOR)
    assert in_use is not None
    assert record_id not in [one.id for one in in_use.third_party]
    assert len(in_use.third_party) == len(FIELDS) - 1
    note_outcomes(sqlite_settings, "acme", {place[0]: "refused"}, "run 1")
    with tenant_repository(sqlite_registry, tenant_id(sqlite_registry, "acme"), ACTOR) as repository:
        assert repository.third_party_integration(record_id).last_error is None
    switch(sqlite_registry, *place, enabled=True)
    assert getattr(settings_for(sqlite_settings, "acme", "run 2"), FIELDS[place]) is not None
    assert openings(sqlite_registry, record_id) == 1


@pytest.mark.parametrize(
    ("provider", "scope", "named"),
    [(Provider("canny"), Scope.ANY, "Canny for sandbox"), (Provider("hubspot"), Scope.SANDBOX, "HubSpot for sandbox")],
)
def test_a_run_that_needs_it_does_not_begin(
    sqlite_registry: Registry, sqlite_settings: Settings, provider: Provider, scope: Scope, named: str
) -> None:
    """It is missing like one that was never made, and is named."""
    filled(sqlite_registry)
    check_configured(sqlite_settings, "acme")
    switch(sqlite_registry, provider, scope, enabled=False)
    with pytest.raises(ConfigurationError, match=f"no enabled integration with a secret for {named}"):
        check_configured(sqlite_settings, "acme")


def test_one_for_any_environment_does_not_stand_in(sqlite_registry: Registry) -> None:
    """Somebody wanted it off for this environment; the other one goes on with what is for any."""
    with tenant_repository(sqlite_registry, tenant_id(sqlite_registry, "acme"), ACTOR) as repository:
        for scope, enabled in ((Scope.ANY, True), (Scope.SANDBOX, False)):
            new = NewThirdParty(
                provider=Provider("slack"), environment=scope, secret="xoxb-0123456789", enabled=enabled
            )
            repository.add_third_party(new)
        entries = repository.third_party_integrations()
    assert chosen_integrations(entries, Environment.SANDBOX) == {}
    [(place, used)] = chosen_integrations(entries, Environment.PRODUCTION).items()
    assert (place, used.environment) == ((Provider("slack"), Environment.PRODUCTION), Scope.ANY)


def test_a_disabled_internal_system_is_not_used(sqlite_registry: Registry, sqlite_settings: Settings) -> None:
    """It is not listed, opened or tried."""
    filled(sqlite_registry)
    with tenant_repository(sqlite_registry, tenant_id(sqlite_registry, "acme"), ACTOR) as repository:
        first, *others = repository.internal_integrations()
        repository.change_internal(first.id, InternalChanges(enabled=False))
    wanted = {one.id for one in others}
    assert {one.view.id for one in open_internal_systems(sqlite_settings, "acme", "run 1")} == wanted
    assert {one.id for one in internal_systems(sqlite_settings, "acme")} == wanted
    in_use = integrations_in_use(sqlite_registry, sqlite_settings, "acme", ACTOR)
    assert in_use is not None
    assert {one.id for one in in_use.internal} == wanted
    assert openings(sqlite_registry, first.id) == 0
