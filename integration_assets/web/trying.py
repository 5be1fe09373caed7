"""How often something may be tried: counters in memory, per process. Too many tries wait; they lock nobody out."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

LOGINS_PER_ACCOUNT = 5
LOGINS_PER_ADDRESS = 20
"""Tries a minute, whether they succeed or not."""
TESTS_PER_TENANT = 10
"""Connection tests a minute: each makes this machine call another one."""
LONGEST_DELAY = 10.0
"""Seconds a try is held back before it is sent away."""
MOMENT = 0.05
MOST_WAITING = 40
"""Tries held back at the same time."""


class TooManyTriesError(Exception):
    """Try again after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many tries: try again in {seconds} s")
        self.seconds = seconds


@dataclass
class Tries:
    """Counts tries by key and limit. A key is of any number of parts, such as an account's name."""

    limits: dict[str, int]
    longest_delay: float = LONGEST_DELAY
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], float] = time.time
    _waiting: int = 0
    _limiter: MovingWindowRateLimiter = field(default_factory=lambda: MovingWindowRateLimiter(MemoryStorage()))

    async def wait(self, **keys: str) -> None:
        """Count a try under each key (by the name of its limit); hold it back while one of them is used up.

        Raises:
            TooManyTriesError: it would have to wait longer than people do, or too many wait already.
        """
        waited = 0.0
        while not self._counted(keys):
            seconds = self._until_free(keys)
            if waited + seconds > self.longest_delay or self._waiting >= MOST_WAITING:
                raise TooManyTriesError(math.ceil(seconds))
            self._waiting += 1
            try:
                await self.sleep(seconds)
            finally:
                self._waiting -= 1
            waited += seconds

    def _counted(self, keys: dict[str, str]) -> bool:
        """Count a try under each key, if none is used up."""
        if not all(self._limiter.test(self._item(name), name, key) for name, key in keys.items()):
            return False
        hits = [self._limiter.hit(self._item(name), name, key) for name, key in keys.items()]
        return all(hits)

    def _until_free(self, keys: dict[str, str]) -> float:
        """Seconds until none of the keys is used up, and a moment more."""
        longest = MOMENT
        for name, key in keys.items():
            stats = self._limiter.get_window_stats(self._item(name), name, key)
            if stats.remaining <= 0:
                longest = max(longest, stats.reset_time - self.now() + MOMENT)
        return longest

    def _item(self, name: str) -> RateLimitItemPerMinute:
        return RateLimitItemPerMinute(self.limits[name])


def login_tries() -> Tries:
    """For logins, by `account` and `address`."""
    return Tries({"account": LOGINS_PER_ACCOUNT, "address": LOGINS_PER_ADDRESS})


def test_tries() -> Tries:
    """For connection tests, by `tenant`."""
    return Tries({"tenant": TESTS_PER_TENANT}, longest_delay=0.0)
