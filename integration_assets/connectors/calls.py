"""Counts of the HTTP requests made, by system and endpoint: what the run summary publishes.

A repeat is a request like any other: `total` is what left the machine.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

import msgspec


class CallCount(msgspec.Struct, frozen=True):
    """Requests sent to one endpoint template of one system.

    `writes` can change the outside system; `retried` are repeats; `throttled` were answered 429. All are in `total`.
    """

    system: str
    endpoint: str
    total: int = 0
    writes: int = 0
    retried: int = 0
    throttled: int = 0


class CallCounter:
    """Counter shared by all clients of a run. Safe to use from several threads and event loops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], CallCount] = {}

    def sent(self, system: str, endpoint: str, *, writes: bool, repeat: bool) -> None:
        """Count one request about to be sent."""
        # Counted before it leaves: one that breaks on the way has cost a call of the quota all the same.
        self._add(CallCount(system, endpoint, 1, int(writes), int(repeat)))

    def throttled(self, system: str, endpoint: str) -> None:
        """Count one answer 429 to a request counted before."""
        # Its total was counted when it was sent.
        self._add(CallCount(system, endpoint, throttled=1))

    def snapshot(self) -> tuple[CallCount, ...]:
        """One row per system and endpoint, sorted by both."""
        with self._lock:
            return tuple(count for _, count in sorted(self._counts.items()))

    def totals(self, system: str) -> CallCount:
        """The sum over all endpoints of a system; its `endpoint` is empty."""
        return _sum(system, "", (count for count in self.snapshot() if count.system == system))

    def _add(self, count: CallCount) -> None:
        key = (count.system, count.endpoint)
        with self._lock:
            known = self._counts.get(key)
            self._counts[key] = _sum(*key, (known, count)) if known else count


def _sum(system: str, endpoint: str, counts: Iterable[CallCount]) -> CallCount:
    rows = tuple(counts)
    return CallCount(
        system,
        endpoint,
        sum(row.total for row in rows),
        sum(row.writes for row in rows),
        sum(row.retried for row in rows),
        sum(row.throttled for row in rows),
    )
