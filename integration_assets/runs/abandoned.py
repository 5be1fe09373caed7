"""Runs of the command line whose process was killed: Dagster would believe for hours that they are still going on.

While a run of a tenant counts as going on, the queue starts no other of that tenant. A run started from the command
line therefore carries the process it lives in, and whoever opens the instance next ends those whose process is gone.
"""

from __future__ import annotations

import os
import socket

import dagster as dg

PROCESS_TAG = "integration_assets/process"
STARTED_STATUSES = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def run_tags() -> dict[str, str]:
    """Tags of a run that lives in this process. Its caller decides whether to repeat it, not Dagster."""
    return {PROCESS_TAG: f"{socket.gethostname()}/{os.getpid()}", "dagster/max_retries": "0"}


def close_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """End the runs of processes of this machine that are gone; returns their ids."""
    runs = instance.get_runs(dg.RunsFilter(statuses=STARTED_STATUSES))
    gone = [run for run in runs if _is_gone(run.tags.get(PROCESS_TAG, ""))]
    # As failed, not cancelled: nobody asked for it, and only a failed run can be executed again from where it failed.
    for run in gone:
        instance.report_run_failed(run, "The process of this run was killed. Running again goes on where it was.")
    return [run.run_id for run in gone]


def _is_gone(process: str) -> bool:
    host, _, number = process.rpartition("/")
    # A process id says nothing on another machine: that run may well be alive there.
    if host != socket.gethostname() or not number.isdigit():
        return False
    pid = int(number)
    if pid == os.getpid():  # this process runs one at a time: an earlier one with this id, as in containers
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # The process lives and belongs to another account, which may have started this run: ending a live run is worse than
    # leaving a dead one for longer.
    except PermissionError:
        return False
    return False
