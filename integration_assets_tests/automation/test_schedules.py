"""Who is run when, without a run being made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.automation.schedules import (
    Period,
    due_tenants,
    slot_of,
    slot_start,
)
from integration_assets.errors import ConfigurationError

SYNC, ASK = Period(240), Period(15)

SLOT = timedelta(minutes=SYNC.slot_minutes)
NIGHT = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
PERIODS = st.sampled_from([Period(240), Period(15), Period(7), Period(1), Period(1440)])
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as one:
        yield one


def asked(
    instance: dg.DagsterInstance, moment: datetime, schedule: str = "sync_schedule"
) -> tuple[list[dg.RunRequest], str | None]:
    """The runs a tick asks for, or why it asks for none."""
    from integration_assets.definitions import defs

    repository = defs.get_repository_def()
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=moment, repository_def=repository)
    found = repository.get_schedule_def(schedule).evaluate_tick(context)
    return list(found.run_requests or ()), found.skip_message


@given(NAMES, st.integers(0, 10**9), PERIODS)
def test_every_tenant_has_one_turn_in_each_period(tenant, seconds, period):
    """From any moment on, exactly one of the ticks of a period is a tenant's, whatever the clocks of the place do."""
    moment = NIGHT + timedelta(seconds=seconds)
    ticks = [moment + timedelta(minutes=number * period.slot_minutes) for number in range(period.slots)]
    assert sum(due_tenants([tenant], tick, period) == [tenant] for tick in ticks) == 1
    elsewhere = moment.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert due_tenants([tenant], elsewhere, period) == due_tenants([tenant], moment, period)


@pytest.mark.parametrize(
    ("minutes", "slots", "cron"),
    [(240, 48, "*/5 * * * *"), (15, 3, "*/5 * * * *"), (7, 7, "* * * * *"), (1, 1, "* * * * *")],
)
def test_slots_fill_their_period(minutes, slots, cron):
    """Five minutes each where that divides the period, else a minute: no part of a period is without a slot."""
    period = Period(minutes)
    assert (period.slots, period.cron, period.slots * period.slot_minutes) == (slots, cron, minutes)


def test_turns_are_spread():
    """Of a thousand tenants no five minutes get many times their share."""
    counted = Counter(slot_of(f"tenant-{number}", SYNC) for number in range(1_000))
    assert len(counted) == SYNC.slots
    assert max(counted.values()) < 4 * 1_000 / SYNC.slots


def test_a_tick_asks_for_the_runs_of_those_whose_turn_it_is(instance, monkeypatch):
    """In their own partitions; the same slot asks with the same key, so that nobody is run twice; others wait."""
    monkeypatch.setenv("CANNY_API_KEY", "k")
    monkeypatch.setenv("HUBSPOT_SANDBOX_TOKEN", "t")
    instance.add_dynamic_partitions("integration_assets_tenants", ["default", "acme", "beta"])
    seen: Counter[str] = Counter()
    for number in range(SYNC.slots):
        tick = NIGHT + number * SLOT
        runs, reason = asked(instance, tick)
        late, _ = asked(instance, tick + timedelta(minutes=2))
        assert [run.run_key for run in late] == [run.run_key for run in runs]
        assert bool(runs) != bool(reason)
        for run in runs:
            assert run.run_key == f"{run.partition_key} {slot_start(tick, SYNC):%Y-%m-%dT%H:%MZ}"
            seen[str(run.partition_key)] += 1
    assert seen == {"default": 1, "acme": 1, "beta": 1}


@pytest.mark.parametrize(("tenants", "run"), [(["default", "acme"], ["acme"]), (["default"], ["default"])])
def test_the_default_tenant_is_left_out_where_only_others_are_configured(instance, monkeypatch, tenants, run):
    """With nobody else, its run is made and says what is missing: a schedule that is on never does nothing quietly."""
    monkeypatch.delenv("CANNY_API_KEY", raising=False)
    instance.add_dynamic_partitions("integration_assets_tenants", tenants)
    runs = [one for number in range(SYNC.slots) for one in asked(instance, NIGHT + number * SLOT)[0]]
    assert sorted(str(one.partition_key) for one in runs) == run


def test_every_tenant_is_asked_for_changes_more_often_than_it_is_synced(instance, monkeypatch):
    """In a period of the asking schedule each tenant has one turn, of the short job."""
    monkeypatch.setenv("CANNY_API_KEY", "k")
    monkeypatch.setenv("HUBSPOT_SANDBOX_TOKEN", "t")
    instance.add_dynamic_partitions("integration_assets_tenants", ["default", "acme"])
    ticks = [NIGHT + timedelta(minutes=number * ASK.slot_minutes) for number in range(ASK.slots)]
    runs = [run for tick in ticks for run in asked(instance, tick, "asking_schedule")[0]]
    assert sorted(str(run.partition_key) for run in runs) == ["acme", "default"]
    assert ASK.minutes < SYNC.minutes


SWITCHED_BY_PEOPLE = {"sync_schedule": "sync", "asking_schedule": "feedback_changes", "sync_on_change": "sync"}


def test_what_writes_by_itself_is_off_until_somebody_wants_it():
    """Nothing is written by itself before a person has switched it on; what only watches is on."""
    from integration_assets.definitions import defs

    repository = defs.get_repository_def()
    schedules, sensors = list(repository.schedule_defs), list(repository.sensor_defs)
    off: dict[str, str | None] = {
        one.name: one.job_name for one in schedules if one.default_status is dg.DefaultScheduleStatus.STOPPED
    }
    off |= {one.name: one.job_name for one in sensors if one.default_status is dg.DefaultSensorStatus.STOPPED}
    assert off == SWITCHED_BY_PEOPLE
    assert {one.name for one in sensors} - off.keys() == {"retry_later", "dead_runs", "credentials", "tenants"}


def test_one_variable_switches_everything_on():
    """A server that is set up by its environment needs no hand in the UI."""
    look = (
        "from integration_assets.definitions import defs; r = defs.get_repository_def();"
        "print(sorted(o.name for o in (*r.schedule_defs, *r.sensor_defs) if o.default_status.value == 'RUNNING'));"
        "print(r.get_schedule_def('sync_schedule').cron_schedule)"
    )
    on = loaded(look, INTEGRATION_ASSETS_AUTOMATION="on", INTEGRATION_ASSETS_SYNC_MINUTES="7")
    on_anyway = ["retry_later", "dead_runs", "credentials", "tenants", "prune_run_history"]
    everything = sorted([*SWITCHED_BY_PEOPLE, *on_anyway])
    assert on.stdout.split("\n")[:2] == [str(everything), "* * * * *"]


WRONG = {
    "INTEGRATION_ASSETS_AUTOMATION": "perhaps",
    "INTEGRATION_ASSETS_SYNC_MINUTES": "0",
    "INTEGRATION_ASSETS_ASK_MINUTES": "often",
    "INTEGRATION_ASSETS_KEEP_RUNS_DAYS": "-1",
    "INTEGRATION_ASSETS_LOG": "xml",
    "INTEGRATION_ASSETS_LOG_LEVEL": "loud",
    "INTEGRATION_ASSETS_ENVIRONMENT": "moon",
    "INTEGRATION_ASSETS_HOME": "~nobody/x",
    "INTEGRATION_ASSETS_DATABASE_URL": "nonsense",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_variable_does_not_keep_the_definitions_from_being_loaded(name):
    """They may be those of a whole project. Nothing starts by itself then, and the defaults are in force."""
    look = (
        "from integration_assets.definitions import defs; r = defs.get_repository_def();"
        "print(r.get_schedule_def('sync_schedule').cron_schedule, r.get_schedule_def('sync_schedule').default_status)"
    )
    told = loaded(look, **{name: WRONG[name]})
    assert (told.returncode, told.stdout) == (0, "*/5 * * * * DefaultScheduleStatus.STOPPED\n"), told.stderr


@pytest.mark.parametrize("name", [name for name in WRONG if name.endswith(("_MINUTES", "AUTOMATION"))])
def test_each_tick_says_what_is_wrong(instance, monkeypatch, name):
    """Those of the schedules, and that of the sensor that is always on, name the variable."""
    from integration_assets.definitions import defs

    instance.add_dynamic_partitions("integration_assets_tenants", ["default"])
    monkeypatch.setenv(name, WRONG[name])
    for schedule in ("sync_schedule", "asking_schedule"):
        with pytest.raises(Exception, match="Error occurred during the evaluation") as failed:
            asked(instance, NIGHT, schedule)
        assert name in str(failed.value.__cause__)
    sensor = defs.get_repository_def().get_sensor_def("credentials")
    with pytest.raises(ConfigurationError, match=name):
        sensor.evaluate_tick(dg.build_sensor_context(instance=instance, definitions=defs))


def loaded(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a fresh process says that loads the definitions with these variables."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
