"""Middleware every request passes first and every answer last: methods, host, headers, request id, one line of log."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from integration_assets.tracing import request_span
from integration_assets.web.answers import SECURITY_HEADERS, empty_response
from integration_assets.web.connections import HEAD_BYTES
from integration_assets.web.site import Site

TARGET_BYTES = 4_096
"""Of a path with its query. Ours have a few hundred."""
MOST_HEADERS = 100
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
BY_MACHINES = frozenset({"/health", "/ready", "/metrics"})
"""Asked by machines that know the address only: these paths answer to any Host, and show nothing of a tenant for it."""
_OURS = frozenset(name for name, _ in SECURITY_HEADERS) | {b"server"}
log = logging.getLogger("integration_assets.web")


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self.app = app
        self.site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        # There are no web sockets here: closed before anything reads them.
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        self.site.published.close_gone()
        answer = _Answer(scope, send)
        # Probes that come every few seconds would be most of what is collected.
        if scope["path"] in BY_MACHINES:
            await self._let_through(scope, receive, answer)
            return
        with request_span(answer.method, Headers(scope=scope)) as span:
            await self._let_through(scope, receive, answer)
            # Known by now: routes are looked for behind this gate.
            span.rename(f"{answer.method} {answer.route}")
            span.note(http__route=answer.route, integration_assets__request_id=answer.request_id)
            if answer.status is not None:
                span.note(http__response__status_code=answer.status)
            if answer.status is None or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                span.fail(str(answer.status or "no answer"))

    async def _let_through(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            refusal = self._refusal(scope)
            if refusal is None:
                await self.app(scope, receive, answer.send)
            else:
                await empty_response(refusal)(scope, receive, answer.send)
        except ClientDisconnect:
            pass  # whoever left in the middle of a request is noted below, without a traceback
        except Exception:
            # The traceback goes to the log only, found by the request id that the answer has.
            log.exception("request %s failed", answer.request_id)
            # Once a status is out there is no second one: the connection ends and the client sees a broken answer.
            if answer.status is None:
                await empty_response(HTTPStatus.INTERNAL_SERVER_ERROR)(scope, receive, answer.send)
        finally:
            answer.log()

    def _refusal(self, scope: Scope) -> int | None:
        # What came in one piece was taken whole by the parser, whose own limit is for what comes in several.
        # The cheapest checks first, and all of them before a route, a session or a body is looked at.
        if len(scope["raw_path"]) + len(scope["query_string"]) > TARGET_BYTES:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if len(scope["headers"]) > MOST_HEADERS or size > HEAD_BYTES:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        # TRACE would send cookies back to a script; CONNECT and made-up methods have no meaning here.
        if scope["method"] not in METHODS:
            return HTTPStatus.METHOD_NOT_ALLOWED
        hosts = Headers(scope=scope).getlist("host")
        # A foreign Host is how DNS rebinding reaches a loopback service, and how links in a page are poisoned.
        if scope["path"] not in BY_MACHINES and (len(hosts) != 1 or hosts[0].lower() not in self.site.hosts):
            return HTTPStatus.BAD_REQUEST
        return None


class _Answer:
    """One answer on its way out."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.request_id = uuid4().hex
        self.status: int | None = None
        self._scope = scope
        self._send = send
        self._began = time.monotonic()
        scope["request_id"] = self.request_id

    @property
    def method(self) -> str:
        """The method. One that is made up is text of a stranger, and could forge a line of the log."""
        return self._scope["method"] if self._scope["method"] in METHODS else "-"

    @property
    def route(self) -> str:
        """The route's template, never the path as asked."""
        return getattr(self._scope.get("route"), "path", "-")

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            # Our headers replace those of any handler: no page can weaken them by setting its own.
            own = [pair for pair in message.get("headers", []) if pair[0].lower() not in _OURS]
            message["headers"] = [*own, *SECURITY_HEADERS, (b"x-request-id", self.request_id.encode())]
        await self._send(message)

    def log(self) -> None:
        """One line: method, route, status, time, id. Never the path as asked: it may hold what somebody typed."""
        spent = (time.monotonic() - self._began) * 1000
        log.info(
            "%s %s %s %dms request=%s",  # with its unit in one word, no time passes for a second status
            self.method,
            self.route,
            self.status,
            spent,
            self.request_id,
            extra={
                "method": self.method,
                "route": self.route,
                "status": self.status,
                "ms": round(spent),
                "request_id": self.request_id,
            },
        )
