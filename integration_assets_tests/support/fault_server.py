"""A raw TCP server that misbehaves on purpose: the n-th request gets the n-th behaviour, the last one ever after.

It speaks bytes, not HTTP objects, because what is tested is what no decent HTTP library would send.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FaultServer:
    behaviours: list[Behaviour]
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    most_at_once: int = 0
    _open: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *rest = head.split("\r\n")
                headers = {
                    name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rest if row)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                behaviour = self.behaviours[min(len(self.requests), len(self.behaviours) - 1)]
                self.requests.append(Request(line, headers, body))
                self._open += 1
                self.most_at_once = max(self.most_at_once, self._open)
                try:
                    await behaviour(writer)
                    await writer.drain()
                finally:
                    self._open -= 1
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def fault_server(*behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[FaultServer]:
    """Run a server on a free loopback port; its `url` has no path."""
    state = FaultServer(list(behaviours))
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(state.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    state.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield state
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def raw(data: bytes, *, close: bool = True) -> Behaviour:
    """Send exactly these bytes, then close."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if close:
            raise ConnectionError

    return behave


def answer(
    status: int = 200,
    body: Any = None,
    *,
    content: bytes | None = None,
    headers: dict[str, str] | None = None,
    kind: str = "application/json",
) -> Behaviour:
    """A well-formed answer: `body` as JSON, or `content` as it is."""
    payload = content if content is not None else b"" if body is None else json.dumps(body).encode()

    async def behave(writer: asyncio.StreamWriter) -> None:
        rows = {"content-type": kind, "content-length": str(len(payload)), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in rows.items())
        writer.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + payload)

    return behave


def dripping(head: bytes, drip: bytes, *, every: float = 0.05) -> Behaviour:
    """Send `head`, then `drip` again and again, slowly, for ever."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(drip)
            await writer.drain()
            await asyncio.sleep(every)

    return behave


async def hang(_writer: asyncio.StreamWriter) -> None:
    """Accept the request and never answer."""
    await asyncio.sleep(3600)


async def slow_ok(writer: asyncio.StreamWriter) -> None:
    """A good answer after a short while."""
    await asyncio.sleep(0.02)
    await answer(200, {"ok": True})(writer)


async def slow_reset(writer: asyncio.StreamWriter) -> None:
    """A reset after a short while."""
    await asyncio.sleep(0.05)
    await reset()(writer)


def reset(after: bytes = b"") -> Behaviour:
    """Send some bytes, then reset the connection (RST, not FIN)."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(after)
        await writer.drain()
        writer.transport.abort()
        raise ConnectionError

    return behave
