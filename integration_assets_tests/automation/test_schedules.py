"""Who is run when, without a run being made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.automation.schedules import (
    PERIOD,
    SLOT,
    SLOTS,
    due_tenants,
    slot_of,
    slot_start,
    sync_every_four_hours,
)

NIGHT = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as one:
        yield one


def asked(instance: dg.DagsterInstance, moment: datetime) -> tuple[list[dg.RunRequest], str | None]:
    """The runs a tick asks for, or why it asks for none."""
    from integration_assets.definitions import defs

    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=moment, repository_def=defs.get_repository_def()
    )
    found = sync_every_four_hours.evaluate_tick(context)
    return list(found.run_requests or ()), found.skip_message


@given(NAMES, st.integers(0, 10**9))
def test_every_tenant_has_one_turn_in_each_period(tenant, seconds):
    """From any moment on, exactly one of the ticks of four hours is a tenant's, whatever the clocks of the place do."""
    moment = NIGHT + timedelta(seconds=seconds)
    ticks = [moment + number * SLOT for number in range(SLOTS)]
    assert sum(due_tenants([tenant], tick) == [tenant] for tick in ticks) == 1
    elsewhere = moment.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert due_tenants([tenant], elsewhere) == due_tenants([tenant], moment)


def test_turns_are_spread():
    """Of a thousand tenants no five minutes get many times their share."""
    counted = Counter(slot_of(f"tenant-{number}") for number in range(1_000))
    assert len(counted) == SLOTS == PERIOD / SLOT
    assert max(counted.values()) < 4 * 1_000 / SLOTS


def test_a_tick_asks_for_the_runs_of_those_whose_turn_it_is(instance, monkeypatch):
    """In their own partitions; the same slot asks with the same key, so that nobody is run twice; others wait."""
    monkeypatch.setenv("CANNY_API_KEY", "k")
    monkeypatch.setenv("HUBSPOT_SANDBOX_TOKEN", "t")
    instance.add_dynamic_partitions("tenants", ["default", "acme", "beta"])
    seen: Counter[str] = Counter()
    for number in range(SLOTS):
        tick = NIGHT + number * SLOT
        runs, reason = asked(instance, tick)
        late, _ = asked(instance, tick + timedelta(minutes=2))
        assert [run.run_key for run in late] == [run.run_key for run in runs]
        assert bool(runs) != bool(reason)
        for run in runs:
            assert run.run_key == f"{run.partition_key} {slot_start(tick):%Y-%m-%dT%H:%MZ}"
            seen[str(run.partition_key)] += 1
    assert seen == {"default": 1, "acme": 1, "beta": 1}


@pytest.mark.parametrize(("tenants", "run"), [(["default", "acme"], ["acme"]), (["default"], ["default"])])
def test_the_default_tenant_is_left_out_where_only_others_are_configured(instance, monkeypatch, tenants, run):
    """With nobody else, its run is made and says what is missing: a schedule that is on never does nothing quietly."""
    monkeypatch.delenv("CANNY_API_KEY", raising=False)
    instance.add_dynamic_partitions("tenants", tenants)
    runs = [one for number in range(SLOTS) for one in asked(instance, NIGHT + number * SLOT)[0]]
    assert sorted(str(one.partition_key) for one in runs) == run


def test_the_definitions_hold_the_schedule_switched_off():
    """Nothing is written by itself before a person has switched it on."""
    from integration_assets.definitions import defs

    schedule = defs.get_repository_def().get_schedule_def("sync_every_four_hours")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert schedule.job_name == "sync"
