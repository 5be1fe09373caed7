"""Load several workers with many tenants, print a table, and end in how many tenants were synced once and right.

Exit 1 when one was not, a limit was passed, or a killed worker's tenant stayed behind.
"""

from __future__ import annotations

import argparse
import sys

from integration_assets_tests.proofs.registry import SEED
from integration_assets_tests.proofs.scale.paper import FIGURES, measure, measured_lines, table
from integration_assets_tests.proofs.scale.scale import HEAD, SIZE, WORKERS, line, rate, rows_of, run, wrongs

TENANTS = 20
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
    parser.add_argument("--paper", action="store_true", help="print what --many tenants need, and load nothing")
    parser.add_argument("--many", default=MANY, help="numbers of tenants on paper; default %(default)s")
    parser.add_argument("--measure", action="store_true", help="with --paper: measure one tenant anew first")
    asked = parser.parse_args(arguments)
    if asked.paper:
        return _paper(asked)
    requests, votes, companies = (int(part) for part in asked.size.split(","))
    counts = [int(part) for part in asked.workers.split(",") if part]
    lines, held, good, of, alone = [HEAD], True, 0, 0, 0.0
    for phase in run(asked.tenants, (requests, votes, companies), counts, asked.seed):
        alone = alone or rate(phase) / phase.workers
        lines.append(line(phase, alone))
        of += len(phase.worlds)
        good += len(phase.worlds) - len(wrongs(phase))
        for row in rows_of(phase):
            held = held and row.held is True
            _say(f"{'held' if row.held else 'MISSED'}  {row.name}: {row.measured}; {row.detail}")
    _say("\n".join(["", *lines, "", f"{good}/{of} tenants synced once and right"]))
    return int(not held)


def _paper(asked: argparse.Namespace) -> int:
    """The tables of the page, from figures."""
    requests, votes, companies = (int(part) for part in asked.size.split(","))
    figures = measure((requests, votes, companies), asked.seed) if asked.measure else FIGURES
    if asked.measure:
        _say(repr(figures))
    _say("\n".join([*measured_lines(figures), "", *table(figures, [int(one) for one in asked.many.split(",")])]))
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
