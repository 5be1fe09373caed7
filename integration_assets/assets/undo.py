"""Undo of a run: jobs of their own, outside the asset graph, so that nothing that materialises assets starts one.

`undo_plan` shows what an undo would change and saves it; `undo` applies and verifies it, with a summary like any run.
Both take the run from the session's config (`undo_run`).
"""

from __future__ import annotations

import dagster as dg

from integration_assets.assets.crm import plan_preview
from integration_assets.assets.names import Names
from integration_assets.runs.finish import finish_run
from integration_assets.runs.interrupts import interruptible
from integration_assets.runs.launch import JOB_TAG, STAGE_TAG, UNDO_STEP
from integration_assets.runs.partitions import TENANTS
from integration_assets.runs.session import SESSION, RunSession
from integration_assets.runs.state import Mode
from integration_assets.runs.undo_of_a_run import undo_run
from integration_assets.sync.undo import LAST


@dg.op(tags={STAGE_TAG: UNDO_STEP})
async def undo(integration_assets_session: RunSession) -> None:
    """Take back what a run wrote, as far as nobody changed it since: read, plan, apply, verify, sum up."""
    with integration_assets_session.stage("undo") as state:
        # As in a sync: the batch under way is verified before it stops.
        async with interruptible(integration_assets_session.stop):
            await undo_run(integration_assets_session)
        # Here and not in the asset of the summary: an undo is no part of the asset graph.
        ending = finish_run(state)
        summary, plan = ending.summary, state.planned.plan if state.planned else None
        # There is none when the run to undo was not found; the error says so.
        if plan is not None:
            dg.OpExecutionContext.get().add_output_metadata(
                {
                    "undoes": plan.undoes or "",
                    "hash": plan.hash,
                    "state": summary.state,
                    "updated": summary.feature_requests.updated,
                    "retired": summary.feature_requests.retired,
                    "links_created": summary.links.created,
                    "links_removed": summary.links.removed,
                    "verified": summary.feature_requests.verified + summary.links.verified,
                    "rejected": len(summary.rejected),
                    "left_alone": len(summary.conflicts),
                    "preview": dg.MetadataValue.md(plan_preview(integration_assets_session.connection, plan.plan_id)),
                }
            )


def undo_jobs(names: Names, session: RunSession) -> list[dg.JobDefinition]:
    """The jobs that show and apply the undo of the run named in their session's `undo_run`."""
    return [
        _undo_job(names, session, Mode.UNDO_PLAN, "Show what the undo of a run would change; writes nothing."),
        _undo_job(names, session, Mode.UNDO, "Take back what a run wrote, as far as nobody changed it since."),
    ]


def _undo_job(names: Names, session: RunSession, mode: Mode, description: str) -> dg.JobDefinition:
    return dg.GraphDefinition(names.of(f"{mode.value}_of_a_run"), node_defs=[undo]).to_job(
        name=names.of(mode.value),
        description=description,
        # Bound here: Dagster would otherwise make a copy of every sensor that starts one of these jobs.
        resource_defs={SESSION: session},
        partitions_def=TENANTS,
        executor_def=dg.in_process_executor,
        tags={JOB_TAG: mode.value},
        config={"resources": {SESSION: {"config": {"mode": mode.value, "undo_run": LAST}}}},
    )
