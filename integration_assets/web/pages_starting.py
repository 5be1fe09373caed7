"""Starting what runs in the background: a plan, a sync, a setup. It is written down; Dagster's daemon begins it."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

from integration_assets.errors import LockError
from integration_assets.reporting.advice import for_whom
from integration_assets.reporting.insights import PlanLine, read_run
from integration_assets.reporting.run_summary import RunSummary, has_written
from integration_assets.reporting.text import clean
from integration_assets.sync.plan_store import STALE_AFTER
from integration_assets.tenants.portal_setup import setup_digest, show_setup
from integration_assets.tenants.registry.run_requests import (
    KEPT,
    LET_GO,
    NEVER_TAKEN,
    NOT_STARTED,
    WITHDRAWN,
    NewRequest,
    RequestState,
    RequestView,
    ask_for_run,
    daemon_is_there,
    let_go,
    recent_requests,
    withdraw,
)
from integration_assets.tenants.registry.words import Action
from integration_assets.tenants.settings import check_configured, settings_for
from integration_assets.web.answers import redirect
from integration_assets.web.connection_tests import run_counted
from integration_assets.web.problems import Problem
from integration_assets.web.published_pages import published
from integration_assets.web.rendering import render
from integration_assets.web.request_context import RequestContext

SHOWN = 5
"""Requests that a page lists, the newest."""
SHOW_SECONDS = 30.0
"""Longest look at a CRM on behalf of a page. A person waits for it, and a thread of ours."""
NAMES = {
    Action.DRY_RUN: "Plan",
    Action.SYNC: "Sync",
    Action.SETUP: "Setup",
    Action.UNDO_PLAN: "Plan of an undo",
    Action.UNDO: "Undo",
}
STATES = {
    RequestState.WAITING: "waits for Dagster's daemon",
    RequestState.QUEUED: "waits in Dagster's queue for its turn",
    RequestState.RUNNING: "runs",
}
UNSTARTED = {WITHDRAWN: "withdrawn", NEVER_TAKEN: "never started", NOT_STARTED: "not started", LET_GO: "let go"}
_DIGEST = re.compile(r"[0-9a-f]{64}")
STARTED_HERE = (Action.DRY_RUN, Action.SYNC)


class Starting(msgspec.Struct, frozen=True):
    """The runs that may be asked for, as pages show them, and if somebody is there to begin them.

    `environment` is the one that is looked at; `requests` are of both.
    """

    environment: str
    requests: tuple[RequestView, ...] = ()
    daemon: bool = True
    options: str = ""

    @property
    def open(self) -> RequestView | None:
        """The request that has not ended; None when another one may be asked for."""
        return next((one for one in self.requests if one.is_open), None)

    def name(self, request: RequestView) -> str:
        """Its kind, as people say it."""
        return NAMES[request.action]

    def state(self, request: RequestView) -> str:
        """Its state, as people say it."""
        outcome = request.outcome or ""
        return STATES.get(request.state) or UNSTARTED.get(outcome) or outcome.replace("_", " ").lower()

    def has_page(self, request: RequestView) -> bool:
        """True if its run has a page in the environment that is looked at."""
        is_here = request.environment == self.environment
        return is_here and not request.is_open and request.run_id is not None and request.action is not Action.SETUP


def starting(context: RequestContext) -> Starting:
    """Find the runs that may be started for the tenant that is looked at, and those that were."""
    environment = context.environment.value
    options = for_whom(context.own.slug, environment)
    # Without a registry there is nowhere to write a wish down: the person has a terminal, and the command.
    if context.is_local:
        return Starting(environment, options=options)
    requests = recent_requests(context.registry, context.own.id, limit=SHOWN)
    return Starting(environment, tuple(requests), daemon_is_there(context.registry), options)


def start(context: RequestContext) -> Response:
    """Ask for a plan or a sync of the environment that is looked at."""
    wanted = context.form.text("action")
    if wanted not in STARTED_HERE:
        raise Problem(HTTPStatus.BAD_REQUEST, "There is no such run.")
    # The environment may be another one since, chosen in another tab: whoever saw sandbox did not mean production.
    if (shown := context.form.text("environment") or context.environment.value) != context.environment.value:
        raise Problem(
            HTTPStatus.CONFLICT,
            f"Nothing was started: the page showed {shown}, and {context.environment.value} was chosen since, in "
            "another tab. Look at its runs, and start it there.",
        )
    # Said at once: a run would find the same only after its turn has come.
    check_configured(context.settings, context.own.slug)
    return ask(context, NewRequest(Action(wanted), context.environment.value), "/runs")


def withdraw_request(context: RequestContext) -> Response:
    """Take a request back that nobody has begun."""
    withdraw(context.registry, context.own.id, context.actor, context.form.text("request"))
    return redirect("/runs?done=withdrawn#start")


def let_go_of(context: RequestContext) -> Response:
    """Wait no more for a run that may be lost."""
    let_go(context.registry, context.own.id, context.actor, context.form.text("request"))
    return redirect("/runs?done=let_go#start")


def ask(context: RequestContext, new: NewRequest, page: str) -> Response:
    """Write a request down, and go back to a page of ours.

    Raises:
        Problem: another one has not ended.
    """
    try:
        ask_for_run(context.registry, context.own.id, context.actor, new)
    except LockError as error:
        raise Problem(HTTPStatus.CONFLICT, f"{error.message[:1].upper()}{error.message[1:]}.") from None
    return redirect(f"{page}?done=asked#start")


# -- undo


class Undoing(msgspec.Struct, frozen=True):
    """The undo that a run's page offers.

    `of`: the run that would be taken back, None where the page offers none. `plan_hash`: the undo that the page shows
    and that may be done; None where it is to be planned first.
    """

    of: str | None = None
    plan_hash: str | None = None


def undoing(context: RequestContext, summary: RunSummary, plan: PlanLine | None) -> Undoing:
    """Find the undo that the page of a run offers."""
    if plan is not None and plan.kind == "undo" and summary.dry_run:
        fresh = datetime.now(UTC) - plan.created_at.replace(tzinfo=UTC) <= STALE_AFTER
        # Which run it would take back is known of what was asked for here; the terminal goes on with its own.
        asked = (
            None
            if context.is_local or not fresh or not sum(plan.counts.values())
            else _planned_here(context, summary.run_id)
        )
        return Undoing(asked.run, plan.hash) if asked is not None else Undoing()
    return Undoing(summary.run_id) if has_written(summary) else Undoing()


def plan_undo(context: RequestContext) -> Response:
    """Ask for the plan of an undo, which changes nothing."""
    run_id = _run_id(context)
    return ask(context, NewRequest(Action.UNDO_PLAN, context.environment.value, run=run_id), f"/runs/{run_id}")


def start_undo(context: RequestContext) -> Response:
    """Ask for the undo that was shown, and no other."""
    run_id, digest = _run_id(context), context.form.text("hash")
    planned = _planned_here(context, run_id)
    if planned is None or not is_digest(digest):
        raise Problem(HTTPStatus.NOT_FOUND, "There is no such thing here, or no longer.")
    if not context.form.has("sure"):
        raise Problem(HTTPStatus.BAD_REQUEST, "Tick that it is to be undone: it changes records in the CRM.")
    new = NewRequest(Action.UNDO, context.environment.value, run=planned.run, digest=digest)
    return ask(context, new, f"/runs/{run_id}")


def is_digest(text: str) -> bool:
    """True if a text has the form of a SHA-256."""
    return _DIGEST.fullmatch(text) is not None


def _planned_here(context: RequestContext, run_id: str) -> RequestView | None:
    """The request that a run answered, if it was one for the plan of an undo in this environment."""
    wanted = (run_id, Action.UNDO_PLAN, context.environment.value)
    found = recent_requests(context.registry, context.own.id, limit=KEPT)
    return next((one for one in found if (one.run_id, one.action, one.environment) == wanted), None)


def _run_id(context: RequestContext) -> str:
    """The run of the address, if this tenant has one of this id that could be published.

    Raises:
        Problem: it has not.
    """
    run_id = context.path("run_id")
    with published(context) as connection:
        if connection is None or read_run(connection, run_id) is None:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no such thing here, or no longer.")
    return run_id


# -- setup


def setup(context: RequestContext) -> Response:
    """Say what setup does, and offer a look at what it would create."""
    return _setup_page(context, None)


def show(context: RequestContext) -> Response:
    """Look at the CRM, and show what setup would create there."""
    return _setup_page(context, _missing_in_crm(context))


def start_setup(context: RequestContext) -> Response:
    """Ask for a setup that creates what was shown, and nothing else."""
    digest = context.form.text("digest")
    if not is_digest(digest):
        raise Problem(HTTPStatus.BAD_REQUEST, "Look at what it would create first.")
    return ask(context, NewRequest(Action.SETUP, context.environment.value, digest=digest), "/setup")


def _missing_in_crm(context: RequestContext) -> tuple[str, ...]:
    async def look() -> tuple[str, ...]:
        settings = settings_for(context.settings, context.own.slug, f"setup, shown to {context.who.login}")
        async with asyncio.timeout(SHOW_SECONDS):
            return await show_setup(settings, context.own.slug)

    try:
        # Counted like a connection test: it too makes this machine call another one.
        return run_counted(context, look())
    except TimeoutError:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, f"The CRM did not answer within {SHOW_SECONDS:.0f} seconds. Try again."
        ) from None


def _setup_page(context: RequestContext, missing: tuple[str, ...] | None) -> Response:
    values: dict[str, Any] = {"lines": missing, "digest": ""}
    if missing:
        values = {"lines": [clean(line) for line in missing], "digest": setup_digest(missing)}
    return render(context, "setup.html", starting=starting(context), **values)
