"""Plan, guard and write for the run in progress: the two steps of the `crm` stage."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime

import msgspec

from integration_assets import __version__
from integration_assets.checks.gate import closed_by, run_gate
from integration_assets.config import Environment
from integration_assets.connectors.crm.base import Crm
from integration_assets.errors import ConfigurationError, CredentialError, HeldError
from integration_assets.logs import without_links
from integration_assets.models import LiveSchema, Portal
from integration_assets.reporting.advice import for_whom
from integration_assets.reporting.progress import track
from integration_assets.reporting.text import count
from integration_assets.runs.gate_settings import gate_settings
from integration_assets.runs.session import RunSession
from integration_assets.runs.state import Mode, Planned
from integration_assets.sync.apply import ApplyReport, apply_plan
from integration_assets.sync.apply_report import planned_report
from integration_assets.sync.estimate import BatchLimits
from integration_assets.sync.feature_request_object import FEATURE_REQUEST, MAPPING_VERSION
from integration_assets.sync.guard import is_first_apply, judge
from integration_assets.sync.plan import PlanInputs, make_plan
from integration_assets.sync.plan_file import import_plan
from integration_assets.sync.plan_store import Plan, approved_plan, drop_moved, set_status, stale_reason
from integration_assets.sync.portal import check_portal, pin_portal, pinned_portal
from integration_assets.tenants.integrations import crm_for
from integration_assets.tenants.plan_settings import changed_settings, plan_settings
from integration_assets.tenants.portal_claims import claim_portal, claims_of

log = logging.getLogger(__name__)


def plan_run(session: RunSession) -> Planned:
    """The plan of this run: one that was approved, else a new one, judged by the guard and saved.

    Raises:
        ConfigurationError: the plan file is not the approved one, is stale, or belongs to another portal.
    """
    schema = _schema(session)
    portal = schema.portal
    now_set = plan_settings(session.settings, session.state.tenant)
    planned = _released(session, portal, now_set)
    if not isinstance(planned, Planned):
        planned = _new(session, schema, now_set, changed=planned)
    session.state.planned = planned
    return planned


def _schema(session: RunSession) -> LiveSchema:
    """The portal as last read into the staging store; its identity is asked again before the first write."""
    rows = session.connection.execute(
        "SELECT schema_json FROM raw.crm_portals WHERE role = 'target' AND environment = ?", [session.target.value]
    ).fetchall()
    if not rows or rows[0][0] is None:
        raise ConfigurationError("the CRM was not read yet: materialise the raw assets first")
    return msgspec.json.decode(rows[0][0], type=LiveSchema)


def _released(session: RunSession, portal: Portal, now_set: Mapping[str, str]) -> Planned | str | None:
    """A plan a person has released: from a file with its hash, or approved in this staging store.

    Where settings changed since, so that it is not to be applied: their names.
    """
    state, connection = session.state, session.connection
    if state.mode is not Mode.SYNC:
        return None
    from_file = state.plan_file is not None
    if state.plan_file is not None:
        plan = import_plan(connection, state.plan_file, state.approved_hash)
    else:
        waiting = approved_plan(connection)
        if waiting is None:
            return None
        plan = waiting
    changed = changed_settings(session.settings, plan.settings, now_set)
    stale = stale_reason(
        plan,
        now=datetime.now(UTC),
        portal_id=portal.portal_id,
        mapping_version=MAPPING_VERSION,
        code_version=__version__,
        tenant=state.tenant,
        changed=lambda _then: changed,
    )
    if stale and from_file:
        raise ConfigurationError(f"the plan in {state.plan_file} must not be applied: {stale}; make a new one")
    if stale:
        log.warning("the approved plan %s is not applied: %s", plan.hash[:12], stale, extra={"plan_hash": plan.hash})
        set_status(connection, plan.plan_id, "planned", now=datetime.now(UTC))
        state.notes.append(f"approved plan {plan.hash[:12]} was not applied: {stale}; a new one was made")
        return changed
    moved = drop_moved(connection, plan)
    note = f"applying the approved plan {plan.hash[:12]}"
    log.info("%s: %s do not fit any more", note, f"{moved:,} changes", extra={"plan_hash": plan.hash, "moved": moved})
    state.notes.append(f"{note}; {moved:,} of its changes no longer fit the CRM and are left out" if moved else note)
    return Planned(plan, first_apply=is_first_apply(connection, plan), released=True)


def _new(
    session: RunSession,
    schema: LiveSchema,
    now_set: Mapping[str, str],
    *,
    changed: str | None = None,
    follows: str = "",
) -> Planned:
    state, settings, connection = session.state, session.settings, session.connection
    excluded = connection.execute("SELECT request_id FROM raw.excluded_requests").fetchall()
    plan = make_plan(
        connection,
        PlanInputs(
            run_id=state.run_id,
            tenant=state.tenant,
            environment=session.target.value,
            portal_id=schema.portal.portal_id,
            source_names=tuple(settings.source_names.values()),
            code_version=__version__,
            now=datetime.now(UTC),
            link_contacts=settings.link_contacts,
            excluded=[request_id for (request_id,) in excluded],
            unusable=_unusable(session),
            retirements_withheld=bool(connection.execute("SELECT 1 FROM raw.withheld_retirements LIMIT 1").fetchall()),
            full=state.full_read,
            settings=now_set,
            follows=follows,
            former_tenants=settings.former_tenants_of(state.tenant),
            limits=state.crm_sizes.limits if state.crm_sizes else BatchLimits(),
            text_limits=schema.text_limits,
            unlabelled=schema.unlabelled is not None,
            # Where the properties could not be looked at, as with a CRM that has none, nothing is planned for them.
            rollups=settings.company_rollups and schema.rollups is not None,
        ),
    )
    verdict = judge(
        connection,
        plan,
        production=session.target is Environment.PRODUCTION,
        budget=settings.call_budget,
        calls_left_today=state.quota.daily_remaining,
        now=datetime.now(UTC),
        changed_settings=changed,
    )
    state.notes += verdict.warnings
    log_plan(plan)
    if verdict.held:
        fields = {"plan_hash": plan.hash, "reasons": verdict.reasons}
        log.warning("the guard holds plan %s: %s", plan.hash[:12], "; ".join(verdict.reasons), extra=fields)
    return Planned(plan, verdict.reasons, is_first_apply(connection, plan))


def log_plan(plan: Plan) -> None:
    """Say in the log what a plan just made would do, in numbers."""
    counts = plan.counts
    log.info(
        "plan %s: create %s, update %s, retire %s, unchanged %s; link %s, unlink %s; about %s calls",
        plan.hash[:12],
        *(f"{one:,}" for one in (counts.create, counts.update, counts.retire, counts.unchanged)),
        *(f"{one:,}" for one in (counts.link, counts.unlink, plan.calls)),
        extra={
            "plan_id": plan.plan_id,
            "plan_hash": plan.hash,
            "create": counts.create,
            "update": counts.update,
            "retire": counts.retire,
            "unchanged": counts.unchanged,
            "link": counts.link,
            "unlink": counts.unlink,
            "roll_up": counts.roll_up,
            "conflicts": len(plan.conflicts),
            "calls": plan.calls,
        },
    )


def _unusable(session: RunSession) -> list[str]:
    """Ids of requests that the last read met and could not use: they are not gone."""
    rows = session.connection.execute(
        """
        SELECT DISTINCT key FROM sync.quarantine
        WHERE stage = 'raw_feature_requests' AND kind IN ('feature_request', 'merged_request')
            AND seen_at >= (SELECT max(as_of) FROM raw.reads WHERE input = 'feature_requests')
        """
    ).fetchall()
    return [request_id for (request_id,) in rows]


async def write_run(session: RunSession) -> ApplyReport:
    """Ask the gate, then apply and verify the plan of this run; after an approved one, the rest as well.

    Raises:
        HeldError: the gate is closed or the guard holds the plan; nothing was written.
        IntegrationError: what ended the writing early; the report is kept for the summary.
    """
    state, connection = session.state, session.connection
    results = run_gate(connection, gate_settings(state))
    state.checks.update({result.name: result for result in results})
    if reasons := closed_by(results):
        told = [without_links(reason) for reason in reasons]
        log.error("the gate is closed: %s", "; ".join(told), extra={"reasons": told, "checks": len(results)})
        raise HeldError(f"the gate is closed, nothing was written: {'; '.join(reasons)}", reasons=reasons)
    log.info("the gate is open: %d checks asked", len(results), extra={"checks": len(results)})
    planned = state.planned or plan_run(session)
    _refuse_held(planned, session.state.tenant, session.target)
    async with crm_for(session.settings, session.target, state.calls, before_write=session.check_lock) as crm:
        await make_sure_of_portal(session, crm)
        report = await apply_planned(session, crm, planned)
        if planned.released and report.error is None:
            report = await _the_rest(session, crm, planned, report)
        state.quota = crm.quota
        if report.error is not None:
            raise report.error  # in here, where the CRM's refusal of its token gets the name of the variable
    return report


def _refuse_held(planned: Planned, tenant: str, environment: Environment) -> None:
    if planned.held:
        short, options = planned.plan.hash[:12], for_whom(tenant, environment.value)
        raise HeldError(
            f"plan {short} is held, nothing was written: {'; '.join(planned.reasons)}. "
            f"Look at it with `integration-assets plan {options}`, "
            f"approve it with `integration-assets approve {short} {options}`",
            reasons=planned.reasons,
        )


async def make_sure_of_portal(session: RunSession, crm: Crm) -> Portal:
    """The credential must still lead to the portal this environment is tied to; a portal met first is tied now.

    Raises:
        ConfigurationError: it leads to another portal.
    """
    portal = await crm.portal()
    session.state.portal_asked = True
    decision = check_portal(
        session.target,
        portal,
        own=session.settings.crm(session.target),
        pinned_id=pinned_portal(session.connection, session.target),
        other_portal_id=session.settings.crm(session.target.other).portal_id,
    )
    if decision.origin == "learnt":
        session.state.notes.append(decision.message)
    claim_portal(session.settings, claims_of(session.settings, session.state.tenant, portal.portal_id))
    pin_portal(session.connection, session.target, portal, decision, datetime.now(UTC))
    return portal


async def apply_planned(session: RunSession, crm: Crm, planned: Planned) -> ApplyReport:
    """Apply a saved plan; what was done is in the run's report however this ends. The portal must have been checked.

    Raises:
        CredentialError: the token lacks a scope that writing needs; nothing was written.
        PermanentError: a disk has no room for what this run leaves; nothing was written.
    """
    if planned.plan.operations:
        session.check_room()
        await _require_scopes(session, crm)
    counts, before, report = planned.plan.counts, session.state.report, planned_report(planned.plan)
    with ExitStack() as stack:
        stack.callback(lambda: _keep(session, before, report))
        phase = stack.enter_context(ExitStack())
        total = counts.create + counts.update + counts.retire
        advance = {"records": phase.enter_context(track("writing records", total))}

        def on_progress(what: str, count: int) -> None:
            if what not in advance:  # one kind has ended: its line, with its own time, before the next begins
                phase.close()
                advance[what] = phase.enter_context(track(f"writing {what}"))
            advance[what](count)

        await apply_plan(
            crm,
            FEATURE_REQUEST,
            session.connection,
            planned.plan,
            canary=planned.first_apply,
            run_id=session.state.run_id,
            on_progress=on_progress,
            may_write=session.may_write,
            report=report,
        )
    return session.state.report or report


async def _require_scopes(session: RunSession, crm: Crm) -> None:
    """A scope that is missing must show before the first write, not between records and links."""
    granted = await crm.granted_scopes()
    needed = crm.needed_scopes(setup=False, link_contacts=session.settings.link_contacts)
    if granted is not None and (missing := needed - granted):
        raise CredentialError(
            f"{crm.name}: nothing was written, the token lacks {', '.join(sorted(missing))}: grant it to the token",
            system=crm.name,
        )


def _keep(session: RunSession, before: ApplyReport | None, report: ApplyReport) -> None:
    session.state.report = before.followed_by(report) if before else report
    if report.rolled_up:
        session.state.notes.append(f"roll-ups of {count(report.rolled_up, 'company', 'companies')} written, read back")


async def _the_rest(session: RunSession, crm: Crm, applied: Planned, first: ApplyReport) -> ApplyReport:
    """After an approved plan: plan what it did not cover, and write that too unless the guard holds it.

    No new read is needed: what was written was read back into the raw tables.
    """
    state = session.state
    now_set = plan_settings(session.settings, state.tenant)
    rest = _new(session, _schema(session), now_set, follows=applied.plan.plan_id)
    if rest.held:
        state.notes.append(f"a further plan {rest.plan.hash[:12]} is held: {'; '.join(rest.reasons)}")
        return first
    return await apply_planned(session, crm, rest)
