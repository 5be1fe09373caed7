"""What a sync that finds nothing changed costs in processor time, and what the commands cost that only show something.

Processor time and not the clock's: the limits of the systems are lifted, and what else the machine does counts little.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.base import Ended, Row, run
from benchmarks.world import SMALL, served

CLI = (sys.executable, "-m", "integration_assets.cli")
TIMES = 5
LOADING = "from integration_assets.definitions import defs; defs.resolve_job_def('sync')"


def measure(seed: int) -> Iterator[Row]:
    """The small world, synced once; medians of five processes each."""
    with served(SMALL, seed, unlimited=True) as world, tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        environment = world.environment(home)

        def processor(*command: str) -> float:
            return _processor([run(command, environment, home) for _ in range(TIMES)])

        run([*CLI, "setup", "--yes"], environment, home)
        run([*CLI, "sync"], environment, home)
        world.ask("requests")
        again = processor(*CLI, "sync")
        calls = world.ask("requests")
        yield Row(
            "small world: an unchanged sync, processor time",
            f"{again:.2f} s, {calls['writes']} writes",
            "under 4 s",
            again < 4 and not calls["writes"],
        )
        loading = processor(sys.executable, "-c", LOADING)
        yield Row("of it: loading Dagster and our definitions", f"{loading:.2f} s")
        shown = processor(*CLI, "rankings")
        yield Row("small world: `rankings`, processor time", f"{shown:.2f} s", "under 0.5 s", shown < 0.5)
        yield Row("`--help`, processor time", f"{processor(*CLI, '--help'):.2f} s")


def _processor(ended: list[Ended]) -> float:
    return median(one.processor for one in ended)
