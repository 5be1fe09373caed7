"""Which runs are tried again, and when: from Dagster's records and the appointments that runs left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import dagster as dg
import pytest

from integration_assets.automation.sensors import due_looks, due_retries, result_of
from integration_assets.config import Environment
from integration_assets.reporting.result_files import result_path
from integration_assets.runs.appointments import Appointment, appointment_path, appointments, make_appointment
from integration_assets.runs.launch import JOB_TAG

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAILED, GOOD, UNDER_WAY = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.STARTED


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions("integration_assets_tenants", ["default", "acme"])
        yield made


def ran(
    instance: dg.DagsterInstance,
    home: Path,
    run_id: str,
    *,
    tenant: str = "default",
    status: dg.DagsterRunStatus = FAILED,
    job: str = "sync",
    retry_at: datetime | None = None,
    retries: int = 0,
) -> None:
    """A run as Dagster has it, with its appointment when it could not finish."""
    tags = {
        "dagster/partition": tenant,
        JOB_TAG: job,
        **({"integration_assets/retry": str(retries)} if retries else {}),
    }
    instance.add_run(dg.DagsterRun(job_name=job, run_id=run_id, status=status, tags=tags))
    if retry_at is None:
        return
    make_appointment(appointment_path(home, Environment.SANDBOX, tenant), Appointment(run_id, retry_at))


def asked(instance: dg.DagsterInstance, home: Path, now: datetime) -> list[tuple[str | None, str | None, str]]:
    """Tenant, key and number of each retry that is due."""
    found = due_retries(instance, home, now)
    return [(one.partition_key, one.run_key, one.tags["integration_assets/retry"]) for one in found]


def test_a_run_is_tried_again_at_its_time_and_not_before(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """Of each tenant for itself, with the number of the try, and the same key each time: Dagster starts it once."""
    ran(instance, tmp_path, "one", retry_at=NOW)
    ran(
        instance,
        tmp_path,
        "two",
        tenant="acme",
        retry_at=NOW + timedelta(hours=1),
        retries=1,
    )
    assert asked(instance, tmp_path, NOW - timedelta(seconds=1)) == []
    assert asked(instance, tmp_path, NOW) == [("default", "retry of one", "1")]
    later = asked(instance, tmp_path, NOW + timedelta(hours=2))
    assert sorted(later, key=str) == [("acme", "retry of two", "2"), ("default", "retry of one", "1")]


@pytest.mark.parametrize("status", [FAILED, GOOD, UNDER_WAY])
def test_a_run_that_came_in_between_takes_its_place(
    instance: dg.DagsterInstance, tmp_path: Path, status: dg.DagsterRunStatus
) -> None:
    """Whatever became of it: a good one has done the work, a failed one has an appointment of its own or none."""
    ran(instance, tmp_path, "one", retry_at=NOW)
    ran(instance, tmp_path, "two", status=status)
    assert asked(instance, tmp_path, NOW) == []


def test_an_appointment_that_is_over_is_removed(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """Once the retry is there, or another run came; also when the run is not known any more, or nobody kept it."""
    ran(instance, tmp_path, "one", retry_at=NOW)
    ran(instance, tmp_path, "two", status=UNDER_WAY)
    assert asked(instance, tmp_path, NOW) == []
    assert list(appointments(tmp_path)) == []
    make_appointment(appointment_path(tmp_path, Environment.PRODUCTION, "acme"), Appointment("unknown", NOW))
    assert asked(instance, tmp_path, NOW) == []
    assert list(appointments(tmp_path)) == []
    ran(instance, tmp_path, "three", tenant="acme", retry_at=NOW)
    assert asked(instance, tmp_path, NOW + timedelta(days=3)) == []
    assert list(appointments(tmp_path)) == []


def test_a_run_that_dagster_does_not_know_as_failed_yet_keeps_its_appointment(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """It has told its end, and its process is about to."""
    ran(instance, tmp_path, "one", status=UNDER_WAY, retry_at=NOW)
    assert asked(instance, tmp_path, NOW) == []
    assert len(list(appointments(tmp_path))) == 1


def test_a_damaged_appointment_leaves_the_others_alone(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """It is removed, and the log names it."""
    ran(instance, tmp_path, "one", tenant="default", retry_at=NOW)
    appointment_path(tmp_path, Environment.SANDBOX, "acme").write_bytes(b'{"run_')
    assert asked(instance, tmp_path, NOW) == [("default", "retry of one", "1")]
    assert [path.stem for path, _ in appointments(tmp_path)] == ["default"]


def test_one_tick_asks_for_a_hundred_retries_and_the_next_for_the_rest(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """Those that wait longest first: nobody is passed over."""
    for number in range(130):
        ran(instance, tmp_path, f"run-{number}", tenant=f"t{number}", retry_at=NOW - timedelta(minutes=number))
    first = [run for _, run, _ in asked(instance, tmp_path, NOW)]
    assert first == [f"retry of run-{number}" for number in range(129, 29, -1)]
    for number in range(129, 29, -1):
        ran(instance, tmp_path, f"again-{number}", tenant=f"t{number}", status=UNDER_WAY)
    assert [run for _, run, _ in asked(instance, tmp_path, NOW)] == [f"retry of run-{n}" for n in range(29, -1, -1)]


def test_while_all_is_well_no_run_is_looked_at(tmp_path: Path) -> None:
    """Of a thousand tenants none costs a tick anything."""
    instance = mock.create_autospec(dg.DagsterInstance)
    assert asked(instance, tmp_path, NOW) == []
    assert instance.mock_calls == []


def test_an_ending_that_cannot_be_read_hides_no_dead_run(tmp_path: Path) -> None:
    """It counts as none, so that the run is told of."""
    path = result_path(tmp_path, Environment.SANDBOX, "acme", "one")
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"exit_')
    assert result_of(tmp_path, "acme", "one") is None


def test_a_thousand_tenants_are_looked_at_in_turn(instance: dg.DagsterInstance) -> None:
    """A hundred by each tick at most, all of them at first, then each every twelve hours; a tick between asks none."""
    instance.add_dynamic_partitions("integration_assets_tenants", [f"t{number}" for number in range(1_000)])
    taken: datetime | None = None
    seen: Counter[str] = Counter()
    for number in range(11):
        requests, taken = due_looks(instance, taken, NOW + timedelta(minutes=10 * number))
        assert len(requests) <= 100
        seen.update(str(one.partition_key) for one in requests)
    assert len(seen) >= 1_000
    assert taken is not None
    assert due_looks(instance, taken, taken)[0] == []


def test_other_jobs_and_endings_without_an_appointment_are_left_alone(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """A run that failed for good, one that left nothing, one that asks for changes."""
    ran(instance, tmp_path, "one")
    ran(instance, tmp_path, "two", job="check_credentials", tenant="acme", retry_at=NOW)
    assert asked(instance, tmp_path, NOW) == []
