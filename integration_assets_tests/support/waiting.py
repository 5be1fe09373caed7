"""Waiting for something to come true, with so much patience that no busy machine is taken for a defect."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 120.0
"""Longest wait for what takes moments: a busy machine never needs as long, and what never comes still ends the test."""


def until(
    happened: Callable[[], T], what: Callable[[], str] | str, *, patience: float = PATIENCE_SECONDS, every: float = 0.02
) -> T:
    """Ask every so many seconds until the answer is true; return it.

    Raises:
        AssertionError: it never was; says `what` did not happen.
    """
    end = time.monotonic() + patience
    while not (found := happened()):
        if time.monotonic() > end:
            raise AssertionError(f"{what if isinstance(what, str) else what()} did not happen in {patience:.0f} s")
        time.sleep(every)
    return found
