"""Measure everything, or what is named, and print it; everything is written to `benchmarks/RESULTS.md` as well.

Ends with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.base import SEED, Row, machine, table

NAMES = (
    "start",
    "parts",
    "transforms",
    "shared_limit",
    "idle_tenants",
    "pages",
    "unchanged",
    "first_sync",
    "crms",
    "memory",
    "own_table",
)
SYSTEMS = """The systems are the embedded look-alikes in a process of their own: 60 ms to a read, 120 ms to a write;
Canny takes 10 calls a second and 300 a minute, HubSpot 190 in ten seconds and 5 searches a second."""
RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(NAMES)}; none: all")
    parser.add_argument("--seed", type=int, default=SEED, help="of the sample data")
    wanted = parser.parse_args()
    if unknown := [name for name in wanted.names if name not in NAMES]:
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    sys.stdout.write(f"seed {wanted.seed}. {machine()}.\n")
    found: dict[str, list[Row]] = {}
    for name in wanted.names or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        sys.stdout.write(f"\n{(module.__doc__ or '').splitlines()[0]}\n")
        found[name] = []
        for row in module.measure(wanted.seed):
            sys.stdout.write(f"  {row.what}: {row.result}{f' · {row.target} · {row.verdict}' if row.target else ''}\n")
            if row.met is False and row.why:
                sys.stdout.write(f"    {row.why}\n")
            sys.stdout.flush()
            found[name].append(row)
            if not wanted.names:
                _write(found, wanted.seed)  # row by row: what was measured stays when the rest is not waited for
    return int(any(row.met is False for rows in found.values() for row in rows))


def _write(found: dict[str, list[Row]], seed: int) -> None:
    parts = [
        "# Results",
        f"Printed by `make bench` on {datetime.now(UTC):%Y-%m-%d}, seed {seed}. {machine()}.",
        SYSTEMS,
    ]
    for name, rows in found.items():
        module = importlib.import_module(f"benchmarks.{name}")
        parts += [f"## {(module.__doc__ or '').splitlines()[0].rstrip('.')}", table(rows)]
    RESULTS.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
