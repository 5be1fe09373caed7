"""One limiter per credential: how fast calls may leave, learnt from what the system answers.

A system counts calls per credential, not per client, so all clients of a credential share its limiter (`limiter_for`),
across processes and machines too where they share a log of calls. A limiter has buckets (systems limit searches apart
from the rest); each bucket has any number of moving windows, all of which must have room. Answers teach it: a stated
limit replaces the configured one, a stated remainder lower than ours means that somebody else spends the same budget, a
`Retry-After` pauses everybody in the bucket, and a 429 without any stated limit means that the credential is on a
smaller plan.

A system counts a call when it gets it, which is some time between its leaving and its answer. A call therefore counts
here until a whole window after it was over: however long each call is on its way, the system never sees too many. One
of a process that died is over when it could not have lasted any longer.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from integration_assets.connectors.call_log import Bucket, CallLog, CallLogs, MemoryLog
from integration_assets.errors import QuotaError

log = logging.getLogger(__name__)

DEFAULT_BUCKET = "default"
SLACK = 0.005
"""Seconds added to each wait, so that the oldest call of a window has left it when we wake."""
LONG_WAIT_SECONDS = 10.0
"""A wait from here on is told: shorter ones are how a window works, and there may be one before each call."""
LONGEST_CALL = 130.0
"""Seconds after which a call counts as over that was never said to be: its process has died. A caller that allows its
calls another time says so to `acquire`."""
PLAN_SECONDS = 24 * 3600.0
"""Time for which a smaller plan is believed in."""
LONGEST_PAUSE = 24 * 3600.0
"""A pause that is further away is of another life of the machine."""


class Window(msgspec.Struct, frozen=True):
    """At most `calls` in any `seconds` seconds (whole seconds)."""

    calls: int
    seconds: int


Windows = Mapping[str, tuple[Window, ...]]
"""Bucket → its windows."""


class Quota(msgspec.Struct, frozen=True):
    """The day's calls of this credential's account, as the system last said; None where it said nothing."""

    daily_limit: int | None = None
    daily_remaining: int | None = None


class RateHeaders(msgspec.Struct, frozen=True):
    """Names (lower-case) of the headers in which a system states its limits. None: it has no such header.

    `limit` calls per `interval_ms`, of which `remaining` are left; `daily_limit` and `daily_remaining` likewise.
    `always_ms` is the interval of a system that has no header for it.
    """

    limit: str | None = None
    remaining: str | None = None
    interval_ms: str | None = None
    daily_limit: str | None = None
    daily_remaining: str | None = None
    always_ms: int | None = None


class Lease(msgspec.Struct, frozen=True):
    """A call that was let go, to be given back to `Limiter.over`."""

    bucket: str
    number: int


class Limiter:
    """Moving windows and pauses of one credential. Safe to use from several threads, event loops and processes.

    `plans` are the allowances of smaller plans than the one `windows` describe, largest first: the next of them takes
    over when the system throttles what should have been allowed. `log` is where calls are kept, and by whose clock.
    `monotonic` is this process's clock, in seconds, which never goes back; `sleep` waits that many seconds.
    """

    def __init__(
        self,
        windows: Windows,
        *,
        name: str = "",
        plans: Sequence[Windows] = (),
        log: CallLog | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._name = name
        self._configured = dict(windows)
        self._plans = tuple(plans)
        self._log = log or MemoryLog(monotonic)
        self._monotonic = monotonic
        self._sleep = sleep
        self._quota = Quota()
        self._full_until: dict[str, float] = {}

    @property
    def quota(self) -> Quota:
        """The latest known daily quota of the default bucket; other buckets may have quotas of their own."""
        return self._quota

    def windows(self, bucket: str = DEFAULT_BUCKET) -> tuple[Window, ...]:
        """The windows in force for a bucket, learnt ones included. Empty: nothing but pauses limits it."""
        with self._log.held() as buckets:
            return self._in_force(bucket, buckets.get(bucket, Bucket()))

    async def acquire(
        self,
        bucket: str = DEFAULT_BUCKET,
        *,
        patience: float | None = None,
        longest: float = LONGEST_CALL,
        slots: asyncio.Semaphore | None = None,
    ) -> Lease:
        """Wait until one more call may leave, and count it until it is said to be over.

        `longest` is the most seconds the call can take: after them it counts as over by itself. One of the `slots` is
        taken along with the place, never while waiting for it, and is the caller's to release.

        Raises:
            QuotaError: the next free place is more than `patience` seconds away.
            OSError: the log of calls cannot be read or written.
        """
        while not isinstance(found := await self._take_with_slot(bucket, longest, slots), Lease):
            if patience is not None and found > patience:
                raise QuotaError(
                    f"the {self._name or 'call'} limit leaves no call for {found:.0f} s; run again later",
                    system=self._name or None,
                    retry_after=found,
                )
            log.log(
                logging.INFO if found >= LONG_WAIT_SECONDS else logging.DEBUG,
                "%s: the limit allows the next call in %.1f s",
                self._name,
                found,
                extra={"system": self._name, "bucket": bucket, "wait_seconds": round(found, 3)},
            )
            await self._sleep(found)
        return found

    def over(self, place: Lease) -> None:
        """A call has its answer, or will never get one: from now on it leaves the windows one by one.

        Raises:
            OSError: the log of calls cannot be written: the call counts as under way for as long as it could last.
        """
        with self._log.held() as buckets:
            bucket = buckets.setdefault(place.bucket, Bucket())
            # Already gone: the log was reset, or the call took so long that it counts as over since then.
            if bucket.under_way.pop(place.number, None) is not None:
                bucket.ended.append(self._log.clock())

    def pause(self, bucket: str, seconds: float) -> None:
        """Let no call of this bucket leave for `seconds`; a longer pause already in force stays."""
        with self._log.held() as buckets:
            kept = buckets.setdefault(bucket, Bucket())
            until, before = self._log.clock() + seconds, kept.paused_until
            # Answers arrive out of order: a short pause of a later one must not cut a longer one short.
            kept.paused_until = max(until, before)
        # Calls refused together all ask for a pause, and it is one and the same.
        if until > before + 1.0:
            log.log(
                logging.WARNING if seconds >= LONG_WAIT_SECONDS else logging.INFO,
                "%s refuses calls for going too fast: none for %.1f s",
                self._name,
                seconds,
                extra={"system": self._name, "bucket": bucket, "wait_seconds": round(seconds, 3)},
            )

    def learn(self, bucket: str, headers: Mapping[str, str], names: RateHeaders) -> None:
        """Take over what an answer's headers (lower-case names) state about the limits."""
        limit, interval = _number(headers, names.limit), _number(headers, names.interval_ms) or names.always_ms
        if limit and interval:
            stated = Window(limit, _whole_seconds(interval))
            with self._log.held() as buckets:
                kept = buckets.setdefault(bucket, Bucket())
                self._learn_window(bucket, kept, stated, _number(headers, names.remaining))
        daily_limit, daily = _number(headers, names.daily_limit), _number(headers, names.daily_remaining)
        # Some answers state one of the two only: what was known of the other stays.
        if bucket == DEFAULT_BUCKET and (daily_limit is not None or daily is not None):
            self._quota = Quota(
                self._quota.daily_limit if daily_limit is None else daily_limit,
                self._quota.daily_remaining if daily is None else daily,
            )

    def throttled(self, place: Lease) -> None:
        """The system refused a call we thought was allowed: for a day, go on with the next smaller plan, if any.

        Others may have spent the budget, hence only a day; calls that left before the step say nothing about it.
        """
        with self._log.held() as buckets:
            kept = buckets.setdefault(place.bucket, Bucket())
            smaller = _smaller(self._in_force(place.bucket, kept), [plan.get(place.bucket, ()) for plan in self._plans])
            # Ten calls refused at once are one sign, not ten: each step waits for a call that left after the last one.
            if smaller and place.number > kept.stepped_at:
                kept.windows = tuple((window.calls, window.seconds) for window in smaller)
                kept.stepped_at = kept.next_number
                kept.step_until = self._log.clock() + PLAN_SECONDS
                log.warning(
                    "%s refuses calls its plan should allow: for a day, at most %s",
                    self._name,
                    ", ".join(f"{window.calls} calls in {window.seconds} s" for window in smaller),
                    extra={"system": self._name, "bucket": place.bucket},
                )

    def _in_force(self, name: str, bucket: Bucket) -> tuple[Window, ...]:
        if bucket.windows is None:
            return self._configured.get(name, ())
        return tuple(Window(calls, seconds) for calls, seconds in bucket.windows)

    def _learn_window(self, name: str, bucket: Bucket, stated: Window, remaining: int | None) -> None:
        known = self._in_force(name, bucket)
        if stated not in known:
            # The system knows its own limit better than a configured number does.
            others = [window for window in known if window.seconds != stated.seconds]
            bucket.windows = tuple((window.calls, window.seconds) for window in [*others, stated])
            # There may be more room than whoever waits was told.
            self._full_until.pop(name, None)
        if remaining is not None:
            now = self._log.clock()
            # Others may use the same credential: what the system counts and we did not send takes its share here.
            strangers = min(stated.calls, stated.calls - remaining) - _used(bucket, stated, now)
            bucket.ended += [now] * strangers

    async def _take_with_slot(self, name: str, longest: float, slots: asyncio.Semaphore | None) -> Lease | float:
        # What one of us was told holds for all who wait here: asking the log costs, and most of all another machine.
        if (still := self._full_until.get(name, 0.0) - self._monotonic()) > 0:
            return still
        if slots is None:
            return self._take(name, longest)
        # The slot first: a place that was taken would count as a call while it waits for one.
        await slots.acquire()
        found: Lease | float = 0.0
        try:
            found = self._take(name, longest)
        finally:
            # Calls that wait for one full bucket must not keep those of another from leaving.
            if not isinstance(found, Lease):
                slots.release()
        return found

    def _take(self, name: str, longest: float) -> Lease | float:
        """A place when all windows have room; else the seconds until it is worth asking again."""
        with self._log.held() as buckets:
            bucket, now = buckets.setdefault(name, Bucket()), self._log.clock()
            windows = self._in_force(name, bucket)
            _forget(bucket, windows, now)
            if (wait := _until_free(bucket, windows, now)) > 0:
                self._full_until[name] = self._monotonic() + wait
                return wait
            bucket.next_number += 1
            bucket.under_way[bucket.next_number] = (now, now + longest)
            # Found out along with the place, so that nobody asks another machine only to hear that it was the last.
            if self._log.is_remote and (wait := _until_free(bucket, windows, now)) > 0:
                self._full_until[name] = self._monotonic() + wait
            return Lease(name, bucket.next_number)


def _until_free(bucket: Bucket, windows: Sequence[Window], now: float) -> float:
    """Seconds until all windows have room and no pause holds; at most zero when one call may leave now."""
    waits = [bucket.paused_until - now]
    for window in windows:
        inside = [at for at in bucket.ended if at > now - window.seconds]
        excess = len(inside) + len(bucket.under_way) - window.calls
        # The oldest calls leave the window first: wait until as many have left as are too many.
        if 0 <= excess < len(inside):
            waits.append(inside[excess] + window.seconds - now + SLACK)
        # All that would have to leave are still on their way, and count for a whole window once they are over.
        elif excess >= 0:
            waits.append(window.seconds)
    return max(waits)


def _forget(bucket: Bucket, windows: Sequence[Window], now: float) -> None:
    """Drop what counts no more: calls older than every window, and times of another life of the machine."""
    for number, (left, over) in list(bucket.under_way.items()):
        if not left <= now < over:
            del bucket.under_way[number]
            # The system may have counted it until then, and the windows with it.
            bucket.ended.append(over)
    longest = max((window.seconds for window in windows), default=0)
    # Sorted, as a call that is given up was over before others that were already noted.
    bucket.ended = sorted(at for at in bucket.ended if now - longest < at <= now)
    # The clock counts from the start of the machine: after a restart, times of before lie far ahead.
    if bucket.paused_until > now + LONGEST_PAUSE:
        bucket.paused_until = 0.0
    if bucket.step_until and not now < bucket.step_until <= now + PLAN_SECONDS:
        bucket.windows, bucket.step_until = None, 0.0


def _used(bucket: Bucket, window: Window, now: float) -> int:
    return sum(at > now - window.seconds for at in bucket.ended) + len(bucket.under_way)


def _smaller(current: tuple[Window, ...], plans: Sequence[tuple[Window, ...]]) -> tuple[Window, ...]:
    """The first of the plans that allows less than `current` in some window and more in none."""
    allowed = {window.seconds: window.calls for window in current}
    for plan in plans:
        shares = [(window.calls, allowed.get(window.seconds, window.calls)) for window in plan]
        if shares and all(calls <= known for calls, known in shares) and any(calls < known for calls, known in shares):
            return plan
    return ()


def _whole_seconds(milliseconds: int) -> int:
    """Round up: a window that is shorter than the system's would let more calls through than it allows."""
    return -(-milliseconds // 1000)


def _number(headers: Mapping[str, str], name: str | None) -> int | None:
    text = headers.get(name, "") if name else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


_limiters: dict[tuple[str, str, CallLogs | None], Limiter] = {}
_limiters_lock = threading.Lock()


def credential_digest(base_url: str, secret: str) -> str:
    """A name for a credential at a base URL that gives nothing of it away."""
    return hashlib.sha256(f"{base_url}\n{secret}".encode()).hexdigest()[:16]


def limiter_for(
    system: str, digest: str, windows: Windows, *, plans: Sequence[Windows] = (), logs: CallLogs | None = None
) -> Limiter:
    """The limiter of one credential, made with `windows` and `plans` when it is first asked for.

    With `logs` all processes that have them share the credential's calls.

    Raises:
        OSError: the place of the logs cannot be made.
    """
    with _limiters_lock:
        if (known := _limiters.get((system, digest, logs))) is None:
            log = None if logs is None else logs.log(f"{system}-{digest}")
            known = Limiter(windows, name=system, plans=plans, log=log)
            _limiters[system, digest, logs] = known
        return known
