"""Logging in and out, what is open to everybody, and what every answer carries."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from unittest import mock

import pytest
from argon2 import PasswordHasher
from starlette.routing import Route

from integration_assets.connectors.redaction import redact
from integration_assets.errors import ConfigurationError
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.login import find_session
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.web import pages_login
from integration_assets.web.attempt_limits import LOGINS_PER_ACCOUNT, TooManyAttemptsError, counted_address, login_limit
from integration_assets.web.routes import OPEN, ROUTES
from integration_assets.web.site import Site, checked_origin
from integration_assets_tests.support.registries import ACTOR, tenant_id
from integration_assets_tests.support.waiting import PATIENCE_SECONDS, until
from integration_assets_tests.support.web_site import PASSWORD, Client, add_user
from integration_assets_tests.web.conftest import ACME, OPERATOR, Served
from integration_assets_tests.web.sockets import connected, head, received, status_of

SOME_ID = "00000000-0000-4000-8000-000000000000"


def example(route: Route) -> str:
    """A path of a route."""
    for name in ("record_id", "request_id", "company_id", "run_id"):
        route_path = route.path.replace(f"{{{name}}}", SOME_ID)
        if route_path != route.path:
            return route_path
    return route.path


def test_exactly_six_groups_of_routes_are_open(stranger: Client) -> None:
    """Login, password links, what machines ask, security.txt and static files; every other sends strangers away."""
    assert {route.path for route in OPEN} == {
        "/login",
        "/password",
        "/health",
        "/ready",
        "/metrics",
        "/.well-known/security.txt",
        "/static/app.css",
        "/static/app.js",
        "/static/icon.svg",
    }
    closed = [route for route in ROUTES if route not in OPEN]
    assert len(closed) > 40
    for route in closed:
        for method in route.methods or ():
            answer = stranger.call(method, example(route))
            if route.path.startswith("/api/"):
                assert answer.status_code == HTTPStatus.UNAUTHORIZED, route
            elif method in ("GET", "HEAD"):
                assert (answer.status_code, answer.headers["location"]) == (HTTPStatus.SEE_OTHER, "/login"), route
            else:
                assert answer.status_code == HTTPStatus.UNAUTHORIZED, route
            assert b"acme" not in answer.content


def test_the_application_serves_the_table_of_routes(pages: Served) -> None:
    """Nothing is mounted beside the table that the inventory looks at."""
    from integration_assets.web.app import create_app

    app = create_app(Site(pages.site.settings, pages.registry, pages.site.origin))
    assert app.routes == list(ROUTES)


@pytest.mark.parametrize("path", ["/login", "/health", "/.well-known/security.txt", "/static/app.css", "/nope"])
def test_every_answer_has_the_headers(stranger: Client, path: str) -> None:
    """Policy, no sniffing, no referrer, nothing kept; neither server nor version."""
    answer = stranger.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert "server" not in answer.headers


def test_what_is_not_there_says_nothing(stranger: Client, ann: Client) -> None:
    """A path that is not there is the same few bytes for everybody, whatever it is called; odd methods are 405."""
    answers = {stranger.get(path).content for path in ("/nope", "/.env", "/settings/third-party/", "/static/x")}
    assert answers == {b"not found\n"}
    assert ann.get("/nope").content == b"not found\n"
    for method in ("TRACE", "OPTIONS", "PROPFIND"):
        answer = stranger.http.request(method, "/login")
        assert (answer.status_code, answer.content) == (405, b"method not allowed\n")


def test_a_foreign_host_is_refused(stranger: Client) -> None:
    """A name that was made to point here gets nothing; only the health check answers to any."""
    assert stranger.http.get("/login", headers={"host": "evil.example"}).status_code == 400
    assert stranger.http.get("/health", headers={"host": "10.0.0.7"}).text == "ok\n"
    port = stranger.origin.rpartition(":")[2]
    assert stranger.http.get("/login", headers={"host": f"localhost:{port}"}).status_code == 200


def test_login_and_logout(pages: Served) -> None:
    """A session begins with the password, its cookie is kept from scripts, and it ends at once."""
    with Client(pages.site.origin) as client:
        refused = client.log_in(ACME, "wrong password, really")
        assert refused.status_code == 401
        assert "do not belong together" in refused.text
        entered = client.log_in(ACME)
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Path=/" in cookie
        token = client.http.cookies["sid"]
        assert client.get("/account").status_code == 200
        assert client.post("/logout").headers["location"] == "/login"
        assert find_session(pages.registry, token) is None
        client.http.cookies.set("sid", token)
        assert client.get("/account").status_code == 303


def test_over_https_the_cookie_is_bound_to_the_host(pages: Served) -> None:
    """Behind a certificate the cookie has the prefix that only this host and https can set."""
    site = Site(pages.site.settings, pages.registry, "https://assets.example")
    assert (site.cookie, site.is_secure, site.hosts) == ("__Host-sid", True, frozenset({"assets.example"}))


@pytest.mark.parametrize(
    "origin", ["http://assets.example", "https://a.example/x", "ftp://127.0.0.1", "assets.example"]
)
def test_open_http_beyond_this_machine_is_refused(origin: str) -> None:
    """Passwords do not travel open."""
    with pytest.raises(ConfigurationError):
        checked_origin(origin)


def test_logging_out_everywhere_ends_all_sessions(pages: Served) -> None:
    """All browsers of this user, and no other's."""
    with Client(pages.site.origin) as one, Client(pages.site.origin) as two, Client(pages.site.origin) as other:
        for client in (one, two):
            client.log_in(OPERATOR)
        pages.site.logins.limits.update(account=100, address=100)
        other.log_in(ACME)
        one.post("/logout-everywhere")
        assert two.get("/account").status_code == 303
        assert other.get("/account").status_code == 200


def test_a_session_is_over_after_half_an_hour_or_twelve(pages: Served) -> None:
    """30 minutes without use, or 12 hours in all."""
    with Client(pages.site.origin) as client:
        client.log_in(ACME)
        token = client.http.cookies["sid"]
    now = datetime.now(UTC)
    assert find_session(pages.registry, token, now=now + timedelta(minutes=29)) is not None
    assert find_session(pages.registry, token, now=now + timedelta(minutes=62)) is None


def test_a_login_ends_the_session_of_before(pages: Served) -> None:
    """A browser has one session: what was planted or left there ends, and the new one has an id nobody chose."""
    with Client(pages.site.origin) as client:
        client.log_in(ACME)
        before = client.http.cookies["sid"]
        client.log_in(ACME)
        assert client.http.cookies["sid"] != before
        assert find_session(pages.registry, before) is None
    planted = "x" * len(before)
    with Client(pages.site.origin) as client:
        entered = client.post("/login", {"login": ACME, "password": PASSWORD}, cookie=f"sid={planted}")
        assert entered.status_code == 303
        assert entered.cookies["sid"] != planted
    assert find_session(pages.registry, planted) is None


def test_after_logging_out_no_form_is_taken(pages: Served) -> None:
    """Neither with the token of before nor with the cookie, on the pages and the API."""
    with Client(pages.site.origin) as client:
        client.log_in(ACME)
        cookie = client.http.cookies["sid"]
        client.post("/logout")
        for shown in ("", cookie):
            client.http.cookies.set("sid", shown)
            assert client.post("/environment", {"environment": "production"}).status_code == 401
            assert client.call("POST", "/api/third-party-integrations", {"provider": "slack"}).status_code == 401


@pytest.mark.parametrize("meanwhile", ["password", "disabled", "removed"])
@pytest.mark.parametrize("kind", ["form", "api"])
def test_who_is_shut_out_while_a_request_is_on_its_way_is_out(pages: Served, meanwhile: str, kind: str) -> None:
    """The session is looked at once the body is there: what began before does nothing any more."""
    login = f"eve-{meanwhile}-{kind}@acme.example"
    add_user(pages.registry, login, "acme")
    with Client(pages.site.origin) as eve, connected(pages) as (connection,):
        assert eve.log_in(login).status_code == 303
        body = (
            f"csrf={eve.csrf}&provider=slack&environment=any&secret=xoxb-of-eve-0123456789"
            if kind == "form"
            else json.dumps({"provider": "slack", "environment": "any", "secret": "xoxb-of-eve-0123456789"})
        )
        types = {"form": "application/x-www-form-urlencoded", "api": "application/json"}
        paths = {"form": "/settings/third-party/new", "api": "/api/third-party-integrations"}
        headers = (
            f"Cookie: sid={eve.http.cookies['sid']}",
            f"Origin: {pages.site.origin}",
            f"X-CSRF-Token: {eve.csrf}",
            f"Content-Type: {types[kind]}",
            f"Content-Length: {len(body)}",
            "Expect: 100-continue",  # answered once the body is asked for: the session has been looked at by then
            "Connection: close",
        )
        connection.sendall(head(pages, f"POST {paths[kind]} HTTP/1.1", *headers))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100")
        with directory(pages.registry, ACTOR) as users:
            if meanwhile == "password":
                users.set_password(login, "another horse battery staple")
            elif meanwhile == "disabled":
                users.enable_user(login, enabled=False)
            else:
                users.remove_user(login)
        connection.sendall(body.encode())
        assert status_of(received(connection)) == 401
    with tenant_repository(pages.registry, tenant_id(pages.registry, "acme"), ACTOR) as repository:
        assert repository.third_party_integrations() == []


def test_a_form_of_another_site_is_refused(pages: Served, ann: Client) -> None:
    """Without our token, or from another origin, or from a browser that says cross-site, nothing happens."""
    change = {"environment": "production"}
    for fields, headers in (
        ({**change, "csrf": "wrong"}, {}),
        ({**change, "csrf": ""}, {}),
        (change, {"origin": "https://evil.example"}),
        (change, {"sec-fetch-site": "cross-site"}),
        (change, {"origin": "null", "sec-fetch-site": "same-site"}),
        (change, {"origin": f"{pages.site.origin}.evil.example"}),
    ):
        assert ann.post("/environment", fields, **headers).status_code == 403
    bare = ann.http.post("/environment", data={**change, "csrf": ann.csrf})
    assert bare.status_code == 403
    for headers in ({"x-csrf-token": ""}, {"origin": "https://evil.example"}, {"origin": "null"}):
        assert ann.call("POST", "/api/third-party-integrations", {}, **headers).status_code == 403


def test_a_body_is_bounded_and_of_the_right_type(ann: Client) -> None:
    """64 KiB, a form on the pages, JSON on the API."""
    long = ann.call("POST", "/api/internal-integrations", {"name": "x" * 70_000})
    assert long.status_code == 413
    assert ann.post("/environment", {"environment": "x" * 70_000}).status_code == 413
    text = ann.call("POST", "/api/third-party-integrations", {}, **{"content-type": "text/plain"})
    assert text.status_code == 415
    sent = {"origin": "null", "sec-fetch-site": "same-origin", "content-type": "application/json"}
    assert ann.http.post("/environment", content=b"{}", headers=sent).status_code == 415


def test_too_many_tries_wait_and_are_then_sent_away() -> None:
    """Five a minute go through, further ones are held back, and beyond ten seconds told when to come again."""
    waited: list[float] = []

    async def story() -> None:
        tries = login_limit()

        async def sleep(seconds: float) -> None:
            waited.append(seconds)

        tries.sleep, tries.now = sleep, lambda: 1_000_000.0
        for _ in range(LOGINS_PER_ACCOUNT):
            await tries.wait(account="ann", address="192.0.2.1")
        with pytest.raises(TooManyAttemptsError) as refused:
            await tries.wait(account="ann", address="192.0.2.1")
        assert refused.value.seconds == 61
        await tries.wait(account="gus", address="192.0.2.1")

    with mock.patch("time.time", return_value=1_000_000.0):
        asyncio.run(story())
    assert waited == []


def test_guesses_are_answered_with_when_to_come_again(pages: Served) -> None:
    """The sixth guess within a minute is not even looked at, right or wrong; another account goes on."""
    site = Site(pages.site.settings, pages.registry, pages.site.origin)
    assert site.logins.limits == {"account": 5, "address": 20}
    pages.site.logins.limits.update(account=5, address=100)
    with Client(pages.site.origin) as client:
        codes = [client.log_in("nobody-of-that-name", f"guess number {number}").status_code for number in range(6)]
        assert codes == [401] * 5 + [429]
        answer = client.log_in("nobody-of-that-name")
        assert 1 <= int(answer.headers["retry-after"]) <= 61
        assert "Too many tries" in answer.text
    pages.site.logins.limits.update(account=100)


def test_a_stranger_elsewhere_locks_nobody_out() -> None:
    """Guesses use up tries of the address they come from; a browser of before is let in against any number of them."""

    async def story() -> None:
        tries = login_limit()
        tries.longest_delay = 0
        for number in range(400):  # from everywhere, until the account is used up for browsers nobody knows
            with contextlib.suppress(TooManyAttemptsError):
                await tries.wait(account="ann", address=f"192.0.2.{number % 200}")
        with pytest.raises(TooManyAttemptsError):
            await tries.wait(account="ann", address="198.51.100.7")
        known = tries.known_device("ann", tries.new_device("ann"))
        assert known is not None
        await tries.wait(account="ann", address="192.0.2.1", device=known)
        assert tries.known_device("ann", tries.new_device("gus")) is None
        assert tries.known_device("ann", "x.y") is None
        assert tries.known_device("ann", "") is None

    asyncio.run(story())


def test_one_address_cannot_use_up_an_account() -> None:
    """However long it guesses, somebody with the right password from another address is looked at, each time."""

    async def story() -> None:
        tries = login_limit()
        clock = [1_000_000.0]
        tries.longest_delay, tries.now = 0, lambda: clock[0]
        with mock.patch("time.time", side_effect=lambda: clock[0]):
            for _ in range(3_600):
                clock[0] += 1
                with contextlib.suppress(TooManyAttemptsError):
                    await tries.wait(account="ann", address="192.0.2.1")
            for _ in range(6):
                await tries.wait(account="ann", address="198.51.100.7")
                tries.succeeded(account="ann", address="198.51.100.7")

    asyncio.run(story())


def test_addresses_are_counted_by_who_holds_them() -> None:
    """The lower half of an IPv6 address is its holder's to choose; IPv4 in disguise is the same address."""
    assert counted_address("2001:db8:1:2:3::4") == counted_address("2001:db8:1:2:ffff::1%eth0") == "2001:db8:1:2::/64"
    assert counted_address("2001:db8:1:3::1") != counted_address("2001:db8:1:2::1")
    assert counted_address("::ffff:192.0.2.1") == counted_address("192.0.2.1") == "192.0.2.1"
    assert counted_address("") == ""


def test_the_right_password_gets_in_beside_guesses_from_elsewhere(pages: Served) -> None:
    """Six wrong ones from one address and six right ones from another; then from the first, by a browser known here."""
    pages.site.logins.limits.update(account=5, address=100)
    with Client(pages.site.origin) as stranger, Client(pages.site.origin, address="127.0.0.2") as ann:
        guesses = [stranger.log_in(ACME, f"guess number {number}").status_code for number in range(6)]
        assert guesses == [401] * 5 + [429]
        assert [ann.log_in(ACME).status_code for _ in range(6)] == [303] * 6
        shown = ann.http.cookies["sid-device"]
        assert stranger.log_in(ACME).status_code == 429
        stranger.http.cookies.set("sid-device", shown)
        assert stranger.log_in(ACME).status_code == 303
    pages.site.logins.limits.update(account=100)


def test_what_a_stranger_types_is_no_secret_of_ours(pages: Served, caplog: pytest.LogCaptureFixture) -> None:
    """It is not kept for masking, where it could blank the log and cost time for ever; no line of the log has it."""
    pages.site.logins.limits.update(account=100, address=100)
    caplog.set_level(logging.DEBUG, logger="integration_assets")
    with Client(pages.site.origin) as stranger, caplog.at_level(logging.DEBUG):
        for typed in ("POST /login", "integration_assets.web", "long " * 13_000):
            assert stranger.log_in("nobody@acme.example", typed).status_code in (401, 413)
            assert redact(f"a line with {typed}") == f"a line with {typed}"
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("integration_assets")]
    assert any("POST /login 401" in line for line in ours)
    assert not any("long long" in line or "nobody@" in line for line in ours)


def test_strangers_wait_for_each_other_and_not_without_end(pages: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most two passwords are checked at a time, twenty wait, more are sent away; health answers all the while.

    A browser that is known does not queue behind them.
    """
    begun, free = [], threading.Event()
    guard = threading.Lock()

    def check(_registry: object, login: str, password: str, *, request_id: str) -> None:
        with guard:
            begun.append(login)
        assert free.wait(PATIENCE_SECONDS)

    monkeypatch.setattr(pages_login, "log_in", check)
    pages.site.logins.limits.update(account=1_000, address=1_000)

    def guess(number: int) -> int:
        with Client(pages.site.origin) as client:
            return client.log_in(f"user{number}", "some password").status_code

    with ThreadPoolExecutor(30) as crowd:
        answers = [crowd.submit(guess, number) for number in range(30)]
        try:
            until(lambda: sum(answer.done() for answer in answers) == 8, "the refusal of the last eight")
            assert {answer.result() for answer in answers if answer.done()} == {429}
            assert len(begun) == 2
            with Client(pages.site.origin) as other:
                assert other.get("/health").text == "ok\n"
                other.http.cookies.set("sid-device", pages.site.logins.new_device("known"))
                known = crowd.submit(other.log_in, "known")
                until(lambda: "known" in begun, "the log-in from a known browser")
                free.set()
                assert known.result().status_code == 401
        finally:
            free.set()
        assert sorted(answer.result() for answer in answers) == [401] * 22 + [429] * 8


def test_an_unknown_user_takes_as_long_as_a_known_one(pages: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same status, same text but for the name typed, one hash checked for either; the time is measured elsewhere."""
    pages.site.logins.limits.update(account=100, address=100)
    checked: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, hashed: str, password: str) -> bool:
        checked.append(password)
        return verify(self, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    with Client(pages.site.origin) as client:
        bodies = set()
        for login in (ACME, "nobody@acme.example", "nobody\0", "n" * 300, "名前@例え.jp"):
            answer = client.log_in(login, "not the password at all")
            bodies.add((answer.status_code, answer.text.replace(login[:201], "")))
    assert len(bodies) == 1
    assert checked == ["not the password at all"] * 5
