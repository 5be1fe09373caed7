"""How long it takes until something happens: the command line, the definitions, and Dagster's part of a run."""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.base import Row, run

TIMES = 5
_EMPTY = """
import dagster
defs = dagster.Definitions()
dagster.Definitions.get_repository_def(defs)
"""
_OURS = """
from integration_assets.definitions import defs
defs.get_repository_def()
"""
_EMPTY_RUN = """
import dagster, time
@dagster.asset
def nothing() -> None:
    pass
job = dagster.define_asset_job("empty", [nothing])
defs = dagster.Definitions([nothing], jobs=[job])
with dagster.DagsterInstance.local_temp({folder!r}) as instance:
    started = time.monotonic()
    defs.resolve_job_def("empty").execute_in_process(instance=instance)
    print(time.monotonic() - started)
"""


def measure(seed: int) -> Iterator[Row]:
    """Medians of five cold starts each."""
    del seed
    help_seconds = _median([str(Path(sys.executable).with_name("integration-assets")), "--help"])
    yield Row("`integration-assets --help`", f"{help_seconds:.2f} s", "under 0.4 s", help_seconds < 0.4)
    empty, ours = (_median([sys.executable, "-c", textwrap.dedent(code)]) for code in (_EMPTY, _OURS))
    yield Row(
        "loading the definitions, beyond an empty Dagster project",
        f"{ours - empty:.2f} s ({ours:.2f} s, the empty one {empty:.2f} s)",
        "under 2 s",
        ours - empty < 2,
    )
    with tempfile.TemporaryDirectory() as folder:
        said = run([sys.executable, "-c", _EMPTY_RUN.format(folder=folder)], os.environ, Path(folder)).output
    yield Row("what Dagster itself costs a run: one empty asset, its records on disk", f"{float(said):.2f} s")


def _median(command: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        return median(run(command, environment, Path(folder)).wall for _ in range(TIMES)) - _nothing()


def _nothing() -> float:
    """Seconds the measuring itself takes."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        return median(run(["/bin/true"], environment, Path(folder)).wall for _ in range(3))
