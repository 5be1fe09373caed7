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
            alone = asyncio.run(_read(origin, link, readers=1, seconds=LOAD_SECONDS / 6, pause=0.1, seed=seed))
            yield Row("medium world: a page to one reader alone", _words(alone))
            with subprocess.Popen(
                [sys.executable, "-c", _PUBLISHING, *CLI, "sync", "--read-only"],
                env=environment,
                cwd=home,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as publishing:
                times = asyncio.run(_read(origin, link, READERS, LOAD_SECONDS, PAUSE_SECONDS, seed))
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
running = None
def stop(*_):
    running.terminate()
    running.wait()
    raise SystemExit
signal.signal(signal.SIGTERM, stop)
while True:
    running = subprocess.Popen(sys.argv[1:])
    running.wait()
"""


def _words(times: list[float]) -> str:
    slow = quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    return f"median {median(times) * 1000:.0f} ms, 95 of 100 within {slow * 1000:.0f} ms ({len(times):,} pages)"


async def _read(origin: str, link: str, readers: int, seconds: float, pause: float, seed: int) -> list[float]:
    """Seconds that each page took; every answer has to be a page."""
    limits = httpx.Limits(max_connections=readers, max_keepalive_connections=readers)
    async with httpx.AsyncClient(base_url=origin, trust_env=False, timeout=60, limits=limits) as client:
        opened = await client.get(link)
        if opened.status_code != httpx.codes.SEE_OTHER and not client.cookies:
            raise RuntimeError(f"the link opened nothing: {opened.status_code}")
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
