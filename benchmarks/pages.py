"""Pages while 200 people read them, each another one every ten seconds, and runs publish: the medium world."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import httpx

from benchmarks.base import Row, run
from benchmarks.world import MEDIUM, served
from integration_assets.web.connections import IDLE_SECONDS, MOST_OF_ADDRESS
from integration_assets_tests.support.local_pages import serving_locally

CLI = (sys.executable, "-m", "integration_assets.cli")
READERS = 200
PAUSE_SECONDS = 10
"""Seconds a reader looks at a page on average, evenly between none and twice as many."""
LOAD_SECONDS = 60
PAGES = ("/requests", "/requests?by=companies", "/requests?by=votes", "/companies", "/unresolved", "/runs")
"""Pages people open most; the first of the ranking is opened twice as often as the others."""
MOST_MILLISECONDS = 50


def measure(seed: int) -> Iterator[Row]:
    """One reader alone, then all of them while runs rank and publish one after the other."""
    with served(MEDIUM, seed, unlimited=True) as world, tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        environment = world.environment(home)
        run([*CLI, "sync", "--read-only"], environment, home)
        with serving_locally(home, environment) as (origin, link, _):
            # The link works once, and begins the one session that all readers have.
            session = _opened(origin, link)
            alone = asyncio.run(_read(origin, session, readers=1, seconds=LOAD_SECONDS / 6, pause=0.1, seed=seed))
            yield Row("medium world: a page to one reader alone", _words(alone))
            with subprocess.Popen(
                [sys.executable, "-c", _PUBLISHING, *CLI, "sync", "--read-only"],
                env=environment,
                cwd=home,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as publishing:
                try:
                    times = asyncio.run(_read(origin, session, READERS, LOAD_SECONDS, PAUSE_SECONDS, seed))
                    if publishing.poll() is not None:
                        raise RuntimeError("a run that was to publish ended with an error")
                finally:
                    # In any case: it ends in no other way, and the block waits for it.
                    publishing.terminate()
    yield Row(
        f"medium world: a page, {READERS} readers with {PAUSE_SECONDS} s between pages, while runs rank and publish",
        _words(times),
        f"under {MOST_MILLISECONDS} ms at the median",
        median(times) * 1000 < MOST_MILLISECONDS,
        why="The readers, the server and the runs share this machine's processors.",
    )


_PUBLISHING = """
import signal, subprocess, sys
# It only raises: a second wait for the same process, inside the first, would wait for itself.
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
while True:
    running = subprocess.Popen(sys.argv[1:])
    try:
        if running.wait():
            sys.exit(1)
    finally:
        running.terminate()
        running.wait()
"""


def _words(times: list[float]) -> str:
    slow = quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    return f"median {median(times) * 1000:.0f} ms, 95 of 100 within {slow * 1000:.0f} ms ({len(times):,} pages)"


def _opened(origin: str, link: str) -> httpx.Cookies:
    with httpx.Client(base_url=origin, trust_env=False) as client:
        opened = client.get(link)
        if not client.cookies:
            raise RuntimeError(f"the link opened nothing: {opened.status_code}")
        return client.cookies


async def _read(
    origin: str, session: httpx.Cookies, readers: int, seconds: float, pause: float, seed: int
) -> list[float]:
    """Seconds that each page took; every answer has to be a page."""
    # As through a proxy: the server lets no address have more, and closes what was idle for long.
    limits = httpx.Limits(
        max_connections=MOST_OF_ADDRESS, max_keepalive_connections=MOST_OF_ADDRESS, keepalive_expiry=IDLE_SECONDS / 3
    )
    async with httpx.AsyncClient(
        base_url=origin, cookies=session, trust_env=False, timeout=60, limits=limits
    ) as client:
        end = time.monotonic() + seconds
        chance = random.Random(seed)  # noqa: S311 # nosec B311 - which page somebody opens is no secret
        found = await asyncio.gather(
            *(_reader(client, end, pause, random.Random(chance.random())) for _ in range(readers))  # noqa: S311 # nosec B311
        )
    return [one for times in found for one in times]


async def _reader(client: httpx.AsyncClient, end: float, pause: float, chance: random.Random) -> list[float]:
    times: list[float] = []
    # Not all at once: people come one after the other.
    await asyncio.sleep(chance.uniform(0, 2 * pause))
    while time.monotonic() < end:
        started = time.monotonic()
        answer = await client.get(chance.choice((PAGES[0], *PAGES)))
        times.append(time.monotonic() - started)
        answer.raise_for_status()
        await asyncio.sleep(chance.uniform(0, 2 * pause))
    return times
