"""The jobs over our assets: how Dagster tries a run again that died."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.execution.plan.resume_retry import ReexecutionStrategy
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import get_reexecution_strategy

from integration_assets.definitions import defs


@pytest.mark.parametrize("name", ["sync", "dry_run", "read_only"])
def test_a_run_that_died_is_tried_again_from_its_beginning(name: str) -> None:
    """The machine that tries it again need not have the tables that the first one left."""
    job = defs.resolve_job_def(name)
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(job, tags=dict(job.tags))
        assert get_reexecution_strategy(run, instance) is ReexecutionStrategy.ALL_STEPS
