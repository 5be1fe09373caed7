"""Progress of long work, on stderr: bars with counts and rate on a terminal, plain lines elsewhere, nothing in Dagster.

The work calls `track`; whoever runs it (the command line) chooses with `showing` how it looks.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from integration_assets.logs import shows_progress

log = logging.getLogger(__name__)

PLAIN_LINE_SECONDS = 5.0
"""Without a terminal, a running task prints a line at most this often."""

LOG_LINE_SECONDS = 600.0
"""A task at work says in the log at least this often how far it is, as long as it gets on."""

Advance = Callable[[int], None]
"""Tells how many more units (rows, records, links) are done."""


class Display(Protocol):
    """Something that can show tasks in progress."""

    def task(self, name: str, total: int | None) -> contextlib.AbstractContextManager[Advance]:
        """Show one task while the context is open; `total` in units, None when unknown."""


class _Silent:
    @contextlib.contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Advance]:
        # Callers advance without asking whether anybody looks.
        yield lambda _: None


class _Plain:
    """One line when a task ends, and one every few seconds while it runs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextlib.contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Advance]:
        began = last = time.monotonic()
        done = 0

        def advance(count: int) -> None:
            nonlocal done, last
            done += count
            # A log of a run of hours must not have a line for each page that was read.
            if time.monotonic() - last >= PLAIN_LINE_SECONDS:
                last = time.monotonic()
                self._line(name, done, total, last - began)

        yield advance
        self._line(name, done, total, time.monotonic() - began, ended=True)

    def _line(self, name: str, done: int, total: int | None, seconds: float, *, ended: bool = False) -> None:
        # At the end the count is what there was, whatever was expected.
        of = f" of {total:,}" if total is not None and not ended else ""
        # Over moments a rate says nothing, and over none it is a division by zero.
        rate = f", {done / seconds:,.0f}/s" if seconds >= 0.1 else ""
        self._console.print(f"{name}: {done:,}{of} in {seconds:.1f} s{rate}", highlight=False)


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @contextlib.contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Advance]:
        began = time.monotonic()
        task = self._progress.add_task(name, total=total, rate="")

        def advance(count: int) -> None:
            done = self._progress.tasks[self._progress.task_ids.index(task)].completed + count
            # Never zero: the first page may be there within the resolution of the clock.
            seconds = max(time.monotonic() - began, 0.001)
            self._progress.update(task, advance=count, rate=f"{done / seconds:,.0f}/s")

        yield advance
        done = self._progress.tasks[self._progress.task_ids.index(task)].completed
        # A task whose total was unknown would go on spinning.
        self._progress.update(task, total=done, completed=done)


_display: ContextVar[Display | None] = ContextVar("display", default=None)
_fallback: list[Display] = []
"""Dagster runs steps in contexts of their own: what `showing` chose is found here when the context variable is lost."""


@contextlib.contextmanager
def showing(console: Console) -> Iterator[None]:
    """Show progress on this console (stderr) while the context is open, unless the log tells as much or as little."""
    if not shows_progress():
        yield
        return
    with contextlib.ExitStack() as stack:
        display: Display
        # Bars redraw their line, which leaves nothing but control characters in a file.
        if console.is_terminal:
            progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                console=console,
                # Gone at the end: what stays on the terminal is the result.
                transient=True,
            )
            display = _Bars(stack.enter_context(progress))
        else:
            display = _Plain(console)
        token = _display.set(display)
        # A list, as contexts may be nested: the innermost one shows.
        _fallback.append(display)
        try:
            yield
        finally:
            _fallback.remove(display)
            _display.reset(token)


@contextlib.contextmanager
def track(name: str, total: int | None = None) -> Iterator[Advance]:
    """The context of one task, shown while it is open: `advance(100)` says that 100 more units are done.

    That it ended well is a line of the log, with its count and time; of long ones, how far they are is one as well.
    """
    # Silent without a command line: in Dagster the progress would be lines in the log of each step.
    display = _display.get() or (_fallback[-1] if _fallback else _Silent())
    began, done = time.monotonic(), 0
    said = began

    with display.task(name, total) as show:

        def advance(count: int) -> None:
            nonlocal done, said
            done += count
            show(count)
            # A run that tells nothing for long is taken for one whose machine is gone.
            if time.monotonic() - said >= LOG_LINE_SECONDS:
                said = time.monotonic()
                of = f" of {total:,}" if total is not None else ""
                log.info("%s: %s%s so far", name, f"{done:,}", of, extra={"task": name, "units": done})

        yield advance
    seconds = round(time.monotonic() - began, 3)
    log.info("%s: %s in %.1f s", name, f"{done:,}", seconds, extra={"task": name, "units": done, "seconds": seconds})
