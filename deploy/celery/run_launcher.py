"""Run launcher for Celery that a cancelled run and a lost worker do not deceive.

dagster-celery 0.29 reports a run that somebody cancelled as failed, so that Dagster tries it again, and takes a run
whose worker has died as a whole for one at work, for ever. Refer to it in dagster.yaml as `module: run_launcher`.
"""

from __future__ import annotations

from dagster import DagsterRun
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

PING_SECONDS = 5.0
"""So long a worker has to answer: it does so between two tasks as well as during one."""


class WatchfulCeleryRunLauncher(CeleryRunLauncher):
    """The launcher of dagster-celery, with cancelling and the health check put right."""

    def terminate(self, run_id: str) -> bool:
        """Cancel a run: said to Dagster before the task is revoked, so that its end counts as cancelled."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        return super().terminate(run_id)

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Tell whether the run's worker is alive: the result backend says STARTED of a dead one as well."""
        found = super().check_run_worker_health(run)
        if found.status is not WorkerStatus.RUNNING:
            return found
        result = self.celery.AsyncResult(run.tags[DAGSTER_CELERY_TASK_ID_TAG])
        hostname = (result.info or {}).get("hostname") if isinstance(result.info, dict) else None
        # Not known, as in the moment between two states: the next look will tell.
        if hostname is None:
            return found
        if self.celery.control.inspect(destination=[hostname], timeout=PING_SECONDS).ping():
            return found
        return CheckRunHealthResult(WorkerStatus.FAILED, f"Celery worker {hostname} does not answer.")
