"""Turns: when in a period each tenant is due, without a list that somebody would have to keep.

A tenant's place follows from its name alone, so it stays the same when others come and go, and many tenants spread
evenly. Whoever works through turns remembers one moment, up to which all turns have been taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Turn(NamedTuple):
    """The moment, UTC, at which a tenant is due."""

    at: datetime
    tenant: str


class Turns(msgspec.Struct, frozen=True):
    """A period in which each tenant is due once, at a moment of its own."""

    period: timedelta

    def between(self, tenants: Iterable[str], after: datetime, until: datetime) -> list[Turn]:
        """The last turn of each tenant that lies after one moment and not after another, oldest first.

        Moments have a time zone. When they are further apart than the period, every tenant has one.
        """
        return sorted(turn for tenant in tenants if (turn := self._last(tenant, until)).at > after)

    def next(self, tenants: Iterable[str], after: datetime) -> Turn | None:
        """The first turn after a moment (with time zone); None without tenants."""
        lasts = (self._last(tenant, after) for tenant in tenants)
        return min((Turn(turn.at + self.period, turn.tenant) for turn in lasts), default=None)

    def resume(self, taken: datetime | None, now: datetime) -> datetime:
        """Return from when on turns are still to be taken at `now`, when all up to `taken` were; None: none ever was.

        What is late by more than a period is due once, not once for each period that was missed.
        """
        if taken is None:
            return now - self.period
        late = now - taken
        # By whole periods: it goes on with the tenant that was next, so that each has its turn even where there is
        # never time for all of them.
        if late > self.period:
            return taken + self.period * (late // self.period)
        # When the clock was set back, the turns in between come once more.
        return min(taken, now)

    def _last(self, tenant: str, until: datetime) -> Turn:
        # A hash of the name, not its place in the list: a tenant that is added or removed must not move the others.
        number = int.from_bytes(hashlib.sha256(tenant.encode()).digest()[:8])
        # To the microsecond, so that no two turns fall together. Counted from the epoch, so that turns go on over
        # midnight and restarts; a period need not divide the day.
        place = timedelta(microseconds=number % (self.period // timedelta(microseconds=1)))
        return Turn(until.astimezone(UTC) - (until - EPOCH - place) % self.period, tenant)
