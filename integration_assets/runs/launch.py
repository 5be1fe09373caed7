"""Launch of a run by Dagster: which stages were selected, for whom, by which executor, and whether it is to stop.

Reads Dagster's own record of the run only, and in the registry if one that was asked for on the pages is still wanted.
What a run may do follows from the stages selected, however it was started: from the UI, the command line, a schedule, a
backfill, or as a repetition of what is left of another run.
"""

from __future__ import annotations

import dagster as dg
import msgspec

from integration_assets.config import Settings
from integration_assets.connectors.redaction import redact
from integration_assets.errors import LaunchError, RunCancelledError, RunStoppedError
from integration_assets.reporting.text import clean, clip
from integration_assets.runs.partitions import PARTITION_TAG, TENANTS, tenant_of
from integration_assets.tenants.settings import opened_registry

READ_STAGE = "raw"
RESOLVE_STAGE = "domain_resolved_votes"
RANK_STAGE = "ranked"
PLAN_STAGE = "crm_write_plan"
WRITE_STAGE = "crm_feature_requests"
SUMMARY_STAGE = "run_summary"
STAGES = (READ_STAGE, RESOLVE_STAGE, RANK_STAGE, PLAN_STAGE, WRITE_STAGE, SUMMARY_STAGE)
"""Stages of the asset graph, a step each, in flow order. The other steps are checks, or somebody else's."""
UNDO_STEP = "undo"
SETUP_STEP = "set_up_the_crm"
STAGE_TAG = "integration_assets/stage"
"""Tag of a step: the stage it is. Its name does not say it: a project that loads ours may have a step of that name."""
REQUEST_TAG = "integration_assets/request"
"""Tag of a run that was asked for on the pages: the id of the request. Who asked is in the registry alone."""
JOB_TAG = "integration_assets/job"
"""Tag of our jobs and their runs: the job's own name, without what a project put before it."""

CREDENTIAL_TAG = "integration_assets/credential"
"""Tag of runs whose tenants share a feedback credential: a name of it, for the limits of Dagster's queue."""
RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
"""Tags of a backfill that puts several partitions into one run."""
BY_MONITORING = "exceeding maximum runtime"
"""Words of Dagster's run monitoring when it cancels a run: the only way to tell it from a person who does."""
CANCELING, CANCELED = dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED
FAILURE = dg.DagsterRunStatus.FAILURE
LINE_LIMIT = 300


class Scope(msgspec.Struct, frozen=True):
    """The stages a run executes: all of its job, or a selection of them."""

    steps: frozenset[str]

    @property
    def stages(self) -> tuple[str, ...]:
        """The selected stages of the asset graph, in flow order."""
        return tuple(stage for stage in STAGES if stage in self.steps)

    @property
    def is_whole(self) -> bool:
        """True if every stage is selected; it does not matter by which words, nor whether the checks are."""
        return self.stages == STAGES

    @property
    def writes(self) -> bool:
        """True if the CRM is written. Such a run is recorded, published and told however few stages it has."""
        return WRITE_STAGE in self.steps

    @property
    def sums_up(self) -> bool:
        """True if the run has a stage that ends it."""
        return SUMMARY_STAGE in self.steps or UNDO_STEP in self.steps

    @property
    def only_sums_up(self) -> bool:
        """True if nothing but the summary is selected: there is only an earlier run to sum up."""
        return self.stages == (SUMMARY_STAGE,)

    @property
    def must_end(self) -> bool:
        """True if the run has to leave an ending even if all went well."""
        return self.writes or self.sums_up

    def takes_over(self, stage: str) -> bool:
        """True if the run ends with tables that an earlier run made, because it did not select this stage."""
        return self.must_end and UNDO_STEP not in self.steps and stage not in self.steps


WHOLE = Scope(frozenset(STAGES))


def scope_of(run: dg.DagsterRun | None, instance: dg.DagsterInstance | None) -> Scope:
    """The stages Dagster planned for a run. Without a run (a resource opened by hand) none."""
    if run is None:
        return Scope(frozenset())
    # Without a saved plan nobody has chosen any steps: Dagster executes the whole job then.
    if instance is None or run.execution_plan_snapshot_id is None:
        return WHOLE
    plan = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    # Dagster's command line names no steps of a run; the plan it has saved does.
    chosen = frozenset(run.step_keys_to_execute or plan.step_keys_to_execute)
    stages = ((step.tags or {}).get(STAGE_TAG) for step in plan.steps if step.key in chosen)
    return Scope(frozenset(stage for stage in stages if stage is not None))


def job_of(run: dg.DagsterRun | None) -> str:
    """Our own name of the job a run belongs to; empty for a job of somebody else and a selection of assets."""
    return run.tags.get(JOB_TAG, "") if run is not None else ""


def check_launch(run: dg.DagsterRun | None, instance: dg.DagsterInstance | None) -> None:
    """Return when a run is for one tenant Dagster knows, in one process.

    Dagster finds out of itself, but in the middle of the run, after everything was read, and in words of its own.

    Raises:
        LaunchError: it is not; nothing was read.
    """
    if run is None or instance is None:
        return
    # Ahead of the partition: a run for a range has no partition tag, and "names no tenant" would send people astray.
    if any(tag in run.tags for tag in RANGE_TAGS):
        raise LaunchError(
            f"this run is for several tenants at once ({' to '.join(run.tags.get(tag, '?') for tag in RANGE_TAGS)}): "
            "a run is for one tenant; launch the backfill with one run per partition"
        )
    if PARTITION_TAG not in run.tags:
        raise LaunchError(
            "this run names no tenant: choose a partition in the Dagster UI, or say `--partition default` "
            '(`dagster job execute`: `--tags \'{"dagster/partition": "default"}\'`); nothing was read'
        )
    tenant = tenant_of(run)
    # Otherwise Dagster would notice it only when the first asset is recorded, after all systems were read.
    if not instance.has_dynamic_partition(str(TENANTS.name), tenant):
        raise LaunchError(
            f"tenant {tenant} is not among Dagster's partitions: it was deleted there, or does not exist; "
            f"add it to the partitions `{TENANTS.name}` in the Dagster UI, or wait a minute where Dagster's daemon "
            "runs, whose sensor `tenants` adds every tenant there is; nothing was read"
        )
    # Only executors that start a process per step leave this event, and they leave it before the step begins.
    if instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_WORKER_STARTING):
        raise LaunchError(
            "this run has a process for each step: its stages share one staging store, which one process holds; "
            "launch our job `sync`, or give your Definitions Dagster's in_process_executor; nothing was read"
        )


def check_request(settings: Settings, run: dg.DagsterRun | None) -> None:
    """Return unless a run answers a request on the pages that was given up.

    Dagster goes on with what it was at when its daemon died, days later if need be. Whoever asked has been told by then
    that it did not start, and may have asked again.

    Raises:
        LaunchError: it was; nothing was read.
    """
    request = run.tags.get(REQUEST_TAG) if run is not None else None
    if request is None:
        return
    from integration_assets.tenants.registry.run_requests import given_up  # noqa: PLC0415 - the registry's libraries

    with opened_registry(settings) as opened:
        if opened is not None and (why := given_up(opened, request)):
            raise LaunchError(f"the request on the pages that this run answers was given up ({why}): ask for it again")


def stop_reason(instance: dg.DagsterInstance | None, run_id: str) -> RunStoppedError | None:
    """Return why Dagster wants a run of ours to stop, or counts it as over although it goes on; None while neither."""
    run = instance.get_run_by_id(run_id) if instance is not None and run_id else None
    if instance is None or run is None:
        return None
    # Only these three mean that the run is to end; any other status is one of a run that may go on.
    if run.status not in (CANCELING, CANCELED, FAILURE):
        return None
    asked = _said(instance, run_id, dg.DagsterEventType.RUN_CANCELING)
    if BY_MONITORING in asked:  # it cancels, and then counts the run as failed
        return RunStoppedError(f"stopped by Dagster's run monitoring ({asked.rstrip('.')})")
    # Without the words of the monitoring it was a person, and what a person stopped is not tried again.
    if run.status is not FAILURE:
        return RunCancelledError("cancelled by somebody in Dagster")
    failed = _said(instance, run_id, dg.DagsterEventType.RUN_FAILURE)
    return RunStoppedError(f"counted as failed by Dagster while it went on ({failed.rstrip('.')})")


def failed_step(instance: dg.DagsterInstance | None, run_id: str) -> str | None:
    """The first step of a run that failed, and why, in one line; None when none did."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE) if instance else ():
        event = entry.dagster_event
        error = event.step_failure_data.error if event is not None else None
        if event is not None and error is not None:
            # Dagster wraps what went wrong in an error that only says where.
            return f"{event.step_key}: {_line((error.cause or error).message)}"
    return None


def _said(instance: dg.DagsterInstance, run_id: str, what: dg.DagsterEventType) -> str:
    """Dagster's own words of the last event of a kind."""
    messages = [entry.dagster_event.message for entry in instance.all_logs(run_id, of_type=what) if entry.dagster_event]
    return _line(messages[-1] or "") if messages else ""


def _line(text: str) -> str:
    """Quote what Dagster says, without secrets and in one line: an error's text may quote anything."""
    return clip(clean(redact(text)), LINE_LIMIT)
