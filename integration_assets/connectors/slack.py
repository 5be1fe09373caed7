"""Slack's own client, sending through the one outgoing client.

`slack_sdk` sends with the standard library, which follows redirects and has no deadline. Here the operator's proxies
and authorities count as for every other system, and what a tenant has named is asked behind the address guard.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl
from urllib.request import Request

from pydantic import SecretStr
from slack_sdk import WebClient
from slack_sdk.http_retry.handler import RetryHandler

from integration_assets.connectors.address_guard import AddressError, AddressGuard
from integration_assets.connectors.exchange import Exchange, LostError, RawAnswer, UnreadableError
from integration_assets.errors import IntegrationError
from integration_assets.tracing import call_span

MOST_BYTES = 4 * 1024 * 1024
"""Largest answer: Slack's to a message is a few kilobytes."""


def slack_client(
    token: str,
    base_url: str,
    *,
    guard: AddressGuard | None,
    timeout: int,
    retry_handlers: Sequence[RetryHandler] = (),
) -> WebClient:
    """A client of Slack. `timeout` is in seconds, of one request; with a `guard` only what it lets pass is asked."""
    client = _Client(token, base_url=base_url.rstrip("/") + "/", timeout=timeout, retry_handlers=list(retry_handlers))
    client.guard = guard
    return client


class _Client(WebClient):
    """The client with another way to send. What it raises is what the standard library would."""

    guard: AddressGuard | None = None

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        with ThreadPoolExecutor(1) as thread:  # a thread of its own: there may be an event loop in this one
            raw = thread.submit(asyncio.run, self._sent(url, req)).result()
        headers = Message()
        for name, value in raw.headers.items():
            headers[name] = value
        # As the standard library would, since `slack_sdk` handles its errors.
        if not 200 <= raw.status < 300:
            raise HTTPError(url, raw.status, f"status {raw.status}", headers, io.BytesIO(raw.body))
        return {"status": raw.status, "headers": headers, "body": raw.body.decode("utf-8", "replace")}

    async def _sent(self, url: str, request: Request) -> RawAnswer:
        body = request.data.decode("utf-8") if isinstance(request.data, bytes) else ""
        kind = (request.get_header("Content-type") or "").partition(";")[0]
        try:
            exchange = Exchange(
                system="slack",
                base_url=self.base_url,
                headers={"authorization": SecretStr(request.get_header("Authorization") or "")},
                body_fields={},
                deadline=float(self.timeout),
                connections=1,
                body_bytes=MOST_BYTES,
                guard=self.guard,
            )
            method = url.removeprefix(self.base_url.rstrip("/"))
            exchange.open()
            try:
                with call_span("slack", "POST", exchange.host, f"POST {method.partition('?')[0]}") as span:
                    raw = await exchange.send(
                        "POST",
                        method,
                        json.loads(body) if body and kind == "application/json" else None,
                        None,
                        form=dict(parse_qsl(body)) if kind == "application/x-www-form-urlencoded" else None,
                    )
                    span.note(http__response__status_code=raw.status)
                    return raw
            finally:
                await exchange.close()
        except AddressError as error:
            raise URLError(PermissionError(error.reason)) from None
        except IntegrationError as error:
            raise URLError(ConnectionError(error.message)) from None
        except LostError as lost:
            # Told apart, as a message that may have arrived must not be posted a second time.
            if not lost.sent:
                raise URLError(ConnectionError(lost.reason)) from None
            raise ConnectionResetError(lost.reason) from None
        except UnreadableError as unreadable:
            raise ConnectionResetError(unreadable.reason) from None
