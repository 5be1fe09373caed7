"""What a row is, how rows are shown, and on what they were measured."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

SEED = 7
VERSIONS_OF = ("integration-assets", "dagster", "duckdb", "httpx", "msgspec", "hubspot-api-client")


@dataclass(frozen=True)
class Row:
    """One measurement in words. `met` is None where there is no target, only something to compare with.

    `why` is what a reader should know when the target is missed.
    """

    what: str
    result: str
    target: str = ""
    met: bool | None = None
    why: str = ""

    @property
    def verdict(self) -> str:
        """Met, missed, or nothing."""
        return "" if self.met is None else "met" if self.met else "MISSED"


Measure = Callable[[int], Iterable[Row]]
"""Takes the seed of the sample data."""


@dataclass(frozen=True)
class Ended:
    """A process that has ended: seconds of wall and of processor time, and the most memory it held, in bytes."""

    output: str
    wall: float
    processor: float
    memory: int


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Ended:
    """Run a command to its end and measure it, its children included.

    Raises:
        RuntimeError: it did not end with 0; with the end of what it printed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    # A measuring parent in between: memory of children is a maximum over all of them, so each gets a parent of its own.
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.measured", *command],
        env=dict(environment),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ended(done.stdout, wall, processor, int(done.stderr.rpartition("peak ")[2]))


def machine() -> str:
    """What the figures depend on, in one line."""
    packages = ", ".join(f"{name} {version(name)}" for name in VERSIONS_OF)
    processors = os.cpu_count()
    return f"Python {platform.python_version()}, {packages}; {processors} processors, {platform.machine()}"


def table(rows: Iterable[Row]) -> str:
    """Rows as a Markdown table, and below it why targets were missed."""
    lines = ["| what | result | target | |", "|---|---|---|---|"]
    rows = list(rows)
    lines += [f"| {row.what} | {row.result} | {row.target} | {row.verdict} |" for row in rows]
    missed = [f"Missed: {row.what}. {row.why}" for row in rows if row.met is False and row.why]
    return "\n\n".join(["\n".join(lines), *missed])
