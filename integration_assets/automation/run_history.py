"""The daily removal of what is old: runs in Dagster's records, each with its events and log, and snapshots of lakes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
from sqlalchemy.exc import OperationalError

from integration_assets.assets.names import Names
from integration_assets.automation.credentials import CHECK_CREDENTIALS
from integration_assets.config import Environment, load_automation, load_settings
from integration_assets.errors import ConfigurationError, IntegrationError, LockError
from integration_assets.runs.launch import JOB_TAG
from integration_assets.runs.partitions import PARTITION_TAG, TENANTS
from integration_assets.runs.run_records import erase_run
from integration_assets.runs.state import Mode
from integration_assets.staging.lake import maintain
from integration_assets.staging.store import StorePlace, open_store, store_place
from integration_assets.tenants.registry.words import Action

log = logging.getLogger(__name__)

PRUNE_RUN_HISTORY = "prune_run_history"
AT = "17 3 * * *"
"""Cron expression, UTC: once a day, at an hour and minute that few others have chosen."""
MOST_RUNS = 10_000
"""Runs one turn removes, as many as 1,250 tenants make in a day. A thousand are a few minutes of work, and Dagster ends
a run after two hours. What is more waits for the next turn."""
PAGE = 500
"""Runs asked for at a time."""
OUR_JOBS = (*(mode.value for mode in Mode), Action.SETUP.value, CHECK_CREDENTIALS, PRUNE_RUN_HISTORY)
"""Names in `JOB_TAG` of the jobs whose runs are removed. The runs of all other jobs are not ours to judge."""
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def removable_runs(instance: dg.DagsterInstance, before: datetime, *, most: int = MOST_RUNS) -> list[str]:
    """Ids of at most `most` ended runs of our jobs that began before a moment (UTC), the oldest first.

    Left out are the newest run of each job and tenant, and the newest that succeeded: how each fares is to be seen
    however long ago it last ran, and what it last materialised as well.
    """
    found: list[str] = []
    kept: dict[tuple[str, str], set[str]] = {}
    for run in _old_runs(instance, before):
        if len(found) == most:
            break
        place = (run.job_name, run.tags.get(PARTITION_TAG, ""))
        if place not in kept:
            kept[place] = _newest(instance, *place)
        if run.run_id not in kept[place]:
            found.append(run.run_id)
    return found


def _old_runs(instance: dg.DagsterInstance, before: datetime) -> Iterator[dg.DagsterRun]:
    wanted = dg.RunsFilter(tags={JOB_TAG: OUR_JOBS}, statuses=ENDED, created_before=before)
    cursor: str | None = None
    while records := instance.get_run_records(wanted, limit=PAGE, cursor=cursor, ascending=True):
        yield from (record.dagster_run for record in records)
        cursor = records[-1].dagster_run.run_id


def _newest(instance: dg.DagsterInstance, job_name: str, tenant: str) -> set[str]:
    """The newest run of a job for a tenant, and the newest that succeeded."""
    tags = {PARTITION_TAG: tenant} if tenant else {}
    newest: set[str] = set()
    for statuses in ([], [dg.DagsterRunStatus.SUCCESS]):
        wanted = dg.RunsFilter(job_name=job_name, tags={JOB_TAG: OUR_JOBS, **tags}, statuses=statuses)
        newest.update(instance.get_run_ids(wanted, limit=1))
    return newest


@dg.op
def remove_old_runs() -> None:
    """Remove the old runs of our jobs, at most `MOST_RUNS` of them."""
    instance = dg.OpExecutionContext.get().instance
    try:
        days = load_automation().keep_runs_days
    except ConfigurationError as error:
        raise dg.Failure(description=error.message, allow_retries=False) from error
    found, removed = removable_runs(instance, datetime.now(UTC) - timedelta(days=days)), 0
    try:
        for run_id in found:
            erase_run(instance, run_id)
            removed += 1
    # Dagster's own records are full or busy: what was removed until then is, and the next turn goes on.
    except (OperationalError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise dg.Failure(
            description=f"{removed:,} of {len(found):,} old runs were removed, then Dagster's records could not be "
            f"written: {reason}; the next turn goes on from there",
            allow_retries=False,
        ) from error
    log.info(
        "%s runs older than %d days were removed from Dagster's records%s",
        f"{removed:,}",
        days,
        "; the next turn removes more" if removed == MOST_RUNS else "",
        extra={"runs": removed, "days": days},
    )


@dg.op
def maintain_lakes() -> None:
    """Move what is inlined in the catalogue of each lake into files, merge small files, forget old snapshots."""
    instance = dg.OpExecutionContext.get().instance
    try:
        settings = load_settings()
        places = [
            store_place(settings, environment, tenant)
            for tenant in sorted(instance.get_dynamic_partitions(str(TENANTS.name)))
            for environment in Environment
        ]
        # DuckDB files need none, and a lake that nobody ran must not be made.
        for place in (place for place in places if place.lake is not None and place.exists()):
            _maintain(place, load_automation().keep_runs_days)
    except IntegrationError as error:
        raise dg.Failure(description=error.message, allow_retries=False) from error


def _maintain(place: StorePlace, days: int) -> None:
    try:
        with open_store(place, PRUNE_RUN_HISTORY) as connection:
            maintain(connection, days)
    # A run is at work; a day later the lake is no worse.
    except LockError as error:
        log.info("a lake is left for the next turn: %s", error.message)
    else:
        log.info("%s was maintained: snapshots older than %d days are gone", place, days)


def prune_job(names: Names) -> dg.JobDefinition:
    """The job that removes old runs."""
    return dg.GraphDefinition(names.of("prune_dagsters_records"), node_defs=[remove_old_runs, maintain_lakes]).to_job(
        name=names.of(PRUNE_RUN_HISTORY),
        description="Remove runs of these jobs older than INTEGRATION_ASSETS_KEEP_RUNS_DAYS, their events and logs; "
        "and snapshots of lakes that are as old.",
        executor_def=dg.in_process_executor,
        # The next day's turn goes on where this one stopped.
        tags={JOB_TAG: PRUNE_RUN_HISTORY, "dagster/max_retries": "0"},
    )


def prune_schedule(names: Names, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Once a day, on from the start: it starts nothing outside of Dagster, and a disk fills up without it."""
    return dg.ScheduleDefinition(
        name=names.of(PRUNE_RUN_HISTORY),
        job=job,
        cron_schedule=AT,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Once a day, old runs are removed from Dagster's records; the newest of each job and tenant stay.",
    )
