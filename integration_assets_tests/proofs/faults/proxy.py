"""A raw socket server in front of a look-alike: passes requests on, or does to them what no decent server would.

with bench.proxied("hubspot") as proxy:
    proxy.instead(is_upsert, raw(b"HTTP/1.1 200 OK\r\n\r\n{\"res"), commit=True)
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from integration_assets_tests.support.company_network import listening
from integration_assets_tests.support.fault_server import Behaviour, Request
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

Matches = Callable[[Request], bool]


@dataclass
class _Rule:
    matches: Matches
    behaviour: Behaviour
    times: int | None
    commit: bool


@dataclass
class Proxy:
    """`url` is what the product is told instead of the look-alike's. `requests` are those it got, as they came.

    `closes`: every connection ends after one answer.
    """

    upstream: str
    url: str = ""
    requests: list[tuple[float, Request]] = field(default_factory=list)
    rules: list[_Rule] = field(default_factory=list)
    closes: bool = False

    def instead(self, matches: Matches, behaviour: Behaviour, *, times: int | None = 1, commit: bool = False) -> None:
        """Answer the next `times` requests that match with a behaviour (None: all of them).

        With `commit` the look-alike works on the request first, and its answer is lost.
        """
        self.rules.append(_Rule(matches, behaviour, times, commit))

    def _take(self, request: Request) -> _Rule | None:
        for rule in self.rules:
            if rule.times == 0 or not rule.matches(request):
                continue
            if rule.times is not None:
                rule.times -= 1
            return rule
        return None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                line, *rows = head.decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows if row)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                request = Request(line, headers, body)
                self.requests.append((time.monotonic(), request))
                rule = self._take(request)
                answer = await self._forwarded(line, rows, body) if rule is None or rule.commit else b""
                if rule is None:
                    writer.write(answer)
                else:
                    await rule.behaviour(writer)
                await writer.drain()
                if self.closes:
                    break
        writer.close()

    async def _forwarded(self, line: str, rows: list[str], body: bytes) -> bytes:
        """The whole answer of the look-alike, which is asked to close the connection so that its end is known."""
        host = urlsplit(self.upstream)
        reader, writer = await asyncio.open_connection(host.hostname, host.port)
        kept = [row for row in rows if row and row.partition(":")[0].lower() != "connection"]
        writer.write("\r\n".join([line, *kept, "connection: close", "", ""]).encode("latin-1") + body)
        answer = await reader.read()
        writer.close()
        return answer.replace(b"\r\nconnection: close\r\n", b"\r\n", 1).replace(
            b"\r\nConnection: close\r\n", b"\r\n", 1
        )


@contextlib.contextmanager
def proxy_before(upstream: str, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Serve a proxy on loopback, in a thread of its own, for the length of a block.

    Without an upstream it answers what its rules say, and is there to be asked nothing.
    """
    proxy, started, loop = Proxy(upstream), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def main() -> None:
        async with listening(proxy.serve, tls, host) as port:
            proxy.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),), name="proxy", daemon=True)
    thread.start()
    started.wait(PATIENCE_SECONDS)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_SECONDS)
        loop.close()
