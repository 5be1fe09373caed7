"""The way into the CRM: a saved plan, and what of it was applied and verified."""

from __future__ import annotations

import dagster as dg
import duckdb

from integration_assets.assets.metadata import escape_markdown, markdown_table
from integration_assets.assets.placing import stage_asset
from integration_assets.runs.interrupts import interruptible
from integration_assets.runs.launch import PLAN_STAGE, WRITE_STAGE
from integration_assets.runs.plan_and_apply import plan_run, write_run
from integration_assets.runs.session import RunSession
from integration_assets.sync.operations import read_operations

PREVIEW_OPERATIONS = 20


def plan_preview(connection: duckdb.DuckDBPyConnection, plan_id: str) -> str:
    """The first changes of a saved plan, as a Markdown table."""
    rows = [
        (
            operation.action,
            operation.key,
            f"{operation.target} {operation.target_id}" if operation.target_id else operation.after.get("title", ""),
            # Names of fields, not their values: values may be text of people, which Dagster keeps for good.
            ", ".join(operation.after) or ", ".join(operation.changed_labels),
        )
        # Operations come from the store one by one: a plan of a hundred thousand must not be held in memory for twenty
        # lines.
        for operation, _ in zip(read_operations(connection, plan_id), range(PREVIEW_OPERATIONS), strict=False)
    ]
    return markdown_table(["action", "key", "title or target", "fields or labels"], rows)


@stage_asset(
    PLAN_STAGE,
    deps=[
        "ranked_feature_requests",
        "company_feature_requests",
        "domain_resolved_votes",
        "raw_crm_feature_requests",
        "raw_crm_contacts",
        "raw_crm_schema",
    ],
    group_name="crm",
    kinds={"python", "duckdb"},
)
def crm_write_plan(integration_assets_session: RunSession) -> dg.MaterializeResult[None]:
    """The plan: every record and link the run would create, update, retire or remove, with before and after values.

    It is saved and hashed; a guard holds it when it looks wrong. The whole of a dry run.
    """
    with integration_assets_session.stage("crm_write_plan"):
        planned = plan_run(integration_assets_session)
        counts = planned.plan.counts
        return dg.MaterializeResult(
            metadata={
                "hash": planned.plan.hash,
                "held": planned.held,
                # Escaped: a reason may quote a title, which is text of people.
                "reasons": dg.MetadataValue.md(
                    "\n".join(f"- {escape_markdown(one)}" for one in planned.reasons) or "none"
                ),
                "create": counts.create,
                "update": counts.update,
                "retire": counts.retire,
                "unchanged": counts.unchanged,
                "link": counts.link,
                "unlink": counts.unlink,
                "roll_up": counts.roll_up,
                "conflicts": len(planned.plan.conflicts),
                "calls_estimated": planned.plan.calls,
                "preview": dg.MetadataValue.md(
                    plan_preview(integration_assets_session.connection, planned.plan.plan_id)
                ),
            }
        )


@stage_asset(
    WRITE_STAGE,
    deps=["crm_write_plan"],
    group_name="crm",
    kinds={"crm", "python"},
)
async def crm_feature_requests(integration_assets_session: RunSession) -> dg.MaterializeResult[None]:
    """Applied and verified changes. Asks the gate again before the first write, however it was started."""
    with integration_assets_session.stage("crm_feature_requests"):
        # The first signal lets the batch under way be verified; cancelled in the middle, its outcome would be unknown.
        async with interruptible(integration_assets_session.stop):
            report = await write_run(integration_assets_session)
        return dg.MaterializeResult(
            metadata={
                "created": report.created,
                "updated": report.updated,
                "retired": report.retired,
                "unchanged": report.unchanged,
                "verified": report.verified,
                "rejected": len(report.rejected_items),
                "links_created": report.links.created,
                "links_removed": report.links.removed,
                "links_verified": report.links.verified,
            }
        )
