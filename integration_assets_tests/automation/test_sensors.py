"""Which runs are tried again, and when: from Dagster's records and the endings that runs left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import msgspec
import pytest

from integration_assets.automation.sensors import due_retries
from integration_assets.config import Environment
from integration_assets.errors import EXIT_CODES, EndState
from integration_assets.reporting.result_files import result_path
from integration_assets.reporting.run_summary import RunFacts, build_summary
from integration_assets.runs.launch import JOB_TAG
from integration_assets.runs.result import Message, RunResult

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
    """A run as Dagster has it, with the ending it left when it could not finish."""
    tags = {
        "dagster/partition": tenant,
        JOB_TAG: job,
        **({"integration_assets/retry": str(retries)} if retries else {}),
    }
    instance.add_run(dg.DagsterRun(job_name=job, run_id=run_id, status=status, tags=tags))
    if retry_at is None:
        return
    state = EndState.RETRY_LATER
    facts = RunFacts(
        run_id=run_id,
        tenant=tenant,
        environment="sandbox",
        mode="sync",
        state=state,
        started_at=NOW,
        duration_seconds=1.0,
        resolved=False,
        ranked=False,
    )
    ending = RunResult(
        exit_code=EXIT_CODES[state],
        summary=build_summary(None, facts),
        error="canny: no answer",
        stage="raw",
        notes=(),
        published=None,
        plan_id=None,
        message=Message("t", [], posted=True),
        retry_at=retry_at,
    )
    path = result_path(home, Environment.SANDBOX, tenant, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(ending))


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


def test_other_jobs_and_endings_without_an_appointment_are_left_alone(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """A run that failed for good, one that left nothing, one that asks for changes."""
    ran(instance, tmp_path, "one")
    ran(instance, tmp_path, "two", job="check_credentials", tenant="acme", retry_at=NOW)
    assert asked(instance, tmp_path, NOW) == []
