"""Two tenants never keep records of one source name in one portal: the one that wrote first has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration_assets.config import Settings, load_settings
from integration_assets.errors import ConfigurationError
from integration_assets.tenants.portal_claims import check_claims, claim_portal, claims_of


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and what the claims module learns of the tenants of its installation."""
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(tmp_path))
    monkeypatch.delenv("INTEGRATION_ASSETS_SOURCE_NAME", raising=False)
    module = "integration_assets.tenants.portal_claims"
    monkeypatch.setattr(f"{module}.registry_tenants", lambda _settings: ("acme", "globex"))
    monkeypatch.setattr(f"{module}.settings_without_secrets", lambda settings, _tenant: settings)
    return tmp_path


def claimed(settings: Settings, tenant: str, portal_id: str = "7") -> None:
    claim_portal(settings, claims_of(settings, tenant, portal_id))


def refused(settings: Settings, tenant: str, portal_id: str = "7") -> str:
    with pytest.raises(ConfigurationError) as raised:
        claimed(settings, tenant, portal_id)
    with pytest.raises(ConfigurationError):
        check_claims(settings, claims_of(settings, tenant, portal_id))
    return raised.value.message


def test_who_wrote_first_keeps_the_place(home: Path):
    """The second tenant is refused, by the remedy and not by the other's name; the first goes on."""
    settings = load_settings()
    claimed(settings, "acme")
    message = refused(settings, "globex")
    assert "INTEGRATION_ASSETS_SOURCE_NAME" in message
    assert "portal 7" in message
    assert "acme" not in message
    claimed(settings, "acme")
    refused(settings, "default")
    claimed(settings, "globex", portal_id="8")
    claimed(load_settings(source_name="ideas"), "default")


def test_a_tenant_gives_up_what_it_moved_away_from(home: Path):
    """With another source name or portal its old place is free; that of its other environment stays."""
    claimed(load_settings(environment="production"), "acme", portal_id="9")
    claimed(load_settings(), "acme")
    claimed(load_settings(source_name="ideas"), "acme")
    claimed(load_settings(), "globex")
    refused(load_settings(environment="production"), "globex", portal_id="9")


def test_a_claim_of_a_tenant_that_is_gone_is_none(home: Path, monkeypatch: pytest.MonkeyPatch):
    """Removed, without integrations, or set to another source name since: the next tenant takes the place."""
    module = "integration_assets.tenants.portal_claims"
    settings = load_settings()
    claimed(settings, "acme")
    monkeypatch.setattr(f"{module}.registry_tenants", lambda _settings: ("globex",))
    check_claims(settings, claims_of(settings, "globex", "7"))
    claimed(settings, "globex")
    monkeypatch.setattr(f"{module}.registry_tenants", lambda _settings: ("acme", "globex"))
    refused(settings, "acme")
    monkeypatch.setattr(
        f"{module}.settings_without_secrets", lambda _settings, _tenant: load_settings(source_name="ideas")
    )
    claimed(settings, "acme")


def test_a_successor_takes_over(home: Path):
    """Where the operator says that acme took over from default, it may write there, and default no more."""
    claimed(load_settings(), "default")
    settings = load_settings(former_tenants=("acme=default",))
    claimed(settings, "acme")
    refused(settings, "default")


def test_only_whole_claims_are_ever_read(home: Path):
    """The files are made whole, and nothing else is left beside them."""
    claimed(load_settings(), "acme")
    assert [path.suffix for path in (home / "portals").iterdir()] == [".json"]
