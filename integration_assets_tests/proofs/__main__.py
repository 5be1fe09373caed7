"""Run proofs and print a row for each thing they report; exit 1 when a goal is missed or could not be measured.

NAME is a proof (`B9`, `vault`), a kind (`security`) or a pattern (`B*`); none: all but those that take hours.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from integration_assets_tests.proofs.faults.table import markdown
from integration_assets_tests.proofs.registry import (
    BY_NAME_ONLY,
    KINDS,
    SEED,
    Proof,
    Row,
    Scale,
    choose,
    left_out,
    load,
    versions,
)
from integration_assets_tests.proofs.running import run_all

VERDICTS = {True: "held", False: "MISSED", None: "NOT MEASURED"}


def main(arguments: list[str]) -> int:
    """Run the command."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    load()
    if asked.table:
        _say("\n".join(markdown()))
        return 0
    try:
        wanted = choose(asked.names, asked.kind)
        chosen = choose(asked.names, asked.kind, small=asked.small)
    except LookupError as error:
        parser.error(str(error))
    if not chosen:
        parser.error("nothing is left to be run: what you name has no small form, or is of another kind")
    if asked.list:
        for one in chosen:
            _say(f"{one.kind:<10} {one.name:<18} {one.proves}{_size(one)}")
        return 0
    rows = _run(chosen, asked)
    if asked.small and (lines := left_out(wanted)):
        _say("\n".join(lines))
    _say(f"seed {asked.seed} · {versions()}")
    return int(any(row.held is not True for _, row in rows))


def _run(chosen: list[Proof], asked: argparse.Namespace) -> list[tuple[Proof, Row]]:
    """Run what was chosen, print it, and write it to the file that was asked for."""
    scales = [Scale(asked.count or (one.small if asked.small else one.whole), asked.seed, asked.jobs) for one in chosen]
    began = time.monotonic()
    rows: list[tuple[Proof, Row]] = []
    for one, found in run_all(chosen, scales, asked.jobs, small=asked.small):
        for row in found:
            _say(line(one, row))
        rows += [(one, row) for row in found]
        if asked.json:  # proof by proof: what was measured stays when the rest is not waited for
            written = [{"proof": by.name, "kind": by.kind, **dataclasses.asdict(row)} for by, row in rows]
            asked.json.write_text(
                json.dumps({"seed": asked.seed, "versions": versions(), "rows": written}, indent=1), encoding="utf-8"
            )
    _say("\n".join(totals(rows)) + f"\n{time.monotonic() - began:.0f} s")
    return rows


def line(one: Proof, row: Row) -> str:
    """A row of the table, on one line."""
    words = " ".join(f"{row.measured} {row.detail}".split())
    return f"{VERDICTS[row.held]:<12} {one.name:<18} {row.name}: {words} · goal {row.goal} · {row.seconds:.1f} s"


def totals(rows: Iterable[tuple[Proof, Row]]) -> Iterable[str]:
    """How many rows of each kind hold, and which do not."""
    found = list(rows)
    for kind in KINDS:
        if of_kind := [(one, row) for one, row in found if one.kind == kind]:
            bad = sorted({one.name for one, row in of_kind if row.held is False})
            unmeasured = sorted({one.name for one, row in of_kind if row.held is None})
            yield (
                f"{kind}: {sum(row.held is True for _, row in of_kind)}/{len(of_kind)} held"
                + (f", missed: {', '.join(bad)}" if bad else "")
                + (f", not measured: {', '.join(unmeasured)}" if unmeasured else "")
            )


def _size(one: Proof) -> str:
    """How many are tried, and how many of them in the small form."""
    if not one.unit:
        return "" if one.small else " (not in the small form)"
    return f" ({one.whole:,} {one.unit}, small form: {f'{one.small:,}' if one.small else 'none'})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m integration_assets_tests.proofs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    only = " and ".join(sorted(BY_NAME_ONLY))
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to run; without it, all but {only} (hours)")
    parser.add_argument("--kind", action="append", choices=KINDS, default=[], help="only proofs of this kind")
    parser.add_argument("--small", action="store_true", help="the small form, as CI runs it; says what that leaves out")
    parser.add_argument("--count", type=int, help="how many of its unit each proof tries, instead of its own number")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of everything that is drawn; default {SEED}")
    parser.add_argument("--jobs", type=int, default=1, help="proofs run at the same time")
    parser.add_argument("--list", action="store_true", help="print what would be run, and run nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    parser.add_argument("--table", action="store_true", help="print the documented table of faults, and run nothing")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
