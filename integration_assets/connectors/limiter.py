"""One limiter per credential: how fast calls may leave, learnt from what the system answers.

A system counts calls per credential, not per client, so all clients of a process share the limiter of their credential
(`limiter_for`). A limiter has buckets (systems limit searches apart from the rest); each bucket has any number of
moving windows, all of which must have room. Answers teach it: a stated limit replaces the configured one, a stated
remainder lower than ours means that somebody else spends the same budget, and a `Retry-After` pauses everybody in the
bucket.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from integration_assets.errors import QuotaError

DEFAULT_BUCKET = "default"
SLACK = 0.005
"""Seconds added to each wait, so that the oldest call of a window has left it when we wake."""
CLOCK_STEP = 1.0
"""Seconds the wall clock may fall behind the monotonic one before the windows, kept in wall time, are forgotten."""


class Window(msgspec.Struct, frozen=True):
    """At most `calls` in any `seconds` seconds (whole seconds)."""

    calls: int
    seconds: int


class Quota(msgspec.Struct, frozen=True):
    """What the system last said about the day's calls of this credential's account; None where it said nothing."""

    daily_limit: int | None = None
    daily_remaining: int | None = None


class RateHeaders(msgspec.Struct, frozen=True):
    """Names (lower-case) of the headers in which a system states its limits. None: it has no such header.

    `limit` calls per `interval_ms`, of which `remaining` are left; `daily_limit` and `daily_remaining` likewise.
    """

    limit: str | None = None
    remaining: str | None = None
    interval_ms: str | None = None
    daily_limit: str | None = None
    daily_remaining: str | None = None


class Limiter:
    """Moving windows and pauses of one credential. Safe to use from several threads and event loops.

    `clock` is wall time in seconds and has to agree with the counters' own, `monotonic` never goes back; `sleep` waits
    that many seconds.
    """

    def __init__(
        self,
        windows: Mapping[str, tuple[Window, ...]],
        *,
        name: str = "",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._name = name
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[Window, ...]] = dict(windows)
        self._paused_until: dict[str, float] = {}
        self._storage = MemoryStorage()
        self._counters = MovingWindowRateLimiter(self._storage)
        self._drift = clock() - monotonic()
        self._quota = Quota()

    @property
    def quota(self) -> Quota:
        """The latest known daily quota of the default bucket; other buckets may have quotas of their own."""
        return self._quota

    def windows(self, bucket: str = DEFAULT_BUCKET) -> tuple[Window, ...]:
        """The windows in force for a bucket, learnt ones included. Empty: nothing but pauses limits it."""
        return self._windows.get(bucket, ())

    async def acquire(self, bucket: str = DEFAULT_BUCKET, *, patience: float | None = None) -> None:
        """Wait until one more call may leave, and count it.

        Raises:
            QuotaError: the next free place is more than `patience` seconds away.
        """
        while (wait := self._take(bucket)) > 0:
            if patience is not None and wait > patience:
                raise QuotaError(
                    f"the {self._name or 'call'} limit leaves no call for {wait:.0f} s; run again later",
                    system=self._name or None,
                )
            await self._sleep(wait)

    def pause(self, bucket: str, seconds: float) -> None:
        """Let no call of this bucket leave for `seconds`; a longer pause already in force stays."""
        with self._lock:
            until = self._clock() + seconds
            self._paused_until[bucket] = max(until, self._paused_until.get(bucket, until))

    def learn(self, bucket: str, headers: Mapping[str, str], names: RateHeaders) -> None:
        """Take over what an answer's headers (lower-case names) state about the limits."""
        limit, interval = _number(headers, names.limit), _number(headers, names.interval_ms)
        with self._lock:
            if limit and interval and interval >= 1000:
                self._learn_window(bucket, Window(limit, interval // 1000), _number(headers, names.remaining))
            daily_limit, daily = _number(headers, names.daily_limit), _number(headers, names.daily_remaining)
            if bucket == DEFAULT_BUCKET and (daily_limit is not None or daily is not None):
                self._quota = Quota(
                    self._quota.daily_limit if daily_limit is None else daily_limit,
                    self._quota.daily_remaining if daily is None else daily,
                )

    def _learn_window(self, bucket: str, stated: Window, remaining: int | None) -> None:
        known = self._windows.get(bucket, ())
        same_length = next((window for window in known if window.seconds == stated.seconds), None)
        used = self._used(bucket, same_length) if same_length else 0
        if same_length != stated:
            others = tuple(window for window in known if window.seconds != stated.seconds)
            self._windows[bucket] = (*others, stated)
            self._spend(bucket, stated, min(used, stated.calls))
        if remaining is not None:
            self._spend(bucket, stated, min(stated.calls, stated.calls - remaining) - self._used(bucket, stated))

    def _take(self, bucket: str) -> float:
        """Count one call when all windows have room and return 0; else the seconds until it is worth asking again."""
        with self._lock:
            self._notice_clock_step()
            now = self._clock()
            waits = [self._paused_until.get(bucket, 0.0) - now]
            for window in self._windows.get(bucket, ()):
                stats = self._counters.get_window_stats(_item(window), self._name, bucket)
                if stats.remaining <= 0:
                    waits.append(min(stats.reset_time - now, window.seconds) + SLACK)
            if (wait := max(waits)) > 0:
                return wait
            windows = self._windows.get(bucket, ())
            # On the very edge of a window the counters may still refuse what they called free: ask again.
            counted = [self._counters.hit(_item(window), self._name, bucket) for window in windows]
            return 0.0 if all(counted) else SLACK

    def _used(self, bucket: str, window: Window) -> int:
        return window.calls - self._counters.get_window_stats(_item(window), self._name, bucket).remaining

    def _spend(self, bucket: str, window: Window, calls: int) -> None:
        if calls > 0:
            self._counters.hit(_item(window), self._name, bucket, cost=calls)

    def _notice_clock_step(self) -> None:
        """Forget the windows when the wall clock was set back: they would block until it has caught up."""
        drift = self._clock() - self._monotonic()
        if drift < self._drift - CLOCK_STEP:
            self._storage.reset()
            self._paused_until.clear()
        self._drift = drift


def _item(window: Window) -> RateLimitItemPerSecond:
    return RateLimitItemPerSecond(window.calls, window.seconds)


def _number(headers: Mapping[str, str], name: str | None) -> int | None:
    text = headers.get(name, "") if name else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


_limiters: dict[tuple[str, str], Limiter] = {}
_limiters_lock = threading.Lock()


def credential_digest(base_url: str, secret: str) -> str:
    """A name for a credential at a base URL that gives nothing of it away."""
    return hashlib.sha256(f"{base_url}\n{secret}".encode()).hexdigest()[:16]


def limiter_for(system: str, digest: str, windows: Mapping[str, tuple[Window, ...]]) -> Limiter:
    """The process's limiter of one credential, made with `windows` when it is first asked for."""
    with _limiters_lock:
        if (known := _limiters.get((system, digest))) is None:
            known = _limiters[system, digest] = Limiter(windows, name=system)
        return known
