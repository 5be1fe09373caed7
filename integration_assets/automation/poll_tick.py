"""One tick of the sensor that asks for changes: all tenants that are due at once, within a bounded time.

A tenant whose system hangs costs its own turn. Those for whom no time is left are the first of the next tick.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from integration_assets.automation.polling import WHO, Answer, Changed, Runs, ask_tenant
from integration_assets.automation.turns import Turn, Turns
from integration_assets.config import Settings
from integration_assets.errors import IntegrationError
from integration_assets.reporting.text import clip
from integration_assets.tenants.settings import feedback_settings

TICK_SECONDS = 40.0
"""After this much time a tick is over: Dagster gives up one that takes a minute, with all it has found."""
TENANT_SECONDS = 15.0
"""Longest turn of a tenant, from its settings to the last message."""
AT_ONCE = 20
"""Tenants asked at the same time."""
NAMED = 3
"""Failed tenants that the line about a tick names; the log has all of them."""

log = logging.getLogger(__name__)
Ask = Callable[[str], Awaitable[Answer]]
T = TypeVar("T")


class Tick(msgspec.Struct, kw_only=True):
    """Outcome of a tick.

    `taken` is the moment up to which turns have been taken, `left` how many are still due. `changed` has the key of
    the run to start, `failed` the reason, each by tenant. `calm` are those of whom there is no news, `unknown` those
    with a run under way.
    """

    tenants: int
    taken: datetime
    left: int = 0
    calm: int = 0
    changed: dict[str, str] = msgspec.field(default_factory=dict)
    unknown: int = 0
    failed: dict[str, str] = msgspec.field(default_factory=dict)
    notes: list[str] = msgspec.field(default_factory=list)
    next: Turn | None = None

    @property
    def asked(self) -> int:
        """Tenants that had their turn."""
        return self.calm + len(self.changed) + self.unknown + len(self.failed)

    @property
    def line(self) -> str:
        """As a person reads it."""
        parts = [f"{len(self.changed)} changed"]
        if self.unknown:
            parts.append(f"{self.unknown} with a run under way")
        parts.append(f"{len(self.failed)} failed")
        line = f"asked {self.asked} of {self.tenants} tenants: {', '.join(parts)}"
        if self.failed:
            named = [f"{tenant}: {clip(reason, 200)}" for tenant, reason in sorted(self.failed.items())[:NAMED]]
            line += f" ({'; '.join(named)}{'; …' if len(self.failed) > NAMED else ''})"
        if self.left:
            line += f"; {self.left} had no time and are the first of the next tick"
        elif self.next is not None:
            line += f"; next due {self.next.tenant} at {self.next.at:%H:%M:%S} UTC"
        return line


def tick(
    tenants: Sequence[str], taken: datetime | None, now: datetime, period: timedelta, operator: Settings, runs: Runs
) -> Tick:
    """Ask the feedback systems of all tenants that are due at `now`, where turns were taken up to `taken`. UTC.

    Raises:
        ConfigurationError: the registry of tenants cannot be opened; nobody was asked.
        TransientError: its database cannot be reached.
    """
    turns = Turns(period)
    due = turns.between(tenants, turns.resume(taken, now), now)
    result = Tick(tenants=len(tenants), taken=now, next=turns.next(tenants, now))
    if due:
        with feedback_settings(operator, WHO) as settings_of:
            in_a_loop(take_turns(due, lambda tenant: ask_tenant(tenant, operator, settings_of, runs), result))
    return result


async def take_turns(
    due: Sequence[Turn], ask: Ask, result: Tick, *, monotonic: Callable[[], float] = time.monotonic
) -> None:
    """Ask for each turn in order, some at once, as long as a whole turn fits into the tick; adds up the result."""
    waiting, began = deque(due), monotonic()

    async def one_after_the_other() -> None:
        # No turn is begun that could not be ended: cut off by the end of the tick it would count as taken.
        while waiting and monotonic() - began <= TICK_SECONDS - TENANT_SECONDS:
            tenant = waiting.popleft().tenant
            try:
                async with asyncio.timeout(TENANT_SECONDS):
                    _count(result, tenant, await ask(tenant))
            except TimeoutError:
                result.failed[tenant] = f"no end within {TENANT_SECONDS:.0f} s"
            except IntegrationError as error:
                result.failed[tenant] = error.message
            # Whatever is wrong with one tenant, the others are asked; the log has all of it.
            except Exception as error:
                log.exception("asking tenant %s for changes", tenant)
                result.failed[tenant] = f"an error of ours ({type(error).__name__}): please report it with the log"

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    if waiting:
        result.left = len(waiting)
        result.taken = due[len(due) - len(waiting) - 1].at


def _count(result: Tick, tenant: str, answer: Answer) -> None:
    result.notes += answer.notes
    if answer.run_key is not None:
        result.changed[tenant] = answer.run_key
    elif answer.changed is Changed.UNKNOWN:
        result.unknown += 1
    else:
        result.calm += 1


def in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in an event loop of its own, and do not wait for threads that it has given up."""
    # `asyncio.run` would wait up to five minutes for a name that does not resolve.
    loop = asyncio.new_event_loop()
    try:
        # A thread that hangs must not keep the next tenant from getting one.
        loop.set_default_executor(ThreadPoolExecutor(3 * AT_ONCE))
        return loop.run_until_complete(work)
    finally:
        loop.close()
