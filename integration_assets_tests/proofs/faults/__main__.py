"""`python -m integration_assets_tests.proofs.faults [ids…] [--jobs 2]`: one line for each fault, then how many hold.

With `--table` nothing is run: it prints the Markdown table of the README.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from integration_assets_tests.proofs.faults.bench import ALL_IDS, FAULTS
from integration_assets_tests.proofs.faults.carrying_out import Result, load, run_all
from integration_assets_tests.proofs.faults.table import markdown, sample
from integration_assets_tests.proofs.figures.base import versions


def line(result: Result) -> str:
    """One result as one line."""
    title = FAULTS[result.id].title if result.id in FAULTS else ""
    if result.verdict == "ok":
        return f"{result.id:<4} ok   {title} ({result.detail}, {result.seconds:.1f} s)"
    if result.verdict == "not yet":
        return f"{result.id:<4} not yet   {title}: {result.detail}"
    return f"{result.id:<4} FAIL {title}: {' '.join(result.detail.split())}"


def main() -> int:
    """Run what was asked for; 1 when a fault does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m integration_assets_tests.proofs.faults", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("ids", nargs="*", help="faults (B9) or groups (B); default all")
    parser.add_argument("--small", action="store_true", help="every third of each group, as CI does")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print the table of the README and run nothing")
    parser.add_argument("--trace", action="store_true", help="print tracebacks of unexpected errors")
    arguments = parser.parse_args()
    load()
    if arguments.table:
        sys.stdout.write("\n".join(markdown()) + "\n")
        return 0
    asked = arguments.ids or ALL_IDS
    ids = [one for one in ALL_IDS if one in asked or one.rstrip("f").rstrip("0123456789") in asked]
    if arguments.small:
        ids = [one for one in sample() if one in ids]
    if unknown := [name for name in arguments.ids if name not in ALL_IDS and not any(i[0] == name for i in ALL_IDS)]:
        parser.error(f"no such fault: {', '.join(unknown)}")
    held, failed, started = 0, 0, time.monotonic()
    seen: Counter[str] = Counter()
    for result in run_all(ids, arguments.jobs):
        held += result.verdict == "ok"
        failed += result.verdict == "FAIL"
        seen.update(result.seen)
        sys.stdout.write(f"{line(result)}\n")
        sys.stdout.flush()
    took = time.monotonic() - started
    sys.stdout.write(
        f"{seen['written']:,} records and labels were reported as written, {seen['verified']:,} of them read back; "
        f"{seen['Slack messages']:,} Slack messages told what the portal holds\n"
    )
    sys.stdout.write(f"seeds are in the faults, the same every time · {versions()} · {took:.0f} s\n{held}/{len(ids)}\n")
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
