"""Which settings shape a plan, and what a change of them is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration_assets.config import Settings, load_settings, tenant_settings
from integration_assets.tenants.plan_settings import changed_settings, plan_settings

SHAPING = {
    "INTEGRATION_ASSETS_SOURCE_NAME": "ideas",
    "INTEGRATION_ASSETS_LINK_CONTACTS": "false",
    "CANNY_API_KEY": "another-key-0123456789",  # pragma: allowlist secret
    "CANNY_BASE_URL": "https://other.example/api",
    "CANNY_BOARDS": "Ideas",
    "CANNY_EXCLUDE_BOARDS": "Bugs",
    "CANNY_STATUSES": "later",
    "HUBSPOT_ARR_PROPERTY": "arr_of_ours",
    "HUBSPOT_CURRENCY_PROPERTY": "currency_of_ours",
    "HUBSPOT_ACCOUNT_ID_PROPERTY": "id_of_account",
    "INTEGRATION_ASSETS_OWN_DOMAINS": "us.example",
    "INTEGRATION_ASSETS_PERSONAL_DOMAINS": "mail.example",
    "INTEGRATION_ASSETS_BUSINESS_DOMAINS": "gmx.de",
    "INTEGRATION_ASSETS_ARR_SOURCES": "accounts,crm",
    "INTEGRATION_ASSETS_BASE_CURRENCY": "EUR",
    "INTEGRATION_ASSETS_ACCOUNTS_CURRENCY": "GBP",
    "INTEGRATION_ASSETS_CURRENCY_RATES": "EUR=1.08",
    "INTEGRATION_ASSETS_COVERAGE_FLOOR": "0.5",
}
INDIFFERENT = {
    "HUBSPOT_SANDBOX_TOKEN": "pat-na1-rotated-0123456789",
    "SALESFORCE_SANDBOX_SETUP_TOKEN": "00D-token-of-an-administrator",
    "SLACK_CHANNEL": "#elsewhere",
    "INTEGRATION_ASSETS_CALL_BUDGET": "100",
    "INTEGRATION_ASSETS_REQUEST_SECONDS": "60",
}


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a home, a key and nothing else."""
    for name in (*SHAPING, *INDIFFERENT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(tmp_path))
    monkeypatch.setenv("CANNY_API_KEY", "a-key-0123456789")
    return load_settings()


@pytest.mark.parametrize("name", [*SHAPING, *INDIFFERENT])
def test_what_changes_a_plan_is_named_and_nothing_else(before: Settings, name: str, monkeypatch: pytest.MonkeyPatch):
    """By the variable a person knows; neither old nor new value is anywhere."""
    then = plan_settings(before, "default")
    value = (SHAPING | INDIFFERENT)[name]
    monkeypatch.setenv(name, value)
    after = load_settings()
    now = plan_settings(after, "default")
    assert changed_settings(after, then, now) == (name if name in SHAPING else None)
    assert value not in str(now)
    assert changed_settings(after, now, plan_settings(load_settings(), "default")) is None


def test_the_order_of_a_list_is_no_change(before: Settings):
    """But for the sources of ARR, where it is the preference."""
    one, two = (load_settings(canny_boards=("a", "b"), arr_sources=order) for order in (("crm",), ("crm",)))
    swapped = load_settings(canny_boards=("b", "a"), arr_sources=("crm",))
    assert plan_settings(one, "default") == plan_settings(two, "default") == plan_settings(swapped, "default")
    preferred = (load_settings(arr_sources=order) for order in (("crm", "accounts"), ("accounts", "crm")))
    assert plan_settings(next(preferred), "default") != plan_settings(next(preferred), "default")
    assert before.feedbacks[0].texts("boards") == ()


def test_what_the_overrides_say_counts(before: Settings):
    """Not where the file is, nor when it was written."""
    then = plan_settings(before, "default")
    before.overrides_path.write_text("match,company_id,note\nx.example,1,\n")
    now = plan_settings(before, "default")
    assert changed_settings(before, then, now) == "INTEGRATION_ASSETS_OVERRIDES"
    before.overrides_path.write_text("match,company_id,note\nx.example,1,\n")
    assert plan_settings(before, "default") == now


def test_what_files_of_requests_say_counts(before: Settings, monkeypatch: pytest.MonkeyPatch):
    """Which requests count as others, and what is which in a table of one's own: the content, in the same place."""
    then = plan_settings(before, "default")
    before.same_requests_path.write_text("request,same_as,note\ncanny:1,canny:2,\n")
    now = plan_settings(before, "default")
    assert changed_settings(before, then, now) == "INTEGRATION_ASSETS_SAME_REQUESTS"
    mapping = before.home / "feedback.toml"
    mapping.write_text('[requests]\nfile = "requests.csv"\n')
    monkeypatch.setenv("INTEGRATION_ASSETS_FEEDBACK", "canny,table")
    monkeypatch.setenv("INTEGRATION_ASSETS_TABLE", str(mapping))
    both = load_settings()
    then = plan_settings(both, "default")
    mapping.write_text('[requests]\nfile = "others.csv"\n')
    assert changed_settings(both, then, plan_settings(both, "default")) == "INTEGRATION_ASSETS_TABLE"


def test_a_plan_that_names_no_settings_is_not_trusted(before: Settings):
    """One of an earlier version; and without secrets, nothing is said of the key."""
    now = plan_settings(before, "default")
    assert changed_settings(before, {}, now) == "settings that it does not name"
    without = {name: digest for name, digest in now.items() if name != "canny_api_key"}
    assert changed_settings(before, now, without) is None


def test_a_tenants_settings_have_the_names_it_knows(before: Settings):
    """Not those of variables it never set."""
    then, now = (
        {name: "1", "link_contacts": "1"} | {"canny_boards": digest}
        for name, digest in (("source_name", "1"), ("source_name", "2"))
    )
    own = tenant_settings(before, "acme")
    assert changed_settings(own, then, now) == "boards of Canny of tenant acme"
