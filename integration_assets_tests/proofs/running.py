"""Run proofs in processes of their own, and give their rows as they come."""

from __future__ import annotations

import dataclasses
import faulthandler
import importlib
import multiprocessing
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

from integration_assets_tests.proofs.registry import PROOFS, Proof, Row, Scale

PRELOADED = "integration_assets_tests.proofs.preloaded"
HANGING_SECONDS = 1_200
"""A fault that has not ended by then holds the product for ever: its process says where, and ends."""


class BrokenError(AssertionError):
    """An expectation of a proof, or an invariant, does not hold; the words say which."""


class Job(NamedTuple):
    """A proof that is to be run, and where it is registered."""

    name: str
    module: str
    scale: Scale


def run_all(
    proofs: Sequence[Proof], scales: Sequence[Scale], jobs: int, *, small: bool = False
) -> Iterator[tuple[Proof, list[Row]]]:
    """Run proofs, `jobs` at a time, and give the rows of each; those that have to be alone come last.

    The small form measures no time, so that nothing has to be alone there. Faults share the worlds of their process;
    every other proof gets a new process, so that none sees what another has patched. All of them are forked from one
    that has imported everything and run nothing: imports cost more processor time than many a small proof.
    """
    pairs = list(zip(proofs, scales, strict=True))
    faults = [pair for pair in pairs if pair[0].kind == "faults"]
    beside = [pair for pair in pairs if pair[0].kind != "faults" and (small or not pair[0].alone)]
    alone = [pair for pair in pairs if pair not in faults and pair not in beside]
    for group, processes, tasks in ((faults, jobs, None), (beside, jobs, 1), (alone, 1, 1)):
        if not group:
            continue
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([PRELOADED])
        with ProcessPoolExecutor(processes, mp_context=context, max_tasks_per_child=tasks) as pool:
            waiting = [(one, pool.submit(run_one, Job(one.name, one.module, scale))) for one, scale in group]
            for one, future in waiting:
                try:
                    yield one, future.result()
                except BrokenProcessPool:
                    # Which of those that ran at the same time died is not known: none of them has shown that it holds.
                    said = "its process died, or one that ran beside it"
                    yield one, [Row(one.proves, said, "it ends by itself", held=False)]


def run_one(job: Job) -> list[Row]:
    """Run one proof in this process. Whatever it raises is a row that does not hold: the others shall be tried too."""
    if job.name not in PROOFS:
        importlib.import_module(job.module)
    one = PROOFS[job.name]
    rows: list[Row] = []
    began = time.monotonic()
    if one.kind == "faults":
        faulthandler.dump_traceback_later(HANGING_SECONDS, exit=True)
    try:
        for row in one.run(job.scale):
            rows.append(dataclasses.replace(row, seconds=row.seconds or time.monotonic() - began))
            began = time.monotonic()
        if not rows:
            rows.append(Row(one.name, "it reported nothing", "at least one row", held=False))
    except BrokenError as broken:
        rows.append(Row(one.proves, str(broken), "it holds", held=False, seconds=time.monotonic() - began))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other proofs shall be tried as well
        traceback.print_exc(file=sys.stderr)
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__} at {where.name}:{where.lineno}: {error}"
        rows.append(Row(one.proves, said, "no error", held=False, seconds=time.monotonic() - began))
    finally:
        faulthandler.cancel_dump_traceback_later()
    return rows
