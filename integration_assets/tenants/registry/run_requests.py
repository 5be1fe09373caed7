"""Runs that people ask for on the pages: recorded here, started by Dagster's daemon, which says how each goes on.

Both sides work on short transactions, so that whichever process dies, the request stands where it stood.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec
from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from integration_assets.errors import LockError
from integration_assets.tenants.registry import audit
from integration_assets.tenants.registry.audit import Actor, Subject
from integration_assets.tenants.registry.changes import NotFoundError
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.keyring import AUDIT
from integration_assets.tenants.registry.models import Heartbeat, RunRequest, Tenant, new_id
from integration_assets.tenants.registry.words import Action

WAITS = timedelta(minutes=15)
"""A request that nobody has taken for so long is given up: a sync that begins hours later surprises whoever asked."""
KEPT = 50
"""Ended requests of a tenant that are kept; the audit trail has them all."""
DAEMON = "daemon"
THERE = timedelta(minutes=2)
"""A daemon whose last sign of life is older is taken for gone. It gives one with every tick."""
LONGEST_NOTE = 500


class RequestState(StrEnum):
    """State of a request: waits for the daemon, waits in Dagster's queue, runs, is over."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


WITHDRAWN, NEVER_TAKEN, NOT_STARTED = "WITHDRAWN", "NEVER_TAKEN", "NOT_STARTED"
"""Outcomes of requests of which no run came, beside the end states of runs."""
LET_GO = "LET_GO"
"""Outcome of a request whose run was lost, by the word of a person: waited for no more, it may not have ended."""


class NewRequest(msgspec.Struct, frozen=True):
    """A run to be asked for. `run` is the one to undo; `digest` what was shown of an undo or a setup to be done."""

    action: Action
    environment: str
    run: str | None = None
    digest: str | None = None


class RequestView(msgspec.Struct, frozen=True):
    """A request as it stands. Times are UTC; `tenant` is the slug."""

    id: str
    tenant: str
    environment: str
    action: Action
    run: str | None
    digest: str | None
    asked_by: str
    asked_at: datetime
    state: RequestState
    taken_at: datetime | None
    run_id: str | None
    ended_at: datetime | None
    outcome: str | None
    note: str | None

    @property
    def is_open(self) -> bool:
        """True while something is still to come of it."""
        return self.state is not RequestState.ENDED


def ask_for_run(
    registry: Registry, tenant_id: str, actor: Actor, new: NewRequest, *, now: datetime | None = None
) -> RequestView:
    """Record that somebody wants a run, in the table and in the audit trail.

    Raises:
        LockError: another one of this tenant has not ended.
        NotFoundError: there is no such tenant.
    """
    now = now or datetime.now(UTC)

    def work(session: Session) -> RequestView:
        tenant = session.get(Tenant, tenant_id)
        if tenant is None:
            raise NotFoundError("there is no such tenant")
        _give_up(session, now)
        _forget(session, tenant_id)
        row = RunRequest(
            id=new_id(),
            tenant_id=tenant_id,
            environment=new.environment,
            action=new.action.value,
            run=new.run,
            digest=new.digest,
            asked_by=actor.name,
            asked_at=now,
            state=RequestState.WAITING.value,
        )
        try:
            # The unique index decides, not a look before: two people may ask at once.
            with session.begin_nested():
                session.add(row)
                session.flush()
        except IntegrityError:
            raise LockError(
                "a run that was asked for here has not ended: wait for it, or withdraw it while nobody has taken it"
            ) from None
        _note(registry, session, actor, f"run.ask.{new.action.value}", tenant, row)
        return _view(row, tenant.slug)

    return registry.transact(work)


def withdraw(registry: Registry, tenant_id: str, actor: Actor, request_id: str) -> None:
    """Take a request back that nobody has taken yet.

    Raises:
        NotFoundError: there is none such: it is not this tenant's, or was taken.
    """

    def work(session: Session) -> None:
        row, tenant = _locked(session, tenant_id, request_id, RunRequest.state == RequestState.WAITING.value)
        _end(row, WITHDRAWN, f"withdrawn by {actor.name}", datetime.now(UTC))
        _note(registry, session, actor, "run.withdraw", tenant, row)

    registry.transact(work)


def let_go(registry: Registry, tenant_id: str, actor: Actor, request_id: str) -> None:
    """Wait no more for a run that has said nothing for long, so that another one can be asked for.

    Should it be alive after all, the run lock keeps the next one waiting.

    Raises:
        NotFoundError: there is none such: it is not this tenant's, or not silent, or has ended.
    """

    def work(session: Session) -> None:
        is_running = RunRequest.state == RequestState.RUNNING.value
        row, tenant = _locked(session, tenant_id, request_id, is_running, RunRequest.note.is_not(None))
        _end(row, LET_GO, f"let go by {actor.name}: its run may not have ended", datetime.now(UTC))
        _note(registry, session, actor, "run.let_go", tenant, row)

    registry.transact(work)


def _locked(
    session: Session, tenant_id: str, request_id: str, *conditions: ColumnElement[bool]
) -> tuple[RunRequest, Tenant]:
    """A request of the tenant's of which all conditions hold: a daemon that takes it now comes first, or after us."""
    wanted = select(RunRequest).where(RunRequest.id == request_id, RunRequest.tenant_id == tenant_id, *conditions)
    row = session.scalars(wanted.with_for_update()).first()
    tenant = session.get(Tenant, tenant_id)
    if row is None or tenant is None:
        raise NotFoundError("there is no such request, or no longer")
    return row, tenant


def given_up(registry: Registry, request_id: str) -> str | None:
    """Say why a request is not to be answered by a run any more; None where it is, or is not known."""
    with registry.session() as session:
        row = session.get(RunRequest, request_id)
        if row is None or row.outcome not in (WITHDRAWN, NEVER_TAKEN, NOT_STARTED, LET_GO):
            return None
        return row.outcome.replace("_", " ").lower()


def recent_requests(
    registry: Registry, tenant_id: str, *, limit: int, now: datetime | None = None
) -> list[RequestView]:
    """The newest requests of a tenant, newest first; those that nobody took in time have ended."""

    def work(session: Session) -> list[RequestView]:
        _give_up(session, now or datetime.now(UTC))
        wanted = select(RunRequest, Tenant.slug).join(Tenant, Tenant.id == RunRequest.tenant_id)
        mine = wanted.where(RunRequest.tenant_id == tenant_id).order_by(RunRequest.asked_at.desc(), RunRequest.id)
        return [_view(row, slug) for row, slug in session.execute(mine.limit(limit)).all()]

    return registry.transact(work)


def daemon_is_there(registry: Registry, *, now: datetime | None = None) -> bool:
    """True if a daemon that starts what is asked for gave a sign of life lately."""
    with registry.session() as session:
        row = session.get(Heartbeat, DAEMON)
        return row is not None and (now or datetime.now(UTC)) - row.at <= THERE


# -- the daemon's side


def open_requests(registry: Registry, *, now: datetime) -> list[RequestView]:
    """Give a sign of life, and return all requests that have not ended, of all tenants, oldest first."""

    def work(session: Session) -> list[RequestView]:
        row = session.get(Heartbeat, DAEMON)
        if row is None:
            session.add(Heartbeat(name=DAEMON, at=now))
        else:
            row.at = now
        _give_up(session, now)
        wanted = select(RunRequest, Tenant.slug).join(Tenant, Tenant.id == RunRequest.tenant_id)
        still_open = wanted.where(RunRequest.state != RequestState.ENDED.value).order_by(RunRequest.asked_at)
        return [_view(row, slug) for row, slug in session.execute(still_open).all()]

    return registry.transact(work)


def take_request(registry: Registry, request_id: str, *, now: datetime) -> bool:
    """Mark a request as taken; False if it is not waiting any more."""

    def work(session: Session) -> bool:
        row = session.get(RunRequest, request_id, with_for_update=True)
        if row is None or row.state != RequestState.WAITING.value:
            return False
        row.state, row.taken_at = RequestState.QUEUED.value, now
        return True

    return registry.transact(work)


def note_run(registry: Registry, request_id: str, run_id: str, *, running: bool, note: str | None = None) -> None:
    """Note which run came of a request, whether it has begun, and what a person should know of it meanwhile."""

    def work(session: Session) -> None:
        row = session.get(RunRequest, request_id, with_for_update=True)
        if row is not None and row.state != RequestState.ENDED.value:
            row.run_id = run_id
            row.state = (RequestState.RUNNING if running else RequestState.QUEUED).value
            row.note = note[:LONGEST_NOTE] if note else None

    registry.transact(work)


def end_request(registry: Registry, request_id: str, outcome: str, note: str, *, now: datetime) -> None:
    """Note how a request ended; what has ended already stays as it is."""

    def work(session: Session) -> None:
        row = session.get(RunRequest, request_id, with_for_update=True)
        if row is not None and row.state != RequestState.ENDED.value:
            _end(row, outcome, note, now)

    registry.transact(work)


def _give_up(session: Session, now: datetime) -> None:
    wanted = select(RunRequest).where(RunRequest.state == RequestState.WAITING.value, RunRequest.asked_at < now - WAITS)
    for row in session.scalars(wanted.with_for_update()):
        minutes = WAITS.total_seconds() / 60
        # Which of them it is stands in Dagster alone: a daemon with a sensor turned off looks the same from here.
        why = "Dagster's daemon is not running, or its sensor requested_runs or tenants is off"
        _end(row, NEVER_TAKEN, f"nothing started it within {minutes:.0f} minutes: {why}", now)


def _forget(session: Session, tenant_id: str) -> None:
    mine = select(RunRequest).where(RunRequest.tenant_id == tenant_id)
    ended = mine.where(RunRequest.state == RequestState.ENDED.value).order_by(RunRequest.asked_at.desc())
    for row in session.scalars(ended.offset(KEPT - 1)):
        session.delete(row)


def _end(row: RunRequest, outcome: str, note: str, now: datetime) -> None:
    row.state, row.outcome, row.note, row.ended_at = RequestState.ENDED.value, outcome, note[:LONGEST_NOTE], now


def _note(registry: Registry, session: Session, actor: Actor, action: str, tenant: Tenant, row: RunRequest) -> None:
    fields: Sequence[str] = [name for name in ("run", "digest") if getattr(row, name)]
    audit.append(
        session,
        registry.keyring.active(session, AUDIT),
        actor,
        action,
        tenant=Subject(tenant.id, tenant.slug),
        table="run_requests",
        record_id=row.id,
        fields=fields,
    )


def _view(row: RunRequest, slug: str) -> RequestView:
    return RequestView(
        id=row.id,
        tenant=slug,
        environment=row.environment,
        action=Action(row.action),
        run=row.run,
        digest=row.digest,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        state=RequestState(row.state),
        taken_at=row.taken_at,
        run_id=row.run_id,
        ended_at=row.ended_at,
        outcome=row.outcome,
        note=row.note,
    )
