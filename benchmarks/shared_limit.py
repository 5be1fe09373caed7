"""Two processes on one credential: together they stay under its limits, on one machine and on two."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.base import Row
from benchmarks.world import SMALL, Served, served

CALLS = 120
"""Calls of each process: more than Canny takes in ten seconds from one of them alone."""
WORKERS = 2


def measure(seed: int) -> Iterator[Row]:
    """Each process asks Canny for boards as fast as it is let; what it was asked is by the look-alike's own log."""
    # Only here: no other measurement needs a database.
    from integration_assets_tests.coordination.conftest import settings_of
    from integration_assets_tests.support.postgresql import REGISTRY_URL, running_postgresql
    from integration_assets_tests.support.registries import opened

    forced = (WORKERS * CALLS - 1) // 10
    with tempfile.TemporaryDirectory() as folder:
        # A world each: Canny's own count of the last minute would hold back the second crowd for the first one's sake.
        with served(SMALL, seed) as world:
            one_home = [Path(folder, "one")] * WORKERS
            yield _row("two processes, one home", world, one_home, {}, forced)[0]
        with served(SMALL, seed) as world, running_postgresql() as server:
            opened(settings_of(server)).close()
            homes = [Path(folder, f"machine-{number}") for number in range(WORKERS)]
            row, costs = _row("two homes, one PostgreSQL", world, homes, {REGISTRY_URL: server.url}, forced)
            yield row
    trips, spent = sum(cost["round_trips"] for cost in costs), sum(cost["seconds"] for cost in costs)
    calls = WORKERS * CALLS
    yield Row(
        "what the shared log costs each call",
        f"{trips / calls:.1f} round trips to PostgreSQL, {spent / calls * 1000:.1f} ms in all",
        "at most 10 ms",
        spent / calls <= 0.010,
        "Over a socket of the same machine; a network adds its own time to each round trip.",
    )


def _row(
    what: str, world: Served, homes: list[Path], variables: Mapping[str, str], forced: int
) -> tuple[Row, list[dict[str, float]]]:
    world.ask("requests")
    started = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.shared_limit", str(CALLS)]
    processes = [
        subprocess.Popen(command, env={**world.environment(home), **variables}, stdout=subprocess.PIPE, text=True)
        for home in homes
    ]
    said = [process.communicate()[0] for process in processes]
    codes = [process.returncode for process in processes]
    seconds, called = time.monotonic() - started, world.ask("requests")
    row = Row(
        f"{what}, {len(homes) * CALLS} calls on one key",
        f"{called['canny']} calls, {called['refused']} refused, {seconds:.0f} s (the limit forces {forced} s)",
        "none refused",
        codes == [0] * len(homes) and called["refused"] == 0 and called["canny"] == len(homes) * CALLS,
    )
    return row, [json.loads(line) for line in said]


async def _call(times: int) -> None:
    import asyncio

    from integration_assets.config import load_settings
    from integration_assets.connectors.calls import CallCounter
    from integration_assets.coordination.database import shared_database
    from integration_assets.tenants.integrations import feedback_for

    settings = load_settings()
    async with feedback_for(settings, settings.feedbacks[0], CallCounter()) as feedback:
        await asyncio.gather(*(feedback.check() for _ in range(times)))
    database = shared_database(settings)
    cost = {"round_trips": database.round_trips, "seconds": database.seconds} if database else {}
    sys.stdout.write(json.dumps(cost))


if __name__ == "__main__":
    import asyncio

    asyncio.run(_call(int(sys.argv[1])))
