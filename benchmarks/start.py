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
_COUNT = """
from integration_assets.definitions import defs
graph = defs.get_repository_def().asset_graph
print(len(graph.materializable_asset_keys), len(graph.asset_check_keys))
"""
_EMPTY_RUNS = """
import dagster, statistics, sys, time
assets, checks, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
def asset(number):
    return dagster.asset(name=f"nothing_{number}")(lambda: None)
def check(number):
    return dagster.asset_check(asset="nothing_0", name=f"fine_{number}")(lambda: dagster.AssetCheckResult(passed=True))
job = dagster.define_asset_job("empty")
made, checked = [asset(number) for number in range(assets)], [check(number) for number in range(checks)]
defs = dagster.Definitions(made, asset_checks=checked, jobs=[job])
def run(instance):
    started = time.monotonic()
    assert defs.resolve_job_def("empty").execute_in_process(instance=instance).success
    return time.monotonic() - started
with dagster.DagsterInstance.local_temp(folder) as instance:
    run(instance)
    print(statistics.median(run(instance) for _ in range(3)))
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
    yield Row("what Dagster itself costs a run: one empty asset, its records on disk", f"{_empty_run(1, 0):.2f} s")
    assets, checks = map(int, _python(_COUNT).split())
    yield Row(
        f"the same with as many assets and checks as the product has: {assets} and {checks}, all empty",
        f"{_empty_run(assets, checks):.2f} s",
    )


def _empty_run(assets: int, checks: int) -> float:
    """Seconds of a run of so many assets and checks that do nothing; a median, without the making of the database."""
    with tempfile.TemporaryDirectory() as folder:
        return float(_python(_EMPTY_RUNS, str(assets), str(checks), folder))


def _python(code: str, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    with tempfile.TemporaryDirectory() as folder:
        return run([sys.executable, "-c", code, *arguments], environment, Path(folder)).output


def _median(command: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        return median(run(command, environment, Path(folder)).wall for _ in range(TIMES)) - _nothing()


def _nothing() -> float:
    """Seconds the measuring itself takes."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        return median(run(["/bin/true"], environment, Path(folder)).wall for _ in range(3))
