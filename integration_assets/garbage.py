"""Rare searches for reference cycles in processes of ours, and none when they end.

Loading Dagster makes half a million objects that stay. Python's defaults walk through them again and again while a run
works, and once more at the end, to free memory that the system takes back anyway: a quarter of a short run's time.
"""

from __future__ import annotations

import atexit
import gc
import threading

NEW_OBJECTS = 50_000
"""So many more objects made than freed start a search. Few of ours are in cycles, so that little memory waits."""


_is_own = threading.Event()


def own_process() -> None:
    """Say that this process works for us alone; one that loads us into another project is that project's."""
    _is_own.set()


def search_rarely_in_own() -> None:
    """As `search_rarely`, in a process of our own; how a project's own process is tuned is not ours to say.

    A process that works on one run after another may call it at each.
    """
    if _is_own.is_set():
        search_rarely()


def search_rarely() -> None:
    """Search for cycles after 50,000 new objects instead of 700, and not at the end of the process."""
    gc.set_threshold(NEW_OBJECTS, 10, 10)
    # What is frozen is in no search, the last one included. Handlers of other modules still run.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def keep_what_is_loaded() -> None:
    """Leave everything that exists now out of all later searches: the modules of a command that is about to work."""
    gc.freeze()
