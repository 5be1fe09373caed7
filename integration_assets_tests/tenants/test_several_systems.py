"""A tenant with enabled integrations of several feedback systems reads all of them."""

from __future__ import annotations

import pytest

from integration_assets.config import Settings
from integration_assets.tenants.registry.changes import NewThirdParty, SharedPortalError, ThirdPartyChanges
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.words import Provider, Scope
from integration_assets.tenants.settings import check_configured, feedback_settings, settings_for
from integration_assets_tests.support.filled_registry import filled
from integration_assets_tests.support.registries import ACTOR, tenant_id

TOKEN = "token-of-productboard-0123456789"


def test_all_enabled_systems_are_read_with_secrets_and_names_of_their_own(
    sqlite_registry: Registry, sqlite_settings: Settings
) -> None:
    """One that is disabled is left out and keeps its name; whoever only looks for changes opens both secrets too."""
    filled(sqlite_registry)
    new = NewThirdParty(provider=Provider("productboard"), environment=Scope.ANY, secret=TOKEN)
    with tenant_repository(sqlite_registry, tenant_id(sqlite_registry, "acme"), ACTOR) as repository:
        added = repository.add_third_party(new).id
    with directory(sqlite_registry, ACTOR) as tenants:
        tenants.change_tenant("acme", settings={"source_name": "productboard=board"})
    check_configured(sqlite_settings, "acme")
    with feedback_settings(sqlite_settings, "a test") as settings_of:
        for own in (settings_for(sqlite_settings, "acme", "a test"), settings_of("acme")):
            assert [one.spec.name for one in own.feedbacks] == ["canny", "productboard"]
            assert all(one.configured for one in own.feedbacks)
            assert own.source_names == {"canny": "canny", "productboard": "board"}
    with tenant_repository(sqlite_registry, tenant_id(sqlite_registry, "acme"), ACTOR) as repository:
        repository.change_third_party(added, ThirdPartyChanges(enabled=False))
    assert settings_for(sqlite_settings, "acme", "a test").source_names == {"canny": "canny"}


def test_one_name_of_several_in_one_portal_is_enough_to_refuse(sqlite_registry: Registry) -> None:
    """Two tenants in one portal must have no source name in common, whichever system it is of."""
    portal = {"portal_id": "4711"}
    for tenant, systems in (("acme", ("canny", "productboard")), ("globex", ("canny",))):
        with tenant_repository(sqlite_registry, tenant_id(sqlite_registry, tenant), ACTOR) as repository:
            for system in systems:
                repository.add_third_party(
                    NewThirdParty(provider=Provider(system), environment=Scope.ANY, secret=f"{TOKEN}-{tenant}")
                )
    with directory(sqlite_registry, ACTOR) as tenants:
        tenants.change_tenant("acme", settings={"source_name": "canny=ideas"})
        tenants.change_tenant("globex", settings={"source_name": "productboard"})
    crm = NewThirdParty(provider=Provider("hubspot"), environment=Scope.SANDBOX, secret=None, settings=portal)
    with tenant_repository(sqlite_registry, tenant_id(sqlite_registry, "acme"), ACTOR) as repository:
        repository.add_third_party(crm)
    with (
        tenant_repository(sqlite_registry, tenant_id(sqlite_registry, "globex"), ACTOR) as repository,
        pytest.raises(SharedPortalError, match="source name productboard"),
    ):
        repository.add_third_party(crm)
