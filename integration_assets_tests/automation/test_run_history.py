"""Which runs are removed from Dagster's records, and that nothing is left of them on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg
import pytest

from integration_assets.assets.names import Names
from integration_assets.automation import run_history
from integration_assets.automation.run_history import OUR_JOBS, prune_job, removable_runs
from integration_assets.config import Automation, load_settings
from integration_assets.logs import ensure_forwarded
from integration_assets.runs.launch import JOB_TAG
from integration_assets.runs.partitions import PARTITION_TAG, TENANTS
from integration_assets.runs.run_records import erase_run
from integration_assets.staging.store import open_store, store_place

GOOD, FAILED, CANCELED = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's records in memory."""
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def later(days: float = 1) -> datetime:
    """A moment after everything that a test has recorded."""
    return datetime.now(UTC) + timedelta(days=days)


def ran(
    instance: dg.DagsterInstance,
    *names: str,
    job: str = "sync",
    tenant: str = "acme",
    status: dg.DagsterRunStatus = GOOD,
    ours: bool = True,
) -> None:
    """Runs as Dagster has them, in this order."""
    tags = {**({PARTITION_TAG: tenant} if tenant else {}), **({JOB_TAG: job} if ours else {})}
    for name in names:
        instance.add_run(dg.DagsterRun(job_name=job, run_id=name, status=status, tags=tags))


def test_the_newest_of_each_job_and_tenant_stays_and_the_newest_good_one(instance: dg.DagsterInstance) -> None:
    """What somebody looks up: how it went last, and what was last materialised."""
    ran(instance, "1", "2")
    ran(instance, "3", status=FAILED)
    ran(instance, "4", tenant="globex")
    ran(instance, "5", job="check_credentials")
    ran(instance, "6", status=CANCELED)
    ran(instance, "7", "8", job="prune_run_history", tenant="")
    ran(instance, "9", status=FAILED)
    assert removable_runs(instance, later()) == ["1", "3", "6", "7"]


def test_runs_of_others_stay(instance: dg.DagsterInstance) -> None:
    """Whatever their names: neither a job called like one of ours, nor a selection of assets, is told to be ours."""
    ran(instance, "1", "2", job="sync", ours=False)
    ran(instance, "3", "4", job="__ASSET_JOB", ours=False)
    instance.add_run(dg.DagsterRun("theirs", run_id="5", status=GOOD, tags={JOB_TAG: "theirs"}))
    ran(instance, "6", "7", "8")
    assert removable_runs(instance, later()) == ["6", "7"]


# A run in the queue cannot be made here: Dagster wants to know which code server would execute it.
@pytest.mark.parametrize(
    "status", [one for one in dg.DagsterRunStatus if one not in {*run_history.ENDED, dg.DagsterRunStatus.QUEUED}]
)
def test_a_run_that_has_not_ended_stays(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> None:
    """However long ago it was begun."""
    ran(instance, "1", status=status)
    ran(instance, "2", "3")
    assert removable_runs(instance, later()) == ["2"]


def test_a_young_run_stays(instance: dg.DagsterInstance) -> None:
    """Only what began before the moment goes."""
    ran(instance, "1", "2")
    assert removable_runs(instance, later(-1)) == []


def test_a_turn_is_bounded_and_the_next_one_goes_on(instance: dg.DagsterInstance) -> None:
    """The oldest first; runs that stay are passed over, on however many pages they are."""
    tenants = [f"tenant-{number}" for number in range(5)]
    for tenant in tenants:
        ran(instance, f"{tenant} good", tenant=tenant)
    for tenant in tenants:
        ran(instance, f"{tenant} old", f"{tenant} new", tenant=tenant, status=FAILED)
    with mock.patch.object(run_history, "PAGE", 2):
        first = removable_runs(instance, later(), most=3)
        assert first == [f"{tenant} old" for tenant in tenants[:3]]
        for run_id in first:
            instance.delete_run(run_id)
        assert removable_runs(instance, later(), most=3) == [f"{tenant} old" for tenant in tenants[3:]]


@dg.op
def speak() -> None:
    """Says a line, and prints one."""
    dg.get_dagster_logger().info("a line")
    print("printed")  # noqa: T201 - what Dagster keeps of a step


@dg.job(tags={JOB_TAG: "sync"})
def speaking() -> None:
    """A job whose runs leave everything a run can leave."""
    speak()


def left_of(run_id: str, folder: Path) -> list[str]:
    """Files and folders whose name has the id of a run."""
    return [str(path.relative_to(folder)) for path in folder.rglob(f"*{run_id}*")]


def test_nothing_is_left_of_a_removed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its row, nor its events, nor what it printed, nor a file; the newest is whole."""
    monkeypatch.setenv("INTEGRATION_ASSETS_KEEP_RUNS_DAYS", "7")
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        old, older, newest = (speaking.execute_in_process(instance=instance, run_config=QUIET).run_id for _ in range(3))
        assert all(len(left_of(run_id, tmp_path)) >= 2 for run_id in (old, older, newest))
        before = left_of(newest, tmp_path)
        with at(later(6.9)):
            assert pruned(instance) == "0 runs older than 7 days were removed from Dagster's records"
        assert len(instance.get_runs(dg.RunsFilter(job_name="speaking"))) == 3
        with at(later(7)):
            assert pruned(instance) == "2 runs older than 7 days were removed from Dagster's records"
        assert instance.get_run_ids(dg.RunsFilter(job_name="speaking")) == [newest]
        assert left_of(old, tmp_path) == left_of(older, tmp_path) == []
        assert left_of(newest, tmp_path) == before
        assert "a line" in [entry.user_message for entry in instance.all_logs(newest)]


def at(moment: datetime) -> Any:
    """The op believes that it is this moment."""
    clock = mock.Mock(now=mock.Mock(return_value=moment))
    return mock.patch.object(run_history, "datetime", clock)


def pruned(instance: dg.DagsterInstance) -> str:
    """Execute the job; returns the line it says."""
    ensure_forwarded()
    done = prune_job(Names()).execute_in_process(instance=instance, run_config=QUIET)
    [line] = [
        entry.user_message
        for entry in instance.all_logs(done.run_id)
        if entry.dagster_event is None and "runs older" in entry.user_message
    ]
    return line


def test_a_wrong_number_of_days_removes_nothing_and_is_named(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one line, at the step."""
    monkeypatch.setenv("INTEGRATION_ASSETS_KEEP_RUNS_DAYS", "0")
    ran(instance, "1", "2")
    done = prune_job(Names()).execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False)
    [failure] = [event.step_failure_data.error for event in done.all_events if event.is_step_failure]
    assert failure is not None
    assert "INTEGRATION_ASSETS_KEEP_RUNS_DAYS: must be greater than or equal to 1" in failure.message
    assert len(instance.get_runs(dg.RunsFilter(job_name="sync"))) == 2


def test_records_that_cannot_be_written_end_the_turn_with_what_was_done(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next turn goes on: what is gone stays gone."""
    ran(instance, "1", "2", "3")
    calls: list[str] = []

    def full(records: dg.DagsterInstance, run_id: str) -> None:
        calls.append(run_id)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        erase_run(records, run_id)

    monkeypatch.setattr(run_history, "erase_run", full)
    with at(later(31)):
        done = prune_job(Names()).execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False)
    [failure] = [event.step_failure_data.error for event in done.all_events if event.is_step_failure]
    assert failure is not None
    assert "1 of 2 old runs were removed, then Dagster's records could not be written" in failure.message
    assert instance.get_run_ids(dg.RunsFilter(job_name="sync")) == ["3", "2"]


def test_every_job_of_ours_is_known_to_it() -> None:
    """Each job carries the tag by which its runs are told, with a name that is looked for."""
    from integration_assets.definitions import defs

    jobs = [job for job in defs.resolve_all_job_defs() if job.name != "__ASSET_JOB"]
    assert {job.tags[JOB_TAG] for job in jobs} == set(OUR_JOBS)


def test_it_is_on_from_the_start_and_keeps_thirty_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to know of it before a disk is full."""
    from integration_assets.definitions import defs

    monkeypatch.delenv("INTEGRATION_ASSETS_KEEP_RUNS_DAYS", raising=False)
    schedule = defs.get_repository_def().get_schedule_def("prune_run_history")
    assert (schedule.cron_schedule, schedule.default_status) == ("17 3 * * *", dg.DefaultScheduleStatus.RUNNING)
    assert Automation().keep_runs_days == 30


@pytest.mark.proof
def test_lakes_are_maintained_once_a_day(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inlined rows become a file, of the lakes that are there; one that nobody ran is not made."""
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(tmp_path))
    monkeypatch.setenv("INTEGRATION_ASSETS_STORE_URL", f"ducklake:{tmp_path}/lakes")
    instance.add_dynamic_partitions(str(TENANTS.name), ["acme", "globex"])
    place, other = (store_place(load_settings(), "sandbox", tenant) for tenant in ("acme", "globex"))
    with open_store(place) as connection:
        connection.execute("INSERT INTO sync.ledger (ledger_id, run_id) SELECT i, 'one' FROM range(5) AS t (i)")
    files = "SELECT count(*) FROM ducklake_list_files('lake', 'ledger', schema => 'sync')"
    assert prune_job(Names()).execute_in_process(instance=instance, run_config=QUIET).success
    with open_store(place) as connection:
        assert connection.execute(files).fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM sync.ledger").fetchall() == [(5,)]
    assert not other.exists()
