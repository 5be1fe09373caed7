"""Time that passes at once: the product, the look-alikes and Dagster read one clock, which a proof sets forward.

The clock runs on by itself between two settings, so that waits and durations are what they are. Two clocks are beyond
it: that of other processes, which get theirs by being started through this module, and that of SQLite, which stamps the
runs of Dagster's records by itself: `stamp_run` puts the simulated moment there.

    python -m integration_assets_tests.support.simulated_time 2026-03-02T04:00:00+00:00 sync --tenant acme
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import time_machine

from integration_assets import cli


@dataclass
class SimulatedTime:
    """The clock of this process for the length of a block."""

    _traveller: time_machine.Traveller

    def set(self, moment: datetime) -> None:
        """Let it be that moment now."""
        self._traveller.move_to(moment)

    def command(self) -> list[str]:
        """The beginning of a command line that runs the product in a process of its own, at this clock."""
        return [sys.executable, "-m", __name__, datetime.now(UTC).isoformat()]


@contextmanager
def simulated_time(begin: datetime) -> Iterator[SimulatedTime]:
    """Read a clock that begins at that moment."""
    with time_machine.travel(begin, tick=True) as traveller:
        yield SimulatedTime(traveller)


def stamp_run(dagster_home: Path, run_id: str) -> None:
    """Let Dagster's record of a run begin at the simulated present."""
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(sep=" ")
    with closing(sqlite3.connect(dagster_home / "history" / "runs.db")) as connection, connection:
        connection.execute("UPDATE runs SET create_timestamp = ? WHERE run_id = ?", [now, run_id])


def main() -> None:
    """Run the product's command line at a moment."""
    moment, *arguments = sys.argv[1:]
    sys.argv = ["integration-assets", *arguments]
    with simulated_time(datetime.fromisoformat(moment)):
        cli.main()


if __name__ == "__main__":
    main()
