"""C. Rate limits, server errors and the transport below them."""

from __future__ import annotations

import contextlib
import email.utils
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from integration_assets.sandbox.hubspot.faults import locked, migrating, rate_limit
from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets_tests.proofs.faults.asking import (
    anything,
    holding,
    is_link,
    is_posts_list,
    is_upsert,
    raw_path_ends,
)
from integration_assets_tests.proofs.faults.bench import Bench, require
from integration_assets_tests.proofs.faults.case_runs import fault
from integration_assets_tests.proofs.faults.proxy import proxy_before
from integration_assets_tests.support.fault_server import answer, dripping, hang, reset

IMPATIENT = {"INTEGRATION_ASSETS_REQUEST_SECONDS": "1", "INTEGRATION_ASSETS_PATIENCE_SECONDS": "3"}
"""What lets a run give up within seconds: the settings of a user who cannot wait."""
ASKED_SECONDS = 6
"""How long a throttled system asks to be left alone: so long that what was under way has arrived by half of it."""
THROTTLED = b'{"error":"rate limited"}'


def _sent(bench: Bench, system: str) -> list[LoggedRequest]:
    return [request for name, request in bench.last.requests if name == system]


def _impatient(bench: Bench) -> None:
    for name, value in IMPATIENT.items():
        bench.variable(name, value)


def _nothing_written(bench: Bench) -> None:
    require(not bench.last.writes, f"{len(bench.last.writes)} writes were sent")


@fault("C1", "429 with Retry-After in seconds")
def c1(bench: Bench) -> None:
    """It is waited for, and the whole credential waits: nothing else is sent meanwhile."""
    bench.inject("canny", is_posts_list, status=429, body=THROTTLED, headers={"Retry-After": str(ASKED_SECONDS)})
    bench.inject("hubspot", is_upsert, status=429, body=THROTTLED, headers={"Retry-After": str(ASKED_SECONDS)})
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    for system in ("canny", "hubspot"):
        sent = _sent(bench, system)
        throttled = next(request for request in sent if request.status == 429)
        waited = min(request.at for request in sent if request.path == throttled.path and request.at > throttled.at)
        require(waited - throttled.at >= ASKED_SECONDS, f"{system} was asked again after {waited - throttled.at:.1f} s")
        # What left before the answer came cannot be called back, and may arrive late.
        quiet_from, quiet_until = throttled.at + ASKED_SECONDS / 2, throttled.at + ASKED_SECONDS
        early = [one.path for one in sent if quiet_from < one.at < quiet_until]
        require(not early, f"{system} was sent {early} while it asked to wait")


@fault("C2", "429 with a Retry-After that is a date, negative, absent or in the year 2099")
def c2(bench: Bench) -> None:
    """Parsed, or clamped to between 0 and 120 s; who cannot wait that long ends RETRY_LATER."""
    in_two_seconds = email.utils.formatdate(time.time() + 2, usegmt=True)
    for headers in ({"Retry-After": in_two_seconds}, {"Retry-After": "-30"}, {}, {"Retry-After": "soon"}):
        bench.inject("canny", is_posts_list, status=429, body=THROTTLED, headers=headers)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    _impatient(bench)
    bench.inject(
        "canny",
        anything,
        status=429,
        body=THROTTLED,
        headers={"Retry-After": "Thu, 31 Dec 2099 23:59:59 GMT"},
        times=None,
    )
    bench.run("sync")
    bench.expect(state="RETRY_LATER", exit=75)
    _nothing_written(bench)


@fault("C3", "429 to every call, for as long as we ask", requests=120)
def c3(bench: Bench) -> None:
    """Patience ends before the storm does: RETRY_LATER, few requests, nothing written."""
    _impatient(bench)
    for system in ("canny", "hubspot"):
        bench.inject(system, anything, status=429, body=THROTTLED, headers={"Retry-After": "1"}, times=None)
    bench.run("sync")
    bench.expect(state="RETRY_LATER", exit=75)
    _nothing_written(bench)


@fault("C4", "the portal's daily limit is spent, before and while writing", start="hundred")
def c4(bench: Bench) -> None:
    """Not repeated: RETRY_LATER, and when the limit is renewed."""
    bench.add("hubspot", rate_limit(anything, "DAILY", times=None))
    bench.run("sync")
    bench.expect(state="RETRY_LATER", exit=75, says="midnight in the portal's time zone")
    paths = [request.path for request in _sent(bench, "hubspot")]
    require(len(paths) == len(set(paths)), f"a call was repeated: {paths}")
    bench.lookalike("hubspot").faults.clear()
    bench.add("hubspot", rate_limit(is_link, "DAILY", times=None))
    bench.run("sync")
    bench.expect(state="RETRY_LATER", exit=75, says="midnight in the portal's time zone")


@fault("C5", "423: the records are locked", start="hundred")
def c5(bench: Bench) -> None:
    """At least two seconds pass before the same records are sent again."""
    bench.add("hubspot", locked(is_upsert))
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
    sent = [request for request in _sent(bench, "hubspot") if is_upsert(request)]
    at = next(place for place, request in enumerate(sent) if request.status == 423)
    waited = sent[at + 1].at - sent[at].at
    require(waited >= 2.0, f"sent again after {waited:.1f} s")


@fault("C6", "477: the portal is being moved, Retry-After a day")
def c6(bench: Bench) -> None:
    """RETRY_LATER at once, with how long; nothing is slept through."""
    bench.add("hubspot", migrating(anything, 86_400, times=None))
    bench.run("sync")
    bench.expect(state="RETRY_LATER", exit=75, says=("86400 s", "data centre"))
    _nothing_written(bench)


@fault("C7", "500, 503 and 521 in a burst, then all is well")
def c7(bench: Bench) -> None:
    """The run recovers, reading and writing."""
    for system, matches in (("canny", is_posts_list), ("hubspot", is_upsert), ("hubspot", is_link)):
        for status in (500, 503, 521):
            bench.inject(system, matches, status=status)  # type: ignore[arg-type]  # a System
    bench.run("sync")
    bench.expect(state="SUCCEEDED")


@fault("C8", "500 whenever one record is in the batch", start="hundred")
def c8(bench: Bench) -> None:
    """That record is isolated, the others are written; it stays unknown, so the run asks to be repeated."""
    poison = bench.world.key("themes")
    bench.inject("hubspot", holding(is_upsert, poison), status=500, times=None)
    bench.run("sync")
    bench.expect(state="RETRY_LATER", exit=75)
    written = bench.last.after.ours.records
    require(len(written) == 99 and poison not in written, f"{len(written)} of 99 records were written")


# -- the transport


def _certificate(folder: Path, *, days: str) -> ssl.SSLContext:
    key, certificate = folder / "tls.key", folder / "tls.pem"
    command = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes {days} -subj /CN=127.0.0.1"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    key.unlink()
    certificate.unlink()
    return context


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@fault("C9", "connection refused, no TLS where TLS is expected, a certificate nobody trusts")
def c9(bench: Bench) -> None:
    """Nothing is written, and the message names the host and the reason."""
    _impatient(bench)
    plain = bench.world.addresses.canny_base_url.split("/")[2]
    refused = f"127.0.0.1:{_closed_port()}"
    with proxy_before("", tls=_certificate(bench.world.home, days="-days 1")) as untrusted:
        host = untrusted.url.split("/")[2]
        for base_url, words in (
            (f"http://{refused}", (refused, "cannot be reached")),
            (f"https://{plain}", (plain, "cannot be reached")),
            (f"https://{host}", (host, "certificate")),
        ):
            bench.run("sync", HUBSPOT_SANDBOX_BASE_URL=base_url)
            bench.expect(state="RETRY_LATER", exit=75, says=words)
            _nothing_written(bench)
        require(not untrusted.requests, "a request was sent to a server with an untrusted certificate")


Lookup = Callable[[str], list[str]]


@contextlib.contextmanager
def _resolving(name: str, lookup: Lookup) -> Iterator[None]:
    """Let the resolver of this process answer for one made-up host; `lookup` may raise `socket.gaierror`."""
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        if text != name:
            return real(host, port, *arguments, **named)
        families = {True: socket.AF_INET6, False: socket.AF_INET}
        return [
            (families[":" in address], socket.SOCK_STREAM, 6, "", _address(address, int(port)))
            for address in lookup(name)
        ]

    with mock.patch("socket.getaddrinfo", resolve):
        yield


def _address(address: str, port: int) -> tuple[Any, ...]:
    return (address, port, 0, 0) if ":" in address else (address, port)


@fault("C10", "the name does not resolve for a while, then never again in the middle of a run", start="hundred")
def c10(bench: Bench) -> None:
    """A short failure is got over within the run; a lasting one ends it RETRY_LATER."""
    _impatient(bench)
    proxy = bench.proxied("hubspot")
    proxy.closes = True  # each request has to look the name up again
    port = proxy.url.rpartition(":")[2]
    asked = 0

    def lookup(_name: str) -> list[str]:
        nonlocal asked
        asked += 1
        if asked in (1, 4) or asked > last:
            raise socket.gaierror(socket.EAI_AGAIN if asked < last else socket.EAI_NONAME, "injected")
        return ["127.0.0.1"]

    last = 10_000
    bench.variable("HUBSPOT_SANDBOX_BASE_URL", f"http://portal.test:{port}")
    bench.variable("INTEGRATION_ASSETS_PATIENCE_SECONDS", "10")
    with _resolving("portal.test", lookup):
        bench.run("sync")
        bench.expect(state="SUCCEEDED")
        bench.variable("INTEGRATION_ASSETS_PATIENCE_SECONDS", "2")
        asked, last = 10, 14
        bench.run("sync")
        bench.expect(state="RETRY_LATER", exit=75, says="portal.test")


@fault("C11", "a server that accepts and never answers, when read and when written to")
def c11(bench: Bench) -> None:
    """The deadline ends each attempt, patience the repeats."""
    _impatient(bench)
    bench.proxied("canny").instead(raw_path_ends("/v1/posts/list"), hang, times=None)
    bench.run("sync")
    bench.expect(state="RETRY_LATER", exit=75, says="no complete answer within 1 s")
    _nothing_written(bench)
    bench.calm()
    bench.disturbed = True
    _impatient(bench)
    bench.proxied("hubspot").instead(raw_path_ends("/batch/upsert"), hang, times=None)
    bench.run("sync")
    bench.expect(state="RETRY_LATER", exit=75)
    require(not bench.last.after.ours.records, "something was written")


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@fault("C12", "answers that drip: headers, bodies")
def c12(bench: Bench) -> None:
    """The deadline counts from sending to the last byte, however steadily bytes keep coming."""
    _impatient(bench)
    proxy = bench.proxied("canny")
    proxy.instead(raw_path_ends("/v1/posts/list"), dripping(HEAD, b"x-drip: 1\r\n"), times=1)
    proxy.instead(
        raw_path_ends("/v1/posts/list"), dripping(HEAD + b"content-length: 100000\r\n\r\n{", b" "), times=None
    )
    bench.run("sync")
    bench.expect(state="RETRY_LATER", exit=75, says="no complete answer within 1 s")
    _nothing_written(bench)


@fault("C13", "the connection is reset in the middle of a body")
def c13(bench: Bench) -> None:
    """Reads are repeated; of a write, what became of it is found out."""
    half = HEAD + b'content-length: 500\r\n\r\n{"posts":[{"id":"1'
    bench.proxied("canny").instead(raw_path_ends("/v1/posts/list", "/v2/votes/list"), reset(half), times=2)
    proxy = bench.proxied("hubspot")
    proxy.instead(raw_path_ends("/batch/upsert"), reset(half), times=1, commit=True)
    proxy.instead(raw_path_ends("/batch/create"), reset(half), times=1, commit=True)
    proxy.instead(raw_path_ends("/batch/read"), reset(half), times=1)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")


@fault("C14", "redirects: to another host, in a loop, from https to http")
def c14(bench: Bench) -> None:
    """Refused, not followed: the other host hears nothing, least of all a secret."""
    with proxy_before("") as elsewhere:
        for system, variable in (("canny", "CANNY_BASE_URL"), ("hubspot", "HUBSPOT_SANDBOX_BASE_URL")):
            proxy = bench.proxied(system)  # type: ignore[arg-type]  # a System
            for target in (f"{elsewhere.url}/stolen", f"{proxy.url}/again", "http://insecure.test/"):
                proxy.rules.clear()
                proxy.instead(lambda _request: True, answer(301, {}, headers={"location": target}), times=None)
                bench.run("sync")
                bench.expect(state="FAILED", exit=1, says="redirect")
                _nothing_written(bench)
            bench.variable(variable, None)
            bench._variables.pop(variable)
        require(not elsewhere.requests, "a redirect was followed")


@fault("C15", "a host with an IPv6 address nobody answers at, beside one that works; and with IPv6 alone")
def c15(bench: Bench) -> None:
    """The next address is tried within the deadline, for the CRM as for Slack."""
    addresses = bench.world.addresses
    urls = {name: url for name, url in addresses.environment().items() if name.endswith("_BASE_URL")}
    ports = {name: url.split("/")[2].rpartition(":")[2] for name, url in urls.items()}
    bench.variable("HUBSPOT_SANDBOX_BASE_URL", f"http://double.test:{ports['HUBSPOT_SANDBOX_BASE_URL']}")
    bench.variable("SLACK_BASE_URL", f"http://double.test:{ports['SLACK_BASE_URL']}/api/")
    # 100::/64 is the discard-only prefix: nothing answers there, wherever the tests run.
    with _resolving("double.test", lambda _name: ["100::1", "127.0.0.1"]):
        bench.run("sync")
    bench.expect(state="SUCCEEDED")
    require(bench.last.messages, "Slack was not told")
    if not _has_ipv6():
        return
    upstream = f"http://127.0.0.1:{ports['HUBSPOT_SANDBOX_BASE_URL']}"
    with proxy_before(upstream, host="::1") as proxy, _resolving("six.test", lambda _name: ["::1"]):
        bench.run(
            "sync", HUBSPOT_SANDBOX_BASE_URL=f"http://six.test:{proxy.url.rpartition(':')[2]}", SLACK_BASE_URL=None
        )
        bench.expect(state="SUCCEEDED")
        require(proxy.requests, "the IPv6 address was not used")


def _has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True
