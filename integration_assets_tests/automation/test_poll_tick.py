"""One tick over many tenants: nobody waits for a tenant that hangs, nobody starves, and it ends in time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from integration_assets.automation import poll_tick
from integration_assets.automation.poll_tick import AT_ONCE, TENANT_SECONDS, TICK_SECONDS, Tick, in_a_loop, take_turns
from integration_assets.automation.polling import Answer, Changed
from integration_assets.automation.turns import Turn, Turns
from integration_assets.errors import CredentialError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
CALM = Answer(Changed.NO)


class Hours:
    """A clock in seconds that a turn moves on by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def turns(*tenants: str) -> list[Turn]:
    """Turns of these tenants, a second apart."""
    return [Turn(NOW + timedelta(seconds=number), tenant) for number, tenant in enumerate(tenants)]


def taken(due: list[Turn], ask: Callable[[str], Awaitable[Answer]], clock: Hours | None = None) -> Tick:
    """The outcome of these turns."""
    result = Tick(tenants=len(due), taken=NOW + QUARTER)
    in_a_loop(take_turns(due, ask, result, monotonic=clock or Hours()))
    return result


@pytest.fixture
def short_turns() -> Iterator[None]:
    """A turn ends after a moment, so that a test of what hangs need not wait as long."""
    with mock.patch.object(poll_tick, "TENANT_SECONDS", 0.05):
        yield


async def for_ever(_tenant: str) -> Answer:
    """A system that does not answer."""
    await asyncio.Event().wait()
    return CALM


def test_answers_are_added_up() -> None:
    """By what they mean; the line says how many of which, and who failed for what reason."""

    async def ask(tenant: str) -> Answer:
        if tenant == "refused":
            raise CredentialError("canny: the key is refused", system="canny")
        known = {"new": Answer(Changed.YES, "new 1", ("posted late",)), "busy": Answer(Changed.UNKNOWN)}
        return known.get(tenant, CALM)

    found = taken(turns("idle", "refused", "new", "busy"), ask)
    assert found.changed == {"new": "new 1"}
    assert found.failed == {"refused": "canny: the key is refused"}
    assert found.notes == ["posted late"]
    assert (found.calm, found.unknown, found.left, found.taken) == (1, 1, 0, NOW + QUARTER)
    assert found.line == (
        "asked 4 of 4 tenants: 1 changed, 1 with a run under way, 1 failed (refused: canny: the key is refused)"
    )


@pytest.mark.usefixtures("short_turns")
def test_a_tenant_that_hangs_costs_its_own_turn() -> None:
    """More of them than are asked at once: all others have an answer in the same tick."""
    hanging = [f"hangs-{number}" for number in range(AT_ONCE + 1)]

    async def ask(tenant: str) -> Answer:
        return await for_ever(tenant) if tenant in hanging else CALM

    found = taken(turns(*hanging, "acme", "beta"), ask)
    assert sorted(found.failed) == sorted(hanging)
    assert found.calm == 2


def test_an_error_of_ours_at_one_tenant_leaves_the_others_alone(caplog: pytest.LogCaptureFixture) -> None:
    """It is counted as failed, and the log has its traceback."""

    async def ask(tenant: str) -> Answer:
        if tenant == "odd":
            raise KeyError("votes")
        return CALM

    found = taken(turns("odd", "acme"), ask)
    assert found.calm == 1
    assert found.failed == {"odd": "an error of ours (KeyError): please report it with the log"}
    assert "KeyError: 'votes'" in caplog.text


def test_a_tick_begins_no_turn_that_it_could_not_end() -> None:
    """The rest is due at the next one, which goes on where this one stopped; the line says so."""
    clock = Hours()

    async def ask(_tenant: str) -> Answer:
        clock.now += 1.0  # a second each, one after the other
        return CALM

    due = turns(*(f"tenant-{number}" for number in range(100)))
    found = taken(due, ask, clock)
    assert clock.now <= TICK_SECONDS - TENANT_SECONDS + 1
    assert found.calm == 100 - found.left == TICK_SECONDS - TENANT_SECONDS + 1
    assert found.taken == due[found.calm - 1].at
    assert found.line.endswith(f"; {found.left} had no time and are the first of the next tick")


@pytest.mark.usefixtures("short_turns")
def test_a_thousand_tenants_that_hang_are_all_asked_in_turn() -> None:
    """Tick after tick the next of them, and nobody a second time before everybody had a first."""
    tenants = [f"tenant-{number}" for number in range(100)]
    had: Counter[str] = Counter()
    turn, moment, until = Turns(QUARTER), NOW, None
    clock = Hours()

    async def ask(tenant: str) -> Answer:
        had[tenant] += 1
        clock.now += 2.0
        return await for_ever(tenant)

    while min((had[tenant] for tenant in tenants), default=0) == 0:
        result = Tick(tenants=len(tenants), taken=moment)
        due = turn.between(tenants, turn.resume(until, moment), moment)
        in_a_loop(take_turns(due, ask, result, monotonic=clock))
        until, moment = result.taken, moment + timedelta(minutes=1)
        assert len(result.failed) < len(tenants)
    assert max(had.values()) <= 2


def test_the_end_of_a_tick_waits_for_no_thread() -> None:
    """As one that looks up a name which does not resolve."""
    import threading

    released = threading.Event()

    async def given_up() -> str:
        waiting = asyncio.ensure_future(asyncio.to_thread(released.wait, 60))
        await asyncio.sleep(0)
        waiting.cancel()
        return "ended"

    assert in_a_loop(given_up()) == "ended"
    assert not released.is_set()
    released.set()
