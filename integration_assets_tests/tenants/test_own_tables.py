"""A tenant's own tables: an integration without address and secret, and files that lie in the tenant's folder alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from integration_assets.config import Settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.errors import ConfigurationError
from integration_assets.tenants.connection_trials import check_third_party_connection
from integration_assets.tenants.integrations import TENANTS_FILES, feedback_for
from integration_assets.tenants.outcomes import Outcome
from integration_assets.tenants.registry.changes import FieldError, NewThirdParty
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.views import ThirdPartyView
from integration_assets.tenants.registry.words import Provider, Scope
from integration_assets.tenants.settings import settings_for
from integration_assets_tests.connectors.feedback.table.tables import made
from integration_assets_tests.support.registries import ACTOR, tenant_id, with_two_tenants


def added(registry: Registry, mapping: str) -> ThirdPartyView:
    """acme's table, of this mapping."""
    with tenant_repository(registry, tenant_id(registry, "acme"), ACTOR) as repository:
        return repository.add_third_party(
            NewThirdParty(provider=Provider("table"), environment=Scope.ANY, settings={"mapping": mapping})
        )


async def requests_of(settings: Settings) -> int:
    own = settings_for(settings, "acme", "a test")
    async with feedback_for(own, own.feedbacks[0], CallCounter()) as feedback:
        return sum([len(page.records) async for page in feedback.feature_requests(statuses=())])


def test_a_tenants_table_is_read_from_the_folder_the_operator_keeps(sqlite_settings: Settings) -> None:
    """It needs neither address nor secret, and its connection can be tried."""
    folder = sqlite_settings.home / TENANTS_FILES / "acme"
    folder.mkdir(parents=True)
    made(folder)
    for registry in with_two_tenants(sqlite_settings):
        view = added(registry, "feedback.toml")
        assert (view.base_url, view.settings) == ("", {"mapping": "feedback.toml"})
        assert asyncio.run(requests_of(sqlite_settings)) == 2
        with directory(registry, ACTOR) as tenants:
            tenant = tenants.tenant("acme")
        tried = check_third_party_connection(registry, sqlite_settings, tenant, view.id, ACTOR)
        assert asyncio.run(tried) is Outcome.OK


@pytest.mark.parametrize("named", ["../globex/feedback.toml", "{home}/feedback.toml", "link.toml"])
def test_a_tenants_mapping_is_nowhere_else(sqlite_settings: Settings, named: str) -> None:
    """Neither another tenant's, nor one of the operator's, nor behind a link."""
    for place in (sqlite_settings.home / TENANTS_FILES / "globex", sqlite_settings.home):
        place.mkdir(parents=True, exist_ok=True)
        made(place)
    own = sqlite_settings.home / TENANTS_FILES / "acme"
    own.mkdir()
    (own / "link.toml").symlink_to(sqlite_settings.home / "feedback.toml")
    for registry in with_two_tenants(sqlite_settings):
        added(registry, named.format(home=sqlite_settings.home))
        with pytest.raises(ConfigurationError, match=r"mapping of Table of tenant acme must be the name of a file"):
            asyncio.run(requests_of(sqlite_settings))


def test_a_tenants_mapping_names_no_file_outside(sqlite_settings: Settings) -> None:
    """Of a mapping in the right place, the files are held to it as well."""
    folder = sqlite_settings.home / TENANTS_FILES / "acme"
    folder.mkdir(parents=True)
    secret = Path(made(sqlite_settings.home)).parent / "requests.csv"
    path = made(folder)
    path.write_text(path.read_text(encoding="utf-8").replace('"requests.csv"', f'"{secret}"'), encoding="utf-8")
    for registry in with_two_tenants(sqlite_settings):
        added(registry, "feedback.toml")
        with pytest.raises(ConfigurationError, match="outside the folder of the mapping"):
            asyncio.run(requests_of(sqlite_settings))


def test_a_provider_with_an_address_still_needs_one(sqlite_settings: Settings) -> None:
    """Only who has none may do without."""
    for registry in with_two_tenants(sqlite_settings):
        new = NewThirdParty(provider=Provider("salesforce"), environment=Scope.SANDBOX, secret="x" * 20)
        acme = tenant_id(registry, "acme")
        with pytest.raises(FieldError, match="base_url"), tenant_repository(registry, acme, ACTOR) as repository:
            repository.add_third_party(new)
