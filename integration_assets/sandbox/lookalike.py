"""What every look-alike server shares: a log of the requests it got, latency, and the faults a test injects.

A `Lookalike` wraps an ASGI application. It needs nothing of the server below it, except for cutting a connection, which
`integration_assets.sandbox.serving` offers through the ASGI extension named `CUT_EXTENSION`.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CUT_EXTENSION = "integration_assets.cut_connection"
"""Key in the ASGI scope's `extensions`: a callable that drops the connection at once."""

_LOGGED = "integration_assets.logged_request"


@dataclass
class LoggedRequest:
    """One request as it arrived.

    `number` counts from 1, `at` is `time.monotonic()` at arrival, `status` is None until answered (and for ever when
    the connection was cut), `template` is the route template where the application knows it, `credential` the
    authorization header.
    """

    number: int
    method: str
    path: str
    query: str
    body: bytes
    at: float
    status: int | None = None
    template: str | None = None
    credential: str = field(default="", repr=False)


@dataclass
class Fault:
    """What happens to the next `times` requests that match (None: to every one, until the fault is removed).

    With neither `status` nor `close` the application answers as usual, after `delay` seconds. With `status` the fault
    answers instead of the application; with `after_commit` the application does its work first and its answer is lost.
    With `close` the connection is cut: without any answer, or, when `status` is given, in the middle of the body.
    `body_delay` seconds pass between the head and the body of the fault's answer.
    """

    matches: Callable[[LoggedRequest], bool]
    times: int | None = 1
    status: int | None = None
    body: bytes = b'{"error":"injected"}'
    headers: Mapping[str, str] = field(default_factory=dict)
    after_commit: bool = False
    close: bool = False
    delay: float = 0.0
    body_delay: float = 0.0


class Lookalike:
    """An ASGI application that logs, delays and disturbs another one.

    `latency` gives the seconds a request waits before it is worked on. `requests` and `faults` may be read and changed
    from another thread than the server's.
    """

    def __init__(self, app: ASGIApp, *, latency: Callable[[LoggedRequest], float] | None = None) -> None:
        self.app = app
        self.latency = latency
        self.requests: list[LoggedRequest] = []
        self.faults: list[Fault] = []
        self._numbers = itertools.count(1)

    def clear(self) -> None:
        """Forget the logged requests and the faults that are left."""
        self.requests.clear()
        self.faults.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI event."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = await self._log(scope, receive)
        fault = self._take_fault(request)
        wait = (self.latency(request) if self.latency else 0.0) + (fault.delay if fault else 0.0)
        if wait > 0:
            await asyncio.sleep(wait)
        inner = _replayed(request.body, receive)
        if fault is None or (fault.status is None and not fault.close):
            await self.app(scope, inner, _noting_status(request, send))
            return
        if fault.after_commit:
            await self.app(scope, inner, _lost)
        await _answer(fault, request, scope, receive, send)

    async def _log(self, scope: Scope, receive: Receive) -> LoggedRequest:
        arrived = time.monotonic()
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                break
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        request = LoggedRequest(
            number=next(self._numbers),
            method=scope["method"],
            path=scope["path"],
            query=scope.get("query_string", b"").decode("latin-1"),
            body=bytes(body),
            at=arrived,
            credential=dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"),
        )
        scope[_LOGGED] = request
        self.requests.append(request)
        return request

    def _take_fault(self, request: LoggedRequest) -> Fault | None:
        for fault in list(self.faults):
            if fault.times == 0 or not fault.matches(request):
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    self.faults.remove(fault)
            return fault
        return None


def note_template(scope: MutableMapping[str, Any], template: str) -> None:
    """Record the route template of the request being answered; no effect outside a `Lookalike`."""
    request = scope.get(_LOGGED)
    if isinstance(request, LoggedRequest):
        request.template = template


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that hands out the body already read, then whatever the server still has to say."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay


def _noting_status(request: LoggedRequest, send: Send) -> Send:
    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            request.status = message["status"]
        await send(message)

    return noting


async def _lost(message: Message) -> None:
    """A `send` whose messages never reach the client."""


async def _answer(fault: Fault, request: LoggedRequest, scope: Scope, receive: Receive, send: Send) -> None:
    if fault.status is None:
        await _cut(scope, receive)
        return
    headers = {"content-type": "application/json", **{name.lower(): value for name, value in fault.headers.items()}}
    # A cut answer promises one byte more than it sends, so that no client can take it for whole.
    headers.setdefault("content-length", str(len(fault.body) + fault.close))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": fault.status, "headers": raw})
    if not fault.close:
        request.status = fault.status
    if fault.body_delay > 0:
        await asyncio.sleep(fault.body_delay)
    # Returning with more_body announced makes the server close the connection.
    await send({"type": "http.response.body", "body": fault.body, "more_body": fault.close})


async def _cut(scope: Scope, receive: Receive) -> None:
    cut = scope.get("extensions", {}).get(CUT_EXTENSION)
    if cut is None:
        raise ConnectionAbortedError("fault injected: the connection is cut without an answer")
    cut()
    while (await receive())["type"] != "http.disconnect":
        pass
