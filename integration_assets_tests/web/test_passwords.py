"""Changing one's own password, and setting one by an operator's link: once, and every session of before ends."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.login import LINK_VALID, open_password_link, use_password_link
from integration_assets_tests.support.registries import ACTOR
from integration_assets_tests.support.web_site import PASSWORD, Client, add_user
from integration_assets_tests.web.conftest import Served

BEA = "bea@acme.example"
NEW = "another horse battery staple"


@pytest.fixture
def bea(pages: Served) -> Iterator[str]:
    """Another admin of acme."""
    add_user(pages.registry, BEA, "acme")
    yield BEA
    with directory(pages.registry, ACTOR) as users:
        users.remove_user(BEA)


def link(pages: Served) -> str:
    """A new link for Bea, its token."""
    with directory(pages.registry, ACTOR) as users:
        return users.make_password_link(BEA)


def test_a_person_changes_their_password_and_every_session_ends(
    pages: Served, bea: str, stranger: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Only with the one of before; what is wrong stands beside its field; no line of the log has either."""
    caplog.set_level(logging.DEBUG)
    stranger.log_in(bea)
    sent = {"before": PASSWORD, "password": NEW, "again": NEW}
    with Client(pages.site.origin) as elsewhere:
        elsewhere.log_in(bea)
        assert stranger.post("/account/password", {**sent, "csrf": "x"}).status_code == 403
        wrong = stranger.post("/account/password", {**sent, "before": "not it at all"})
        assert (wrong.status_code, "Is not the password of this account" in wrong.text) == (400, True)
        assert "Differs from the new password above" in stranger.post("/account/password", {**sent, "again": "x"}).text
        short = stranger.post("/account/password", {**sent, "password": "short", "again": "short"}).text
        assert "Must have 12 to 128 characters" in short
        assert PASSWORD not in short
        assert elsewhere.get("/account").status_code == 200
        done = stranger.post("/account/password", sent)
        assert done.headers["location"] == "/login?done=password"
        assert (stranger.get("/account").status_code, elsewhere.get("/account").status_code) == (303, 303)
    assert "The password is set" in stranger.get("/login?done=password").text
    assert stranger.log_in(bea).status_code == 401
    assert stranger.log_in(bea, NEW).status_code == 303
    assert "user.password" in stranger.get("/audit-trail").text
    assert not [line for line in caplog.messages if PASSWORD in line or NEW in line]


def test_guessing_the_password_of_before_is_limited_like_a_login(
    pages: Served, bea: str, stranger: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sits at a browser that was left open has as many tries as at the login."""
    stranger.log_in(bea)
    stranger.http.cookies.delete(pages.site.device_cookie)
    monkeypatch.setattr(pages.site.logins, "longest_delay", 0.0)
    monkeypatch.setitem(pages.site.logins.limits, "account", 1)
    guess = {"before": "not it at all", "password": NEW, "again": NEW}
    assert [stranger.post("/account/password", guess).status_code for _ in range(2)] == [400, 429]


def test_a_link_sets_the_password_once(
    pages: Served, bea: str, stranger: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Looking at it does not use it up; a newer one replaces it; no line of the log has its token."""
    caplog.set_level(logging.DEBUG)
    old, token = link(pages), link(pages)
    with Client(pages.site.origin) as elsewhere:
        elsewhere.log_in(bea)
        assert "Code of the link" in stranger.get("/password").text
        # No address leads to the form: what is in one is in the log of every proxy on the way.
        assert bea not in stranger.get(f"/password?token={token}").text
        assert stranger.post("/password", {"token": old}).status_code == 404
        assert stranger.post("/password", {}).status_code == 404
        assert stranger.post("/password", {"token": token}, **{"sec-fetch-site": "cross-site"}).status_code == 403
        assert bea in stranger.post("/password", {"token": token}).text
        sent = {"token": token, "password": NEW, "again": NEW}
        assert stranger.post("/password", sent, **{"sec-fetch-site": "cross-site"}).status_code == 403
        assert stranger.post("/password", {**sent, "password": "x", "again": "x"}).status_code == 400
        assert stranger.post("/password", sent).headers["location"] == "/login?done=password"
        assert stranger.post("/password", sent).status_code == 404
        assert elsewhere.get("/account").status_code == 303
    assert stranger.log_in(bea, NEW).status_code == 303
    # The server writes no log of accesses; pytest alone listens to what it would say.
    assert not logging.getLogger("uvicorn.access").propagate
    told = [one.getMessage() for one in caplog.records if one.name not in ("uvicorn.access", "httpx")]
    assert not [line for line in told if token in line or old in line]


def test_looking_at_links_is_limited_by_address(
    pages: Served, bea: str, stranger: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guesses at codes use up the tries of their address; the link opens from another, and after the wait."""
    monkeypatch.setattr(pages.site.logins, "longest_delay", 0.0)
    monkeypatch.setitem(pages.site.logins.limits, "address", 2)
    codes = [stranger.follow(f"/password#{number}").status_code for number in range(3)]
    assert codes == [404, 404, 429]
    token = link(pages)
    refused = stranger.follow(f"/password#{token}")
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
    assert bea not in refused.text
    with Client(pages.site.origin, "127.0.0.2") as elsewhere:
        assert bea in elsewhere.follow(f"/password#{token}").text


def test_a_link_ends_with_its_day_and_with_the_user(pages: Served, bea: str) -> None:
    """After 24 hours, when the person changed the password in between, and when they were shut out."""
    now = datetime.now(UTC)
    token = link(pages)
    assert open_password_link(pages.registry, token, now=now + LINK_VALID - timedelta(minutes=1)) == bea
    assert open_password_link(pages.registry, token, now=now + LINK_VALID + timedelta(minutes=1)) is None
    with directory(pages.registry, ACTOR) as users:
        users.enable_user(bea, enabled=False)
    assert not use_password_link(pages.registry, token, NEW)
    with directory(pages.registry, ACTOR) as users:
        users.enable_user(bea, enabled=True)
        users.set_password(bea, PASSWORD)
    assert open_password_link(pages.registry, token) is None
