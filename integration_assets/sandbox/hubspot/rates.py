"""Rolling and daily call limits, with a clock that tests can turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from integration_assets.sandbox.hubspot.errors import ApiError, rate_limited
from integration_assets.sandbox.hubspot.options import PortalOptions

Clock = Callable[[], float]
"""Seconds since the epoch, as `time.time`."""


class RollingLimit:
    """At most `limit` calls in any `window` seconds. Refused calls do not count."""

    def __init__(self, limit: int | None, window: float) -> None:
        self.limit = limit
        self.window = window
        self._times: deque[float] = deque()

    def remaining(self, now: float) -> int | None:
        """Calls that would still pass now, or None without a limit."""
        while self._times and self._times[0] <= now - self.window:
            self._times.popleft()
        return None if self.limit is None else max(0, self.limit - len(self._times))

    def take(self, now: float) -> bool:
        """Count one call, unless it is one too many."""
        if self.remaining(now) == 0:
            return False
        if self.limit is not None:
            self._times.append(now)
        return True


class DailyLimit:
    """At most `limit` calls from midnight to midnight in one time zone. `used` may be changed by a test."""

    def __init__(self, limit: int | None, zone: ZoneInfo) -> None:
        self.limit = limit
        self.zone = zone
        self.used = 0
        self._day: str | None = None

    def remaining(self, now: float) -> int | None:
        """Calls that would still pass today, or None without a limit."""
        day = datetime.fromtimestamp(now, self.zone).date().isoformat()
        if day != self._day:
            self.used = 0 if self._day is not None else self.used
            self._day = day
        return None if self.limit is None else max(0, self.limit - self.used)

    def take(self, now: float) -> bool:
        """Count one call, unless it is one too many."""
        if self.remaining(now) == 0:
            return False
        self.used += 1
        return True


class Rates:
    """All limits of one portal."""

    def __init__(self, options: PortalOptions, zone: ZoneInfo) -> None:
        limits = options.rates
        self.daily = DailyLimit(limits.daily, zone)
        self.association_daily = DailyLimit(limits.association_daily, zone)
        self.ordinary = RollingLimit(limits.ten_secondly, 10.0)
        self.association = RollingLimit(limits.association_ten_secondly, 10.0)
        self.search = RollingLimit(limits.search_secondly, 1.0)
        self._options = options

    def admit(self, kind: str, now: float) -> dict[str, str]:
        """Count one call of a kind ("ordinary", "association", "search") and return its rate headers.

        Raises:
            ApiError: 429 in the documented shape.
        """
        daily, rolling, policy = {
            "ordinary": (self.daily, self.ordinary, "TEN_SECONDLY_ROLLING"),
            "association": (self.association_daily, self.association, "TEN_SECONDLY_ROLLING"),
            "search": (self.daily, self.search, "SECONDLY"),
        }[kind]
        refusal: ApiError | None = None
        if daily.remaining(now) == 0:
            refusal = self._refusal("DAILY", "daily")
        elif not rolling.take(now):
            refusal = self._refusal(policy, policy.lower())
        else:
            daily.take(now)
        headers = self._headers(kind, daily, rolling, now)
        if refusal is not None:
            refusal.headers.update(headers)
            raise refusal
        return headers

    def _refusal(self, policy: str, words: str) -> ApiError:
        return rate_limited(
            policy, f"You have reached your {words} limit.", with_category=self._options.rate_limit_category
        )

    def _headers(self, kind: str, daily: DailyLimit, rolling: RollingLimit, now: float) -> dict[str, str]:
        if kind == "search" or (kind == "association" and not self._options.association_rate_headers):
            return {}
        headers: dict[str, str] = {}
        if daily.limit is not None:
            headers["X-HubSpot-RateLimit-Daily"] = str(daily.limit)
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(daily.remaining(now))
        if rolling.limit is not None:
            headers["X-HubSpot-RateLimit-Max"] = str(rolling.limit)
            headers["X-HubSpot-RateLimit-Remaining"] = str(rolling.remaining(now))
            headers["X-HubSpot-RateLimit-Interval-Milliseconds"] = str(int(rolling.window * 1000))
        return headers
