"""Answers changed on their way: a look-alike does its work, and what it says arrives otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from integration_assets.sandbox.lookalike import LoggedRequest, Lookalike

Matches = Callable[[LoggedRequest], bool]


@dataclass
class Answered:
    """An answer that may be changed before it is sent."""

    request: LoggedRequest
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @json.setter
    def json(self, value: Any) -> None:
        self.body = json.dumps(value).encode()


@dataclass
class Tampering:
    """Changes the next `times` answers to requests that match (None: all of them, until it is removed)."""

    matches: Matches
    change: Callable[[Answered], None]
    times: int | None = 1
    done: int = 0

    def wants(self, request: LoggedRequest) -> bool:
        """Whether this answer is to be changed; counts it."""
        if (self.times is not None and self.done >= self.times) or not self.matches(request):
            return False
        self.done += 1
        return True


def tampered(lookalike: Lookalike) -> list[Tampering]:
    """Put a list of tamperings around a look-alike; what is in the list when a request arrives is done."""
    tamperings: list[Tampering] = []
    lookalike.app = _around(lookalike.app, tamperings)
    return tamperings


def _around(app: ASGIApp, tamperings: list[Tampering]) -> ASGIApp:
    async def changed(scope: Scope, receive: Receive, send: Send) -> None:
        request = scope.get("integration_assets.logged_request")
        if not isinstance(request, LoggedRequest):
            raise TypeError("tampering works below a look-alike's log")
        chosen = [one for one in list(tamperings) if one.wants(request)]
        if not chosen:
            await app(scope, receive, send)
            return
        status, headers, body = 0, {}, bytearray()

        async def collect(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
            else:
                body.extend(message.get("body", b""))

        await app(scope, receive, collect)
        answered = Answered(request, status, bytes(body), headers)
        for one in chosen:
            one.change(answered)
        answered.headers["content-length"] = str(len(answered.body))
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answered.headers.items()]
        await send({"type": "http.response.start", "status": answered.status, "headers": raw})
        await send({"type": "http.response.body", "body": answered.body})

    return changed
