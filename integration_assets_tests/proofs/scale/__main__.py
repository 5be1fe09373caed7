"""Load several workers with many tenants, print a table, and end in how many tenants were synced once and right.

Exit 1 when one was not, a limit was passed, or a killed worker's tenant stayed behind.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from integration_assets_tests.proofs.registry import SEED, Row
from integration_assets_tests.proofs.scale import celery_load
from integration_assets_tests.proofs.scale.cluster import missing
from integration_assets_tests.proofs.scale.fleet import Size
from integration_assets_tests.proofs.scale.paper import FIGURES, measure, measured_lines, table
from integration_assets_tests.proofs.scale.scale import HEAD, SIZE, WORKERS, line, rate, rows_of, run, wrongs

TENANTS = 16
"""So many that all phases end within twenty minutes on two quiet processors."""
MANY = "1000,100000"


def main(arguments: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m integration_assets_tests.proofs.scale", description=__doc__)
    parser.add_argument("--tenants", type=int, default=TENANTS, help=f"default {TENANTS}")
    parser.add_argument(
        "--size",
        default=",".join(map(str, SIZE)),
        help="requests, votes and companies of each tenant; default %(default)s",
    )
    parser.add_argument(
        "--workers", default=",".join(map(str, WORKERS)), help="numbers of workers to measure; default %(default)s"
    )
    parser.add_argument(
        "--seed", type=int, default=SEED, help=f"of the data and of the workers' orders; default {SEED}"
    )
    parser.add_argument("--plain", action="store_true", help="processes of the command line instead of Celery workers")
    parser.add_argument("--paper", action="store_true", help="print what --many tenants need, and load nothing")
    parser.add_argument("--many", default=MANY, help="numbers of tenants on paper; default %(default)s")
    parser.add_argument("--measure", action="store_true", help="with --paper: measure one tenant anew first")
    asked = parser.parse_args(arguments)
    if asked.paper:
        return _paper(asked)
    why = None if asked.plain else missing()
    if why is not None:
        _say(f"{why}; plain processes are loaded instead")
    return _plain(asked) if asked.plain or why is not None else _celery(asked)


def _celery(asked: argparse.Namespace) -> int:
    """Runs on Celery workers, queued by Dagster."""
    lines, held, good, of, alone = [celery_load.HEAD], True, 0, 0, 0.0
    for loaded in celery_load.run(asked.tenants, _size(asked), _workers(asked), asked.seed):
        alone = alone or celery_load.rate(loaded) / loaded.phase.workers
        lines.append(celery_load.line(loaded, alone))
        of += len(loaded.phase.worlds)
        good += len(loaded.phase.worlds) - len(wrongs(loaded.phase))
        held = _told(celery_load.rows_of(loaded)) and held
    return _end(lines, good, of, held=held)


def _plain(asked: argparse.Namespace) -> int:
    """Processes of the command line, without Celery and without Dagster's queue."""
    lines, held, good, of, alone = [HEAD], True, 0, 0, 0.0
    for phase in run(asked.tenants, _size(asked), _workers(asked), asked.seed):
        alone = alone or rate(phase) / phase.workers
        lines.append(line(phase, alone))
        of += len(phase.worlds)
        good += len(phase.worlds) - len(wrongs(phase))
        held = _told(rows_of(phase)) and held
    return _end(lines, good, of, held=held)


def _told(rows: Iterable[Row]) -> bool:
    """Print what must hold as it comes; whether all of it does."""
    held = True
    for row in rows:
        held = held and row.held is True
        _say(f"{'held' if row.held else 'MISSED'}  {row.name}: {row.measured}; {row.detail}")
    return held


def _end(lines: list[str], good: int, of: int, *, held: bool) -> int:
    _say("\n".join(["", *lines, "", f"{good}/{of} tenants synced once and right"]))
    return int(not held)


def _size(asked: argparse.Namespace) -> Size:
    requests, votes, companies = (int(part) for part in asked.size.split(","))
    return requests, votes, companies


def _workers(asked: argparse.Namespace) -> list[int]:
    return [int(part) for part in asked.workers.split(",") if part]


def _paper(asked: argparse.Namespace) -> int:
    """The tables of the page, from figures."""
    figures = measure(_size(asked), asked.seed) if asked.measure else FIGURES
    if asked.measure:
        _say(repr(figures))
    _say("\n".join([*measured_lines(figures), "", *table(figures, [int(one) for one in asked.many.split(",")])]))
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
