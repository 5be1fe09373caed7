"""Own staff among a tenant's choices: domains, and addresses of single persons, which nothing repeats."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from integration_assets.cli import app
from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.settings import built_settings, check_tenant_settings
from integration_assets_tests.support.registries import ACTOR, with_two_tenants

ADDRESS = "Dee.Founder@gmail.com"


def test_a_tenant_names_persons_and_neither_terminal_nor_audit_trail_repeats_them(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tenants set` keeps what was typed, and shows the domain beside a mask."""
    assert sqlite_settings.key is not None
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(sqlite_settings.home))
    monkeypatch.setenv("INTEGRATION_ASSETS_KEY", sqlite_settings.key.get_secret_value())
    for registry in with_two_tenants(sqlite_settings):
        said = CliRunner().invoke(app, ["tenants", "set", "acme", "own_domains", f"acme.example,{ADDRESS}"])
        assert (said.exit_code, said.output) == (
            0,
            "own_domains of acme is set to acme.example,[address]; the next run uses it\n",
        )
        with directory(registry, ACTOR) as tenants:
            view, trail = tenants.tenant("acme"), tenants.audit_trail("acme")
        assert "founder" not in str(trail).lower()
        assert built_settings(sqlite_settings, view, {}).own_domains == ("acme.example", ADDRESS)


@pytest.mark.parametrize("wrong", ["dee.founder@gmail", "dee.founder@a.com dee@b.com"])
def test_a_wrong_entry_is_refused_before_it_is_stored(sqlite_settings: Settings, wrong: str) -> None:
    """It is told by its place; only own domains may be addresses."""
    for registry in with_two_tenants(sqlite_settings):
        with directory(registry, ACTOR) as tenants:
            view = tenants.tenant("acme")
        for name, place in (("own_domains", "own domains: entry 2"), ("personal_domains", "personal domains: entry 2")):
            with pytest.raises(ConfigurationError, match=place) as told:
                check_tenant_settings(sqlite_settings, view, {name: f"acme.example,{wrong}"})
            assert "founder" not in told.value.message
