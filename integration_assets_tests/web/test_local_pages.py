"""Pages without a registry: one link for one person at this machine, and nothing that they could change."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import NamedTuple

import pytest

from integration_assets.config import Settings, load_settings
from integration_assets.errors import ConfigurationError
from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.store import open_store
from integration_assets.tenants.registry.place import FILE
from integration_assets.web.one_time_link import LINK_VALID, SESSION_VALID, OneTimeLink
from integration_assets.web.routes import LOCAL_OPEN, LOCAL_ROUTES, ROUTES
from integration_assets.web.serving import run_local_pages, run_pages
from integration_assets.web.site import Site
from integration_assets_tests.resolution.worlds import AS_OF, company, load, request, vote
from integration_assets_tests.support.snapshots import folder
from integration_assets_tests.support.waiting import until
from integration_assets_tests.support.web_site import Client, served
from integration_assets_tests.web.conftest import Served

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
PAGES = (
    "/requests",
    "/segments",
    "/requests/r",
    "/companies",
    "/companies/1",
    "/unresolved",
    "/runs",
    "/settings",
    "/requests.csv",
)
DATA = ("/api/requests", "/api/companies/1/requests")


class Terminal(io.StringIO):
    """A terminal that keeps what it shows."""

    def isatty(self) -> bool:
        """It is one."""
        return True


class Local(NamedTuple):
    """The pages and their link, unused."""

    site: Site
    link: str


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """A home without a registry, with a ranking of the tenant `default`."""
    with ExitStack() as stack:
        home = stack.enter_context(folder())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for field in Settings.model_fields.values():
            patch.delenv(str(field.validation_alias), raising=False)
        with open_store(home / "store" / "any.duckdb") as connection:
            load(
                connection,
                {
                    "feature_requests": [request("r", title="Dark mode")],
                    "voters": [
                        {"voter_id": "u", "email": "u@c1.example"},
                        {"voter_id": "lost", "email": "a@lost.example"},
                    ],
                    "votes": [vote("v", "r", "u"), vote("w", "r", "lost")],
                    "crm_companies": [company("1", "c1.example", name="Company 1", arr="10")],
                },
            )
            resolve_votes(connection, ResolutionSettings())
            rank(connection, AS_OF)
            publish(connection, published_path(home, "sandbox", "default"))
        yield load_settings(home=home)


@pytest.fixture
def local(settings: Settings) -> Iterator[Local]:
    """The pages just started."""
    link = OneTimeLink(datetime.now(UTC))
    with served(settings, link) as site:
        yield Local(site, f"/open#{link.token}")


def lines_of(caplog: pytest.LogCaptureFixture) -> str:
    """The log of the pages. The web server writes none of accesses, which pytest makes it do."""
    return "\n".join(one.getMessage() for one in caplog.records if one.name == "integration_assets.web")


def test_the_link_opens_the_pages_once(local: Local, caplog: pytest.LogCaptureFixture) -> None:
    """Its cookie is kept from scripts and from other sites; a second use is refused and told how to get another."""
    with Client(local.site.origin) as person, Client(local.site.origin) as other, caplog.at_level(logging.DEBUG):
        # Neither looking whether it is there nor guessing uses it up, nor a page of somebody else's.
        assert person.http.head(local.link).status_code == 200
        assert "data-fragment" in person.get(local.link).text
        code = local.link.partition("#")[2]
        assert person.get(f"/open?token={code}").headers.get("set-cookie") is None
        assert person.follow("/open#é").status_code == 401
        assert person.post("/open", {"token": code}, **{"sec-fetch-site": "cross-site"}).status_code == 403
        same = {"sec-fetch-site": "same-origin"}
        assert person.http.post("/open", json={"token": code}, headers=same).status_code == 415
        entered = person.follow(local.link)
        assert (entered.status_code, entered.headers["location"]) == (303, "/requests")
        [cookie] = SimpleCookie(entered.headers["set-cookie"]).values()
        assert cookie["httponly"]
        assert (cookie["samesite"], cookie["path"]) == ("strict", "/")
        assert cookie.value not in local.link
        for page in (*PAGES, *DATA):
            assert person.get(page).status_code == 200, page
        again = other.follow(local.link)
        assert again.status_code == 401
        assert "set-cookie" not in again.headers
        assert "works once" in again.text
        assert other.get("/requests").headers["location"] == "/login"
        until(lambda: lines_of(caplog).count("/open 401") == 2, "the lines of the link")
    token = local.link.partition("#")[2]
    assert token not in lines_of(caplog)
    assert cookie.value not in lines_of(caplog)


def test_without_the_cookie_nothing_is_shown(local: Local) -> None:
    """Every route but the open ones sends a stranger to the page that says how to get in, whatever cookie they send."""
    closed = [route for route in LOCAL_ROUTES if route not in LOCAL_OPEN]
    assert len(closed) > 8
    with Client(local.site.origin) as stranger:
        for cookie in ("", "x" * 43):
            stranger.http.cookies.set(local.site.cookie, cookie)
            for page in ("/", *PAGES, "/runs/some-run"):
                answer = stranger.get(page)
                assert (answer.status_code, answer.headers["location"]) == (303, "/login"), page
            assert {stranger.get(address).status_code for address in DATA} == {401}
            assert stranger.post("/environment", {"environment": "production"}).status_code == 401
        needed = stranger.get("/login")
    assert needed.status_code == 401
    assert "integration-assets serve" in needed.text
    assert "Dark mode" not in needed.text


def test_a_foreign_host_is_refused_and_leaves_the_link(local: Local) -> None:
    """A name that was made to point here does not open it."""
    with Client(local.site.origin) as person:
        foreign = {"host": "evil.example", "origin": "null", "sec-fetch-site": "same-origin"}
        code = local.link.partition("#")[2]
        assert person.http.post("/open", data={"token": code}, headers=foreign).status_code == 400
        assert person.follow(local.link).status_code == 303
        assert person.http.get("/requests", headers={"host": "evil.example"}).status_code == 400


def test_the_pages_show_and_change_nothing(local: Local) -> None:
    """What would change something names its command; the environment is switched by a form with the session's token."""
    assert {route.path for route in LOCAL_ROUTES if "POST" in (route.methods or ())} == {"/environment", "/open"}
    with Client(local.site.origin) as person:
        person.follow(local.link)
        ranking, lost = person.get("/requests").text, person.get("/unresolved").text
        assert "Dark mode" in ranking
        assert "lost.example" in lost
        assert "integration-assets overrides add" in lost
        assert 'action="/unresolved/' not in lost
        for page in ("/account", "/audit-trail", "/settings/third-party"):
            assert f'href="{page}"' not in ranking
            assert person.get(page).status_code == 404
        assert "integration-assets tenants add" in person.get("/settings").text
        assert person.post("/environment", {"environment": "production"}).status_code == 403
        person.csrf = ranking.partition('name="csrf" value="')[2].partition('"')[0]
        assert person.post("/environment", {"environment": "production"}).status_code == 303
        assert "No run has finished here yet" in person.get("/requests").text


def test_link_and_session_end() -> None:
    """The link after ten minutes, the session after twelve hours."""
    late = OneTimeLink(BEGIN)
    assert late.open(str(late.token), BEGIN + LINK_VALID) is None
    link = OneTimeLink(BEGIN)
    opened = BEGIN + LINK_VALID - timedelta(seconds=1)
    session = link.open(str(link.token), opened)
    assert session is not None
    assert link.find_session(session, opened + SESSION_VALID - timedelta(seconds=1)) is not None
    assert link.find_session(session, opened + SESSION_VALID) is None


@pytest.mark.parametrize(
    "beyond",
    [{"host": "0.0.0.0"}, {"host": "192.168.0.7"}, {"origin": "https://assets.example"}, {"proxy": "127.0.0.1"}],
)
def test_beyond_this_machine_there_is_no_link(settings: Settings, beyond: dict[str, str]) -> None:
    """Without a registry there is nobody to log in as: nothing is served, and the error says what to do."""
    terminal = Terminal()
    asked: dict[str, str | None] = {"host": "127.0.0.1", "origin": None, "proxy": None, **beyond}
    with pytest.raises(ConfigurationError, match=r"tenants add.*leave out --host, --origin and --proxy"):
        run_local_pages(
            settings,
            host=str(asked["host"]),
            port=1,
            origin=asked["origin"],
            proxy=asked["proxy"],
            terminal=terminal,
        )
    assert terminal.getvalue() == ""


def test_a_link_is_never_written_to_a_log(settings: Settings) -> None:
    """A service without a registry ends as it did: with an error, and no link in its journal."""
    said = io.StringIO()
    with pytest.raises(ConfigurationError, match="on a terminal only"):
        run_local_pages(settings, host="127.0.0.1", port=1, origin=None, proxy=None, terminal=said)
    assert said.getvalue() == ""


def test_with_a_registry_there_is_no_link(pages: Served, stranger: Client) -> None:
    """No address of it, and no way around the login; a registry without its key opens nothing either."""
    assert pages.site.link is None
    assert not {route.path for route in ROUTES} & {"/open"}
    answer = stranger.follow(f"/open#{'x' * 43}")
    assert (answer.status_code, answer.content) == (404, b"not found\n")
    assert 'name="password"' in stranger.get("/login").text
    keyless = pages.site.settings.model_copy(update={"key": None, "key_file": None})
    assert (Path(keyless.home) / FILE).exists()
    with pytest.raises(ConfigurationError, match="KEY"):
        run_pages(keyless, host="127.0.0.1", port=1, origin=None, proxy=None)
