"""When tenants are due, without a clock and without Dagster."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.automation.turns import Turns

NIGHT = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
PERIODS = st.sampled_from([Turns(timedelta(minutes=minutes)) for minutes in (240, 15, 7, 1, 1440)])
MOMENTS = st.integers(0, 10**9).map(lambda seconds: NIGHT + timedelta(seconds=seconds))
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)
TENANTS = [f"tenant-{number}" for number in range(1_000)]


@given(NAMES, MOMENTS, PERIODS, st.integers(1, 50))
def test_every_tenant_has_one_turn_in_each_period(tenant, moment, turns, ticks):
    """From any moment on, whatever the length of the ticks and the clocks of the place."""
    borders = [moment + turns.period * number / ticks for number in range(ticks)] + [moment + turns.period]
    found = [turn for after, until in pairwise(borders) for turn in turns.between([tenant], after, until)]
    assert len(found) == 1
    elsewhere = timezone(timedelta(hours=5, minutes=45))
    [turn] = turns.between([tenant], moment.astimezone(elsewhere), borders[-1].astimezone(elsewhere))
    assert turn == found[0]
    assert turns.next([tenant], moment) == turn


@given(MOMENTS, PERIODS)
def test_turns_come_in_order_and_each_at_a_moment_of_its_own(moment, turns):
    """The next one is the first of those that follow."""
    found = turns.between(TENANTS, moment, moment + turns.period)
    assert found == sorted(found)
    assert len({turn.at for turn in found}) == len(TENANTS)
    assert turns.next(TENANTS, moment) == found[0]
    assert turns.next([], moment) is None


def test_turns_are_spread():
    """Of a thousand tenants no five minutes of four hours get many times their share."""
    turns = Turns(timedelta(hours=4))
    found = turns.between(TENANTS, NIGHT, NIGHT + turns.period)
    counted = Counter((turn.at - NIGHT) // timedelta(minutes=5) for turn in found)
    assert len(counted) == 48
    assert max(counted.values()) < 4 * 1_000 / 48


QUARTER = Turns(timedelta(minutes=15))


@pytest.mark.parametrize(
    ("taken", "minutes", "due"),
    [
        (None, 0, 1_000),  # the first tick ever: everybody
        (0, 0, 0),
        (0, 15, 1_000),
        (0, 45, 0),  # whole periods were missed: it goes on as if they had not been
        (5, 0, 0),  # the clock was set back
    ],
)
def test_missed_turns_are_made_up_once(taken, minutes, due):
    """However long nobody ticked, nobody is due twice."""
    now = NIGHT + timedelta(minutes=minutes)
    since = QUARTER.resume(None if taken is None else NIGHT + timedelta(minutes=taken), now)
    assert len(QUARTER.between(TENANTS, since, now)) == due


@settings(max_examples=25)
@given(st.integers(1, 80), st.integers(30, 120))
def test_nobody_starves_where_there_is_time_for_a_part_of_them_only(capacity, seconds):
    """Ticks that manage only so many: everybody has a turn, about as often as everybody else."""
    taken, now, had = NIGHT, NIGHT, Counter[str]()
    tenants = TENANTS[:60]
    for _ in range(20 * 900 // seconds):
        now += timedelta(seconds=seconds)
        due = QUARTER.between(tenants, QUARTER.resume(taken, now), now)
        had.update(turn.tenant for turn in due[:capacity])
        taken = due[capacity - 1].at if len(due) > capacity else now
    counts = [had[tenant] for tenant in tenants]
    assert max(counts) - min(counts) <= max(1, max(counts) // 4)
    assert min(counts) > 0
