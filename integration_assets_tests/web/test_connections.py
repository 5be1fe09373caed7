"""Strangers who open connections and send slowly, much, or what is no request: they end, and others are served."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable

import pytest

from integration_assets.web import connections
from integration_assets_tests.support.waiting import PATIENCE_SECONDS, until
from integration_assets_tests.support.web_site import Client
from integration_assets_tests.web.conftest import ACME, Served
from integration_assets_tests.web.sockets import connected, head, received, status_of

HALF = b"GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: "


def send_until_closed(connection: socket.socket, part: bytes, pause: float = 0.0) -> None:
    """Send a part again and again, until that fails: with patience, but not for ever."""

    def closed() -> bool:
        try:
            connection.sendall(part)
        except ConnectionError:
            return True
        return False

    until(closed, "the end of the connection", every=pause)


def test_half_open_connections_end_and_others_are_served(pages: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than there may be, from the very address of the others; each ends by itself with nothing or a 408."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    with connected(pages, 205) as half_open, Client(pages.site.origin) as other:
        for connection in half_open:
            connection.sendall(HALF)
        assert [other.get("/health").status_code for _ in range(5)] == [200] * 5
        assert other.log_in(ACME).status_code == 303
        assert {status_of(received(connection)) for connection in half_open} <= {0, 408}


@pytest.mark.parametrize("part", [b"a", b"\r\nX-More: a"])
def test_single_bytes_do_not_put_off_the_end_of_a_head(
    pages: Served, part: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header that never ends is ended, on a new connection and on one that was used before."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    with connected(pages, 2) as (fresh, used):
        used.sendall(head(pages))
        assert b"200 OK" in used.recv(65_536)
        for connection in (fresh, used):
            connection.sendall(HALF)
            send_until_closed(connection, part, pause=0.02)


def test_addresses_do_not_crowd_each_other_out(pages: Served) -> None:
    """Whoever opens too many loses their own oldest, not somebody else's."""
    with connected(pages, address="127.0.0.2") as (patient,):
        patient.sendall(head(pages)[:-2])
        with connected(pages, connections.MOST_OF_ADDRESS + 10, address="127.0.0.3") as many:
            for connection in many:
                connection.sendall(HALF)
            assert all(received(connection) == b"" for connection in many[:10])
            patient.sendall(b"\r\n")
            assert b"200 OK" in patient.recv(65_536)


def test_the_installation_has_room_for_the_next_one(pages: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full of connections from many addresses, the one that kept us waiting longest makes room."""
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 20)
    with contextlib.ExitStack() as stack:
        crowd = [
            connection
            for number in range(3)
            for connection in stack.enter_context(connected(pages, 10, address=f"127.0.1.{number + 1}"))
        ]
        for connection in crowd:
            with contextlib.suppress(ConnectionError):
                connection.sendall(HALF)
        with Client(pages.site.origin) as other:
            assert other.get("/health").status_code == 200
        assert received(crowd[0]) == b""


def test_with_nobody_to_make_room_the_next_one_is_refused(pages: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where we owe an answer on every connection, the new one is told that there is no room."""
    monkeypatch.setattr(connections, "_make_room", lambda _connections: False)
    monkeypatch.setattr(connections, "MOST_OF_ADDRESS", 0)
    with connected(pages) as (refused,):
        answer = received(refused)
    assert status_of(answer) == 503
    assert b"content-security-policy" in answer


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (lambda pages: head(pages, "GET /health HTTP/1.1", *(f"X-{number}: 1" for number in range(101))), 431),
        (lambda pages: head(pages, "GET /health HTTP/1.1", "X-Long: " + "a" * 15_000, "X-Other: " + "b" * 15_000), 431),
        (lambda pages: head(pages, "GET /health HTTP/1.1", "Cookie: " + "; ".join(["a=b"] * 5_000)), 431),
        (lambda pages: head(pages, f"GET /{'a' * 5_000} HTTP/1.1"), 414),
        (lambda pages: head(pages, f"GET /requests?q={'a' * 5_000} HTTP/1.1"), 414),
        (lambda pages: head(pages, "GET /hea\0lth HTTP/1.1"), 400),
        (lambda pages: head(pages, "GET /health HTTP/1.1", "X-Bad: a\0b"), 400),
        (lambda pages: head(pages, "GET /health HTTP/1.1", "Transfer-Encoding: xchunked"), 501),
        (lambda pages: head(pages, "POST /login HTTP/1.1", "Content-Length: 5", "Content-Length: 6"), 400),
        (lambda pages: head(pages, "GET /\xff HTTP/1.1"), 400),
        (lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 3 + b"\r\n\r\n", 400),
        (lambda pages: head(pages, "GET /login%00 HTTP/1.1"), 404),
    ],
)
def test_a_request_is_bounded(pages: Served, sent: Callable[[Served], bytes], status: int) -> None:
    """Line, number and size of headers; what is no request is refused with the headers that every answer has."""
    with connected(pages) as (connection,):
        connection.sendall(sent(pages))
        answer = connection.recv(65_536)
    assert status_of(answer) == status
    assert b"content-security-policy" in answer


def test_headers_without_end_are_refused(pages: Served) -> None:
    """Twenty megabytes of them are not taken: the answer is 431, after a few kilobytes."""
    with connected(pages) as (connection,):
        connection.sendall(head(pages)[:-2])
        connection.settimeout(PATIENCE_SECONDS)
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 20_000_000:
                connection.sendall(b"X-More: " + b"a" * 1_000 + b"\r\n")
                sent += 1_010
        assert sent < 20_000_000
    with connected(pages) as (connection,):
        connection.sendall(head(pages)[:-2] + b"X-More: " + b"a" * connections.HEAD_BYTES)
        assert status_of(received(connection)) == 431


@pytest.mark.parametrize("line", ["POST /login HTTP/1.1", "GET /health HTTP/1.1", "POST /nope HTTP/1.1"])
def test_a_body_without_end_is_ended(pages: Served, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunk by chunk, slowly or fast, whether somebody reads it or an answer is out already."""
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.5)
    monkeypatch.setattr(connections, "LINGER_SECONDS", 0.2)
    form = ("Content-Type: application/x-www-form-urlencoded", f"Origin: {pages.site.origin}")
    for part, pause in ((b"1\r\na\r\n", 0.02), (b"1000\r\n" + b"a" * 4_096 + b"\r\n", 0.0)):
        with connected(pages) as (connection,):
            connection.sendall(head(pages, line, *form, "Transfer-Encoding: chunked"))
            send_until_closed(connection, part, pause)
    with Client(pages.site.origin) as other:
        assert other.get("/health").status_code == 200


def test_broken_bodies_leave_no_traceback(pages: Served, caplog: pytest.LogCaptureFixture) -> None:
    """A chunk that is none, and somebody who leaves in the middle, are a line of the log and no more."""
    form = ("Content-Type: application/x-www-form-urlencoded", f"Origin: {pages.site.origin}")
    with caplog.at_level(logging.INFO):
        with connected(pages) as (connection,):
            connection.sendall(head(pages, "POST /login HTTP/1.1", *form, "Transfer-Encoding: chunked") + b"zz\r\n\r\n")
            assert status_of(received(connection)) == 400
        with connected(pages) as (connection,):
            connection.sendall(head(pages, "POST /login HTTP/1.1", *form, "Content-Length: 100") + b"login=a")
        told = "POST /login None"
        until(lambda: sum(told in record.getMessage() for record in caplog.records) == 2, "the second line of the log")
    assert not [record for record in caplog.records if record.exc_info]


def test_requests_in_one_piece_are_answered_one_after_the_other(pages: Served) -> None:
    """Pipelined requests each get their answer, in order; the last one closes."""
    with connected(pages) as (connection,):
        bad, last = head(pages, "GET /nope HTTP/1.1"), head(pages, "GET /health HTTP/1.1", "Connection: close")
        connection.sendall(head(pages) * 20 + bad + last)
        answers = received(connection).split(b"HTTP/1.1 ")[1:]
    assert [int(answer[:3]) for answer in answers] == [200] * 20 + [404, 200]


def test_an_answer_that_nobody_reads_ends(pages: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for much and reads nothing loses the connection."""
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.2)
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.2)
    with connected(pages) as (connection,):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        send_until_closed(connection, head(pages, "GET /static/app.css HTTP/1.1") * 20, 0.01)
