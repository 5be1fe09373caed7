"""Undo of a run: jobs of their own, outside the asset graph, so that nothing that materialises assets starts one.

`undo_plan` shows what an undo would change and saves it; `undo` applies and verifies it, with a summary like any run.
Both take the run from the session's config (`undo_run`).
"""

from __future__ import annotations

import dagster as dg

from integration_assets.assets.crm import plan_preview
from integration_assets.runs.finish import finish_run
from integration_assets.runs.interrupts import interruptible
from integration_assets.runs.partitions import TENANTS
from integration_assets.runs.session import RunSession
from integration_assets.runs.state import Mode
from integration_assets.runs.undo_of_a_run import undo_run
from integration_assets.sync.undo import LAST


@dg.op
async def undo(session: RunSession) -> None:
    """Take back what a run wrote, as far as nobody changed it since: read, plan, apply, verify, sum up."""
    with session.stage("undo") as state:
        # As in a sync: the batch under way is verified before it stops.
        async with interruptible(session.stop):
            await undo_run(session)
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
                    "preview": dg.MetadataValue.md(plan_preview(session.connection, plan.plan_id)),
                }
            )


def undo_job(mode: Mode, description: str) -> dg.JobDefinition:
    """A job that shows or applies the undo of the run named in its session's `undo_run`."""
    return dg.GraphDefinition(f"{mode.value}_of_a_run", node_defs=[undo]).to_job(
        name=mode.value,
        description=description,
        partitions_def=TENANTS,
        config={"resources": {"session": {"config": {"mode": mode.value, "undo_run": LAST}}}},
    )
