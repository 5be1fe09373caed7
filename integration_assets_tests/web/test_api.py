"""The API: two groups, write-only secrets, absent keeps, null clears, and nothing of another tenant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets_tests.support.registries import tenant_id
from integration_assets_tests.support.web_site import Client
from integration_assets_tests.web.conftest import Served

THIRD, INTERNAL = "/api/third-party-integrations", "/api/internal-integrations"
SECRET = "a secret of twenty characters or more"
CANNY: dict[str, Any] = {"provider": "canny", "environment": "any", "secret": SECRET}
BILLING: dict[str, Any] = {
    "name": "Billing",
    "base_url": "https://billing.example.com",
    "auth_flow": "oauth2_client_credentials",
    "auth": {"token_url": "https://login.example.com/token", "client_id": "us", "scope": "read"},
    "secret": SECRET,
    "endpoints": [{"path": "/v1/accounts", "items": "data"}],
    "mappings": {"row_id": "id", "domain": "domain", "arr": "arr", "currency": {"path": "cur", "default": "USD"}},
}
GROUPS = [pytest.param(THIRD, CANNY, id="third-party"), pytest.param(INTERNAL, BILLING, id="internal")]


@pytest.fixture(autouse=True)
def nothing_left(ann: Client, gus: Client) -> Iterator[None]:
    """Every test begins and ends without integrations."""
    yield
    for client in (ann, gus):
        for group in (THIRD, INTERNAL):
            for one in client.call("GET", group).json():
                assert client.call("DELETE", f"{group}/{one['id']}").status_code == 204


def made(client: Client, group: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.call("POST", group, body)
    assert answer.status_code == 201, answer.text
    view: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{group}/{view['id']}"
    return view


def secret_of(pages: Served, group: str, record: str) -> str | None:
    with tenant_repository(pages.registry, tenant_id(pages.registry, "acme"), Actor("the test")) as repository:
        opened: Any = repository.open_third_party(record) if group == THIRD else repository.open_internal(record)
    return opened.secret.get_secret_value() if opened.secret else None


@pytest.mark.parametrize(("group", "body"), GROUPS)
def test_a_secret_goes_in_and_never_comes_out(pages: Served, ann: Client, group: str, body: dict[str, Any]) -> None:
    """It is stored, shown as four characters at most, and in no answer of any kind."""
    view = made(ann, group, body)
    assert secret_of(pages, group, view["id"]) == SECRET
    answers = [
        ann.call("GET", group),
        ann.call("GET", f"{group}/{view['id']}"),
        ann.call("PATCH", f"{group}/{view['id']}", {"enabled": False}),
        ann.call("POST", f"{group}/{view['id']}/enable"),
        ann.call("GET", "/api/audit-trail"),
        ann.get("/settings/third-party"),
        ann.get("/audit-trail"),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert SECRET not in answer.text
    assert view["secret"]["last4"] == SECRET[-4:]
    assert set(view["secret"]) == {"is_set", "masked", "last4", "set_at", "set_by", "expires_at", "never_expires"}


@pytest.mark.parametrize(("group", "body"), GROUPS)
def test_absent_keeps_null_clears_and_a_mask_is_refused(
    pages: Served, ann: Client, group: str, body: dict[str, Any]
) -> None:
    """A secret that is not named stays; null takes it away; what stands for it on a page is no secret."""
    view = made(ann, group, body)
    at = f"{group}/{view['id']}"
    assert ann.call("PATCH", at, {"never_expires": True}).json()["secret"]["never_expires"] is True
    assert secret_of(pages, group, view["id"]) == SECRET
    for mask in (view["secret"]["masked"], "********", "•••"):
        refused = ann.call("PATCH", at, {"secret": mask})
        assert refused.status_code == 400
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["errors"][0]["field"] == "secret"
    assert ann.call("PATCH", at, {"secret": None}).json()["secret"]["is_set"] is False
    assert secret_of(pages, group, view["id"]) is None


@pytest.mark.parametrize(("group", "body"), GROUPS)
@pytest.mark.parametrize("way", ["host", "port", "scheme and port"])
def test_a_stored_secret_is_not_sent_elsewhere(
    pages: Served, ann: Client, group: str, body: dict[str, Any], way: str
) -> None:
    """Another host, port or scheme without the secret is 409, and nothing changed; with it, it is taken."""
    host = "canny.io" if group == THIRD else "billing.example.com"
    ways = {
        "host": "https://canny.io:8443" if group == THIRD else "https://evil.example.com",
        "port": f"https://{host}:8443",
        "scheme and port": f"https://{host}:8443/api",
    }
    view = made(ann, group, body)
    at = f"{group}/{view['id']}"
    refused = ann.call("PATCH", at, {"base_url": ways[way]})
    assert refused.status_code == 409
    assert refused.json()["errors"] == [{"field": "secret", "message": "enter the secret again: base_url changed"}]
    assert ann.call("GET", at).json()["base_url"] == view["base_url"]
    assert ann.call("PATCH", at, {"base_url": ways[way], "secret": "another secret"}).status_code == 200
    assert secret_of(pages, group, view["id"]) == "another secret"


def test_a_token_address_is_a_place_for_a_secret_too(ann: Client) -> None:
    """Where the client secret is exchanged may not change without it; nor may the flow."""
    view = made(ann, INTERNAL, BILLING)
    at = f"{INTERNAL}/{view['id']}"
    for change in ({"auth": {"token_url": "https://evil.example.com/token"}}, {"auth_flow": "bearer", "auth": {}}):
        assert ann.call("PATCH", at, change).status_code == 409
    scope = ann.call("PATCH", at, {"auth": {"scope": None, "audience": "us"}}).json()["auth"]
    assert scope == {"token_url": "https://login.example.com/token", "client_id": "us", "audience": "us"}


@pytest.mark.parametrize(("group", "body"), GROUPS)
@pytest.mark.parametrize("action", ["test", "enable", "disable"])
def test_a_test_takes_nothing_along(ann: Client, group: str, body: dict[str, Any], action: str) -> None:
    """A test or a switch works on what is stored: an address or a secret sent along is refused."""
    view = made(ann, group, body)
    answer = ann.call("POST", f"{group}/{view['id']}/{action}", {"base_url": "https://evil.example.com"})
    assert answer.status_code == 400
    assert ann.call("GET", f"{group}/{view['id']}").json()["last_error"] is None


@pytest.mark.parametrize(("group", "body"), GROUPS)
def test_another_tenants_record_is_not_there(ann: Client, gus: Client, group: str, body: dict[str, Any]) -> None:
    """By every route and method an id of another tenant is as unknown as one that nobody has."""
    view = made(ann, group, body)
    nobodys = "00000000-0000-4000-8000-000000000000"
    calls = [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/enable"), ("POST", "/disable")]
    for method, action in calls:
        body_sent = {"enabled": False} if method == "PATCH" else None
        theirs = gus.call(method, f"{group}/{view['id']}{action}", body_sent)
        unknown = gus.call(method, f"{group}/{nobodys}{action}", body_sent)
        assert theirs.status_code == unknown.status_code == 404
        assert theirs.content == unknown.content
    kind = "third-party" if group == THIRD else "internal"
    for action in ("", "/delete"):
        assert gus.get(f"/settings/{kind}/{view['id']}{action}").status_code == 404
    for action in ("", "/rotate", "/test", "/enable", "/disable", "/delete"):
        assert gus.post(f"/settings/{kind}/{view['id']}{action}", {"secret": "stolen or not"}).status_code == 404
    assert gus.call("GET", group).json() == []
    assert view["id"] not in gus.call("GET", "/api/audit-trail").text
    assert ann.call("GET", f"{group}/{view['id']}").json()["enabled"] is True


def test_there_is_one_of_a_place_and_of_a_name(ann: Client) -> None:
    """A second Canny key for the same environment, or a second system of one name, is 409 beside the field."""
    made(ann, THIRD, CANNY)
    made(ann, INTERNAL, BILLING)
    assert ann.call("POST", THIRD, CANNY).json()["errors"][0]["field"] == "environment"
    taken = ann.call("POST", INTERNAL, BILLING)
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "name")


@pytest.mark.parametrize(
    ("group", "change", "field"),
    [
        (THIRD, {"provider": "jira"}, "provider"),
        (THIRD, {"environment": "moon"}, "environment"),
        (THIRD, {"base_url": "https://evil.example.com"}, "base_url"),
        (THIRD, {"base_url": "http://canny.io"}, "base_url"),
        (THIRD, {"secret": "two\nlines"}, "secret"),
        (THIRD, {"secret": ""}, "secret"),
        (THIRD, {"secret": 7}, "secret"),
        (THIRD, {"settings": {"channel": "x"}}, "settings.channel"),
        (THIRD, {"settings": {"plan": "gold"}}, "settings.plan"),
        (THIRD, {"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        (THIRD, {"expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        (THIRD, {"enabled": "yes"}, "enabled"),
        (THIRD, {"tenant_id": "globex"}, "tenant_id"),
        (INTERNAL, {"name": " "}, "name"),
        (INTERNAL, {"base_url": "https://127.0.0.1"}, "base_url"),
        (INTERNAL, {"base_url": "https://169.254.169.254"}, "base_url"),
        (INTERNAL, {"auth": {"client_id": "us"}}, "auth.token_url"),
        (INTERNAL, {"auth": {"client_id": "us", "token_url": "https://[::1]/t"}}, "auth.token_url"),
        (INTERNAL, {"auth_flow": "magic"}, "auth_flow"),
        (INTERNAL, {"endpoints": []}, "endpoints"),
        (INTERNAL, {"endpoints": [{"path": "//evil.example"}]}, "endpoints.0.path"),
        (INTERNAL, {"endpoints": [{"path": "/a"}, {"path": "b"}]}, "endpoints.1.path"),
        (INTERNAL, {"mappings": {"row_id": "id", "arr": "arr"}}, "mappings.domain"),
        (INTERNAL, {"mappings": {"row_id": "{{7*7}}", "arr": "arr", "domain": "d"}}, "mappings.row_id"),
    ],
)
def test_what_is_wrong_is_named_by_field(ann: Client, group: str, change: dict[str, Any], field: str) -> None:
    """400, a message beside the field, and nothing stored."""
    body = {**(CANNY if group == THIRD else BILLING), **change}
    answer = ann.call("POST", group, body)
    assert answer.status_code == 400, answer.text
    assert field in {error["field"] for error in answer.json()["errors"]}
    assert ann.call("GET", group).json() == []


def test_all_wrong_fields_are_told_at_once(ann: Client) -> None:
    """Not one after another."""
    body = {**BILLING, "base_url": "https://10.0.0.1", "secret": "••••", "name": "\t", "mappings": {}}
    fields = {error["field"] for error in ann.call("POST", INTERNAL, body).json()["errors"]}
    assert {"base_url", "secret", "name", "mappings.row_id"} <= fields


def test_what_is_no_json_is_refused(ann: Client) -> None:
    """Neither text nor an array, and the answer does not repeat it."""
    headers = {"origin": ann.origin, "x-csrf-token": ann.csrf, "content-type": "application/json"}
    for content in (b"{", b"[]", b"\xff", b'{"secret": "' + b"[" * 2_000, b"[" * 60_000):
        answer = ann.http.post(THIRD, content=content, headers=headers)
        assert answer.status_code == 400
        assert len(answer.content) < 400


def test_tests_are_counted(pages: Served, ann: Client) -> None:
    """More than ten a minute are sent away with when to come again."""
    view = made(ann, THIRD, {**CANNY, "secret": None})
    at = f"{THIRD}/{view['id']}/test"
    pages.site.tests.limits["tenant"] = 1
    assert ann.call("POST", at).json() == {"outcome": "no_secret", "meaning": "no secret is set"}
    refused = ann.call("POST", at)
    pages.site.tests.limits["tenant"] = 100
    assert refused.status_code == 429
    assert refused.json()["detail"].startswith("too many tests: try again in ")
