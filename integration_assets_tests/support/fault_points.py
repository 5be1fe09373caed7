"""Named places in the product at which a process dies by its own hand, and the patches that make it die there.

The product knows nothing of this: the process that is to die, and only that one, wraps the functions listed here
before it starts. It notes each call in a file, so that an undisturbed run says which places it passes, how often, and
how long it stays.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

Side = Literal["before", "during", "after"]

POINTS: dict[str, tuple[str, ...]] = {
    # beginning
    "migrate the store": ("integration_assets.staging.migrations:_run",),
    "note that the run has begun": ("integration_assets.runs.session:begin_run",),
    "record the end of dead runs": ("integration_assets.runs.session:end_dead_runs",),
    # reading, resolving, ranking
    "put what was read into the raw tables": ("integration_assets.staging.loading:Loader.swap",),
    "note what was read in full": ("integration_assets.ingest.raw_tables:note_full_reads",),
    "resolve the votes": ("integration_assets.assets.resolved:resolve_votes",),
    "rank the requests": ("integration_assets.assets.ranked:rank",),
    "keep the ranks of the day": ("integration_assets.assets.ranked:snapshot_history",),
    # planning
    "make and save the plan": ("integration_assets.runs.plan_and_apply:make_plan",),
    "plan the undo": ("integration_assets.runs.undo_of_a_run:make_undo_plan",),
    "judge the plan": ("integration_assets.runs.plan_and_apply:judge",),
    "ask the gate again": ("integration_assets.runs.plan_and_apply:run_gate",),
    "make sure of the portal": (
        "integration_assets.runs.plan_and_apply:make_sure_of_portal",
        "integration_assets.runs.undo_of_a_run:make_sure_of_portal",
    ),
    # writing
    "call the plan begun": ("integration_assets.sync.apply:set_status",),
    "put the intent on record": ("integration_assets.sync.ledger:Ledger.record_intent",),
    "read records back": ("integration_assets.sync.apply_records:_read_back",),
    "read links back": ("integration_assets.sync.apply_links:_read_back",),
    "settle records": ("integration_assets.sync.ledger:Ledger.record_outcomes",),
    "settle records, in the transaction": ("integration_assets.sync.ledger:refresh_records",),
    "settle links": ("integration_assets.sync.ledger:Ledger.record_link_outcomes",),
    "settle links, in the transaction": ("integration_assets.sync.ledger:_refresh_links",),
    "call the plan applied": ("integration_assets.sync.apply:finish",),
    # ending
    "publish": ("integration_assets.runs.finish:publish",),
    "flush what is published": ("integration_assets.staging.publishing:flush_to_disk",),
    "record the end of the run": ("integration_assets.runs.finish:record_run",),
    "send the Slack message": ("integration_assets.runs.finish:send_message",),
    "keep the ending in its file": ("integration_assets.runs.finish:keep_result",),
    "write the log into the store": ("integration_assets.staging.store:_checkpoint",),
    "end the run": ("integration_assets.assets.summary:finish_run", "integration_assets.assets.undo:finish_run"),
}
"""Name → the functions, as `module:name`, in the module that looks them up when it calls them."""


@dataclass(frozen=True)
class Visit:
    """One passing of a place: the how many-th, counted from 1, and how long it took in an undisturbed run."""

    point: str
    number: int
    seconds: float = 0.0


class Death(msgspec.Struct, frozen=True):
    """Where a process dies: at the `number`-th passing of a point; `during` it, `delay` seconds after it began.

    What is over before the delay dies right after.
    """

    point: str
    number: int
    side: Side
    delay: float = 0.0


def plant(notes: Path, death: Death | None) -> None:
    """Wrap every point in this process: calls are noted in the file `notes`, and one of them is the last."""
    passing = _Passing(notes, death)
    for point, places in POINTS.items():
        for place in places:
            module_name, _, path = place.partition(":")
            owner: Any = importlib.import_module(module_name)
            *outer, name = path.split(".")
            for part in outer:
                owner = getattr(owner, part)
            setattr(owner, name, _around(getattr(owner, name), point, passing))


def visits(notes: Path) -> list[Visit]:
    """What a process has noted, in order of ending; the passing it died in is not among them."""
    lines = (line.split("\t") for line in notes.read_text(encoding="utf-8").splitlines())
    return [Visit(line[1], int(line[2]), float(line[3])) for line in lines if line[0] == "left"]


def died_at(notes: Path) -> tuple[str, int] | None:
    """The point, and the how many-th passing of it, a process died at by its own hand; None when it did not."""
    if not notes.exists():
        return None
    lines = [line.split("\t") for line in notes.read_text(encoding="utf-8").splitlines()]
    return (lines[-1][1], int(lines[-1][2])) if lines and lines[-1][0] == "died" else None


class _Passing:
    """The calls of all points in one process, and the one it dies in."""

    def __init__(self, notes: Path, death: Death | None) -> None:
        self._descriptor = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._death = death
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def through(self, point: str) -> Iterator[None]:
        with self._lock:
            self._counts[point] += 1
            number = self._counts[point]
        due = self._death if self._death and (self._death.point, self._death.number) == (point, number) else None
        if due and due.side == "before":
            self._die(due)
        if due and due.side == "during":
            clock = threading.Timer(due.delay, self._die, [due])
            clock.daemon = True
            clock.start()
        began = time.monotonic()
        yield
        if due:
            self._die(due)
        self._note("left", point, number, f"{time.monotonic() - began:.6f}")

    def _die(self, death: Death) -> None:
        self._note("died", death.point, death.number, death.side)
        os.kill(os.getpid(), signal.SIGKILL)

    def _note(self, *words: object) -> None:
        os.write(self._descriptor, ("\t".join(map(str, words)) + "\n").encode())


def _around(function: Callable[..., Any], point: str, passing: _Passing) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*arguments: Any, **named: Any) -> Any:
            with passing.through(point):
                return await function(*arguments, **named)

        return awaited

    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        with passing.through(point):
            return function(*arguments, **named)

    return called
