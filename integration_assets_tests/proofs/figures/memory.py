"""Memory that an answer takes that is larger than what we accept, beyond what the process had before."""

from __future__ import annotations

import asyncio
import gzip
import resource
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.http import Call, HttpClient, StatusRules
from integration_assets.connectors.limiter import Limiter
from integration_assets.errors import IntegrationError
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.fault_server import answer, dripping, fault_server

MOST_MEGABYTES = 64
MEGABYTE = 1024 * 1024
STATUS = Path("/proc/self/status")


def _spaces() -> bytes:
    """200 KB that unpack to 210 MB."""
    return gzip.compress(b" " * (210 * MEGABYTE), 9)


def _objects() -> bytes:
    """30 MB of empty objects in a few bytes: below the cap as text, 700 MB as values."""
    return gzip.compress(b"[" + b"{}," * (10 * MEGABYTE) + b"{}]", 9)


def _texts() -> bytes:
    """30 MB of short texts."""
    return gzip.compress(b"[" + b'"ab",' * (6 * MEGABYTE) + b'""]', 9)


def _levels() -> bytes:
    """30 MB of opening brackets."""
    return gzip.compress(b"[" * (30 * MEGABYTE), 9)


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gzip of 210 MB": ("gzip", _spaces),
    "deflate of 210 MB": ("deflate", lambda: zlib.compress(b" " * (210 * MEGABYTE), 9)),
    "30 MB of empty objects": ("gzip", _objects),
    "30 MB of short texts": ("gzip", _texts),
    "30 MB of opening brackets": ("gzip", _levels),
    "a body without end": ("", lambda: b" " * MEGABYTE),
}

_CHILD = """
import asyncio, sys
from integration_assets_tests.proofs.figures.memory import grown
print(asyncio.run(grown(sys.argv[1])))
"""


async def grown(name: str) -> float:
    """Megabytes by which the peak of this process grows when it gets this bomb. Only the first call tells.

    Raises:
        RuntimeError: the bomb was taken for an answer.
    """
    encoding, make = BOMBS[name]
    if encoding:
        bomb = answer(200, content=await _in_another_process(name), headers={"content-encoding": encoding})
    else:
        bomb = dripping(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n", make(), every=0.0)
    async with fault_server(answer(200, {"warm": True}), bomb) as server:
        client = HttpClient(
            system="bombed",
            base_url=server.url,
            limiter=Limiter({}),
            calls=CallCounter(),
            rules=StatusRules(),
            repeats=0,
        )
        async with client:
            call = Call(method="GET", path="/", endpoint="GET /")
            await client.send(call)
            before = _peak()
            try:
                await client.send(call)
            except IntegrationError:
                return _peak() - before
    raise RuntimeError(f"{name} was taken for an answer")


async def _in_another_process(name: str) -> bytes:
    """The bomb, made where its making does not count."""
    code = f"import sys; from {__name__} import BOMBS; sys.stdout.buffer.write(BOMBS[{name!r}][1]())"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    out, _ = await child.communicate()
    return out


def _peak() -> float:
    """Megabytes of real memory this process ever had at once."""
    if STATUS.exists():
        [line] = [line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024
    # Not the first choice: on Linux it begins with the peak of the process that started this one.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MEGABYTE if sys.platform == "darwin" else peak / 1024


def growth(name: str) -> float:
    """The same, measured in a process of its own."""
    run = subprocess.run([sys.executable, "-c", _CHILD, name], capture_output=True, text=True, check=True, timeout=120)
    return float(run.stdout)


@proof("memory", "figures", "An answer that is a bomb takes little memory.")
def measure(_scale: Scale) -> Iterator[Row]:
    """The worst of the bombs, each in a process of its own; the sender's buffers count as ours."""
    found = {name: growth(name) for name in BOMBS}
    worst = max(found, key=lambda name: found[name])
    yield Row(
        "memory above normal on an answer that is a bomb",
        f"{found[worst]:.0f} MB at the most ({worst}) of {len(found)} bombs",
        f"at most {MOST_MEGABYTES} MB",
        found[worst] <= MOST_MEGABYTES,
    )
