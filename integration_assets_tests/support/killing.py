"""Kill a process at a chosen request: the look-alikes see every step a run takes, so they say when.

A `Strike` names the request; a `Watch` around a sandbox carries it out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from integration_assets.sandbox.server import Sandbox

Kind = Literal["any", "record write", "link write", "slack"]
"""Which requests are counted: all; writes of each sort; messages to Slack."""
Place = tuple[str, int, "Strike"]
"""The sort of request that is counted (empty: every one; `any write`), its number from 1, and the strike."""
When = Literal["arrived", "committed", "answered"]
"""Before the request is worked on; after, with the answer lost; once the answer is sent."""

_RECORD_WRITE = re.compile(r"^/crm/objects/.*/batch/(create|update|upsert|archive)$")
_LINK_WRITE = re.compile(r"^/crm/associations/.*/batch/(?!read$)")
QUIET_SECONDS = 0.06
QUIET_LOOKS = 3
"""How long no request may be under way before a look-alike counts as idle, and how often one looks."""


@dataclass(frozen=True)
class Seen:
    """One request of a run."""

    system: str
    method: str
    path: str

    @property
    def sort(self) -> str:
        """Record write, link write, slack, or read."""
        if self.system == "slack":
            return "slack"
        if self.system.startswith("hubspot") and self.method != "GET":
            if _RECORD_WRITE.match(self.path):
                return "record write"
            if _LINK_WRITE.match(self.path):
                return "link write"
            if not self.path.endswith(("/batch/read", "/search", "/get/access-token-info")):
                return "schema write"
        return "read"

    def is_of(self, sort: str) -> bool:
        """Whether it counts as one of a sort."""
        return is_write(self) if sort == "any write" else sort in ("", self.sort)


def is_write(seen: Seen) -> bool:
    """Whether a request can change the CRM."""
    return seen.sort.endswith("write")


@dataclass(frozen=True)
class Strike:
    """Kill at the request `share` of the way (0 first, 1 last) through those of a kind, `pause` seconds after."""

    kind: Kind
    share: float
    when: When
    pause: float = 0.0

    def __str__(self) -> str:
        later = f" +{self.pause:g}s" if self.pause else ""
        return f"{self.kind} {self.share:.0%} {self.when}{later}"

    def place(self, trace: list[Seen]) -> tuple[str, int]:
        """The sort of request to count (empty: every one), and its number, from the trace of a whole run."""
        if self.kind == "any":
            return "", _between(1, len(trace), self.share)
        return self.kind, _between(1, [seen.sort for seen in trace].count(self.kind), self.share)


def _between(low: int, high: int, share: float) -> int:
    return low + round((high - low) * share)


@dataclass
class Watch:
    """The requests of a sandbox's look-alikes in one order, and the strike that waits for one of them."""

    trace: list[Seen] = field(default_factory=list)
    pid: int | None = None
    killed: bool = False
    """Whether the strike has been carried out on a process that was alive."""
    _waiting: Place | None = None
    _under_way: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def over(self, sandbox: Sandbox) -> None:
        """Watch these look-alikes, below their own logs."""
        for name in ("canny", "hubspot_sandbox", "hubspot_production", "slack"):
            lookalike = getattr(sandbox, name)
            lookalike.app = self._around(lookalike.app, name)

    def arm(self, strike: Strike | None, reference: list[Seen]) -> None:
        """Forget what was seen; wait for the request of `strike`, placed by the trace of an undisturbed run."""
        self.arm_at((*strike.place(reference), strike) if strike else None)

    def arm_at(self, place: Place | None) -> None:
        """Forget what was seen; wait for the request at that place."""
        self.trace.clear()
        self.pid, self.killed = None, False
        self._waiting = place

    def started(self, pid: int) -> None:
        """Told of the process to kill."""
        self.pid = pid

    def ended(self) -> None:
        """Told that it is over: a strike that comes later must not hit another."""
        self.pid = None

    def settle(self) -> None:
        """Return when the look-alikes have nothing more to do: what a dead process had sent may still arrive."""
        quiet = 0
        while quiet < QUIET_LOOKS:
            time.sleep(QUIET_SECONDS / QUIET_LOOKS)
            quiet = 0 if self._under_way else quiet + 1

    def _kill(self) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):  # it ended while a strike paused
                os.kill(self.pid, signal.SIGKILL)
                self.killed = True

    def _due(self, seen: Seen) -> Strike | None:
        self.trace.append(seen)
        if self._waiting is None:
            return None
        sort, number, strike = self._waiting
        if not seen.is_of(sort) or sum(one.is_of(sort) for one in self.trace) < number:
            return None
        self._waiting = None
        return strike

    def _around(self, app: ASGIApp, system: str) -> ASGIApp:
        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            with self._counting:
                self._under_way += 1
            try:
                await answered(scope, receive, send)
            finally:
                with self._counting:
                    self._under_way -= 1

        async def answered(scope: Scope, receive: Receive, send: Send) -> None:
            strike = self._due(Seen(system, scope["method"], scope["path"]))
            if strike is None:
                await app(scope, receive, send)
            elif strike.when == "arrived":
                self._kill()  # and the request is never worked on
            elif strike.when == "committed":
                await app(scope, receive, _unsent)
                self._kill()
            else:
                await app(scope, receive, send)
                if strike.pause:
                    asyncio.get_running_loop().call_later(strike.pause, self._kill)
                else:
                    self._kill()

        return watched


async def _unsent(message: Message) -> None:
    """A `send` that says nothing."""
