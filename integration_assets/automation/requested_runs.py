"""Runs that people ask for on the pages: each is started, and the registry told how it goes on.

The pages wait for nobody: they write down what is wanted, and read there how it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from integration_assets.assets.names import Names
from integration_assets.automation.queue_tags import queue_tags
from integration_assets.automation.sensors import WILL_RETRY
from integration_assets.config import Environment, load_settings
from integration_assets.errors import EndState
from integration_assets.reporting.text import clean
from integration_assets.runs.launch import REQUEST_TAG, SETUP_STEP, failed_step
from integration_assets.runs.partitions import PARTITIONS
from integration_assets.runs.result import left_result
from integration_assets.runs.session import SESSION
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.run_requests import (
    NOT_STARTED,
    RequestState,
    RequestView,
    end_request,
    note_run,
    open_requests,
    take_request,
)
from integration_assets.tenants.registry.words import Action

CREATED_WITHIN = timedelta(minutes=3)
"""Dagster creates a run within the tick that asks for it. One that is not there after this is given up; should Dagster
go on with that tick later, the run finds that out and does nothing (`runs.launch.check_request`)."""
SILENT = timedelta(minutes=30)
"""A run that is at work says something in its log at least this often; after that its page says that it may be lost."""


def begin_requested(
    opened: Registry, instance: dg.DagsterInstance, names: Names, now: datetime
) -> tuple[list[dg.RunRequest], int]:
    """The runs to start now, and how many requests are open; those that were started before are followed.

    A request whose run is returned here is marked as taken.
    """
    requests = open_requests(opened, now=now)
    partitions = set(instance.get_dynamic_partitions(PARTITIONS))
    runs = []
    waits = any(request.state is RequestState.WAITING for request in requests)
    # As of every run that is started by itself: those of one credential go through the queue a few at a time.
    shared = queue_tags() if waits else {}
    for request in requests:
        if request.state is not RequestState.WAITING:
            follow(opened, instance, request, now)
        # The sensor `tenants` adds it within a minute; asked for before, the whole tick would fail.
        elif request.tenant in partitions and take_request(opened, request.id, now=now):
            runs.append(run_of(request, names, shared.get(request.tenant, {})))
    return runs, len(requests)


def run_of(request: RequestView, names: Names, queued: Mapping[str, str]) -> dg.RunRequest:
    """The run to start for a request, with the tags its queue wants. Dagster starts one, however often it is asked."""
    if request.action is Action.SETUP:
        own = {
            "environment": request.environment,
            "request": request.id,
            "agreed": request.digest or "",
        }
        config: dict[str, object] = {"ops": {names.of(SETUP_STEP): {"config": own}}}
    else:
        session = {
            "mode": request.action.value,
            "environment": request.environment,
            "undo_run": request.run or "",
            "approved_hash": request.digest or "",
        }
        config = {"resources": {SESSION: {"config": session}}}
    return dg.RunRequest(
        run_key=request.id,
        job_name=names.of(request.action.value),
        partition_key=request.tenant,
        run_config=config,
        tags={REQUEST_TAG: request.id, **queued},
    )


def follow(opened: Registry, instance: dg.DagsterInstance, request: RequestView, now: datetime) -> None:
    """Note in the registry how the run of a request stands in Dagster."""
    runs = instance.get_runs(dg.RunsFilter(tags={REQUEST_TAG: request.id}), limit=1)
    if not runs:
        if request.taken_at is None or now - request.taken_at > CREATED_WITHIN:
            end_request(opened, request.id, NOT_STARTED, "Dagster has not created the run: ask again", now=now)
        return
    [run] = runs
    # One that is being cancelled is at work as well: it finishes what it has begun.
    at_work = run.status in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
    note = silence_of(instance, run, now) if at_work else None
    note_run(opened, request.id, run.run_id, running=at_work, note=note)
    # A run that died is tried again by Dagster, with the same tags: the next look finds that try.
    if run.is_finished and run.tags.get(WILL_RETRY) != "true":
        end_request(opened, request.id, *ending_of(instance, run, request), now=now)


def silence_of(instance: dg.DagsterInstance, run: dg.DagsterRun, now: datetime) -> str | None:
    """Say that a run at work has told nothing for long, and who ends it; None while it does.

    Its worker may be gone with its machine. Dagster's run monitoring ends such a run where it is on: at once if the
    launcher can tell, else at the longest time a run may take. Without it the run is at work for ever.
    """
    [*newest] = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    silent = now - datetime.fromtimestamp(newest[0].timestamp, UTC) if newest else timedelta()
    if silent < SILENT:
        return None
    said = f"its run has said nothing for {silent.total_seconds() / 60:.0f} minutes; its machine may be gone"
    seconds = float(run.tags.get("dagster/max_runtime") or instance.run_monitoring_max_runtime_seconds or 0)
    stats = instance.get_run_stats(run.run_id)
    if instance.run_monitoring_enabled and seconds > 0 and stats.start_time:
        until = datetime.fromtimestamp(stats.start_time + seconds, UTC)
        return f"{said}. Dagster ends it at {until:%Y-%m-%d %H:%M} UTC at the latest, or you let it go"
    return f"{said}. Dagster does not watch for that (run_monitoring in dagster.yaml): terminate it there, or let it go"


def ending_of(instance: dg.DagsterInstance, run: dg.DagsterRun, request: RequestView) -> tuple[str, str]:
    """End state of a run and the line about it: what the run says itself, else what Dagster says."""
    home, environment = load_settings().home, Environment(request.environment)
    left = left_result(home, environment, request.tenant, run.run_id) if request.action is not Action.SETUP else None
    if left is not None:
        return left[0].state, clean(left[1] or "")
    if run.status is dg.DagsterRunStatus.CANCELED:
        return EndState.FAILED.value, "cancelled by somebody in Dagster"
    if run.status is dg.DagsterRunStatus.SUCCESS:
        return EndState.SUCCEEDED.value, ""
    return EndState.FAILED.value, clean(failed_step(instance, run.run_id) or "it died without a word")
