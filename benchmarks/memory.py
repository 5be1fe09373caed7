"""Memory of a run that reads a million votes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.base import Row, run
from benchmarks.world import LARGE, served

MOST = 600_000_000
"""Bytes of resident memory a run may hold."""


def measure(seed: int) -> Iterator[Row]:
    """The product reads the large world's votes; its limits are lifted, so that only memory is measured."""
    with served(LARGE, seed, unlimited=True) as world, tempfile.TemporaryDirectory() as folder:
        environment = {**world.environment(Path(folder)), "CANNY_PLAN": "business"}  # the largest: it waits least
        command = [sys.executable, "-m", "benchmarks.reading_votes", str(Path(folder) / "bench.duckdb")]
        ended = run(command, environment, Path(folder))
    yield Row(
        f"reading {int(ended.output):,} votes into the store",
        f"{ended.memory / 1e6:,.0f} MB, {ended.wall:.0f} s, {ended.processor:.0f} s of them at work",
        "under 600 MB",
        ended.memory < MOST,
    )
