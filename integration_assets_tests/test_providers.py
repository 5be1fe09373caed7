"""The registry of providers: what is made from the specs, and that nothing else of the product names a provider."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import integration_assets
from integration_assets.config import Environment, Settings, load_settings
from integration_assets.connectors.specs import ProviderKind, ProviderSpec
from integration_assets.errors import ConfigurationError
from integration_assets.providers import PROVIDERS, of_kind
from integration_assets_tests.support.spec_rules import check_whole

PACKAGE = Path(integration_assets.__file__).parent
VENDORS = [spec for spec in PROVIDERS.values() if spec.kind is not ProviderKind.MESSAGES and spec.address is not None]
"""A table of one's own has a plain word for a name."""
TEXTS = (".py", ".sql", ".html", ".js", ".css")
HISTORY = "migrations"
"""What was released stays as it was."""


def own_files(path: Path) -> bool:
    """True for a file that belongs to no provider."""
    parts = path.relative_to(PACKAGE).parts
    if path.suffix not in TEXTS or HISTORY in parts or parts[0] == "sandbox":
        return False
    return parts[:1] != ("providers.py",) and not (parts[0] == "connectors" and parts[1] in ("crm", "feedback"))


@pytest.mark.parametrize("spec", VENDORS, ids=lambda spec: spec.name)
def test_nothing_but_its_own_package_names_a_provider(spec: ProviderSpec) -> None:
    """So that a provider is added by a package and a row."""
    named = re.compile(rf"\b{spec.name}_|\b{re.escape(spec.label)}\b|\b{spec.name.upper()}_|[\"']{spec.name}[\"']")
    files = [path for path in sorted(PACKAGE.rglob("*")) if path.is_file() and own_files(path)]
    assert len(files) > 200
    assert [str(path.relative_to(PACKAGE)) for path in files if named.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("spec", list(PROVIDERS.values()), ids=lambda spec: spec.name)
def test_a_spec_is_whole(spec: ProviderSpec) -> None:
    """It keeps the rules of specs, and its variables are fields of the settings."""
    check_whole(spec)
    variables = {setting.variable.of("sandbox") for setting in spec.settings}
    assert {name.lower() for name in variables} <= Settings.model_fields.keys()


def test_the_one_whose_variables_are_set_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any it is the first of its kind, which a message then names the variables of."""
    settings = load_settings()
    assert (settings.feedback_providers, settings.crm_provider) == (
        (of_kind(ProviderKind.FEEDBACK)[0].name,),
        of_kind(ProviderKind.CRM)[0].name,
    )
    for spec in of_kind(ProviderKind.CRM):
        assert spec.secret is not None
        with monkeypatch.context() as patch:
            patch.setenv(spec.secret.variable.of("sandbox"), _like(spec))
            assert load_settings().crm_provider == spec.name


def test_two_have_to_be_chosen_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are named, and the variable that says which is meant."""
    specs = of_kind(ProviderKind.CRM)
    if len(specs) < 2:
        pytest.skip("one CRM is known")
    for spec in specs[:2]:
        assert spec.secret is not None
        monkeypatch.setenv(spec.secret.variable.of("sandbox"), _like(spec))
    with pytest.raises(ConfigurationError, match=rf"INTEGRATION_ASSETS_CRM={specs[0].name} or {specs[1].name}"):
        load_settings()
    monkeypatch.setenv("INTEGRATION_ASSETS_CRM", specs[1].name)
    assert load_settings().crm(Environment.SANDBOX).spec is specs[1]
    monkeypatch.setenv("INTEGRATION_ASSETS_CRM", "elsewhere")
    with pytest.raises(ConfigurationError, match="INTEGRATION_ASSETS_CRM must be"):
        load_settings()


def _like(spec: ProviderSpec) -> str:
    """A secret that has the form of this provider's."""
    assert spec.secret is not None
    return f"{(*spec.secret.prefixes, '')[0]}0123456789"


def test_several_feedback_systems_have_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is named as its provider or as somebody says; one name says nothing of several, and no two share one."""
    monkeypatch.setenv("INTEGRATION_ASSETS_FEEDBACK", "canny, table")
    settings = load_settings()
    assert [one.spec.name for one in settings.feedbacks] == ["canny", "table"]
    assert settings.source_names == {"canny": "canny", "table": "table"}
    assert load_settings(source_name="table=calls,canny=ideas").source_names == {"canny": "ideas", "table": "calls"}
    for wrong, said in (
        ("ideas", "must say whose name it is"),
        ("cany=ideas", "names cany, which is none of"),
        ("table=canny", "two feedback systems one name"),
        ("table=a,table=b", "gives table two names"),
        ("table=Sales Calls", "must match"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            load_settings(source_name=wrong)
    monkeypatch.setenv("INTEGRATION_ASSETS_FEEDBACK", "canny,canny")
    with pytest.raises(
        ConfigurationError, match=r"names a feedback system twice.*two tenants, each with a source name"
    ):
        load_settings()
    monkeypatch.setenv("INTEGRATION_ASSETS_FEEDBACK", "canny")
    for one in ("ideas", "canny=ideas", "canny=ideas,table=calls"):
        assert load_settings(source_name=one).source_name == "ideas", "one that is left out for a while keeps its name"
