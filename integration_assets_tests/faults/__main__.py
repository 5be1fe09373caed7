"""`python -m integration_assets_tests.faults [ids…] [--jobs 2]`: one line for each fault, then how many hold."""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import pkgutil
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple

import integration_assets_tests.faults as package
from integration_assets_tests.faults.bench import ALL_IDS, FAULTS, BrokenError, Workshop, workshop

_NOT_FAULTS = {"__main__", "asking", "bench", "checker", "hurry", "pictures", "proxy", "starts", "tampering"}


class Result(NamedTuple):
    """How one fault went: `ok`, `FAIL` or `not yet`, with the end state or the reason."""

    id: str
    verdict: str
    detail: str
    seconds: float = 0.0


def load() -> None:
    """Import every group, so that its faults are registered."""
    for module in pkgutil.iter_modules(package.__path__):
        if module.name not in _NOT_FAULTS and not module.name.startswith("test_"):
            importlib.import_module(f"{package.__name__}.{module.name}")


_shared: list[Workshop] = []
_kept = ExitStack()


def carry_out(fault_id: str) -> Result:
    """Run one fault in this process."""
    case = FAULTS.get(fault_id)
    if case is None:
        return Result(fault_id, "FAIL", "nobody has registered it")
    if case.not_true:
        return Result(fault_id, "not yet", case.not_true)
    if not _shared:
        _shared.append(_kept.enter_context(workshop()))
    started = time.monotonic()
    try:
        detail, verdict = _shared[0].carry_out(case), "ok"
    except BrokenError as broken:
        detail, verdict = str(broken), "FAIL"
    except Exception as error:  # noqa: BLE001 - whatever it is, the other faults shall be tried as well
        where = traceback.extract_tb(error.__traceback__)[-1]
        detail, verdict = f"{type(error).__name__} at {where.name}:{where.lineno}: {error}", "FAIL"
        if "--trace" in sys.argv:
            traceback.print_exc()
    return Result(fault_id, verdict, detail, time.monotonic() - started)


def run_all(ids: Sequence[str], jobs: int) -> Iterator[Result]:
    """Run faults, `jobs` at a time, and give their results in the order asked for."""
    if jobs == 1:
        try:
            yield from map(carry_out, ids)
        finally:
            _kept.close()
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin) as pool:
        yield from pool.map(carry_out, ids)


def _begin() -> None:
    """Make a worker process ready; the worlds go with it when it ends."""
    load()
    multiprocessing.util.Finalize(None, _kept.close, exitpriority=10)


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
    parser = argparse.ArgumentParser(prog="python -m integration_assets_tests.faults", description=__doc__)
    parser.add_argument("ids", nargs="*", help="faults (B9) or groups (B); default all")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--trace", action="store_true", help="print tracebacks of unexpected errors")
    arguments = parser.parse_args()
    load()
    asked = arguments.ids or ALL_IDS
    ids = [one for one in ALL_IDS if one in asked or one.rstrip("f").rstrip("0123456789") in asked]
    if unknown := [name for name in arguments.ids if name not in ALL_IDS and not any(i[0] == name for i in ALL_IDS)]:
        parser.error(f"no such fault: {', '.join(unknown)}")
    held = failed = 0
    for result in run_all(ids, arguments.jobs):
        held += result.verdict == "ok"
        failed += result.verdict == "FAIL"
        sys.stdout.write(f"{line(result)}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{held}/{len(ids)}\n")
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
