"""Runs with their plans, and the approval of a plan that was held."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import duckdb
from starlette.responses import Response

from integration_assets.errors import EndState, LockError
from integration_assets.reporting.advice import TODO
from integration_assets.reporting.exports import MEDIA_TYPES
from integration_assets.reporting.insights import (
    PlanLine,
    count_published_changes,
    read_last_run,
    read_plan,
    read_plan_arr,
    read_plan_changes,
    read_plan_fields,
    read_run,
    read_runs,
)
from integration_assets.reporting.plan_details import field_changes, plan_csv
from integration_assets.reporting.published import read_calls
from integration_assets.reporting.result_files import KeptEnding, kept_endings, read_kept_ending
from integration_assets.reporting.run_summary import RunSummary
from integration_assets.reporting.text import clean
from integration_assets.sync.plan_store import STALE_AFTER
from integration_assets.tenants.plan_approval import approve_plan
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.web.answers import redirect
from integration_assets.web.audit_notes import note
from integration_assets.web.first_run import first_run_steps
from integration_assets.web.pages_starting import Undoing, starting, undoing
from integration_assets.web.problems import Problem
from integration_assets.web.published_pages import PAGE, Pages, page_number, published
from integration_assets.web.rendering import render
from integration_assets.web.request_context import RequestContext

APPROVED = "plan.approve"
RECORD_ID_LENGTH = 36
"""Of the audit trail: so much of a hash names the plan there."""
_HASH = re.compile(r"[0-9a-f]{64}")


def runs(context: RequestContext) -> Response:
    """All runs of this environment, newest first."""
    number = page_number(context)
    with published(context) as connection:
        found = read_runs(connection, limit=PAGE, skipped=PAGE * (number - 1)) if connection else []
        # They are newer than anything published, so that they belong on the first page only.
        left = _unpublished(context, connection) if number == 1 else []
        # Before there is anything to list, the way to it is what there is to say.
        steps = first_run_steps(context, None) if connection is None else []
    return render(
        context,
        "runs.html",
        starting=starting(context),
        steps=steps,
        runs=found,
        pages=Pages(number, found[0].found if found else 0),
        left=left,
        todo=_advice,
    )


def _unpublished(context: RequestContext, connection: duckdb.DuckDBPyConnection | None) -> list[KeptEnding]:
    """The newest runs that published nothing, as far as no later one has published them: from the files they left."""
    home, environment, tenant = context.settings.home, context.environment, context.own.slug
    left = []
    for run_id in kept_endings(home, environment, tenant)[:PAGE]:
        if connection is not None and read_run(connection, run_id) is not None:
            break  # it published itself, and with it whatever came before
        ending = read_kept_ending(home, environment, tenant, run_id)
        left += [ending] if ending is not None else []
    return left


def _advice(summary: RunSummary) -> str:
    return TODO.get(EndState(summary.state), "")


def run(context: RequestContext) -> Response:
    """A run: what it did or would do, its checks and calls, its plan."""
    run_id = context.path("run_id")
    with published(context) as connection:
        found = read_run(connection, run_id) if connection else None
        if connection is None or found is None:
            return _unpublished_run(context, connection, run_id)
        mode, error, summary = found
        calls = read_calls(connection, run_id)
        plan = read_plan(connection, summary.plan.hash) if summary.plan.hash else None
        details = _details(context, connection, plan)
        newest = _is_newest(connection, run_id)
    # From the audit trail: the published database is as old as the run and does not know of it yet.
    approval = _approval(context, summary.plan.hash) if summary.plan.hash else None
    return render(
        context,
        "run.html",
        mode=mode,
        error=error,
        summary=summary,
        calls=calls,
        plan=plan,
        approval=approval,
        **details,
        starting=starting(context),
        undoing=undoing(context, summary, plan),
        advice=_advice(summary),
        # Only the newest run's plan: an older one was made from data that has been read anew since.
        may_approve=plan is not None and newest and approval is None and _waits(plan),
    )


def _filters(context: RequestContext) -> dict[str, str]:
    """Action and field that the changes of a plan are narrowed down to; "" is any."""
    return {name: context.query(name) for name in ("action", "field")}


def _details(
    context: RequestContext, connection: duckdb.DuckDBPyConnection | None, plan: PlanLine | None
) -> dict[str, Any]:
    """Read what the page shows of a plan's changes: counts, the largest of ARR, and one page of them."""
    filters, number = _filters(context), page_number(context)
    if connection is None or plan is None:
        return {"fields": [], "arr": [], "changes": [], "pages": Pages(1, 0), "filters": filters, "partial": False}
    wanted: dict[str, Any] = {
        "actions": [filters["action"]] if filters["action"] else [],
        "field": filters["field"],
    }
    changes = read_plan_changes(connection, plan.plan_id, limit=PAGE, skipped=PAGE * (number - 1), **wanted)
    published_changes = count_published_changes(connection, plan.plan_id)
    return {
        "fields": read_plan_fields(connection, plan.plan_id),
        "arr": read_plan_arr(connection, plan.plan_id),
        "changes": [(one, field_changes(one)) for one in changes],
        "pages": Pages(number, changes[0].found if changes else 0),
        "filters": filters,
        "published_changes": published_changes,
        "partial": published_changes < sum(plan.counts.values()),
    }


def plan_file(context: RequestContext) -> Response:
    """The changes of a run's plan as CSV, narrowed down as the page is."""
    filters = _filters(context)
    with published(context) as connection:
        found = read_run(connection, context.path("run_id")) if connection else None
        plan_hash = found[2].plan.hash if found else None
        plan = read_plan(connection, plan_hash) if connection and plan_hash else None
        if connection is None or plan is None:
            raise _missing()
        actions = [filters["action"]] if filters["action"] else []
        content = plan_csv(connection, plan.plan_id, actions=actions, field=filters["field"])
    name = f"plan-{context.own.slug}-{context.environment.value}-{plan.hash[:12]}.csv"
    return Response(
        content, media_type=MEDIA_TYPES["csv"], headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _unpublished_run(context: RequestContext, connection: duckdb.DuckDBPyConnection | None, run_id: str) -> Response:
    """A run that published nothing: its reason, its checks and what it could not use, with the remedies."""
    ending = next((one for one in _unpublished(context, connection) if one.summary.run_id == run_id), None)
    if ending is None:
        raise _missing()
    return render(
        context,
        "run.html",
        mode="dry run" if ending.summary.dry_run else "run",
        error=clean(ending.error) if ending.error else None,
        summary=ending.summary,
        calls=[],
        plan=None,
        approval=None,
        **_details(context, None, None),
        starting=starting(context),
        undoing=Undoing(),
        advice=_advice(ending.summary),
        may_approve=False,
    )


def approve(context: RequestContext) -> Response:
    """Release the held plan of a run, by the whole hash that the page showed."""
    run_id, plan_hash = context.path("run_id"), context.form.text("hash")
    with published(context) as connection:
        found = read_run(connection, run_id) if connection else None
    # The whole hash of the page: what is approved is what was shown, even if a new run came in between.
    if found is None or not _HASH.fullmatch(plan_hash) or found[2].plan.hash != plan_hash:
        raise _missing()
    try:
        approve_plan(context.settings, context.own.slug, plan_hash, context.who.login, context.registry)
    except LockError:
        # A run holds the store and may be planning anew: its plan is the one to look at.
        raise Problem(
            HTTPStatus.CONFLICT, "A run is in progress. Wait until it has ended, look at its plan, then approve."
        ) from None
    note(context, APPROVED, ["hash"], plan_hash[:RECORD_ID_LENGTH])
    return redirect(f"/runs/{run_id}?done=approved")


def _waits(plan: PlanLine) -> bool:
    fresh = datetime.now(UTC) - plan.created_at.replace(tzinfo=UTC) <= STALE_AFTER
    return plan.kind == "sync" and plan.status == "held" and fresh


def _is_newest(connection: duckdb.DuckDBPyConnection, run_id: str) -> bool:
    last = read_last_run(connection)
    return last is not None and last.run_id == run_id


def _approval(context: RequestContext, plan_hash: str) -> tuple[str, datetime] | None:
    """Read who approved a plan on these pages, and when."""
    # Without a registry they cannot approve.
    if context.is_local:
        return None
    with tenant_repository(context.registry, context.own.id, context.actor) as repository:
        for entry in repository.audit_trail(limit=500):
            if entry.action == APPROVED and entry.record_id == plan_hash[:RECORD_ID_LENGTH]:
                return entry.actor, entry.at
    return None


def _missing() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "There is no such thing here, or no longer.")
