"""Who is run when, without a run being made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from integration_assets.assets.names import Names
from integration_assets.automation.schedules import schedules
from integration_assets.config import Automation
from integration_assets.errors import ConfigurationError

SLOT = timedelta(minutes=5)
SLOTS = 48
NIGHT = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as one:
        yield one


def asked(instance: dg.DagsterInstance, moment: datetime) -> tuple[list[dg.RunRequest], str | None]:
    """The runs a tick asks for, or why it asks for none."""
    from integration_assets.definitions import defs

    repository = defs.get_repository_def()
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=moment, repository_def=repository)
    # Opened once: the context opens it anew for each tick otherwise.
    context._instance = instance  # type: ignore[assignment]  # declared as None
    found = repository.get_schedule_def("sync_schedule").evaluate_tick(context)
    return list(found.run_requests or ()), found.skip_message


@pytest.mark.parametrize(
    ("minutes", "cron", "said"),
    [
        (240, "*/5 * * * *", "every 4 hours"),
        (90, "*/5 * * * *", "every 90 minutes"),
        (1440, "*/5 * * * *", "every day"),
        (60, "*/5 * * * *", "every hour"),
        (7, "* * * * *", "every 7 minutes"),
        (5, "*/5 * * * *", "every 5 minutes"),
        (3, "*/3 * * * *", "every 3 minutes"),
        (1, "* * * * *", "every minute"),
    ],
)
def test_the_schedule_shows_what_a_person_set(minutes, cron, said):
    """In words, and as cron where that can say it; else it says what cron stands for."""
    automation = Automation.model_construct(sync_minutes=minutes)
    [schedule] = schedules(Names(), automation, sync=dg.define_asset_job("sync"))
    assert schedule.cron_schedule == cron
    description = str(schedule.description)
    assert description.startswith(f"A sync of each tenant {said} (INTEGRATION_ASSETS_SYNC_MINUTES)")
    assert ("cron" in description) == (minutes not in (1, 3, 5))


def test_a_tick_asks_for_the_runs_of_those_whose_turn_it_is(instance, monkeypatch):
    """In their own partitions; the same slot asks with the same key, so that nobody is run twice; others wait."""
    monkeypatch.setenv("CANNY_API_KEY", "k")
    monkeypatch.setenv("HUBSPOT_SANDBOX_TOKEN", "t")
    instance.add_dynamic_partitions("integration_assets_tenants", ["default", "acme", "beta"])
    seen: Counter[str] = Counter()
    announced = ""
    for number in range(SLOTS):
        tick = NIGHT + number * SLOT
        runs, reason = asked(instance, tick)
        again, _ = asked(instance, tick)
        assert [run.run_key for run in again] == [run.run_key for run in runs]
        assert bool(runs) != bool(reason)
        # Whoever reads why nothing was started also reads who is next, and when.
        assert announced in f"next is {runs[0].partition_key} at " if runs else "next is " in str(reason)
        announced = str(reason).partition("; ")[2].partition("at ")[0] if reason else ""
        seen.update(str(run.partition_key) for run in runs)
    assert seen == {"default": 1, "acme": 1, "beta": 1}


@pytest.mark.parametrize(("tenants", "run"), [(["default", "acme"], ["acme"]), (["default"], ["default"])])
def test_the_default_tenant_is_left_out_where_only_others_are_configured(instance, monkeypatch, tenants, run):
    """With nobody else, its run is made and says what is missing: a schedule that is on never does nothing quietly."""
    monkeypatch.delenv("CANNY_API_KEY", raising=False)
    instance.add_dynamic_partitions("integration_assets_tenants", tenants)
    runs = [one for number in range(SLOTS) for one in asked(instance, NIGHT + number * SLOT)[0]]
    assert sorted(str(one.partition_key) for one in runs) == run


SWITCHED_BY_PEOPLE = {"sync_schedule": "sync", "sync_on_change": "sync"}


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
    assert {one.name for one in sensors} - off.keys() == {
        "retry_later",
        "dead_runs",
        "credentials",
        "tenants",
        "requested_runs",
    }


def test_one_variable_switches_everything_on():
    """A server that is set up by its environment needs no hand in the UI."""
    look = (
        "from integration_assets.definitions import defs; r = defs.get_repository_def();"
        "print(sorted(o.name for o in (*r.schedule_defs, *r.sensor_defs) if o.default_status.value == 'RUNNING'));"
        "print(r.get_schedule_def('sync_schedule').cron_schedule)"
    )
    on = loaded(look, INTEGRATION_ASSETS_AUTOMATION="on", INTEGRATION_ASSETS_SYNC_MINUTES="7")
    on_anyway = ["retry_later", "dead_runs", "credentials", "tenants", "requested_runs", "prune_run_history"]
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
    """Those of the schedule, of the sensor that asks and of one that is always on name the variable."""
    from integration_assets.definitions import defs

    instance.add_dynamic_partitions("integration_assets_tenants", ["default"])
    monkeypatch.setenv(name, WRONG[name])
    with pytest.raises(Exception, match="Error occurred during the evaluation") as failed:
        asked(instance, NIGHT)
    assert name in str(failed.value.__cause__)
    for sensor in ("sync_on_change", "credentials"):
        with pytest.raises(ConfigurationError, match=name):
            defs.get_repository_def().get_sensor_def(sensor).evaluate_tick(
                dg.build_sensor_context(instance=instance, definitions=defs)
            )


def loaded(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a fresh process says that loads the definitions with these variables."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
