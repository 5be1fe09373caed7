"""Attempts to have a stored secret sent to another place: by changing an address, and by testing a connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from integration_assets_tests.proofs.registry import Row, Scale, counted, proof
from integration_assets_tests.proofs.security.pages import (
    ACME,
    DESCRIPTION,
    INTERNAL,
    THIRD,
    Pages,
    listening,
    made,
    pages,
)
from integration_assets_tests.support.web_site import Client

SECRET = "the secret that is wanted 0123456789"
PLACES = (
    "https://evil.example.com",
    "https://canny.io.evil.example.com",
    "https://canny.io@evil.example.com",
    "https://canny.io:8443",
    "http://canny.io",
    "https://billing.example.com:8443",
    "https://billing.example.com.evil.example.com",
    "https://127.0.0.1",
    "//evil.example.com",
    "https://evil.example.com/?https://canny.io",
)
BODIES: dict[str, dict[str, Any]] = {
    THIRD: {"provider": "canny", "environment": "any", "secret": SECRET},
    INTERNAL: {
        "name": "Billing",
        "base_url": "https://billing.example.com",
        "auth_flow": "oauth2_client_credentials",
        "auth": {"token_url": "https://login.example.com/token", "client_id": "us"},
        "secret": SECRET,
        **DESCRIPTION,
    },
}


@proof(
    "theft",
    "security",
    "No stored secret is sent to another place by changing an address or testing a connection.",
    small=1,
)
def measure(_scale: Scale) -> Iterator[Row]:
    """Count how many attempts were refused, and of how many."""
    with pages() as served, served.client(ACME) as ann:
        for group, body in BODIES.items():
            changes = list(_changes(ann, group, body))
            yield counted(f"URL-change theft attempts refused, {group}", sum(changes), len(changes))
        tests = list(_tests(served, ann))
    yield counted("theft attempts by a connection test refused", sum(tests), len(tests))


def _changes(ann: Client, group: str, body: dict[str, Any]) -> Iterator[bool]:
    record = made(ann, group, body)
    at, before = f"{group}/{record}", ann.call("GET", f"{group}/{record}").json()
    page = f"/settings/{'third-party' if group == THIRD else 'internal'}/{record}"
    for place in PLACES:
        yield _unmoved(ann, at, before, ann.call("PATCH", at, {"base_url": place}).status_code)
        for mask in (before["secret"]["masked"], "********"):
            yield _unmoved(ann, at, before, ann.call("PATCH", at, {"base_url": place, "secret": mask}).status_code)
        form = {"base_url": place, "name": "Billing", "auth_flow": "oauth2_client_credentials"}
        form |= {f"auth.{name}": value for name, value in body.get("auth", {}).items()}
        form |= {"endpoints.0.path": "/v1/accounts", "mappings.row_id": "id", "mappings.domain": "domain"}
        yield _unmoved(ann, at, before, ann.post(page, {**form, "mappings.arr": "arr", "secret": ""}).status_code)
    if group == INTERNAL:
        for place in PLACES:
            change = {"auth": {"token_url": place}}
            yield _unmoved(ann, at, before, ann.call("PATCH", at, change).status_code)
        for flow in ("bearer", "header", "basic"):
            auth = {"header": {"header_name": "X-Key"}, "basic": {"username": "us"}}.get(flow, {})
            other = {"auth_flow": flow, "auth": auth}
            yield _unmoved(ann, at, before, ann.call("PATCH", at, other).status_code)


def _unmoved(ann: Client, at: str, before: dict[str, Any], status: int) -> bool:
    """Whether a change was refused and all is as it was."""
    after = ann.call("GET", at).json()
    return status in (400, 409) and after == before


def _tests(served: Pages, ann: Client) -> Iterator[bool]:
    """A test with an address, a secret or a flow sent along asks nobody: least of all the listener named in it."""
    heard: list[str] = []
    with listening(heard, 200) as address:
        for group in BODIES:
            record = ann.call("GET", group).json()[0]["id"]
            moved: dict[str, Any] = {"base_url": served.own, "secret": SECRET}
            if group == INTERNAL:
                moved["auth"] = {"token_url": f"{served.own}/token"}
            assert ann.call("PATCH", f"{group}/{record}", moved).status_code == 200
            for sent in (
                {"base_url": address},
                {"auth": {"token_url": address}},
                {"url": address},
                {"secret": "x" * 9},
            ):
                answer = ann.call("POST", f"{group}/{record}/test", sent)
                yield answer.status_code == 400 and not heard
            answer = ann.call("POST", f"{group}/{record}/test?base_url={address}")
            yield answer.json()["outcome"] == "refused" and not heard
            page = f"/settings/{'third-party' if group == THIRD else 'internal'}/{record}/test"
            yield ann.post(page, {"base_url": address}).status_code == 303 and not heard
        internal = ann.call("GET", INTERNAL).json()[0]["id"]
        form = {"base_url": address, "endpoints.0.path": "/x", "mappings.row_id": "id", "mappings.arr": "a"}
        preview = ann.post(f"/settings/internal/{internal}/preview", {**form, "mappings.domain": "d"})
        yield preview.status_code == 200 and not heard
