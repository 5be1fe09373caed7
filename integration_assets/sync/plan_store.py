"""Plans in the staging store: the header, what became of it, approvals, staleness, and what moved since."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import duckdb
import msgspec

from integration_assets.errors import ConfigurationError
from integration_assets.sql import read_sql
from integration_assets.staging.transactions import transaction
from integration_assets.sync.company_rollups import normalise_rollup
from integration_assets.sync.diff import Conflict
from integration_assets.sync.feature_request_object import MANAGED_STATE, normalise, same_mapping
from integration_assets.sync.operations import COMPANY_ACTIONS, RECORD_ACTIONS, Operation, read_operations
from integration_assets.sync.store import naive_utc, set_variables

STALE_AFTER = timedelta(hours=4)
"""A plan older than this says too little about the CRM of now."""
KEPT_PLANS = 10
"""Plans whose operations are kept; headers and the ledger are kept for good."""
SHORTEST_PREFIX = 6
"""Fewest digits of a hash that name a plan."""

PlanStatus = Literal["planned", "held", "approved", "applying", "applied", "interrupted"]


class PlanNumbers(msgspec.Struct, frozen=True):
    """Totals of the inputs of a plan. `voted_arr`: ARR of all distinct companies that voted, base currency."""

    requests: int
    votes: int
    companies: int
    voted_companies: int
    voted_arr: Decimal
    unmatched_votes: int


class PlanCounts(msgspec.Struct, frozen=True):
    """Numbers of a plan. `link` and `unlink` count labels on pairs; `live` our records and `live_links` our labels now.

    `archived` are wanted records that somebody archived, merged away or deleted in the CRM: respected, never written.
    `written_before` and `links_written_before` are those of the unchanged that the same run wrote by an earlier plan.
    `roll_up` are companies whose properties of ours change.
    """

    identified: int
    create: int
    update: int
    retire: int
    unchanged: int
    archived: int
    live: int
    active: int
    links_desired: int
    link: int
    unlink: int
    links_unchanged: int
    live_links: int
    merged: int
    retired_before: int
    written_before: int = 0
    links_written_before: int = 0
    roll_up: int = 0


class Plan(msgspec.Struct, frozen=True):
    """A saved plan without its operations, which live in `sync.plan_operations`.

    `problems` are errors that hold it (our key twice in the CRM), `warnings` are for the report. `records_held` counts
    our records of any kind in the portal, archived ones included: none means a first apply. `calls` estimates the CRM
    calls of applying and verifying it. `undoes` is the run that a plan of kind `undo` takes back. `settings` has, by
    name, digests of the settings that shaped the plan.
    """

    plan_id: str
    run_id: str
    hash: str
    kind: Literal["sync", "undo"]
    tenant: str
    environment: str
    portal_id: str
    source_name: str
    link_contacts: bool
    mapping_version: str
    code_version: str
    created_at: datetime
    counts: PlanCounts
    calls: int
    numbers: PlanNumbers | None
    records_held: int
    conflicts: tuple[Conflict, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    undoes: str | None = None
    settings: Mapping[str, str] = {}

    @property
    def operations(self) -> int:
        """Changes of any kind; zero means that nothing is written."""
        counts = self.counts
        return counts.create + counts.update + counts.retire + counts.link + counts.unlink + counts.roll_up


def hash_header(plan: Plan) -> dict[str, str]:
    """Return what the hash covers beside the operations."""
    return {
        "tenant": plan.tenant,
        "environment": plan.environment,
        "portal_id": plan.portal_id,
        "mapping_version": plan.mapping_version,
        "code_version": plan.code_version,
        "kind": plan.kind,
        **{f"setting {name}": digest for name, digest in plan.settings.items()},
    }


def insert_header(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Store a plan's header. Call inside the transaction that stores its operations."""
    connection.execute(
        """
        INSERT INTO sync.plans VALUES (
            $plan_id, $run_id, $hash, $kind, $portal_id, $mapping_version, $created_at,
            'planned', [], $header, NULL, NULL
        )
        """,
        {
            "plan_id": plan.plan_id,
            "run_id": plan.run_id,
            "hash": plan.hash,
            "kind": plan.kind,
            "portal_id": plan.portal_id,
            "mapping_version": plan.mapping_version,
            "created_at": naive_utc(plan.created_at),
            "header": msgspec.json.encode(plan).decode(),
        },
    )


def prune(connection: duckdb.DuckDBPyConnection, *, now: datetime) -> None:
    """Forget the operations of old plans; those of the newest, of unfinished ones and of any still fresh one stay."""
    if connection.execute("SELECT count(*) FROM sync.plans").fetchall()[0][0] <= KEPT_PLANS:
        return
    # A person may still approve a plan that is not stale, however many came after it: it must not be applied empty.
    set_variables(connection, kept_plans=KEPT_PLANS, approvable_since=naive_utc(now - STALE_AFTER))
    connection.execute(read_sql("sync/prune_plan_operations"))
    connection.execute(read_sql("sync/prune_plan_companies"))


def load_plan(connection: duckdb.DuckDBPyConnection, plan_id: str) -> Plan:
    """A saved plan by id.

    Raises:
        ConfigurationError: there is none.
    """
    rows = connection.execute("SELECT header FROM sync.plans WHERE plan_id = $id", {"id": plan_id}).fetchall()
    if not rows:
        raise ConfigurationError(f"there is no plan {plan_id} in this staging store")
    return _decoded(rows[0][0])


def _decoded(header: str) -> Plan:
    return msgspec.json.decode(header, type=Plan)


def set_status(
    connection: duckdb.DuckDBPyConnection,
    plan_id: str,
    status: PlanStatus,
    *,
    now: datetime,
    reasons: Sequence[str] = (),
) -> None:
    """Note what became of a plan: `held` with its reasons, `applying`, `applied`.

    Applications stay in their order when the clock is set back: an undo that seems to lie ahead would hold every plan,
    and one that seems to lie before a sync none.
    """
    connection.execute(
        """
        UPDATE sync.plans SET
            status = $status,
            held_reasons = CASE WHEN $status = 'held' THEN $reasons ELSE held_reasons END,
            started_at = CASE WHEN $status = 'applying' THEN $moment ELSE started_at END,
            finished_at = CASE WHEN $status = 'applied' THEN $moment ELSE finished_at END
        WHERE plan_id = $plan_id
        """,
        {
            "plan_id": plan_id,
            "status": status,
            "reasons": list(reasons),
            "moment": _after(connection, "SELECT max(greatest(started_at, finished_at)) FROM sync.plans", now),
        },
    )


def _after(connection: duckdb.DuckDBPyConnection, latest_query: str, now: datetime) -> datetime:
    """The present, or the moment after the latest that is noted where that lies ahead of it. UTC without zone."""
    [(latest,)] = connection.execute(latest_query).fetchall()
    moment = naive_utc(now)
    return moment if latest is None or latest < moment else latest + timedelta(microseconds=1)


def finish(connection: duckdb.DuckDBPyConnection, plan: Plan, *, now: datetime) -> None:
    """The plan is applied: its numbers are those of the last good run, and what was interrupted before is settled."""
    with transaction(connection):
        # together with its numbers: an applied plan without them would leave the guard with an older base
        set_status(connection, plan.plan_id, "applied", now=now)
        connection.execute(
            "UPDATE sync.plans SET status = 'interrupted' WHERE status = 'applying' AND portal_id = $portal_id",
            {"portal_id": plan.portal_id},
        )
        _record_baseline(connection, plan, now=now)


def settle_undos(connection: duckdb.DuckDBPyConnection, portal_id: str) -> None:
    """Undos of this portal that were interrupted are over: an undo found nothing left to do."""
    connection.execute(
        """
        UPDATE sync.plans SET status = 'interrupted'
        WHERE status = 'applying' AND kind = 'undo' AND portal_id = $portal_id
        """,
        {"portal_id": portal_id},
    )


def interrupted_plan(connection: duckdb.DuckDBPyConnection, plan: Plan) -> Plan | None:
    """The plan that `plan` is the rest of: its application began and did not end, and no later one ended.

    It was released, or never held; with other settings than its own, what is left is not what was released.
    """
    set_variables(connection, portal_id=plan.portal_id)
    rows = connection.execute(read_sql("sync/interrupted_plan")).fetchall()
    begun = _decoded(rows[0][0]) if rows else None
    # a plan made under other settings, or of another mapping, was not what somebody released
    same = begun is not None and begun.settings == plan.settings
    return begun if begun and same and same_mapping(begun.mapping_version, plan.mapping_version) else None


Changed = Callable[[Mapping[str, str]], str | None]
"""Given the settings a plan was made with, says which of them have changed since, or None."""


def unchanged(_settings: Mapping[str, str]) -> None:
    """No setting has changed."""


def approve(
    connection: duckdb.DuckDBPyConnection,
    hash_prefix: str,
    by: str,
    *,
    now: datetime,
    changed: Changed = unchanged,
) -> Plan:
    """Release the saved plan whose hash begins with `hash_prefix`, instead of any before; the next sync applies it.

    Raises:
        ConfigurationError: no such plan, several, one that was applied already, or one that is stale.
    """
    if len(hash_prefix) < SHORTEST_PREFIX:
        raise ConfigurationError(f"give at least {SHORTEST_PREFIX} digits of the plan's hash")
    rows = connection.execute(
        "SELECT header, status FROM sync.plans WHERE starts_with(hash, $prefix) ORDER BY created_at DESC",
        {"prefix": hash_prefix.lower()},
    ).fetchall()
    # oldest first, so that of plans with the same hash the newest is the one approved
    plans = {_decoded(header).hash: (_decoded(header), status) for header, status in reversed(rows)}
    if len(plans) != 1:
        found = "no plan" if not plans else f"{len(plans)} plans"
        raise ConfigurationError(f"{found} with a hash that begins with {hash_prefix}: see the last run's summary")
    plan, status = next(iter(plans.values()))
    if plan.kind == "undo":
        raise ConfigurationError(f"plan {plan.hash[:12]} is an undo: apply it with `integration-assets undo --yes`")
    # what an interrupted one has left is for a new plan, which sees what is there now
    if status in {"applying", "applied"}:
        raise ConfigurationError(f"plan {plan.hash[:12]} was applied already")
    if age := _stale_age(plan, now):
        raise ConfigurationError(f"plan {plan.hash[:12]} is {age}: run `plan` and approve anew")
    if names := changed(plan.settings):
        raise ConfigurationError(
            f"plan {plan.hash[:12]} was made before {names} changed: run `plan` and approve the new one"
        )
    with transaction(connection):
        # one waits at a time: an older release must not be applied after this one
        connection.execute("UPDATE sync.plans SET status = 'planned' WHERE status = 'approved'")
        connection.execute(
            "INSERT INTO sync.approvals VALUES ($plan_id, $hash, $by, $now)",
            {"plan_id": plan.plan_id, "hash": plan.hash, "by": by, "now": naive_utc(now)},
        )
        set_status(connection, plan.plan_id, "approved", now=now)
    return plan


def approved_plan(connection: duckdb.DuckDBPyConnection) -> Plan | None:
    """The approved plan that still waits to be applied; the newest if there are several."""
    rows = connection.execute(
        "SELECT header FROM sync.plans WHERE status = 'approved' ORDER BY created_at DESC LIMIT 1"
    ).fetchall()
    return _decoded(rows[0][0]) if rows else None


def _stale_age(plan: Plan, now: datetime) -> str | None:
    """Say why a plan is too old, or dated too far ahead: of one made by a wrong clock nobody knows the age."""
    hours = int(STALE_AFTER.total_seconds() // 3600)
    if now - plan.created_at > STALE_AFTER:
        return f"older than {hours} hours"
    return f"dated more than {hours} hours ahead of now" if plan.created_at - now > STALE_AFTER else None


def stale_reason(
    plan: Plan,
    *,
    now: datetime,
    portal_id: str,
    mapping_version: str,
    code_version: str,
    tenant: str | None = None,
    changed: Changed = unchanged,
) -> str | None:
    """Say why a saved plan must not be applied any more, or not by this tenant; None when it may."""
    # tenant and portal come first: a plan for another place is wrong at any age
    if tenant is not None and plan.tenant != tenant:
        return f"it was made for another tenant than {tenant}"
    if plan.portal_id != portal_id:
        return f"it was made for portal {plan.portal_id}, this is portal {portal_id}"
    if not same_mapping(plan.mapping_version, mapping_version):
        return "the field mapping has changed since"
    if plan.code_version != code_version:
        return f"it was made by version {plan.code_version}, this is version {code_version}"
    if names := changed(plan.settings):
        return f"{names} changed since"
    age = _stale_age(plan, now)
    return f"it is {age}" if age else None


def drop_moved(connection: duckdb.DuckDBPyConnection, plan: Plan) -> int:
    """Leave out of a saved plan what no longer fits the CRM as just read (`raw.crm_*`); return how many operations."""
    set_variables(connection, plan_id=plan.plan_id)
    # an archived record is in it without an id: it takes up its key, but nothing can be written to it
    live = {
        key: (values or {}, record_id)
        for key, values, record_id in connection.execute(read_sql("sync/live_records_of_plan")).fetchall()
    }
    gone = [
        operation.seq
        for operation in read_operations(connection, plan.plan_id, RECORD_ACTIONS)
        if _moved(operation, live.get(operation.key))
    ]
    gone += _moved_companies(connection, plan)
    with transaction(connection):
        connection.execute(
            """
            UPDATE sync.plan_operations SET moved = TRUE
            WHERE plan_id = $plan_id AND list_contains($gone::BIGINT[], seq)
            """,
            {"plan_id": plan.plan_id, "gone": gone},
        )
        connection.execute(read_sql("sync/mark_moved_links"))
    counted = connection.execute(
        "SELECT count(*) FROM sync.plan_operations WHERE plan_id = $plan_id AND moved", {"plan_id": plan.plan_id}
    ).fetchall()
    return int(counted[0][0])


def _moved_companies(connection: duckdb.DuckDBPyConnection, plan: Plan) -> list[int]:
    """Numbers of the company operations whose before-values are not what was just read."""
    if not plan.counts.roll_up:
        return []
    held = dict(connection.execute("SELECT company_id, rollups FROM raw.crm_companies").fetchall())
    return [
        operation.seq
        for operation in read_operations(connection, plan.plan_id, COMPANY_ACTIONS)
        if operation.record_id not in held
        or any(
            normalise_rollup(field, (held[operation.record_id] or {}).get(field)) != value
            for field, value in operation.before.items()
        )
    ]


def _moved(operation: Operation, live: tuple[Mapping[str, str], str | None] | None) -> bool:
    # somebody has made it meanwhile: the next plan compares it
    if operation.action == "create":
        return live is not None
    if live is None or live[1] is None:  # gone, or archived
        return True
    # our own bookkeeping: a change of it alone is nobody's edit
    values = {field: value for field, value in operation.before.items() if field != MANAGED_STATE}
    return any(normalise(field, live[0].get(field)) != value for field, value in values.items())


def _record_baseline(connection: duckdb.DuckDBPyConnection, plan: Plan, *, now: datetime) -> None:
    # an undo has none: it must not become what the guard compares with
    if plan.numbers is None:
        return
    numbers = plan.numbers
    connection.execute(
        """
        INSERT INTO sync.baselines BY NAME
        SELECT
            $plan_id AS plan_id, $portal_id AS portal_id, $now AS recorded_at, $requests AS requests, $votes AS votes,
            $companies AS companies, $voted_companies AS voted_companies, $voted_arr AS voted_arr,
            $unmatched AS unmatched_votes,
            (SELECT count(*) FROM raw.feature_requests) AS requests_read,
            (SELECT count(*) FROM raw.votes) AS votes_read
        """,
        {
            "plan_id": plan.plan_id,
            "portal_id": plan.portal_id,
            # the guard takes the newest one for its base: it must be this one, whatever a wrong clock noted before
            "now": _after(connection, "SELECT max(recorded_at) FROM sync.baselines", now),
            "requests": numbers.requests,
            "votes": numbers.votes,
            "companies": numbers.companies,
            "voted_companies": numbers.voted_companies,
            "voted_arr": numbers.voted_arr,
            "unmatched": numbers.unmatched_votes,
        },
    )
