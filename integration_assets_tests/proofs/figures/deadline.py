"""By how much a call outlasts its deadline, whatever the server does to hold it."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Iterator

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.http import Call, HttpClient, StatusRules
from integration_assets.connectors.limiter import Limiter
from integration_assets.errors import TransientError
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.fault_server import Behaviour, dripping, fault_server, hang, raw

DEADLINE = 1.0
MOST_OVERRUN = 0.5
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"
"""A piece of a compressed body that holds nothing and is not the last one (RFC 1951, section 3.2.4)."""
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_CHUNKED = _HEAD + b"transfer-encoding: chunked\r\n\r\n"
HOLDS: dict[str, Behaviour] = {
    "no answer": hang,
    "half a status line": raw(b"HTTP/1.1 2", close=False),
    "headers without end": dripping(_HEAD, b"x-drip: 1\r\n"),
    "one byte of a header at a time": dripping(b"HTTP/1.1 200 OK\r\nx-drip: ", b"x"),
    "half a body": raw(_HEAD + b"content-length: 100\r\n\r\n{", close=False),
    "one byte of the body at a time": dripping(_HEAD + b"content-length: 100000\r\n\r\n[", b" "),
    "one chunk at a time": dripping(_CHUNKED, b"1\r\n \r\n"),
    "a compressed body a piece at a time": dripping(
        _HEAD + b"content-encoding: gzip\r\ncontent-length: 100000\r\n\r\n" + gzip.compress(b"")[:10], EMPTY_BLOCK
    ),
    "one informational answer after the other": dripping(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}
"""Each goes on for ever."""


async def held(behaviour: Behaviour, *, scheme: str = "http") -> tuple[float, str]:
    """Seconds one call took that no answer ends, and its error. `https` speaks TLS to a server that does not."""
    async with fault_server(behaviour) as server:
        client = HttpClient(
            system="held",
            base_url=server.url.replace("http", scheme),
            limiter=Limiter({}),
            calls=CallCounter(),
            rules=StatusRules(),
            deadline=DEADLINE,
            repeats=0,
        )
        async with client:
            started = time.monotonic()
            try:
                await client.send(Call(method="GET", path="/", endpoint="GET /"))
            except TransientError as error:
                return time.monotonic() - started, error.message
    raise AssertionError("a server that gives no complete answer was believed")


def overruns() -> dict[str, float]:
    """Seconds beyond the deadline, by what the server does. A connection that fails sooner counts as none."""

    async def all_of_them() -> dict[str, float]:
        taken = {name: await held(behaviour) for name, behaviour in HOLDS.items()}
        taken["a TLS handshake that never ends"] = await held(hang, scheme="https")
        return {name: max(0.0, seconds - DEADLINE) for name, (seconds, _) in taken.items()}

    return asyncio.run(all_of_them())


@proof("deadline", "figures", "No way to hold a call makes it outlast its deadline.", alone=True)
def measure(_scale: Scale) -> Iterator[Row]:
    """The worst of all ways to hold a call."""
    found = overruns()
    worst = max(found, key=lambda name: found[name])
    yield Row(
        "overrun of a call past its deadline",
        f"{found[worst]:.3f} s at the most ({worst}) of {len(found)} ways to hold a call, deadline {DEADLINE:g} s",
        f"at most {MOST_OVERRUN:g} s",
        found[worst] <= MOST_OVERRUN,
    )
