"""A look-alike whose answers are changed on the way out: pages repeated, reordered, emptied, cut short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from integration_assets.sandbox.lookalike import Lookalike

Alter = Callable[[dict[str, Any], Any], Any]
"""From the request's JSON (for a GET an empty one) and the answer's to what the client gets."""


def alter(app: Lookalike, path: str, change: Alter) -> None:
    """From now on, JSON answers of this path (its end) go through `change`."""
    app.app = _altering(app.app, path, change)


def _altering(app: ASGIApp, path: str, change: Alter) -> ASGIApp:
    async def altered(scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].endswith(path):
            await app(scope, receive, send)
            return
        request = await receive()
        sent: list[Message] = []

        async def again() -> Message:
            return request

        async def keep(message: Message) -> None:
            sent.append(message)

        await app(scope, again, keep)
        body = b"".join(message.get("body", b"") for message in sent)
        asked = msgspec.json.decode(request["body"]) if request.get("body") else {}
        if sent[0]["status"] == 200:
            body = msgspec.json.encode(change(asked, msgspec.json.decode(body)))
        headers = [(name, value) for name, value in sent[0]["headers"] if name != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({**sent[0], "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return altered
