"""Undo of a run: jobs of their own, outside the asset graph, so that nothing that materialises assets starts one.

`undo_plan` shows what an undo would change and saves it; `undo` applies and verifies it, with a summary like any run.
Both take the run from the session's config (`undo_run`).
"""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from integration_assets import __version__
from integration_assets.assets.crm import plan_preview
from integration_assets.assets.ending import finish_run
from integration_assets.assets.interrupts import interruptible
from integration_assets.assets.partitions import TENANTS
from integration_assets.assets.run_session import Mode, RunSession
from integration_assets.assets.writing import Planned, apply_planned, make_sure_of_portal
from integration_assets.connectors.crm.base import Crm
from integration_assets.errors import ConfigurationError
from integration_assets.models import Portal
from integration_assets.reporting.progress import track
from integration_assets.sync.diff import Conflict
from integration_assets.sync.feature_request_object import FEATURE_REQUEST, KEY, MAPPING_VERSION
from integration_assets.sync.plan import PlanInputs
from integration_assets.sync.plan_store import Plan, settle_undos, stale_reason
from integration_assets.sync.undo import LAST, UndoableRun, find_run, make_undo_plan, saved_undo
from integration_assets.tenants.integrations import crm_for

NAMED = 20
"""What was left alone is named in the notes up to here; the summary's `conflicts` have all of it."""


async def undo_run(session: RunSession) -> None:
    """Plan the undo of a run and, unless it is only to be shown, apply and verify it.

    Raises:
        ConfigurationError: the run is unknown, wrote nothing, or wrote to another portal; or this is another portal.
        IntegrationError: what ended the writing early; the report is kept for the summary.
    """
    state = session.state
    run = find_run(session.connection, state.undo_run)
    async with crm_for(session.settings, session.target, state.calls, before_write=session.check_lock) as crm:
        portal = await make_sure_of_portal(session, crm)
        plan = await _plan(session, crm, run, portal)
        state.planned = Planned(plan)
        state.notes.append(f"undo of run {run.run_id}, which began writing at {run.began_at:%Y-%m-%d %H:%M} UTC")
        state.notes += [*_left_alone(plan.conflicts), *plan.warnings]
        if not plan.operations:
            state.notes.append("nothing is left to undo")
            if state.mode is Mode.UNDO:
                settle_undos(session.connection, portal.portal_id)
        elif state.mode is Mode.UNDO:
            report = await apply_planned(session, crm, state.planned)
            state.notes.append("the next plan of this environment is held (after_undo) until it is approved")
            if report.error is not None:
                raise report.error
        state.quota = crm.quota


async def _plan(session: RunSession, crm: Crm, run: UndoableRun, portal: Portal) -> Plan:
    """The plan that was shown, when its hash is given; else a new one."""
    state, now = session.state, datetime.now(UTC)
    if state.approved_hash is not None:
        plan = saved_undo(session.connection, run, state.approved_hash)
        stale = stale_reason(
            plan,
            now=now,
            portal_id=portal.portal_id,
            mapping_version=MAPPING_VERSION,
            code_version=__version__,
            tenant=state.tenant,
        )
        if stale:
            raise ConfigurationError(f"the undo {plan.hash[:12]} must not be applied any more: {stale}; begin again")
        return plan
    with track("records to undo") as advance:
        return await make_undo_plan(
            crm,
            FEATURE_REQUEST,
            session.connection,
            run,
            PlanInputs(
                run_id=state.run_id,
                tenant=state.tenant,
                environment=session.target.value,
                portal_id=portal.portal_id,
                source_name=session.settings.source_name,
                code_version=__version__,
                now=now,
                link_contacts=session.settings.link_contacts,
            ),
            on_progress=advance,
        )


def _left_alone(conflicts: tuple[Conflict, ...]) -> list[str]:
    lines = [f"left alone: {conflict.key}{_why(conflict)}" for conflict in conflicts[:NAMED]]
    if len(conflicts) > NAMED:
        lines.append(f"left alone: {len(conflicts) - NAMED:,} more, all in the summary's conflicts")
    return lines


def _why(conflict: Conflict) -> str:
    if conflict.field == KEY:
        return ", which is archived or not the same record any more"
    return f" {conflict.field}, {'no longer managed' if conflict.action == 'kept' else 'changed since that run'}"


@dg.op
async def undo(session: RunSession) -> None:
    """Take back what a run wrote, as far as nobody changed it since: read, plan, apply, verify, sum up."""
    with session.stage("undo") as state:
        async with interruptible(session.stop):
            await undo_run(session)
        ending = finish_run(session)
        summary, plan = ending.summary, state.planned.plan if state.planned else None
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
