"""Canny's rate limits: calls of one key over all endpoints, counted in windows of a second, a minute and an hour.

Source: the rate-limit section of the Canny API reference (developers.canny.io/api-reference).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

WINDOWS = (1.0, 60.0, 3600.0)
"""Lengths of the three windows in seconds."""


@dataclass(frozen=True)
class Plan:
    """Calls allowed per second, minute and hour."""

    per_second: int
    per_minute: int
    per_hour: int


BUSINESS = Plan(20, 600, 15_000)
PRO = Plan(10, 300, 5_000)
FREE = Plan(5, 100, 1_000)


class RateLimiter:
    """Sliding windows. A refused call counts nowhere. With `plan` None nothing is limited.

    `now` gives seconds on any steadily rising clock.
    """

    def __init__(self, plan: Plan | None = BUSINESS, now: Callable[[], float] = time.monotonic) -> None:
        self.plan = plan
        self.now = now
        self._calls: tuple[deque[float], ...] = tuple(deque() for _ in WINDOWS)

    def refuse(self) -> int | None:
        """Count one call; the seconds to wait when it is over a limit, else None."""
        if self.plan is None:
            return None
        moment = self.now()
        allowed = (self.plan.per_second, self.plan.per_minute, self.plan.per_hour)
        waits = []
        for calls, window, most in zip(self._calls, WINDOWS, allowed, strict=True):
            while calls and calls[0] <= moment - window:
                calls.popleft()
            if len(calls) >= most:
                waits.append(calls[0] + window - moment)
        if waits:
            return max(1, math.ceil(max(waits)))
        for calls in self._calls:
            calls.append(moment)
        return None
