"""Attempt limits: counters in memory, or in PostgreSQL for all processes. Too many tries wait; they lock nobody out.

A login is counted by account *and* address, so that a stranger who guesses from elsewhere uses up tries of their own.
What keeps a guesser with many addresses slow is a limit of the account from everywhere; a browser that somebody has
logged in with before is not subject to it, so that those guesses lock out none who has been here.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from integration_assets.coordination.tries import PostgresTries

LOGINS_PER_ACCOUNT = 5
"""Tries a minute for one account from one address, whether they succeed or not."""
LOGINS_PER_ADDRESS = 20
"""Tries a minute from one address, for whichever account."""
LOGINS_PER_HOUR = {"account_here": 60, "account_everywhere": 300}
"""Tries an hour for one account: from one address, and from all. One address alone cannot use up the latter."""
TESTS_PER_TENANT = 10
"""Connection tests a minute: each makes this machine call another one."""
LONGEST_DELAY = 10.0
"""Seconds a try is held back before it is sent away."""
MOMENT = 0.05
MOST_WAITING = 40
"""Tries held back at the same time."""
IPV6_PREFIX = 64
"""Bits of an IPv6 address that name a customer of a provider; the others are the customer's to choose."""


class TooManyAttemptsError(Exception):
    """Try again after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many tries: try again in {seconds} s")
        self.seconds = seconds


@dataclass
class AttemptLimit:
    """Counts tries by limit and key. `limits` are per minute, `hourly` per hour, both by name.

    `shared` counts for all processes; without it each has counts of its own.
    """

    limits: dict[str, int]
    hourly: dict[str, int] = field(default_factory=dict)
    longest_delay: float = LONGEST_DELAY
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], float] = time.time
    _waiting: int = 0
    shared: PostgresTries | None = None
    _own: MovingWindowRateLimiter = field(default_factory=lambda: MovingWindowRateLimiter(MemoryStorage()))

    async def count(self, keys: Mapping[str, str]) -> None:
        """Count a try under each key (by the name of its limit); hold it back while one of them is used up.

        Raises:
            TooManyAttemptsError: it would have to wait longer than people do, or too many wait already.
        """
        waited = 0.0
        while seconds := await self._asked(keys):
            # Each wait holds a connection: without a bound on both, waiting itself would be the attack.
            if waited + seconds > self.longest_delay or self._waiting >= MOST_WAITING:
                raise TooManyAttemptsError(math.ceil(seconds))
            self._waiting += 1
            try:
                await self.sleep(seconds)
            finally:
                self._waiting -= 1
            waited += seconds

    def forget(self, keys: Mapping[str, str]) -> None:
        """Forget the tries counted under these keys."""
        for name, key in keys.items():
            self._limiter.clear(self._item(name), name, key)

    async def _asked(self, keys: Mapping[str, str]) -> float:
        """Count a try under each key, and return 0; else the seconds until it may be tried again."""
        if self.shared is None:
            return 0.0 if self._counted(keys) else self._until_free(keys)
        # In a thread: a database that does not answer must not keep everybody else's requests waiting.
        counted = await asyncio.to_thread(self._counted, keys)
        return 0.0 if counted else await asyncio.to_thread(self._until_free, keys)

    @property
    def _limiter(self) -> MovingWindowRateLimiter | PostgresTries:
        return self.shared or self._own

    def _counted(self, keys: Mapping[str, str]) -> bool:
        """Count a try under each key, if none is used up."""
        # All before any is counted: a try that one limit refuses must not use up the others.
        if not all(self._limiter.test(self._item(name), name, key) for name, key in keys.items()):
            return False
        hits = [self._limiter.hit(self._item(name), name, key) for name, key in keys.items()]
        return all(hits)

    def _until_free(self, keys: Mapping[str, str]) -> float:
        """Seconds until none of the keys is used up, and a moment more."""
        longest = MOMENT
        for name, key in keys.items():
            stats = self._limiter.get_window_stats(self._item(name), name, key)
            # Only a used-up limit says when it is free; the others have room now.
            if stats.remaining <= 0:
                longest = max(longest, stats.reset_time - self.now() + MOMENT)
        return longest

    def _item(self, name: str) -> RateLimitItem:
        if name in self.hourly:
            return RateLimitItemPerHour(self.hourly[name])
        return RateLimitItemPerMinute(self.limits[name])


@dataclass
class LoginLimit(AttemptLimit):
    """Counts logins. `device_key` signs the cookies of browsers that somebody has logged in with."""

    device_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    async def wait(self, *, account: str, address: str, device: str | None = None) -> None:
        """Count a login of an account from an address, or from a known `device`.

        Raises:
            TooManyAttemptsError: too many were tried; nothing is known of whether this one is right.
        """
        await self.count(_login_keys(account, address, device))

    def succeeded(self, *, account: str, address: str, device: str | None = None) -> None:
        """Forget the tries before a right password: who has it is not the one the limits are for.

        Those of the address stay, where one account of one's own could otherwise buy guesses at others; so do those
        from everywhere, which are mostly somebody else's.
        """
        kept = ("address", "account_everywhere")
        keys = _login_keys(account, address, device)
        self.forget({name: key for name, key in keys.items() if name not in kept})

    def new_device(self, account: str) -> str:
        """Make the token by which a browser shows that this account was logged in with there."""
        name = secrets.token_urlsafe(16)
        return f"{name}.{self._signature(account, name)}"

    def known_device(self, account: str, shown: str) -> str | None:
        """Name of the device, if we gave `shown` to a browser for this account."""
        name, _, signature = shown.partition(".")
        wanted = self._signature(account, name)
        # In constant time: a comparison that stops early would let a signature be guessed byte by byte.
        return name if hmac.compare_digest(signature.encode(), wanted.encode()) else None

    def _signature(self, account: str, name: str) -> str:
        return hmac.new(self.device_key, f"{name} {account}".encode(), hashlib.sha256).hexdigest()


def _login_keys(account: str, address: str, device: str | None) -> dict[str, str]:
    if device is not None:
        # Neither guesses from elsewhere nor those of a neighbour behind the same address count against it.
        return {"account": f"device {device}", "account_here": f"device {device}"}
    here = f"{address} {account}"
    return {"account": here, "address": address, "account_here": here, "account_everywhere": account}


def counted_address(host: str) -> str:
    """The address that tries are counted by: of IPv6 the part that its holder cannot change at will."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    # Not an address, as behind a Unix socket: all of them share one counter, which errs on the strict side.
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    # One machine can arrive as IPv4 and as the same address mapped into IPv6: one counter for both.
    return str(address.ipv4_mapped or ipaddress.ip_network((address, IPV6_PREFIX), strict=False))


def login_limit(shared: PostgresTries | None = None, device_key: bytes | None = None) -> LoginLimit:
    """For logins; with `shared` and `device_key` for all processes that have them."""
    return LoginLimit(
        {"account": LOGINS_PER_ACCOUNT, "address": LOGINS_PER_ADDRESS},
        hourly=dict(LOGINS_PER_HOUR),
        shared=shared,
        device_key=device_key or secrets.token_bytes(32),
    )


def connection_test_limit(shared: PostgresTries | None = None) -> AttemptLimit:
    """For connection tests, by `tenant`; with `shared` for all processes that have it."""
    # No delay: a test runs in a thread of its own request, and waiting would block that thread for others.
    return AttemptLimit({"tenant": TESTS_PER_TENANT}, longest_delay=0.0, shared=shared)
