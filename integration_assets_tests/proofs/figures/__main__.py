"""Measure the figures that are named, or all, a line for each; exit 1 when one misses its goal or is not measured."""

from __future__ import annotations

import argparse
import sys

from integration_assets_tests.proofs.figures.base import SEED, known, line


def main() -> int:
    """The command."""
    measures = known()
    parser = argparse.ArgumentParser(prog="python -m integration_assets_tests.proofs.figures", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(measures)}; none: all")
    parser.add_argument("--seed", type=int, default=SEED)
    wanted = parser.parse_args()
    if unknown := [name for name in wanted.names if name not in measures]:
        parser.error(f"no figure is called {', '.join(unknown)}; there are {', '.join(measures)}")
    all_met = True
    for name in wanted.names or measures:
        for figure in measures[name](wanted.seed):
            sys.stdout.write(line(figure, wanted.seed) + "\n")
            sys.stdout.flush()
            all_met = all_met and figure.met is True
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())
