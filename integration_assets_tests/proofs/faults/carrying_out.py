"""Faults carried out one by one, in this process or in several."""

from __future__ import annotations

import faulthandler
import importlib
import multiprocessing
import multiprocessing.util
import pkgutil
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from types import MappingProxyType
from typing import NamedTuple

import integration_assets_tests.proofs.faults as package
from integration_assets_tests.proofs.faults.bench import FAULTS, BrokenError, Workshop, workshop

_NOT_FAULTS = {
    "__main__",
    "asking",
    "bench",
    "carrying_out",
    "checker",
    "hurry",
    "pictures",
    "proxy",
    "starts",
    "table",
    "tampering",
}


HANGING_SECONDS = 1_200
"""A fault that has not ended by then holds the product for ever: its process says where, and ends."""


class Result(NamedTuple):
    """How one fault went: `ok`, `FAIL` or `not yet`, with the end state or the reason; and what was compared."""

    id: str
    verdict: str
    detail: str
    seconds: float = 0.0
    seen: Mapping[str, int] = MappingProxyType({})


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
    _shared[0].seen.clear()
    faulthandler.dump_traceback_later(HANGING_SECONDS, exit=True)
    try:
        detail, verdict = _shared[0].carry_out(case), "ok"
    except BrokenError as broken:
        detail, verdict = str(broken), "FAIL"
    except Exception as error:  # noqa: BLE001 - whatever it is, the other faults shall be tried as well
        where = traceback.extract_tb(error.__traceback__)[-1]
        detail, verdict = f"{type(error).__name__} at {where.name}:{where.lineno}: {error}", "FAIL"
        if "--trace" in sys.argv:
            traceback.print_exc()
    finally:
        faulthandler.cancel_dump_traceback_later()
    return Result(fault_id, verdict, detail, time.monotonic() - started, dict(_shared[0].seen))


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
