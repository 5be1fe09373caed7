"""What the outgoing client does when the other side misbehaves, and how many requests that costs."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gzip
import json
import logging
import math
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from pydantic import SecretStr

from integration_assets.connectors import exchange
from integration_assets.connectors.call_log import Buckets, MemoryLog
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.http import MARGIN_SECONDS, Call, HttpClient
from integration_assets.connectors.limiter import Lease, Limiter, RateHeaders, Window
from integration_assets.connectors.rules import Action, Answer, Rule, StatusRules
from integration_assets.errors import (
    ConfigurationError,
    ContractError,
    CredentialError,
    DailyQuotaError,
    IntegrationError,
    LockError,
    PermanentError,
    QuotaError,
    TransientError,
    UnknownOutcomeError,
)
from integration_assets_tests.connectors.clock import FakeClock
from integration_assets_tests.support.fault_server import (
    Behaviour,
    FaultServer,
    answer,
    dripping,
    fault_server,
    hang,
    raw,
    reset,
    slow_ok,
    slow_reset,
)
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("no_backoff")

SECRET = "sk_test_Zq81+/=xyzzy"
READ = Call(method="POST", path="/v1/things", endpoint="POST /v1/things", json={"limit": 1})
WRITE = Call(method="POST", path="/v1/things", endpoint="POST /v1/things", json={}, writes=True)
WRITE_ONCE = Call(method="POST", path="/v1/things", endpoint="POST /v1/things", json={}, writes=True, repeatable=False)
OK = answer(200, {"ok": True})
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


class Outcome:
    """What one or more calls came to, and what the server and the counter saw."""

    def __init__(self, server: FaultServer, calls: CallCounter, client: HttpClient) -> None:
        self.requests = server.requests
        self.most_at_once = server.most_at_once
        self.count = calls.totals("test")
        self.quota = client.quota
        self.answers: list[Answer] = []
        self.error: IntegrationError | None = None


Work = Callable[[HttpClient], Awaitable[list[Answer]]]


def run(
    *behaviours: Behaviour, call: Call = READ, work: Work | None = None, clock: FakeClock | None = None, **options: Any
) -> Outcome:
    """Send `call` (or do `work`) against a server with these behaviours."""

    async def once(client: HttpClient) -> list[Answer]:
        return [await client.send(call)]

    async def story() -> Outcome:
        calls = CallCounter()
        limiter = options.pop("limiter", None) or (clock.limiter() if clock else Limiter({}))
        rules = options.pop("rules", StatusRules())
        async with fault_server(*behaviours) as server:
            base_url = server.url + options.pop("prefix", "")
            client = HttpClient(
                system="test", base_url=base_url, limiter=limiter, calls=calls, rules=rules, **{"repeats": 3, **options}
            )
            answers, error = [], None
            async with client:
                try:
                    answers = await (work or once)(client)
                except IntegrationError as problem:
                    error = problem
            outcome = Outcome(server, calls, client)
            outcome.answers, outcome.error = answers, error
            return outcome

    return asyncio.run(story())


# ------------------------------------------------------------------------------------------------------- the usual


def test_a_good_answer_is_parsed_and_counted_once() -> None:
    """Status, lower-case headers and parsed body come back; one request is counted."""
    outcome = run(answer(200, {"a": [1, "é"]}, headers={"X-Thing": "7"}))
    (got,) = outcome.answers
    assert (got.status, got.headers["x-thing"], got.body) == (200, "7", {"a": [1, "é"]})
    assert (outcome.count.total, outcome.count.writes, outcome.count.retried) == (1, 0, 0)


def test_a_client_closes_all_its_connections_though_it_is_cancelled_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that fails cancels those beside it, one of which may just be closing its connections, one by one."""
    closed: list[int] = []
    began = asyncio.Event()

    class TwoConnections(httpx.AsyncHTTPTransport):
        async def aclose(self) -> None:
            for number in (1, 2):
                began.set()
                await asyncio.sleep(0)
                closed.append(number)

    monkeypatch.setattr(exchange, "direct_transport", lambda *_arguments: TwoConnections())

    async def story() -> None:
        client = HttpClient(
            system="test",
            base_url="http://127.0.0.1:9",
            limiter=Limiter({}),
            calls=CallCounter(),
            rules=StatusRules(),
        )
        await client.__aenter__()
        closing = asyncio.create_task(client.__aexit__(None, None, None))
        await began.wait()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert closed == [1, 2]

    asyncio.run(story())


def test_the_base_url_may_have_a_path_prefix() -> None:
    """The path of a call is appended to the prefix."""
    outcome = run(
        OK, prefix="/1234/api/", call=Call(method="GET", path="/v1/x", endpoint="GET /v1/x", params={"a": "b c"})
    )
    assert outcome.requests[0].line == "GET /1234/api/v1/x?a=b+c HTTP/1.1"


def test_secrets_travel_in_headers_and_body_only_while_sending() -> None:
    """Header secrets and body fields reach the server, and are nowhere in the client's own call."""
    outcome = run(
        OK, headers={"authorization": SecretStr(f"Bearer {SECRET}")}, body_fields={"apiKey": SecretStr(SECRET)}
    )
    assert outcome.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert outcome.requests[0].json == {"limit": 1, "apiKey": SECRET}
    assert SECRET not in repr(READ)


def test_an_empty_answer_to_a_write_is_fine() -> None:
    """204 to a write gives a body of None."""
    outcome = run(answer(204), call=WRITE)
    assert outcome.answers[0].body is None
    assert outcome.count.writes == 1


def test_connections_are_reused_and_never_more_than_allowed_in_flight() -> None:
    """Many calls at once keep to the number of slots."""

    async def work(client: HttpClient) -> list[Answer]:
        return list(await asyncio.gather(*(client.send(READ) for _ in range(12))))

    outcome = run(slow_ok, work=work, in_flight=3)
    assert len(outcome.answers) == 12
    assert outcome.most_at_once == 3


def test_an_expected_status_is_handed_back() -> None:
    """A caller that expects 404 gets the answer, without repeats."""
    call = Call(method="GET", path="/x", endpoint="GET /x", expect=frozenset({404}))
    outcome = run(answer(404, {"message": "gone"}), call=call)
    assert outcome.answers[0].body == {"message": "gone"}
    assert outcome.count.total == 1


def test_a_client_outside_its_block_says_so() -> None:
    """Using a closed client is a configuration error, not a crash."""
    client = HttpClient(
        system="test", base_url="http://127.0.0.1:1", limiter=Limiter({}), calls=CallCounter(), rules=StatusRules()
    )
    with pytest.raises(ConfigurationError, match="async with"):
        asyncio.run(client.send(READ))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example",
        "https://",
        "https://user:pw@a.example",
        "https://a.example/?k=v",
        "http://[::1",
        "https://a:x",
    ],
)
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    """Scheme, host and nothing secret: anything else is a configuration error that does not echo it."""
    with pytest.raises(ConfigurationError) as caught:
        HttpClient(system="test", base_url=url, limiter=Limiter({}), calls=CallCounter(), rules=StatusRules())
    assert "user:pw" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ limits and statuses


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ({"retry-after": "7"}, 7, 7.9),
        ({"retry-after": "0"}, 0, 0.2),
        ({"retry-after": "-5"}, 0, 0.2),
        ({"retry-after": "Fri, 31 Dec 2099 23:59:59 GMT"}, 119, 121),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0, 0.2),
        ({"retry-after": "86400"}, 119, 121),
        ({"retry-after": "Sat, 01 Jan 2050 00:00:09 GMT", "date": "Sat, 01 Jan 2050 00:00:00 GMT"}, 9, 10.1),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:09 GMT", "date": "Mon, 01 Jan 2001 00:00:00 GMT"}, 9, 10.1),
        ({"retry-after": "2524608009", "date": "Sat, 01 Jan 2050 00:00:00 GMT"}, 9, 10.1),
        ({"retry-after": "1000000001"}, 0, 0.2),
    ],
    ids=[
        "seconds",
        "zero",
        "negative",
        "year 2099",
        "past date",
        "a day",
        "date of a clock ahead",
        "date of a clock behind",
        "seconds since 1970",
        "seconds since 1970 in the past",
    ],
)
def test_429_waits_what_it_says_within_bounds(
    header: dict[str, str], least: float, most: float, clock: FakeClock
) -> None:
    """Retry-After is honoured as number or date of the server's clock, clamped to 0-120 s, jittered, for the bucket."""
    outcome = run(answer(429, {"error": "slow"}, headers=header), OK, clock=clock)
    assert outcome.answers[0].body == {"ok": True}
    assert (outcome.count.total, outcome.count.retried, outcome.count.throttled) == (2, 1, 1)
    assert least <= sum(clock.slept) <= most


@pytest.mark.parametrize("header", [{}, {"retry-after": "soon"}, {"retry-after": "nan"}])
def test_429_without_a_usable_wait_backs_off(header: dict[str, str], clock: FakeClock) -> None:
    """No or unreadable Retry-After: the client backs off by itself and goes on."""
    outcome = run(answer(429, {}, headers=header), OK, clock=clock)
    assert outcome.answers[0].body == {"ok": True}
    assert clock.slept == []


def test_429_uses_the_wait_of_the_systems_table(clock: FakeClock) -> None:
    """Without Retry-After the rule table of the system says how long."""
    rules = StatusRules(wait=lambda answer, attempt: 10.0 * attempt)
    outcome = run(answer(429, {}), answer(429, {}), OK, rules=rules, clock=clock)
    assert outcome.answers
    assert 30 <= sum(clock.slept) <= 33.5


def test_a_429_storm_ends_as_quota_error_within_the_repeats(clock: FakeClock) -> None:
    """Every call throttled: at most 1 + repeats requests, then QuotaError, which ends RETRY_LATER."""
    outcome = run(answer(429, {}, headers={"retry-after": "1"}), clock=clock)
    assert isinstance(outcome.error, QuotaError)
    assert outcome.error.exit_code == 75
    assert (outcome.count.total, outcome.count.throttled) == (4, 4)


def test_the_retry_budget_bounds_all_calls_together(clock: FakeClock) -> None:
    """A storm over many calls repeats no more than the client's budget."""

    async def work(client: HttpClient) -> list[Answer]:
        results = await asyncio.gather(*(client.send(READ) for _ in range(10)), return_exceptions=True)
        assert all(isinstance(result, QuotaError) for result in results)
        return []

    outcome = run(answer(429, {}, headers={"retry-after": "1"}), work=work, retry_budget=5, clock=clock)
    assert outcome.count.total == 15


def test_only_failures_that_are_repeated_are_told_so_and_spend_the_budget(caplog: pytest.LogCaptureFixture) -> None:
    """Two calls of two attempts each fail to the end: a budget of two is enough for both, and two repeats are told."""
    caplog.set_level(logging.INFO, logger="integration_assets.connectors.http")

    async def work(client: HttpClient) -> list[Answer]:
        for _ in range(2):
            with pytest.raises(TransientError):
                await client.send(READ)
        return []

    outcome = run(answer(503, {}), work=work, repeats=1, retry_budget=2)
    assert outcome.count.total == 4
    assert sum("sending again" in record.getMessage() for record in caplog.records) == 2


def test_a_repeat_that_comes_too_late_is_neither_told_nor_made(caplog: pytest.LogCaptureFixture) -> None:
    """The patience is over before the first answer: the failure is the last."""
    caplog.set_level(logging.INFO, logger="integration_assets.connectors.http")
    outcome = run(answer(503, {}), patience=0.0)
    assert outcome.count.total == 1
    assert "sending again" not in caplog.text


def test_a_pause_longer_than_the_patience_ends_the_run() -> None:
    """A full hour window does not make a call sleep for an hour."""
    clock = FakeClock()
    limiter = clock.limiter()
    limiter.pause("default", 3000)
    outcome = run(OK, limiter=limiter, patience=60.0)
    assert isinstance(outcome.error, QuotaError)
    assert outcome.count.total == 0


def test_a_burst_of_5xx_recovers_inside_the_call() -> None:
    """500, 503 and 521 are repeated until the system is back."""
    outcome = run(answer(500, {}), answer(503, content=b"<html>busy</html>", kind="text/html"), answer(521), OK)
    assert outcome.answers[0].body == {"ok": True}
    assert (outcome.count.total, outcome.count.retried) == (4, 3)


def test_5xx_to_the_end_is_transient_and_names_the_status() -> None:
    """After the last repeat the error says what was answered, to what, and by whom."""
    outcome = run(answer(503, {}))
    assert isinstance(outcome.error, TransientError)
    assert (outcome.error.status, outcome.error.endpoint, outcome.error.system) == (503, "POST /v1/things", "test")
    assert "127.0.0.1" in outcome.error.message
    assert "(4 attempts)" in outcome.error.message


def test_423_waits_at_least_two_seconds() -> None:
    """A locked record is asked for again no sooner than after 2 s, whatever Retry-After says."""
    rules = StatusRules()
    locked = Answer(423, {"retry-after": "1"}, None)
    assert rules.seconds_before_repeat(locked, rules.rule_for(locked), 1) == 2.0
    assert run(answer(423, {}), OK).count.total == 2


@pytest.mark.parametrize(
    ("status", "kind"), [(401, CredentialError), (403, CredentialError), (400, PermanentError), (404, PermanentError)]
)
def test_refusals_are_not_repeated(status: int, kind: type[Exception]) -> None:
    """4xx end the call at the first answer."""
    outcome = run(answer(status, {"error": "no"}))
    assert type(outcome.error) is kind
    assert outcome.count.total == 1


@pytest.mark.parametrize(
    ("action", "kind"),
    [(Action.LATER, TransientError), (Action.QUOTA, DailyQuotaError), (Action.CREDENTIAL, CredentialError)],
)
def test_the_systems_table_decides_before_the_common_one(action: Action, kind: type[Exception]) -> None:
    """A system's row with a condition wins over the common rule, and its advice ends the message."""
    row = Rule(
        statuses=frozenset({477}), action=action, when=lambda got: got.body["policy"] == "DAILY", advice="do this"
    )
    rules = StatusRules(rules=(row,), describe=lambda got: got.body["policy"])
    outcome = run(answer(477, {"policy": "DAILY"}), rules=rules)
    assert type(outcome.error) is kind
    assert outcome.error is not None
    assert outcome.error.message.endswith("DAILY; do this")
    assert outcome.count.total == 1


@pytest.mark.parametrize(
    ("header", "named"),
    [("86400", 86_400.0), ("-5", None), ("soon", None), ("99999999999", None), ("1000000001", None), (None, None)],
)
def test_when_it_may_be_asked_again_is_kept_with_the_error(header: str | None, named: float | None) -> None:
    """For whoever starts the next run; what is no time to come is no appointment."""
    rules = StatusRules(rules=(Rule(statuses=frozenset({477}), action=Action.LATER),))
    outcome = run(answer(477, {}, headers={"Retry-After": header} if header else {}), rules=rules)
    assert isinstance(outcome.error, TransientError)
    assert outcome.error.retry_after == named


def test_the_daily_quota_is_learnt_from_headers() -> None:
    """The client knows the latest quota the system stated."""
    rules = StatusRules(rate_headers=RateHeaders(daily_limit="x-daily", daily_remaining="x-daily-remaining"))
    outcome = run(answer(200, {}, headers={"X-Daily": "1000", "X-Daily-Remaining": "17"}), rules=rules)
    assert (outcome.quota.daily_limit, outcome.quota.daily_remaining) == (1000, 17)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_and_nothing_is_sent_on(status: int) -> None:
    """The error names the host we were sent to, without its query; no second request leaves."""
    target = "https://evil.example/take?key=value"
    outcome = run(answer(status, headers={"location": target}), headers={"authorization": SecretStr(SECRET)})
    assert isinstance(outcome.error, ContractError)
    assert "evil.example" in outcome.error.message
    assert "key=value" not in outcome.error.message
    assert outcome.count.total == 1


@pytest.mark.parametrize(
    "location",
    [
        b"//[",
        b"https://[::1",
        b"",
        b"javascript:alert(1)",
        b"https://b\xfccher.example/",
        "https://bücher.example/".encode(),
        b"https://evil\x01.example/\x1b[2J",
        b"http://host:notaport/",
        b"https://" + b"a" * 60_000 + b".example/",
        b"https://host/%zz?\xff",
        b"https://evil.example:99999999/",
    ],
)
def test_a_redirect_to_nowhere_is_refused_as_any_other(location: bytes) -> None:
    """Whatever stands in `Location`: a broken contract, no repeat, and nothing unreadable in the message."""
    outcome = run(raw(b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: " + location + b"\r\n\r\n"))
    assert outcome.count.total == 1 or isinstance(outcome.error, TransientError)  # h11 refuses controls in a header
    assert isinstance(outcome.error, ContractError | TransientError)
    assert outcome.error.message.isprintable()
    assert len(outcome.error.message) < 400
    if b"\x01" not in location:
        assert isinstance(outcome.error, ContractError), outcome.error.message
        assert "redirect to" in outcome.error.message


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "nan"},
        {"retry-after": "1e999"},
        {"retry-after": "-5"},
        {"retry-after": "99999999999999999999999"},
        {"retry-after": "Mon, 01 Jan 0001 00:00:00 GMT"},
        {"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359"},
        {"retry-after": "soon", "date": "yesterday"},
        {"content-type": "application/json; charset=no-such-thing"},
        {"content-type": "application/json; charset=" + "x" * 5_000},
        {"set-cookie": "\x7f=\x7f; expires=never"},
        {"content-encoding": "utf-9"},
        {"x-daily": "nan", "x-daily-remaining": "1e400"},
        {"x-daily": "-1", "x-daily-remaining": "9" * 5_000},
    ],
)
@pytest.mark.parametrize("status", [200, 302, 429, 503])
def test_no_header_makes_the_client_break(status: int, headers: dict[str, str]) -> None:
    """What a header says is taken or left: the call ends with an answer or with an error of the tree."""
    rules = StatusRules(rate_headers=RateHeaders(daily_limit="x-daily", daily_remaining="x-daily-remaining"))
    first = answer(status, {"ok": True}, headers=headers)
    outcome = run(first, OK, rules=rules, clock=FakeClock(), repeats=1)
    assert outcome.error is None or isinstance(outcome.error, IntegrationError)


@pytest.mark.parametrize("length", ["-1", "abc", "1, 2", "9" * 40, "0x10"])
def test_a_length_that_is_none_is_a_broken_connection(length: str) -> None:
    """Not what the transport makes of it, but that the answer is lost and the call repeated."""
    outcome = run(raw(f"HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{{}}".encode()), OK)
    assert outcome.error is None
    assert outcome.count.total == 2


# ------------------------------------------------------------------------------------------------------- transport


def test_refused_connections_are_repeated_then_named() -> None:
    """Nobody listens: transient, with the host and the reason."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def story() -> None:
        client = HttpClient(
            system="test",
            base_url=f"http://127.0.0.1:{port}",
            limiter=Limiter({}),
            calls=CallCounter(),
            rules=StatusRules(),
            repeats=2,
        )
        async with client:
            await client.send(WRITE)

    with pytest.raises(
        TransientError, match=rf"test \(127\.0\.0\.1:{port}\), POST /v1/things: cannot be reached: .*3 attempts"
    ) as caught:
        asyncio.run(story())
    assert not isinstance(caught.value, UnknownOutcomeError)


def test_a_name_that_does_not_resolve_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No address for the host: the error names host and reason."""

    def unknown(*_args: Any, **_options: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    calls = CallCounter()
    with pytest.raises(TransientError, match=r"no\.such\.example.*Name or service not known"):
        asyncio.run(https_story("https://no.such.example", calls))
    assert calls.totals("test").total == 2


async def https_story(base_url: str, calls: CallCounter, *, deadline: float = PATIENCE_SECONDS) -> Answer:
    """One read over TLS, with repeats allowed."""
    client = HttpClient(
        system="test",
        base_url=base_url,
        limiter=Limiter({}),
        calls=calls,
        rules=StatusRules(),
        repeats=1,
        deadline=deadline,
    )
    async with client:
        return await client.send(READ)


def test_a_tls_handshake_that_never_ends_is_transient() -> None:
    """A server that does not speak TLS on an https address: repeated, then named."""
    calls = CallCounter()

    async def story() -> None:
        async with fault_server(hang) as server:
            await https_story(server.url.replace("http:", "https:"), calls, deadline=0.8)

    with pytest.raises(
        TransientError, match=r"127\.0\.0\.1:\d+\), POST /v1/things: cannot be reached: connecting took too long"
    ):
        asyncio.run(story())
    assert calls.totals("test").total == 2


def test_an_untrusted_certificate_is_named_and_not_repeated(tmp_path: Path) -> None:
    """A self-signed certificate: one attempt, and the reason in the error."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost"
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    calls = CallCounter()

    async def story() -> None:
        async with fault_server(OK, tls=tls) as server:
            await https_story(server.url.replace("http:", "https:"), calls)

    with pytest.raises(
        PermanentError, match=r"127\.0\.0\.1:\d+\), POST /v1/things: its certificate is not trusted \(self-signed cert"
    ):
        asyncio.run(story())
    assert calls.totals("test").total == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        hang,
        dripping(HEAD + b"content-length: 100000\r\n\r\n", b" "),
        dripping(b"HTTP/1.1 200 OK\r\n", b"x-drip: 1\r\n"),
    ],
    ids=["no answer", "slow body", "slow headers"],
)
def test_the_deadline_holds_over_the_whole_exchange(behaviour: Behaviour) -> None:
    """However slowly bytes keep coming, the call ends, by its deadline and nothing else."""
    outcome = run(behaviour, deadline=1.5, repeats=0)
    assert isinstance(outcome.error, TransientError)
    assert outcome.error.message.endswith("gave no complete answer within 1.5 s")


CUT = HEAD + b'content-length: 100\r\n\r\n{"a":'
CUT_WITHOUT_LENGTH = HEAD + b'connection: close\r\n\r\n{"posts":[{"id":"1"}'


@pytest.mark.parametrize(
    "behaviour",
    [
        reset(CUT),
        reset(),
        raw(CUT),
        raw(CUT_WITHOUT_LENGTH),
        raw(HEAD + b"transfer-encoding: chunked\r\n\r\n4\r\n[1,2\r\n"),
        raw(b"garbage\r\n\r\n"),
        answer(200, content=gzip.compress(b'{"a":"' + b"x" * 5000 + b'"}')[:-9], headers={"content-encoding": "gzip"}),
        answer(200, content=gzip.compress(b"{}")[:10], headers={"content-encoding": "gzip"}),
        answer(200, content=b"<!doctype html><p>Down</p>", kind="text/html"),
        answer(200, content=b"  <html></html>"),
        answer(200),
        answer(204),
    ],
    ids=[
        "reset mid-body",
        "reset before the answer",
        "cut body",
        "cut JSON without length",
        "cut chunks",
        "no HTTP",
        "cut gzip",
        "gzip header alone",
        "web page",
        "web page as JSON",
        "empty 200",
        "204",
    ],
)
def test_a_broken_answer_to_a_read_is_repeated_and_never_an_empty_page(behaviour: Behaviour) -> None:
    """Cut, reset, empty and non-JSON answers are outages: the read is sent again and succeeds."""
    outcome = run(behaviour, OK)
    assert outcome.answers[0].body == {"ok": True}
    assert (outcome.count.total, outcome.count.retried) == (2, 1)
    assert isinstance(run(behaviour, repeats=0).error, TransientError)


@pytest.mark.parametrize("behaviour", [reset(), raw(CUT), answer(502, {}), answer(524)])
def test_a_lost_answer_to_a_repeatable_write_is_repeated(behaviour: Behaviour) -> None:
    """An idempotent write is sent again; if it then succeeds, all is well."""
    outcome = run(behaviour, OK, call=WRITE)
    assert outcome.answers[0].body == {"ok": True}
    assert (outcome.count.total, outcome.count.writes) == (2, 2)


@pytest.mark.parametrize(
    "behaviour",
    [
        reset(),
        raw(CUT),
        answer(502, {}),
        answer(200, content=b"<html>"),
        answer(200, content=gzip.compress(b"")[:10], headers={"content-encoding": "gzip"}),
    ],
)
def test_a_write_whose_answers_are_all_lost_has_an_unknown_outcome(behaviour: Behaviour) -> None:
    """After the last repeat the caller can tell that the write may have been applied."""
    outcome = run(behaviour, call=WRITE)
    assert isinstance(outcome.error, UnknownOutcomeError)
    assert outcome.count.total == 4


@pytest.mark.parametrize("behaviour", [reset(), raw(CUT), answer(500, {}), answer(504, {})])
def test_a_write_that_must_not_be_repeated_is_sent_once(behaviour: Behaviour) -> None:
    """One request, then the unknown outcome."""
    outcome = run(behaviour, call=WRITE_ONCE)
    assert isinstance(outcome.error, UnknownOutcomeError)
    assert outcome.count.total == 1


def test_an_unrepeatable_write_goes_again_when_it_was_surely_not_applied(clock: FakeClock) -> None:
    """429 and 423 are refusals before anything happened."""
    outcome = run(answer(429, {}, headers={"retry-after": "1"}), answer(423, {}), OK, call=WRITE_ONCE, clock=clock)
    assert outcome.answers[0].body == {"ok": True}


def test_an_unknown_outcome_is_not_forgotten_by_a_later_refusal_to_connect() -> None:
    """Lost once, throttled ever after: the write may still have been applied."""
    outcome = run(reset(), answer(429, {}), call=WRITE)
    assert isinstance(outcome.error, UnknownOutcomeError)


@pytest.mark.parametrize(
    "refusal",
    [answer(400, {}), answer(401, {}), answer(403, {}), answer(409, {}), answer(302, headers={"location": "/login"})],
    ids=["invalid", "key", "scope", "conflict", "redirect"],
)
@pytest.mark.parametrize("expect", [frozenset(), frozenset({400, 409})], ids=["", "expected"])
def test_an_unknown_outcome_is_not_forgotten_by_a_refused_repeat(refusal: Behaviour, expect: frozenset[int]) -> None:
    """Lost once, then refused for good, expected or not: the first request may still have been applied."""
    outcome = run(reset(), refusal, call=msgspec.structs.replace(WRITE, expect=expect))
    assert isinstance(outcome.error, UnknownOutcomeError)
    assert outcome.error.message.endswith("the write may or may not have been applied: read it back")
    assert outcome.count.total == 2


def test_a_refused_write_is_no_unknown_outcome_where_nothing_was_lost(clock: FakeClock) -> None:
    """Throttled, then refused: neither was applied. A read is never unknown."""
    expecting = msgspec.structs.replace(WRITE, expect=frozenset({409}))
    assert run(answer(429, {}), answer(409, {}), call=expecting, clock=clock).answers[0].status == 409
    assert type(run(answer(429, {}), answer(401, {}), call=WRITE, clock=clock).error) is CredentialError
    assert type(run(reset(), answer(401, {}), call=READ).error) is CredentialError


def test_an_answer_tells_that_an_earlier_one_was_lost() -> None:
    """Whoever reads a partial refusal has to know whether the write may have been applied before."""
    assert [run(*some, OK, call=WRITE).answers[0].after_loss for some in ((reset(),), (answer(423, {}),), ())] == [
        True,
        False,
        False,
    ]


def test_an_unknown_outcome_is_not_forgotten_by_a_full_window() -> None:
    """Lost once, and no place left for the repeat: the write may still have been applied."""
    clock = FakeClock()
    limiter = clock.limiter()

    has_its_place = asyncio.Event()
    acquire = limiter.acquire

    async def noted(bucket: str = "default", **options: Any) -> Lease:
        place = await acquire(bucket, **options)
        has_its_place.set()
        return place

    async def work(client: HttpClient) -> list[Answer]:
        task = asyncio.create_task(client.send(WRITE))
        await has_its_place.wait()
        limiter.pause("default", 3000)
        return [await task]

    limiter.acquire = noted  # type: ignore[method-assign] # only to know that the first attempt has its place
    outcome = run(slow_reset, work=work, limiter=limiter)
    assert isinstance(outcome.error, UnknownOutcomeError)
    assert outcome.count.total == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        answer(200, content=bytes(200), headers={"content-encoding": "br"}),
        answer(201, content=b'{"id": 1, "id": 2}'),
        answer(200, content=b" " * 3000),
    ],
    ids=["unknown encoding", "repeated key", "too large"],
)
def test_an_accepted_write_with_an_unreadable_receipt_has_an_unknown_outcome(behaviour: Behaviour) -> None:
    """What was written cannot be told from the answer: the caller reads back."""
    outcome = run(behaviour, call=WRITE_ONCE, body_bytes=2000)
    assert isinstance(outcome.error, UnknownOutcomeError)
    assert outcome.count.total == 1


def test_a_server_error_that_cannot_be_unpacked_is_still_a_server_error() -> None:
    """A proxy's page in an encoding nobody asked for does not end the run."""
    outcome = run(answer(503, content=b"xx", headers={"content-encoding": "br"}), OK)
    assert outcome.answers[0].body == {"ok": True}


@pytest.mark.parametrize(
    "token", ["Bearer line\nbreak-0042", "trailing-space-0042 ", "caf\u00e9-0042-token", "tab\t0042-xx"]
)
def test_a_token_that_cannot_be_a_header_is_a_configuration_error(token: str) -> None:
    """A key pasted with a line break is named by its header and not shown."""
    with pytest.raises(ConfigurationError, match="authorization header") as caught:
        HttpClient(
            system="test",
            base_url="http://127.0.0.1:1",
            limiter=Limiter({}),
            calls=CallCounter(),
            rules=StatusRules(),
            headers={"authorization": SecretStr(token)},
        )
    assert "0042" not in str(caught.value)


def test_a_path_that_is_no_url_is_permanent() -> None:
    """A control character in a path is nothing a repeat could mend."""
    outcome = run(OK, call=Call(method="GET", path="/x\x00y", endpoint="GET /{id}"))
    assert type(outcome.error) is PermanentError
    assert outcome.requests == []


# ------------------------------------------------------------------------------------------------------- bad payloads


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"arr": NaN}', "malformed"),
        (b'{"arr": -Infinity}', "malformed"),
        (b'{"arr": 1e999}', "out of range"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "repeated key"),
        (b'{"title": "\xff"}', "UTF-8"),
        (b"[" * 200_000 + b"]" * 200_000, "too deeply"),
        (b'{"n": ' + b"9" * 5000 + b"}", "out of range"),
        (b'{"a": 1} trailing', "malformed"),
    ],
)
def test_json_that_later_stages_would_choke_on_is_refused(content: bytes, reason: str) -> None:
    """A contract error that names the reason, at the first answer."""
    outcome = run(answer(200, content=content))
    assert isinstance(outcome.error, ContractError)
    assert reason in outcome.error.message
    assert outcome.count.total == 1


def test_a_gzip_bomb_stops_at_the_cap() -> None:
    """200 KB that unpack to 200 MB are refused, without unpacking them all."""
    bomb = gzip.compress(bytes(200 * 1024 * 1024), compresslevel=1)
    outcome = run(answer(200, content=bomb, headers={"content-encoding": "gzip"}))
    assert isinstance(outcome.error, ContractError)
    assert "32 MiB" in outcome.error.message


def test_an_endless_body_stops_at_the_cap() -> None:
    """A body without end is left as soon as it is too large."""
    outcome = run(dripping(HEAD + b"connection: close\r\n\r\n", b"x" * 500_000, every=0), body_bytes=1024 * 1024)
    assert isinstance(outcome.error, ContractError)
    assert "1 MiB" in outcome.error.message


def test_compressed_answers_are_read() -> None:
    """gzip is asked for and understood."""
    body = json.dumps({"ok": True}).encode()
    outcome = run(answer(200, content=gzip.compress(body), headers={"content-encoding": "gzip"}))
    assert outcome.answers[0].body == {"ok": True}
    assert outcome.requests[0].headers["accept-encoding"] == "gzip"


def test_an_encoding_nobody_asked_for_is_refused() -> None:
    """Brotli was not offered."""
    outcome = run(answer(200, content=b"xx", headers={"content-encoding": "br"}))
    assert isinstance(outcome.error, ContractError)


def test_an_error_page_stays_the_refusal_it_is() -> None:
    """A 404 with HTML in it is a 404."""
    call = Call(method="GET", path="/x", endpoint="GET /x", expect=frozenset({404}))
    outcome = run(answer(404, content=b"<html>nope</html>", kind="text/html"), call=call)
    assert (outcome.answers[0].status, outcome.answers[0].body) == (404, None)


# ------------------------------------------------------------------------------------------------------- secrecy


@pytest.mark.parametrize(
    "behaviour",
    [
        OK,
        hang,
        reset(),
        answer(401, {"error": f"bad key {SECRET}"}),
        answer(500, {"error": SECRET}),
        answer(200, content=f"<html>{SECRET}</html>".encode()),
        answer(302, headers={"location": f"https://x.example/?k={SECRET}"}),
    ],
)
def test_no_secret_reaches_a_log_line_or_an_error(behaviour: Behaviour, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong, neither logs at DEBUG nor the error with its causes hold the key or the request path."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="integration_assets")
    rules = StatusRules(describe=lambda got: str(got.body))
    call = Call(method="POST", path=f"/v1/things/{SECRET}", endpoint="POST /v1/things/{id}", json={})
    outcome = run(
        behaviour,
        call=call,
        rules=rules,
        deadline=0.2,
        repeats=1,
        headers={"authorization": SecretStr(SECRET)},
        body_fields={"apiKey": SecretStr(SECRET)},
    )
    chain, error = "", outcome.error
    while error is not None:
        chain += f"{error!r} {error.__dict__}"
        error = error.__cause__  # type: ignore[assignment] # the chain may hold foreign errors; only their text is read
    texts = caplog.text + chain
    assert SECRET not in texts
    assert "things/{id}" in caplog.text


def test_the_request_log_names_method_host_template_status_and_time(caplog: pytest.LogCaptureFixture) -> None:
    """One debug line per request, made of what is safe to tell."""
    caplog.set_level(logging.DEBUG, logger="integration_assets.connectors.http")
    run(OK)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "integration_assets.connectors.http"]
    assert line.startswith("test 127.0.0.1:")
    assert "POST /v1/things 200 " in line
    assert line.endswith(" ms")


def test_a_client_waits_for_its_limiter(clock: FakeClock) -> None:
    """The third call of a window of two leaves when the first is ten seconds old."""

    async def work(client: HttpClient) -> list[Answer]:
        return [await client.send(READ) for _ in range(3)]

    outcome = run(OK, work=work, limiter=clock.limiter({"default": (Window(2, 10),)}))
    assert len(outcome.answers) == 3
    assert 10 <= sum(clock.slept) < 10.1


def test_calls_that_wait_for_a_full_bucket_leave_the_slots_to_others() -> None:
    """Two slots, two calls waiting for an hour's search window: a call of another bucket leaves nevertheless."""
    both_wait = asyncio.Event()
    waiting: list[float] = []

    async def sleep(seconds: float) -> None:
        waiting.append(seconds)
        if len(waiting) == 2:
            both_wait.set()
        await asyncio.Event().wait()

    search = msgspec.structs.replace(READ, bucket="search")

    async def work(client: HttpClient) -> list[Answer]:
        await client.send(search)
        held = [asyncio.create_task(client.send(search)) for _ in range(2)]
        await both_wait.wait()
        other = await asyncio.wait_for(client.send(READ), PATIENCE_SECONDS)
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        return [other, await client.send(READ)]

    limiter = Limiter({"search": (Window(1, 3600),)}, sleep=sleep)
    outcome = run(OK, work=work, limiter=limiter, in_flight=2, patience=7200.0)
    assert [got.status for got in outcome.answers] == [200, 200]


def test_a_refused_place_gives_its_slot_back() -> None:
    """A call that runs out of patience holds no slot: the one slot there is serves the next call."""
    search = msgspec.structs.replace(READ, bucket="search")

    async def work(client: HttpClient) -> list[Answer]:
        await client.send(search)
        with pytest.raises(QuotaError):
            await client.send(search)
        return [await asyncio.wait_for(client.send(READ), PATIENCE_SECONDS)]

    outcome = run(OK, work=work, limiter=Limiter({"search": (Window(1, 3600),)}), in_flight=1, patience=60.0)
    assert outcome.answers[0].status == 200


class _FullDisk(MemoryLog):
    """A log that can be written so many times more; what is done to it then is lost."""

    def __init__(self, times: float) -> None:
        super().__init__()
        self.times = times

    @contextlib.contextmanager
    def held(self) -> Iterator[Buckets]:
        self.times -= 1
        if self.times < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        with super().held() as buckets:
            yield buckets


TAUGHT = StatusRules(rate_headers=RateHeaders(limit="x-max", interval_ms="x-interval"))


def test_the_answer_to_a_write_outlives_a_log_of_calls_that_cannot_be_written(
    caplog: pytest.LogCaptureFixture, clock: FakeClock
) -> None:
    """The write was made: its answer is kept, the trouble is told, and the call counts for as long as it could last."""
    log, start = _FullDisk(1), clock.now
    limiter = clock.limiter({"default": (Window(1, 10),)}, log=log)
    outcome = run(
        answer(200, {"ok": True}, headers={"x-max": "5", "x-interval": "1000"}),
        call=WRITE,
        limiter=limiter,
        rules=TAUGHT,
        deadline=2.0,
    )
    assert outcome.answers[0].body == {"ok": True}
    assert "the shared log of calls cannot be written (No space left on device)" in caplog.text
    log.times = math.inf
    asyncio.run(limiter.acquire())
    assert clock.now - start == pytest.approx(2 + MARGIN_SECONDS + 10, abs=0.1)


def test_a_throttled_call_waits_by_itself_where_the_log_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause cannot be shared: this call must not come back at once."""
    waits: list[float | None] = []
    decide = HttpClient._repeat_after

    def noted(client: HttpClient, call: Call, error: Exception) -> bool | float:
        waits.append(getattr(error, "wait", None))
        return decide(client, call, error)

    monkeypatch.setattr(HttpClient, "_repeat_after", noted)
    limited = answer(429, {}, headers={"retry-after": "7"})
    outcome = run(limited, limiter=Limiter({}, log=_FullDisk(1)))
    assert waits
    assert waits[0] is not None
    assert 7 <= waits[0] <= 8
    assert isinstance(outcome.error, PermanentError)


def test_nothing_is_sent_without_a_log_of_calls() -> None:
    """Limits that cannot be kept are no reason to break them; after a lost write its outcome stays unknown."""
    outcome = run(OK, limiter=Limiter({}, log=_FullDisk(0)))
    assert type(outcome.error) is PermanentError
    assert "the shared log of calls cannot be used (No space left on device)" in outcome.error.message
    assert outcome.requests == []
    # To leave, to be over: then the disk is full.
    assert isinstance(run(reset(), call=WRITE, limiter=Limiter({}, log=_FullDisk(2))).error, UnknownOutcomeError)


@pytest.mark.parametrize("deadline", [1.5, 600.0])
def test_a_call_is_given_up_only_after_the_time_it_may_take(deadline: float) -> None:
    """The limiter is told what the settings allow, and a little more."""
    asked: list[float] = []

    class Noting(Limiter):
        async def acquire(self, bucket: str = "default", **options: Any) -> Lease:
            asked.append(options["longest"])
            return await super().acquire(bucket, **options)

    run(OK, limiter=Noting({}), deadline=deadline)
    assert len(asked) == 1
    assert deadline < asked[0] < deadline + 60


# -- what may not be sent


def test_a_write_that_may_not_be_sent_leaves_nothing() -> None:
    """What `before_write` raises ends a write before a request is made; reads are not asked."""

    def refuse() -> None:
        raise LockError("the lock passed on")

    refused = run(OK, call=WRITE, before_write=refuse)
    assert isinstance(refused.error, LockError)
    assert (len(refused.requests), refused.count.total) == (0, 0)
    assert run(OK, before_write=refuse).error is None


def test_a_write_is_asked_about_until_its_last_byte() -> None:
    """A write that may be begun and is forbidden before its body leaves never arrives whole, and is not repeated."""
    asked = []

    def refuse_the_body() -> None:
        asked.append(1)
        if len(asked) == 3:  # before the request, before its head, before its body
            raise LockError("the lock passed on")

    cut = run(OK, OK, call=WRITE, before_write=refuse_the_body)
    assert isinstance(cut.error, LockError)
    assert len(asked) == 3
    assert cut.answers == []
