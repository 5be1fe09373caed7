"""An engineer who operates the small world through Dagster, and what is to be seen of it afterwards.

Runs are executed as `dagster job execute` and `dagster asset materialize` do, the result opened once more included, in
this process: what they write and post is that of a real run. People cancel through Dagster's own record of the run.
"""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

import dagster as dg
import duckdb
from dagster._core.definitions.reconstruct import ReconstructableRepository

from integration_assets.definitions import defs
from integration_assets.reporting.alert_places import alerts_path, read_alerts
from integration_assets.reporting.alerts import RUNS
from integration_assets.runs.partitions import PARTITION_TAG
from integration_assets.runs.session import SESSION
from integration_assets.sandbox.lookalike import Fault, LoggedRequest, Lookalike
from integration_assets.staging.publishing import published_path
from integration_assets.staging.store import store_path
from integration_assets_tests.support.harness import World

ASSET_JOB = "__ASSET_JOB"
"""Dagster's name for the job of whatever assets somebody selects."""
RAW = (
    "raw_feature_requests",
    "raw_votes",
    "raw_crm_companies",
    "raw_crm_contacts",
    "raw_crm_deals",
    "raw_crm_feature_requests",
    "raw_crm_schema",
    "raw_internal_accounts",
)
RANKED = ("ranked_feature_requests", "company_feature_requests", "unresolved_votes", "ranking_history")
EVERYTHING = (*RAW, "domain_resolved_votes", *RANKED, "crm_write_plan", "crm_feature_requests", "run_summary")


FOR_DEFAULT = {PARTITION_TAG: "default"}


class Row(NamedTuple):
    """A run in `ops.runs`."""

    run_id: str
    mode: str
    state: str
    error: str | None
    requests_identified: int
    votes_total: int
    records_created: int
    records_updated: int
    links_created: int
    links_removed: int
    plan_hash: str | None


class Operator:
    """Starts, stops and repeats runs of a world; reads what they left."""

    def __init__(
        self, world: World, instance: dg.DagsterInstance, module: str = "integration_assets.definitions"
    ) -> None:
        self.world, self.instance = world, instance
        self._repository = ReconstructableRepository.for_module(module, "defs")

    # -- starting

    def run(
        self,
        assets: Sequence[str] | None = None,
        *,
        job: str | None = None,
        tags: dict[str, str] | None = None,
        repeat: str | None = None,
        config: dict[str, Any] | None = None,
    ) -> dg.DagsterRun:
        """Execute a job, a selection of assets, or what is left of the failed run `repeat`."""
        before = {run.run_id for run in self.instance.get_runs()}
        with dg.execute_job(
            self._repository.get_reconstructable_job(job or ("sync" if assets is None else ASSET_JOB)),
            instance=self.instance,
            run_config=config,
            tags=FOR_DEFAULT if tags is None else tags,
            asset_selection=[dg.AssetKey(key) for key in assets] if assets is not None else None,
            reexecution_options=dg.ReexecutionOptions.from_failure(repeat, self.instance) if repeat else None,
        ):
            pass
        [run] = [run for run in self.instance.get_runs() if run.run_id not in before]
        return run

    def job(self, name: str) -> dg.JobDefinition:
        """A job of ours."""
        return defs.resolve_job_def(name)

    def run_checks(self) -> dg.DagsterRun:
        """Execute the checks of the gate and nothing else."""
        job = dg.define_asset_job("gate", selection=dg.AssetSelection.all_asset_checks())
        return self._executed(job)

    def run_in_process(self, job: str, **session: object) -> dg.DagsterRun:
        """Execute a job of ours with this configuration of its session."""
        return self._executed(job, {"resources": {SESSION: {"config": session}}})

    def _executed(self, job: Any, run_config: dict[str, Any] | None = None) -> dg.DagsterRun:
        known = isinstance(job, str)
        mine = defs if known else dg.Definitions.merge(defs, dg.Definitions(jobs=[job]))
        return (
            mine.resolve_job_def(job if known else job.name)
            .execute_in_process(instance=self.instance, tags=FOR_DEFAULT, raise_on_error=False, run_config=run_config)
            .dagster_run
        )

    # -- stopping

    def cancel(self, message: str | None = None) -> dg.DagsterRun:
        """Cancel the run under way as the UI does."""
        [run] = self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        self.instance.report_run_canceling(run, message)
        os.kill(os.getpid(), signal.SIGINT)
        return run

    @contextmanager
    def cancelled_at(
        self,
        lookalike: Lookalike,
        matches: Callable[[LoggedRequest], bool],
        *,
        by_force: bool = False,
        message: str | None = None,
        fails: bool = False,
        always: bool = True,
    ) -> Iterator[None]:
        """Cancel the run under way when a request arrives: as the UI does, or marking it as cancelled at once.

        With `message` and `fails` as Dagster's run monitoring does, which then counts it as failed. Such a request must
        come, unless `always` is false.
        """

        def strike(request: LoggedRequest) -> bool:
            if done or not matches(request):
                return False
            done.append(request)
            run = self.cancel(message)
            if by_force:
                self.instance.report_run_canceled(run)
            if fails:
                self.instance.report_run_failed(run, message)
            return False

        done: list[LoggedRequest] = []
        fault = Fault(strike, times=None)
        lookalike.faults.append(fault)
        try:
            yield
        finally:
            lookalike.faults.remove(fault)
        assert done or not always, "no such request was made"

    # -- looking

    def rows(self) -> list[Row]:
        """The runs in the staging store, oldest first."""
        return self._read(store_path(self.world.home, None, "sandbox", "default"))

    def published_rows(self) -> list[Row]:
        """The runs in the published database, oldest first."""
        return self._read(published_path(self.world.home, "sandbox", "default"))

    def _read(self, path: Any) -> list[Row]:
        with duckdb.connect(str(path), read_only=True) as connection:
            rows = connection.execute(
                f"SELECT {', '.join(Row._fields)} FROM ops.runs ORDER BY started_at"  # names of a class of ours
            ).fetchall()
        return [Row(*row) for row in rows]

    def row(self, run: dg.DagsterRun) -> Row | None:
        """The row of a run, of which there is one at most."""
        found = [row for row in self.rows() if row.run_id == run.run_id]
        assert len(found) <= 1
        return found[0] if found else None

    def messages(self) -> list[str]:
        """The notifications Slack got."""
        return [
            str(message["text"]).removeprefix("Feature requests → ") for message in self.world.sandbox.team.messages
        ]

    def last_message(self) -> str:
        """Everything the last message says."""
        return json.dumps(self.world.sandbox.team.messages[-1], ensure_ascii=False)

    def alert_is_open(self) -> bool:
        """Whether people were told of a problem of the runs that is not over."""
        return RUNS in read_alerts(alerts_path(self.world.home, "sandbox", "default")).open

    def errors(self, run: dg.DagsterRun) -> list[str]:
        """The errors in a run's log, in the order in which Dagster shows them."""
        return [entry.user_message for entry in self.instance.all_logs(run.run_id) if int(entry.level) >= logging.ERROR]

    def failures(self, run: dg.DagsterRun) -> list[str]:
        """Why steps of a run failed, as Dagster shows it."""
        events = [
            entry.dagster_event
            for entry in self.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
            if entry.dagster_event
        ]
        return [event.step_failure_data.error.message for event in events if event.step_failure_data.error]


@contextmanager
def operating(world: World, **variables: str) -> Iterator[Operator]:
    """An operator of a world. Dagster's records are in memory, which is a third quicker."""
    with (
        mock.patch.dict(os.environ, world.environment(**variables), clear=True),
        dg.DagsterInstance.ephemeral() as instance,
    ):
        instance.add_dynamic_partitions("integration_assets_tenants", ["default"])
        yield Operator(world, instance)
