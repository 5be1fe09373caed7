"""Undo a run: plan what takes back what it wrote, as far as nobody changed it since, apply it and verify it."""

from __future__ import annotations

from datetime import UTC, datetime

from integration_assets import __version__
from integration_assets.connectors.crm.base import Crm
from integration_assets.errors import ConfigurationError
from integration_assets.models import Portal
from integration_assets.reporting.progress import track
from integration_assets.runs.plan_and_apply import apply_planned, log_plan, make_sure_of_portal
from integration_assets.runs.session import RunSession
from integration_assets.runs.state import Mode, Planned
from integration_assets.sync.diff import Conflict
from integration_assets.sync.feature_request_object import FEATURE_REQUEST, KEY, MAPPING_VERSION
from integration_assets.sync.plan import PlanInputs
from integration_assets.sync.plan_store import Plan, settle_undos, stale_reason
from integration_assets.sync.undo import UndoableRun, find_run, make_undo_plan, saved_undo
from integration_assets.tenants.integrations import crm_for

NAMED = 20
"""Most records left alone that the notes name; the summary's `conflicts` have all of them."""


async def undo_run(session: RunSession) -> None:
    """Plan the undo of a run and, unless it is only to be shown, apply and verify it.

    Raises:
        ConfigurationError: the run is unknown, wrote nothing, or wrote to another portal; or this is another portal.
        IntegrationError: what ended the writing early; the report is kept for the summary.
    """
    state = session.state
    run = find_run(session.connection, state.undo_run)
    async with crm_for(session.settings, session.target, state.calls, before_write=session.check_lock) as crm:
        # Before the plan: record ids of another portal would name other records.
        portal = await make_sure_of_portal(session, crm)
        plan = await _plan(session, crm, run, portal)
        state.planned = Planned(plan)
        log_plan(plan)
        state.notes.append(f"undo of run {run.run_id}, which began writing at {run.began_at:%Y-%m-%d %H:%M} UTC")
        state.notes += [*_left_alone(plan.conflicts), *plan.warnings]
        if not plan.operations:
            state.notes.append("nothing is left to undo")
            if state.mode is Mode.UNDO:
                # An undo that was broken off is finished by this look; without it the next plan would be held for good.
                settle_undos(session.connection, portal.portal_id)
        elif state.mode is Mode.UNDO:
            report = await apply_planned(session, crm, state.planned)
            state.notes.append("the next plan of this environment is held (after_undo) until it is approved")
            if report.error is not None:
                # After the note: what was undone so far already holds the next plan.
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
        # What was shown is not what would be done now: the person has to see the new plan first.
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
                source_names=tuple(session.settings.source_names.values()),
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
