"""Facts of a run that is over, as its summary wants them."""

from __future__ import annotations

import time

import msgspec

from integration_assets.connectors.specs import ProviderKind
from integration_assets.errors import EndState
from integration_assets.ingest.call_floor import Writing, crm_reading_floor, feedback_floor, read_writing, writing_floor
from integration_assets.providers import PROVIDERS, usual
from integration_assets.reporting.run_summary import (
    CheckLine,
    ConflictLine,
    LinkNumbers,
    PlanLine,
    PlannedChanges,
    RecordNumbers,
    RunFacts,
)
from integration_assets.runs.launch import RANK_STAGE, READ_STAGE, RESOLVE_STAGE
from integration_assets.runs.resolution_settings import base_currency
from integration_assets.runs.state import DRY_MODES, Mode, RunState
from integration_assets.sync.apply_report import ApplyReport, planned_report
from integration_assets.sync.estimate import CANARY_RECORDS
from integration_assets.tenants.integrations import company_mapping

UNFINISHED = frozenset({EndState.RETRY_LATER, EndState.FAILED})
"""End states of runs whose outcome cannot be told from what they had to do."""


def facts_of(state: RunState, end_state: EndState, error: str | None) -> RunFacts:
    """The facts of a run that ended so, with the line that says why."""
    report = state.report or _planned_report(state)
    records, links = _numbers(report) if report else (RecordNumbers(identified=_identified(state)), LinkNumbers())
    currency, arr_property = "USD", None
    feedbacks, crm = _systems(state)
    if state.settings is not None and state.connection is not None:
        currency = base_currency(state.settings, state.connection)
        arr_property = company_mapping(state.settings).arr
    return RunFacts(
        run_id=state.run_id,
        tenant=state.tenant,
        environment=state.environment.value if state.environment else "",
        mode=state.mode.value,
        state=end_state,
        started_at=state.started_at,
        duration_seconds=time.monotonic() - state.clock_start,
        error=error,
        calls=state.calls.snapshot(),
        records=records,
        links=links,
        checks=[
            CheckLine(check.name, check.asset, check.severity, check.passed, check.detail)
            for check in state.checks.values()
        ],
        plan=_plan_line(state),
        conflicts=[
            ConflictLine(conflict.key, conflict.field, conflict.action)
            for conflict in (report.conflicts if report else ())
        ],
        rejected=report.rejected_items if report else (),
        currency=currency,
        arr_property=arr_property,
        resolved=state.resolved or state.scope.takes_over(RESOLVE_STAGE),
        ranked=state.ranked or state.scope.takes_over(RANK_STAGE),
        feedbacks=feedbacks,
        crm=crm,
        floor=_floor(state, end_state),
    )


def _identified(state: RunState) -> int:
    """Requests in the source, as this run read them, or as an earlier one left them to it."""
    if state.connection is None or not state.scope.takes_over(READ_STAGE):
        return state.identified
    return int(state.connection.execute("SELECT count(*) FROM raw.feature_requests").fetchall()[0][0])


def _systems(state: RunState) -> tuple[tuple[str, ...], str | None]:
    """Providers of the feedback systems and of the CRM; the usual ones of a run whose settings could not be read.

    There is no CRM where none is configured and the run only ranks: tables hold the companies then.
    """
    settings = state.settings
    if settings is None:
        return (usual(ProviderKind.FEEDBACK).name,), usual(ProviderKind.CRM).name
    # A run that would write without one has failed, and its summary names what it lacked.
    lacks_crm = state.mode is Mode.READ_ONLY and not settings.crm(settings.environment).configured
    return settings.feedback_providers, None if lacks_crm else settings.crm_provider


def _floor(state: RunState, end_state: EndState) -> dict[str, int]:
    """The fewest calls for what was done, by system; nothing for a run that did not get through it."""
    # A floor for half the work would read like calls that were wasted.
    if end_state in UNFINISHED or state.work is None or state.crm_sizes is None or state.connection is None:
        return {}
    first_apply = state.planned is not None and state.planned.first_apply
    writing = Writing()
    if state.portal_asked:
        # The first write to a portal sends a few records alone, which costs a batch more than their number says.
        canary = CANARY_RECORDS if first_apply else 0
        writing = read_writing(state.connection, state.run_id, state.crm_sizes, canary=canary)
    feedbacks, crm = _systems(state)
    read = state.work.feedback
    floor = {one: 0 if PROVIDERS[one].reads_are_free else feedback_floor(read[one]) for one in feedbacks}
    if crm is not None:
        floor[crm] = crm_reading_floor(state.work.crm, state.crm_sizes) + writing_floor(writing, state.crm_sizes)
    return floor


def _planned_report(state: RunState) -> ApplyReport | None:
    """Report on a run that wrote nothing; a dry run counts what it would have done."""
    if state.planned is None:
        return None
    report, counts = planned_report(state.planned.plan), state.planned.plan.counts
    # A sync that wrote nothing did not create anything: the planned counts would read as done.
    if state.mode not in DRY_MODES:
        return report
    return msgspec.structs.replace(
        report,
        created=counts.create,
        updated=counts.update,
        retired=counts.retire,
        links=msgspec.structs.replace(report.links, created=counts.link, removed=counts.unlink),
    )


def _plan_line(state: RunState) -> PlanLine:
    gate = tuple(f"{check.name}: {check.detail}" for check in state.failed_gate())
    if state.planned is None:
        return PlanLine(None, bool(gate), gate)
    # The gate first, as it is asked: a person reads the first reason, and it spoils the others.
    reasons = (*gate, *state.planned.reasons)
    counts = state.planned.plan.counts
    changes = PlannedChanges(counts.create, counts.update, counts.retire, counts.link, counts.unlink)
    return PlanLine(state.planned.plan.hash, bool(reasons), reasons, changes)


def _numbers(report: ApplyReport) -> tuple[RecordNumbers, LinkNumbers]:
    records = RecordNumbers(
        identified=report.identified,
        created=report.created,
        updated=report.updated,
        unchanged=report.unchanged,
        retired=report.retired,
        rejected=report.rejected,
        verified=report.verified,
    )
    return records, msgspec.convert(msgspec.structs.asdict(report.links), LinkNumbers)


def quota_share(state: RunState) -> float | None:
    """Share of the CRM's daily quota that is used, from 0 to 1; None when it does not say."""
    limit, remaining = state.quota.daily_limit, state.quota.daily_remaining
    return 1 - remaining / limit if limit and remaining is not None else None
