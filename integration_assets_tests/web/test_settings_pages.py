"""The settings without JavaScript: every field has its message, and what was typed is still there."""

from __future__ import annotations

import re
from html import unescape

import pytest

from integration_assets.connectors.internal.connector import Preview
from integration_assets.tenants.outcomes import Outcome
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets_tests.support.registries import tenant_id
from integration_assets_tests.support.web_site import Client, hidden_field
from integration_assets_tests.web.conftest import Served

SECRET = "a secret of twenty characters or more"
BILLING = {
    "name": "Billing",
    "base_url": "https://billing.example.com",
    "auth_flow": "header",
    "auth.header_name": "X-Api-Key",
    "auth.username": "left over from another flow",
    "secret": SECRET,
    "expires": "day",
    "expires_on": "2099-03-31",
    "endpoints.0.path": "/v1/accounts",
    "endpoints.0.method": "POST",
    "endpoints.0.items": "data",
    "endpoints.0.paging": "cursor",
    "endpoints.0.next": "next",
    "endpoints.0.page_size": "50",
    "endpoints.0.params": "state=active\nkind = paying",
    "endpoints.1.path": "",
    "mappings.row_id": "id",
    "mappings.domain": "domains[0]",
    "mappings.arr": "arr",
    "mappings.currency": "",
    "mappings.currency.default": "EUR",
}


def value_of(page: str, name: str) -> str:
    """What an input shows."""
    found = re.search(rf'<input [^>]*id="{re.escape(name)}" [^>]*value="([^"]*)"', page)
    assert found is not None, name
    return unescape(found[1])


def error_of(page: str, name: str) -> str:
    """The message beside a field."""
    found = re.search(rf'<p class="error" id="{re.escape(name)}-error">([^<]*)</p>', page)
    assert found is not None, name
    return unescape(found[1])


def test_an_internal_system_is_described_by_its_form(pages: Served, ann: Client) -> None:
    """What was typed is what is stored, and what is shown again; the page of it never holds the secret."""
    answer = ann.post("/settings/internal/new", BILLING)
    assert answer.status_code == 303, answer.text
    at = answer.headers["location"].partition("?")[0]
    with tenant_repository(pages.registry, tenant_id(pages.registry, "acme"), Actor("the test")) as repository:
        view = repository.internal_integration(at.rpartition("/")[2])
    assert view.auth == {"header_name": "X-Api-Key"}
    assert view.endpoints == [
        {
            "path": "/v1/accounts",
            "method": "POST",
            "items": "data",
            "paging": "cursor",
            "next": "next",
            "page_size": 50,
            "params": {"state": "active", "kind": "paying"},
        }
    ]
    assert view.mappings == {
        "row_id": "id",
        "domain": "domains[0]",
        "arr": "arr",
        "currency": {"path": None, "default": "EUR"},
    }
    assert f"{view.secret.expires_at:%Y-%m-%d}" == "2099-03-31"
    page = ann.get(at).text
    for name in ("name", "base_url", "auth.header_name", "endpoints.0.path", "endpoints.0.page_size", "expires_on"):
        assert value_of(page, name) == BILLING[name]
    assert SECRET not in page
    moved = ann.post(at, {**BILLING, "secret": "", "base_url": "https://evil.example.com"})
    assert moved.status_code == 409
    assert error_of(moved.text, "secret") == "Enter the secret again: Address changed"
    assert value_of(moved.text, "base_url") == "https://evil.example.com"
    saved = ann.post(at, {**BILLING, "secret": "", "mappings.currency.default": "", "name": "Billing 2"})
    assert saved.headers["location"] == f"{at}?done=saved"
    with tenant_repository(pages.registry, tenant_id(pages.registry, "acme"), Actor("the test")) as repository:
        view = repository.internal_integration(view.id)
    assert (view.name, view.secret.is_set, "currency" in view.mappings) == ("Billing 2", True, False)
    assert ann.post(f"{at}/delete").headers["location"] == "/settings/internal?done=deleted"


def test_bad_input_is_told_beside_its_field_and_nothing_typed_is_lost(ann: Client) -> None:
    """All messages at once, each beside its field; every value but the secret is still there."""
    typed = {
        **BILLING,
        "name": 'a "quoted" <b>name</b>',
        "base_url": "http://10.0.0.1",
        "auth.header_name": "Host",
        "expires_on": "yesterday",
        "endpoints.0.path": "no-slash",
        "endpoints.0.params": "no equals sign",
        "mappings.arr": "arr | round",
    }
    answer = ann.post("/settings/internal/new", typed)
    assert answer.status_code == 400
    fields = ("base_url", "auth.header_name", "endpoints.0.path", "endpoints.0.params", "mappings.arr", "expires_at")
    for name in fields:
        assert error_of(answer.text, name)
    for name in ("name", "base_url", "auth.header_name", "endpoints.0.path", "mappings.arr", "expires_on"):
        assert value_of(answer.text, name) == typed[name]
    assert "<b>name</b>" not in answer.text
    assert SECRET not in answer.text
    assert ann.get("/settings/internal").text.count("/settings/internal/new") == 1


def test_nothing_is_saved_without_its_secret_and_all_is_told_by_labels(pages: Served, ann: Client) -> None:
    """The form asks for the key as something needed; messages name fields as the page does, and all at once."""
    form = ann.get("/settings/third-party/new?provider=slack").text
    assert re.search(r'<input id="secret" [^>]*required', form)
    assert '<label for="secret">Bot token</label>' in form
    wrong = {"provider": "slack", "environment": "moon", "base_url": "http://10.0.0.1", "settings.channel": "# none"}
    answer = ann.post("/settings/third-party/new", wrong)
    assert (answer.status_code, SECRET in answer.text) == (400, False)
    named = {"environment": "For", "base_url": "Address", "secret": "Bot token", "settings.channel": "Channel"}
    for field, label in named.items():
        assert error_of(answer.text, field)
        assert f'<a href="#{field}">{label}</a>' in answer.text
    # Of a provider without a secret, the one thing that nothing can be read without.
    answer = ann.post("/settings/third-party/new", {"provider": "table", "environment": "any"})
    assert (answer.status_code, error_of(answer.text, "settings.mapping")[:8]) == (400, "Enter it")

    # One that was made without: by the API, which may.
    body = {"provider": "slack", "environment": "any", "secret": None, "settings": {"channel": "#x"}}
    at = f"/settings/third-party/{ann.call('POST', '/api/third-party-integrations', body).json()['id']}"
    assert "no secret" in ann.get("/settings/third-party").text
    kept = {"base_url": "https://slack.com/api/", "settings.channel": "#y"}
    assert error_of(ann.post(at, kept).text, "secret").startswith("Enter it")
    assert ann.post(at, {**kept, "secret": SECRET}).status_code == 303
    assert ann.post(at, kept).status_code == 303
    table = ann.post(
        "/settings/third-party/new", {"provider": "table", "environment": "any", "settings.mapping": "a.toml"}
    )
    assert "no secret" not in ann.get("/settings/third-party").text
    for one in (at, table.headers["location"].partition("?")[0]):
        assert ann.post(f"{one}/delete").status_code == 303


def test_a_key_is_added_rotated_switched_and_deleted(pages: Served, ann: Client) -> None:
    """The whole life of a third-party integration on the pages, and its trail."""
    slack = {"provider": "slack", "environment": "any", "settings.channel": "#x", "secret": SECRET}
    added = ann.post("/settings/third-party/new", slack)
    at = added.headers["location"].partition("?")[0]
    assert error_of(ann.post(f"{at}/rotate", {"secret": ""}).text, "new-secret") == "Enter the new one"
    assert ann.post(f"{at}/rotate", {"secret": SECRET, "expires": "never"}).status_code == 303
    assert "never expires" in ann.get(at).text
    assert "The stored one stays" in ann.get(at).text or "the stored one stays" in ann.get(at).text
    wrong = ann.post(at, {"base_url": "https://slack.com/api/", "settings.channel": "# no channel"})
    assert (wrong.status_code, value_of(wrong.text, "settings.channel")) == (400, "# no channel")
    assert ann.post(f"{at}/disable").status_code == 303
    assert "disabled" in ann.get("/settings/third-party").text
    assert ann.post(f"{at}/enable").status_code == 303
    assert ann.get(f"{at}/delete").status_code == 200
    assert ann.post(f"{at}/delete").status_code == 303
    assert ann.get(at).status_code == 404
    trail = ann.get("/audit-trail").text
    for action in ("integration.add", "integration.change", "integration.remove"):
        assert action in trail
    assert SECRET not in trail


def test_a_mapping_is_made_and_taken_away(pages: Served, ann: Client) -> None:
    """It is in the file that the tenant's next run reads; a personal mail domain is refused beside its field."""
    file = pages.home / "overrides" / "acme.csv"
    wrong = ann.post("/unresolved/map", {"match": "gmail.com", "company_id": "12", "note": "mine"})
    assert error_of(wrong.text, "match").startswith("A personal mail domain cannot be mapped")
    assert value_of(wrong.text, "note") == "mine"
    assert error_of(ann.post("/unresolved/map", {"match": "", "company_id": "a b"}).text, "company_id")
    assert ann.post("/unresolved/map", {"match": "Mail.Acme.com", "company_id": "12"}).status_code == 303
    assert file.read_text() == "match,company_id,note\nmail.acme.com,12,\n"
    assert "mail.acme.com" in ann.get("/unresolved").text
    assert ann.post("/unresolved/unmap", {"match": "mail.acme.com"}).status_code == 303
    assert ann.post("/unresolved/unmap", {"match": "mail.acme.com"}).status_code == 404
    assert file.read_text() == "match,company_id,note\n"
    assert not (pages.home / "overrides" / "globex.csv").exists()


def test_an_operator_chooses_a_tenant_and_an_admin_cannot(pages: Served, ann: Client) -> None:
    """The list of tenants is for operators; a cookie of theirs is nothing to an admin."""
    with Client(pages.site.origin) as olga:
        olga.log_in("olga")
        assert olga.get("/requests").headers["location"] == "/tenants"
        assert olga.call("GET", "/api/third-party-integrations").status_code == 409
        assert "globex" in olga.get("/tenants").text
        assert olga.post("/tenants", {"tenant": "globex"}).status_code == 303
        assert "globex" in olga.get("/requests").text
    ann.http.cookies.set("tenant", "globex")
    assert "globex" not in ann.get("/requests").text
    assert ann.get("/tenants").status_code == 404
    assert ann.post("/tenants", {"tenant": "globex"}).status_code == 404
    ann.http.cookies.delete("tenant")


def test_every_wrong_mapping_is_named_at_once_by_its_label(pages: Served, ann: Client) -> None:
    """Also by a preview of what is not saved yet, which saves nothing."""
    wrong = {
        "name": "Wrong",
        "base_url": "https://billing.example.com",
        "auth_flow": "bearer",
        "secret": "a-token-of-billing",
        "endpoints.0.path": "/v1/accounts",
        "mappings.row_id": "a..b",
        "mappings.arr.unit": "cents",
    }
    for path in ("/settings/internal/new", "/settings/internal/new/preview"):
        answer = ann.post(path, wrong)
        assert answer.status_code == 400
        listed = answer.text.split('role="alert"')[1].split("</ul>")[0]
        assert [label in listed for label in ("Row id", "ARR", "Domain", "“Company id”")] == [True] * 4
        assert "company_id" not in listed
        assert "a-token-of-billing" not in answer.text
    assert ann.call("GET", "/api/internal-integrations").json() == []


def test_a_preset_fills_the_form_and_what_is_chosen_comes_back(pages: Served, ann: Client) -> None:
    """The figure of Chargebee is in cents, for a month; saved, it is shown as it was chosen."""
    page = ann.get("/settings/internal/new?preset=chargebee").text
    assert 'value="/api/v2/subscriptions"' in page
    assert '<option value="cents" selected>' in page
    assert '<option value="month" selected>' in page
    assert "user name stays empty" in page
    assert "in the place of YOUR-SITE" in page
    sent = {
        "name": "Billing in cents",
        "base_url": "https://acme.chargebee.com",
        "auth_flow": "basic",
        "secret": "test_0123456789abcdef",
        "endpoints.0.path": "/api/v2/subscriptions",
        "mappings.row_id": "subscription.id",
        "mappings.domain": "customer.email",
        "mappings.arr": "subscription.mrr",
        "mappings.arr.unit": "cents",
        "mappings.arr.period": "month",
        "mappings.currency": "subscription.currency_code",
    }
    saved = ann.post("/settings/internal/new", sent)
    assert saved.status_code == 303
    [view] = ann.call("GET", "/api/internal-integrations").json()
    assert view["mappings"]["arr"] == {"path": "subscription.mrr", "unit": "cents", "period": "month"}
    again = ann.get(f"/settings/internal/{view['id']}").text
    assert '<option value="cents" selected>' in again
    assert ann.post(f"/settings/internal/{view['id']}/delete").status_code == 303


def test_only_a_secret_that_was_used_has_to_be_entered_again(ann: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a preview of what is not saved yet."""

    async def answered(*_: object, **__: object) -> tuple[Outcome, Preview]:
        return Outcome.OK, Preview((), ())

    monkeypatch.setattr("integration_assets.web.connection_tests.preview_unsaved", answered)
    sent = {
        "name": "Billing",
        "base_url": "https://billing.example.com",
        "auth_flow": "none",
        "endpoints.0.path": "/v1/accounts",
        "mappings.row_id": "id",
        "mappings.domain": "domain",
        "mappings.arr": "arr",
    }
    assert "enter it again" not in ann.post("/settings/internal/new/preview", sent).text
    with_one = ann.post(
        "/settings/internal/new/preview", {**sent, "auth_flow": "bearer", "secret": "a-token-of-billing"}
    )
    assert "enter it again" in with_one.text
    assert "a-token-of-billing" not in with_one.text


def choices_of(pages: Served, slug: str) -> dict[str, str]:
    """What is stored of a tenant's choices."""
    with directory(pages.registry, Actor("the test")) as tenants:
        return {name: str(value) for name, value in tenants.tenant(slug).settings.items()}


def test_what_another_admin_saved_since_the_page_was_opened_stays(pages: Served, ann: Client) -> None:
    """Only what somebody changed is stored, also after a refusal; who changes the same field is told first."""

    def sent(page: str, **typed: str) -> dict[str, str]:
        fields = re.findall(r'<input [^>]*name="([a-z_.]+)"[^>]*value="([^"]*)"', page)
        return {name: unescape(value) for name, value in fields if name != "csrf"} | typed

    opened = ann.get("/settings/choices").text
    assert ann.post("/settings/choices", sent(opened, base_currency="EUR", own_domains="acme.com")).status_code == 303
    refused = ann.post("/settings/choices", sent(opened, currency_rates="USD"))
    assert refused.status_code == 400
    assert ann.post("/settings/choices", sent(refused.text, currency_rates="USD=0.9")).status_code == 303
    stored = {"base_currency": "EUR", "own_domains": "acme.com", "currency_rates": "USD=0.9"}
    assert choices_of(pages, "acme") == stored
    outdated = ann.post("/settings/choices", sent(opened, base_currency="JPY", coverage_floor="0.5"))
    assert outdated.status_code == 409
    assert "somebody has saved another value since you opened this page: EUR" in outdated.text
    assert choices_of(pages, "acme") == stored
    assert ann.post("/settings/choices", sent(outdated.text, base_currency="JPY")).status_code == 303
    assert choices_of(pages, "acme") == {**stored, "base_currency": "JPY", "coverage_floor": "0.5"}
    assert ann.post("/settings/choices", {}).status_code == 303
    assert choices_of(pages, "acme") == {}


def test_spaces_and_lines_of_a_stored_choice_are_nobody_elses_change(pages: Served, ann: Client) -> None:
    """A command stores a value as it was given, and a form sends none back with its line ends and outer spaces."""
    given = "EUR=1.08\nGBP=1.27,\n "
    with directory(pages.registry, Actor("the test")) as tenants:
        tenants.change_tenant("acme", settings={"currency_rates": given})
    shown = hidden_field(ann.get("/settings/choices").text, "was.currency_rates")
    assert shown == "EUR=1.08, GBP=1.27"
    unchanged = {"was.currency_rates": shown, "currency_rates": shown}
    assert ann.post("/settings/choices", unchanged).status_code == 303
    assert choices_of(pages, "acme") == {"currency_rates": given}
    changed = ann.post("/settings/choices", unchanged | {"currency_rates": "EUR=1.09"})
    assert changed.status_code == 303, changed.text
    assert choices_of(pages, "acme") == {"currency_rates": "EUR=1.09"}


VERSION = re.compile(r'name="version" id="version" value="([0-9a-f]{16})"')


def version_in(page: str) -> str:
    found = VERSION.search(page)
    assert found is not None
    return found[1]


def test_of_two_admins_who_change_one_integration_the_second_is_told(ann: Client) -> None:
    """Nothing is stored, what was typed stays on the page, and saving once more is meant."""
    at = ann.post("/settings/internal/new", BILLING).headers["location"].partition("?")[0]
    changed = {name: value for name, value in BILLING.items() if name != "secret"}
    seen = version_in(ann.get(at).text)
    first = ann.post(at, changed | {"version": seen, "endpoints.0.path": "/v2/accounts"})
    assert first.status_code == 303, first.text
    typed = changed | {"version": seen, "name": "Invoices", "endpoints.0.path": "/v3/accounts"}
    second = ann.post(at, typed)
    assert second.status_code == 409
    assert "somebody has saved another version since you opened this page" in second.text
    assert (value_of(second.text, "name"), value_of(second.text, "endpoints.0.path")) == ("Invoices", "/v3/accounts")
    assert value_of(ann.get(at).text, "endpoints.0.path") == "/v2/accounts"
    # another mistake on the way changes nothing about what was seen
    wrong = ann.post(at, typed | {"name": ""})
    assert wrong.status_code == 409
    again = ann.post(at, typed | {"version": version_in(second.text)})
    assert again.status_code == 303, again.text
    # neither a switch nor a new secret of one's own makes the form of the other old in silence
    seen = version_in(ann.get(at).text)
    assert ann.post(f"{at}/disable").status_code == 303
    assert version_in(ann.get(at).text) == seen
    rotation = {"version": seen, "secret": SECRET + "2", "expires": "never"}
    assert ann.post(f"{at}/rotate", rotation).status_code == 303
    assert ann.post(f"{at}/rotate", rotation | {"secret": SECRET + "3"}).status_code == 409
    assert ann.post(f"{at}/delete").status_code == 303

    made = ann.post("/settings/third-party/new", {"provider": "canny", "environment": "any", "secret": SECRET})
    at = made.headers["location"].partition("?")[0]
    seen = version_in(ann.get(at).text)
    for statuses, code in (("parked", 303), ("later", 409)):
        answer = ann.post(at, {"version": seen, "expires": "", "settings.statuses": statuses})
        assert answer.status_code == code, answer.text
    assert "stored otherwise than you typed: Further statuses" in answer.text
    assert SECRET not in answer.text
    assert ann.post(f"{at}/delete").status_code == 303


def test_a_tenants_admin_makes_its_choices_and_addresses_are_never_shown(pages: Served, ann: Client) -> None:
    """What was typed is stored and shown again, but for addresses: these are counted, added and taken away."""
    page = ann.http.get("/settings/choices").text
    assert value_of(page, "own_domains") == ""
    chosen = {
        "own_domains": "acme.com, dee@gmail.com",
        "own_addresses": "eve@mail.example acme.io",
        "base_currency": "EUR",
    }
    answer = ann.post("/settings/choices", chosen)
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/choices?done=chosen")
    stored = {"own_domains": "acme.com,acme.io,dee@gmail.com,eve@mail.example", "base_currency": "EUR"}
    assert choices_of(pages, "acme") == stored
    assert choices_of(pages, "globex") == {}
    page = ann.http.get("/settings/choices").text
    assert (value_of(page, "own_domains"), value_of(page, "base_currency")) == ("acme.com, acme.io", "EUR")
    assert "2 addresses are stored and not shown" in page

    # What is wrong is told beside its field, nothing is stored, and an address among domains is not repeated.
    wrong = {
        "own_domains": "acme.com dee@a.example",
        "base_currency": "euro",
        "currency_rates": "USD",
        "customer_stages": "lead",
        "prospect_stages": "lead",
    }
    refused = ann.post("/settings/choices", wrong)
    assert refused.status_code == 400
    assert error_of(refused.text, "base_currency") == "Must be the three capital letters of a currency, such as EUR"
    assert error_of(refused.text, "currency_rates") == "Must look like EUR=1.08,GBP=1.27"
    assert (value_of(refused.text, "own_domains"), value_of(refused.text, "base_currency")) == ("acme.com", "euro")
    assert choices_of(pages, "acme") == stored
    assert "Enter again the addresses you typed" in refused.text
    both = ann.post("/settings/choices", {"customer_stages": "lead", "prospect_stages": "lead"})
    assert both.status_code == 400
    assert "a company is the one or the other" in both.text
    assert "Enter again" not in both.text

    # Emptied fields are taken away; addresses only where that is said.
    assert ann.post("/settings/choices", {}).status_code == 303
    assert choices_of(pages, "acme") == {"own_domains": "dee@gmail.com,eve@mail.example"}
    assert ann.post("/settings/choices", {"forget_addresses": "1"}).status_code == 303
    assert choices_of(pages, "acme") == {}
    trail = ann.http.get("/audit-trail").text
    assert "settings.own_domains" in trail
    for shown in (page, refused.text, trail, ann.http.get("/settings/choices").text):
        assert not re.search(r"(dee|eve)@", shown)
