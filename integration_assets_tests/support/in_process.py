"""Connectors without a network: what stands in for the exchange below the outgoing client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from starlette.types import ASGIApp, Message

from integration_assets.connectors.exchange import RawAnswer
from integration_assets.connectors.http import HttpClient

Respond = Callable[[RawAnswer, str], RawAnswer]
"""From the answer the application gave to the path asked for, to what the client gets."""


def as_it_is(answer: RawAnswer, _path: str) -> RawAnswer:
    """The answer itself."""
    return answer


class InProcess:
    """An exchange that calls an ASGI application directly. `respond` may change what comes back, or raise.

    It has of `connectors.exchange.Exchange` what the client uses.
    """

    def __init__(self, app: ASGIApp, base_url: str, body_fields: Mapping[str, str], respond: Respond) -> None:
        self.host = urlsplit(base_url).netloc
        self._app = app
        self._prefix = urlsplit(base_url).path
        self._body_fields = dict(body_fields)
        self._respond = respond

    def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def send(
        self,
        method: str,
        path: str,
        json: Any | None,
        params: Mapping[str, str] | None,
        *,
        form: object = None,
        files: object = (),
        headers: object = None,
        before_bytes: Callable[[], None] | None = None,
    ) -> RawAnswer:
        """One request to the application, one answer. What is served here takes neither forms nor further headers."""
        assert form is None
        assert not files
        assert not headers
        if before_bytes is not None:
            before_bytes()
        body = encoded(json, self._body_fields)
        return self._respond(await call(self._app, method, self._prefix + path, body, params), path)


def encoded(json: Any | None, body_fields: Mapping[str, str]) -> bytes:
    """The body of a request as the client would send it."""
    if body_fields:
        return msgspec.json.encode({**(json or {}), **body_fields})
    return b"" if json is None else msgspec.json.encode(json)


async def call(
    app: ASGIApp,
    method: str,
    path: str,
    body: bytes = b"",
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> RawAnswer:
    """Ask an ASGI application as a server would."""
    sent: list[Message] = []
    named = {"content-type": "application/json", "host": "in-process", **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": urlencode(params or {}).encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "client": ("127.0.0.1", 1),
        "server": ("in-process", 80),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    received = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    content = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return RawAnswer(start["status"], received, content)


def plug(client: HttpClient, exchange: object) -> None:
    """Give a client another exchange."""
    client._exchange = exchange  # type: ignore[assignment]
