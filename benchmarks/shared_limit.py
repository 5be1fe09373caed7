"""Two processes on one credential: together they stay under its limits."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.base import Row
from benchmarks.world import SMALL, served

CALLS = 120
"""Calls of each process: more than Canny takes in ten seconds from one of them alone."""


def measure(seed: int) -> Iterator[Row]:
    """Each process asks Canny for boards as fast as it is let."""
    with served(SMALL, seed) as world, tempfile.TemporaryDirectory() as folder:
        environment = world.environment(Path(folder))
        world.ask("requests")
        started = time.monotonic()
        command = [sys.executable, "-m", "benchmarks.shared_limit", str(CALLS)]
        processes = [subprocess.Popen(command, env=environment, cwd=folder) for _ in range(2)]
        codes = [process.wait() for process in processes]
        seconds, called = time.monotonic() - started, world.ask("requests")
    forced = (2 * CALLS - 1) // 10
    yield Row(
        f"two processes, {2 * CALLS} calls on one key",
        f"{called['canny']} calls, {called['refused']} refused, {seconds:.0f} s (the limit forces {forced} s)",
        "none refused",
        codes == [0, 0] and called["refused"] == 0 and called["canny"] == 2 * CALLS,
    )


async def _call(times: int) -> None:
    import asyncio

    from integration_assets.config import load_settings
    from integration_assets.connectors.calls import CallCounter
    from integration_assets.tenants.integrations import feedback_for

    async with feedback_for(load_settings(), CallCounter()) as feedback:
        await asyncio.gather(*(feedback.check() for _ in range(times)))


if __name__ == "__main__":
    import asyncio

    asyncio.run(_call(int(sys.argv[1])))
