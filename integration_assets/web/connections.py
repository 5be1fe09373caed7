"""Connections of browsers and of strangers: how long we wait for whom, and who goes first when there are many.

Before a login anybody may open connections. So each wait for a client has an end that single bytes do not put off, and
where too many are open, the one that has kept us waiting longest is closed for the one that comes.
"""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus
from typing import Any, Literal

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from integration_assets.web.answers import SECURITY_HEADERS

MOST_CONNECTIONS = 200
MOST_OF_ADDRESS = 50
"""Connections from one address, which a browser does not come near. Behind a proxy all have the proxy's."""
HEAD_BYTES = 16_384
"""Of a request's line and headers together. Browsers send one or two thousand."""
HEAD_SECONDS = 10.0
BODY_SECONDS = 15.0
"""For the whole body; those who read one give up, and say so, after ten."""
IDLE_SECONDS = 15
"""Between two requests."""
LINGER_SECONDS = 2.0
"""For what a client still sends or has not read once its answer is out."""
UNREAD_SECONDS = 30.0
"""For a client to read an answer that is larger than the buffers on the way."""
Phase = Literal["idle", "head", "body", "rest", "answer"]
_STATUSES = frozenset({HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, HTTPStatus.NOT_IMPLEMENTED})
"""Statuses the parser may give a request beside 400."""


class Connection(H11Protocol):
    """A connection, as uvicorn's protocol on h11 serves it, with an end to every wait."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.waits_since = 0.0
        self._phase: Phase = "answer"
        self._served = False
        self._wait: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """True if we wait for the client, not the client for us."""
        return self._phase != "answer"

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, if need be in the place of another connection."""
        # First: uvicorn enters the connection into the set that is counted below.
        super().connection_made(transport)
        if not self._has_room():
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self._enter("head")

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        for timer in (self._wait, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came. It does not put off the end of the wait it came in."""
        # Data may still arrive after an answer that closes; parsing it would begin a request nobody answers.
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._enter(self._current_phase())

    def on_response_complete(self) -> None:
        """Wait for the rest of the request, or for the next one."""
        super().on_response_complete()
        self._served = True
        self._enter(self._current_phase())

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        # A client that never reads would keep the answer in memory for as long as it likes.
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        if self._unread is not None:
            self._unread.cancel()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close after the last answer, read or not."""
        super().timeout_keep_alive_handler()
        # `close` waits until everything is sent, which a client that does not read can put off for ever.
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request. Called while the parser's error is handled, which knows the status."""
        error = sys.exc_info()[1]
        # Not every call comes with an error of the parser; then it is a bad request like any other.
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 0
        self._refuse(HTTPStatus(hint) if hint in _STATUSES else HTTPStatus.BAD_REQUEST)

    def _refuse(self, status: HTTPStatus) -> None:
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()  # in the middle of an answer there is no other
            return
        body = f"{status.phrase.lower()}\n".encode()
        headers = [
            *SECURITY_HEADERS,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=status, headers=headers, reason=status.phrase.encode()),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _current_phase(self) -> Phase:
        theirs = self.conn.their_state
        # A body that comes after our answer is over is only drained, and not for long.
        if theirs is h11.SEND_BODY:
            return "body" if self.conn.our_state in (h11.SEND_RESPONSE, h11.SEND_BODY) else "rest"
        if theirs is not h11.IDLE:
            return "answer"
        # A single byte of a next request ends the idle wait: it must arrive within the shorter time of a head.
        begun = bool(self.conn.trailing_data[0])
        return "idle" if self._served and not begun else "head"

    def _enter(self, phase: Phase) -> None:
        """Begin the wait of a phase; go on with it where we are in it already."""
        # The same phase goes on with its own end: a byte every second must not renew it.
        if phase == self._phase or self.transport.is_closing():
            return
        if self._wait is not None:
            self._wait.cancel()
        seconds = {"idle": IDLE_SECONDS, "head": HEAD_SECONDS, "body": BODY_SECONDS, "rest": LINGER_SECONDS}.get(phase)
        self._wait = self.loop.call_later(seconds, self._expire) if seconds is not None else None
        self._phase, self.waits_since = phase, self.loop.time()

    def _expire(self) -> None:
        # Only here a request has begun that can be answered; elsewhere an answer would be read as that of another
        # request.
        if self._phase == "head":
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.abort()

    def _has_room(self) -> bool:
        """Tell whether this connection may stay, once another one made room if there was none."""
        others = [one for one in self.connections if isinstance(one, Connection) and one is not self]
        others = [one for one in others if not one.transport.is_closing()]
        # Behind a proxy every connection has the proxy's address, so that a limit by address would hit everybody.
        address = self.client[0] if self.client else None
        neighbours = [one for one in others if one.client and one.client[0] == address]
        behind_proxy = self.config.proxy_headers
        full_of_address = not behind_proxy and len(neighbours) >= MOST_OF_ADDRESS
        if full_of_address:
            # From the same address: a stranger with many connections closes their own, not those of others.
            return _make_room(neighbours)
        return len(others) < MOST_CONNECTIONS or _make_room(others)


def _make_room(connections: list[Connection]) -> bool:
    """Close the connection that has kept us waiting longest; False when we owe all of them an answer."""
    # Never one that we owe an answer: it may be somebody's change that is being written.
    waiting = [one for one in connections if one.waits]
    if waiting:
        min(waiting, key=lambda one: one.waits_since).transport.abort()
    return bool(waiting)
