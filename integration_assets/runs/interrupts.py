"""SIGINT and SIGTERM, so that connections close, the run ends `RETRY_LATER`, and what was begun is not torn.

Only the main thread may handle signals; elsewhere whoever started the thread decides, and nothing here has an effect.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import dagster as dg
import duckdb

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_SECONDS = 20.0
"""Longest time work may go on after it was asked to stop. Below the 30 s after which container platforms kill."""


@asynccontextmanager
async def interruptible(
    ask_to_stop: Callable[[], None] | None = None, *, grace: float = GRACE_SECONDS
) -> AsyncIterator[None]:
    """Let a signal cancel the current task while the block runs.

    With `ask_to_stop` the first signal only calls it, and the block may finish what it has begun; a second signal, or
    `grace` seconds, cancel the task.
    """
    task = asyncio.current_task()
    # Python delivers signals to the main thread only and refuses handlers elsewhere.
    if task is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    last_resort: list[asyncio.TimerHandle] = []

    def interrupt() -> None:
        # The second signal: whoever sends it no longer wants to wait for what is under way.
        if ask_to_stop is None or last_resort:
            task.cancel()
            return
        # The timer comes before the question, so that a question that hangs is bounded as well.
        last_resort.append(loop.call_later(grace, task.cancel))
        ask_to_stop()

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        yield
    finally:
        # A timer that outlives the block would cancel whatever the task does next, such as writing the summary.
        for timer in last_resort:
            timer.cancel()
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def interruption_behind(error: BaseException) -> BaseException | None:
    """The interruption that an error of DuckDB is only a consequence of, if any.

    A signal that arrives while DuckDB works becomes a `RuntimeError` with the interruption as its cause, and aborts the
    transaction: what is then called on the way out fails with an error of its own.
    """
    if not isinstance(error, RuntimeError | duckdb.Error):
        return None
    behind: BaseException | None = error
    # One that is raised again while its own consequence is handled stands behind itself.
    passed = set[int]()
    while behind is not None and id(behind) not in passed:
        if isinstance(behind, KeyboardInterrupt | dg.DagsterExecutionInterruptedError):
            return behind
        passed.add(id(behind))
        behind = behind.__cause__ or behind.__context__
    return None


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put off the first signal until the block, which must be short, is done; a second one gets through at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in SIGNALS:
        # The first signal is swallowed, which is all the patience there is: with the old handlers back the next one
        # ends the process.
        signal.signal(number, lambda _number, _frame: restore())
    try:
        yield
    finally:
        restore()
