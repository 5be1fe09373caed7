"""The plan: every change a run would make, with before and after values, saved and hashed.

Records are compared in Python, a page at a time; links in SQL, because there can be a million. What is kept in Python
is only what changed. The operations themselves live in `sync.plan_operations`.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from integration_assets.models import TextLimits
from integration_assets.sql import read_sql
from integration_assets.staging.transactions import transaction
from integration_assets.sync.company_rollups import plan_rollups
from integration_assets.sync.diff import Conflict, compare_record, new_record
from integration_assets.sync.estimate import BatchLimits, PairToWrite, estimate_calls
from integration_assets.sync.feature_request_object import (
    COMPARED_FIELDS,
    MANAGED_STATE,
    MAPPING_VERSION,
    OUR_LABELS,
    RETIRED_AT,
    RETIRED_REASON,
    RetiredReason,
    key_prefix,
    normalise,
    parse_managed_state,
    record_key,
    tenant_mark,
)
from integration_assets.sync.ledger import store_bases
from integration_assets.sync.operations import Operation, insert_operations, plan_hash, read_operations
from integration_assets.sync.plan_store import (
    Plan,
    PlanCounts,
    PlanNumbers,
    hash_header,
    insert_header,
    prune,
)
from integration_assets.sync.rekeyed import RekeyedRecord, rekeyed_line, rekeyed_records
from integration_assets.sync.store import incoming, set_variables

PAGE = 2_000
"""Records compared at a time: the most of the wanted and of the live ones that are in memory at once."""
MOST_MISSING = 200
"""More requests than this gone at once, with no merge or exclusion to explain it, are taken for a bad read."""
EXAMPLES = 3
"""Pairs that a warning names."""


class PlanInputs(msgspec.Struct, frozen=True):
    """Inputs of a plan beside the tables.

    `excluded` are ids of requests that exist in the source but left the scope, `unusable` of those that exist and could
    not be used this time: their records stay as they are. `retirements_withheld` says that the reader could not make
    sure what is gone. `full`: also name associations that no plan accounts for. `now` has a time zone. `settings` are
    digests of the settings that shaped the tables, by name. `former_tenants` are those whose records this tenant took
    over. `follows` is the plan that this run has applied already. `text_limits` are the CRM's, None when they are not
    known. `unlabelled`: links carry no labels in this portal, so that a pair has one plain link at most. `rollups`:
    companies carry properties of ours.
    """

    run_id: str
    tenant: str
    environment: str
    portal_id: str
    source_names: tuple[str, ...]
    code_version: str
    now: datetime
    link_contacts: bool = True
    excluded: Collection[str] = ()
    unusable: Collection[str] = ()
    retirements_withheld: bool = False
    full: bool = False
    limits: BatchLimits = BatchLimits()
    settings: Mapping[str, str] = {}
    former_tenants: Collection[str] = ()
    follows: str = ""
    text_limits: TextLimits | None = None
    unlabelled: bool = False
    rollups: bool = False


class _Comparison(msgspec.Struct):
    """Findings of comparing all records; filled page by page.

    `vanished` are records that were verified in this portal once and are neither live nor archived now, with their
    request and what would make them again. `rekeyed` are live records that lost the key they were written with, and
    `lost_keys` those keys. `foreign` are keys of records that another tenant keeps. `agreed` has, by
    key, what both sides changed alike, `seen` the digests that record carries.
    """

    creates: list[Operation] = []
    updates: list[Operation] = []
    retires: list[Operation] = []
    linkable: list[tuple[str, str, str | None]] = []
    vanished: list[tuple[str, str, Operation]] = []
    conflicts: list[Conflict] = []
    problems: list[str] = []
    rekeyed: list[RekeyedRecord] = []
    lost_keys: set[str | None] = set()
    foreign: list[str] = []
    agreed: dict[str, Mapping[str, str]] = {}
    seen: dict[str, Mapping[str, str]] = {}
    counts: Counter[str] = msgspec.field(default_factory=Counter)


def make_plan(connection: duckdb.DuckDBPyConnection, inputs: PlanInputs) -> Plan:
    """Compare what should be in the CRM with what is there, and save the result as a new plan.

    Reads `ranked.feature_requests`, `ranked.company_requests`, `resolved.votes` and the raw tables; writes
    `sync.plans`, `sync.plan_operations`, `sync.plan_companies` and `sync.field_bases` in one transaction. The
    connection must be in autocommit.
    """
    set_variables(
        connection,
        key_prefix=key_prefix(inputs.source_names),
        key_prefixes=[f"{name}:" for name in inputs.source_names],
        portal_id=inputs.portal_id,
        run_id=inputs.run_id,
        followed_plan_id=inputs.follows,
        link_contacts=inputs.link_contacts,
        labels=list(OUR_LABELS),
        unlabelled=inputs.unlabelled,
    )
    found = _compare_records(connection, inputs)
    # before the operations are numbered: the one may add creates, the other takes retirements out
    warnings = (*_respect_removals(found), *_withhold_retirements(found, inputs))
    plan_id = uuid.uuid4().hex
    records = _numbered([*found.creates, *found.updates, *found.retires])
    with transaction(connection):
        # what both sides agree on is so whether or not the plan is ever applied
        store_bases(connection, inputs.portal_id, found.agreed, now=inputs.now, seen=found.seen)
        if records:
            insert_operations(connection, plan_id, records)
        links = _plan_links(connection, plan_id, len(records), found)
        rollups = _plan_rollups(connection, plan_id, inputs)
        kept = kept_associations(connection)
        found.conflicts.extend(kept)
        warnings += association_warnings(kept)
        if inputs.full:
            warnings += _unexplained_associations(connection)
        plan = _header(
            inputs,
            found,
            links,
            plan_id=plan_id,
            numbers=_numbers(connection),
            warnings=warnings,
            calls=_calls(connection, inputs, found, rollups),
            rollups=rollups,
        )
        plan = msgspec.structs.replace(plan, hash=plan_hash(hash_header(plan), read_operations(connection, plan_id)))
        insert_header(connection, plan)
        set_variables(connection, plan_id=plan_id)
        connection.execute(read_sql("sync/plan_companies"))
        prune(connection, now=inputs.now)
    return plan


def _compare_records(connection: duckdb.DuckDBPyConnection, inputs: PlanInputs) -> _Comparison:
    found = _Comparison()
    # read once, and only where a record is not wanted any more
    reasons = cache(partial(_reasons_to_retire, connection, inputs))
    unusable = {record_key(inputs.source_names, request_id) for request_id in inputs.unusable}
    # None: earlier versions left no mark
    own = {None, inputs.tenant, *inputs.former_tenants}
    found.rekeyed = rekeyed_records(connection, own)
    found.lost_keys = {one.written_key for one in found.rekeyed}
    # under these keys stand other requests' records: nothing of theirs is gone, and nothing is written over it
    taken = {one.key_now for one in found.rekeyed if one.key_now}
    for row in _compared_rows(connection):
        key, copies = row["key"], row["copies"]
        if tenant_mark((row["live_values"] or {}).get(MANAGED_STATE) or "") not in own:
            # neither compared nor counted: to this tenant it is as if the record were not there
            found.foreign.append(key)
            found.counts["identified"] += int(row["is_wanted"])
            continue
        # which of them people use is not for us to guess: none is written to, and the plan is held
        if copies > 1:
            found.problems.append(f"{copies} records in the CRM have the key {key}: merge or archive them there")
        elif row["wanted_copies"] > 1:
            found.problems.append(f"{row['wanted_copies']} requests of the source share the key {key}")
        elif key in taken:
            found.counts["rekeyed"] += int(row["is_wanted"])
        elif row["is_wanted"]:
            _compare_wanted(found, row, inputs)
        # a request that could not be used this time exists: it must not be retired
        elif copies and key not in unusable:
            _compare_unwanted(found, row, inputs, reasons().get(key, RetiredReason.DELETED))
        found.counts["identified"] += int(row["is_wanted"])
        found.counts["live"] += copies
        found.counts["held"] += copies + row["archived_copies"]
        found.counts["active"] += int(copies > 0 and not _is_retired(row["live_values"] or {}))
    if found.foreign:
        found.problems.append(_kept_by_another(found.foreign, inputs.source_names))
    return found


def _kept_by_another(keys: Sequence[str], source_names: Sequence[str]) -> str:
    """Say what holds a plan that met another tenant's records, but not which tenant that is."""
    named = ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
    return (
        f"{len(keys):,} records with the source name {' or '.join(source_names)} are marked as kept from elsewhere "
        f"({named}) and are left alone: choose a source name of this tenant's own (INTEGRATION_ASSETS_SOURCE_NAME, or "
        "the tenant's source_name) or another portal; if this tenant took them over, the operator names it in "
        "INTEGRATION_ASSETS_FORMER_TENANTS"
    )


def _compared_rows(connection: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    """Rows of `compared_feature_requests.sql`, a page at a time."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE wanted_feature_requests AS " + read_sql("sync/desired_feature_requests")
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE compared_feature_requests AS " + read_sql("sync/compared_feature_requests")
    )
    # the table is made once: pages cut from it do not shift
    last = 0
    while True:
        connection.execute(
            "SELECT * FROM compared_feature_requests WHERE row_number > $last AND row_number <= $last + $page"
            " ORDER BY row_number",
            {"last": last, "page": PAGE},
        )
        columns = [column[0] for column in connection.description or ()]
        rows = connection.fetchall()
        yield from (dict(zip(columns, row, strict=True)) for row in rows)
        if len(rows) < PAGE:
            return
        last += PAGE


def _reasons_to_retire(connection: duckdb.DuckDBPyConnection, inputs: PlanInputs) -> dict[str, RetiredReason]:
    """Read, by key, why a request is not wanted any more; whatever is not listed is gone from the source."""
    excluded = {record_key(inputs.source_names, request_id) for request_id in inputs.excluded}
    out_of_scope = connection.execute(
        "SELECT request_id FROM raw.feature_requests EXCEPT SELECT request_id FROM ranked.feature_requests"
    ).fetchall()
    excluded |= {record_key(inputs.source_names, row[0]) for row in out_of_scope}
    merged = {str(row[0]) for row in connection.execute(read_sql("sync/known_merges")).fetchall()}
    # of a request that is both, the merge says more: the right side wins
    return dict.fromkeys(excluded, RetiredReason.EXCLUDED) | dict.fromkeys(merged, RetiredReason.MERGED)


def _compare_wanted(found: _Comparison, row: Mapping[str, Any], inputs: PlanInputs) -> None:
    key, record_id, tenant = row["key"], row["record_id"], inputs.tenant
    desired = {field: normalise(field, row.get(field), inputs.text_limits) for field in COMPARED_FIELDS}
    # somebody archived it: making it anew would overrule a person
    if record_id is None and row["archived_copies"]:
        found.counts["archived"] += 1
        return
    if record_id is None:
        create = Operation(0, "create", key, after=new_record(key, desired, tenant))
        # its record is there and only lost its key: a second one would be a copy
        if key in found.lost_keys:
            found.counts["rekeyed"] += 1
        # was verified here once and is gone without a trace: merged away or deleted for good
        elif row["base_values"]:
            found.vanished.append((key, row["request_id"], create))
        else:
            _create(found, row["request_id"], create)
        return
    found.linkable.append((key, row["request_id"], record_id))
    live = _live_values(row)
    diff = compare_record(key, desired, live, row["base_values"] or {}, seen_digests=row["base_digests"], tenant=tenant)
    found.conflicts.extend(diff.conflicts)
    if diff.agreed:
        found.agreed[key] = diff.agreed
        found.seen[key] = parse_managed_state(live[MANAGED_STATE])
    if diff.after:
        found.updates.append(Operation(0, "update", key, record_id, before=diff.before, after=diff.after))
    else:
        found.counts["unchanged"] += 1


def _create(found: _Comparison, request_id: str, create: Operation) -> None:
    found.linkable.append((create.key, request_id, None))
    found.creates.append(create)


def _respect_removals(found: _Comparison) -> tuple[str, ...]:
    """Do not make again what people archived, merged away or deleted for good; say how much that is.

    A portal without any record of ours was emptied or set up anew: there everything is made again.
    """
    warnings = []
    if found.counts["archived"]:
        warnings.append(f"{found.counts['archived']:,} records were archived in the CRM and stay so")
    if found.rekeyed:
        found.counts["archived"] += found.counts["rekeyed"]
        # where none has its key, that of all was cleared: a portal that looks empty and is not
        (warnings if found.counts["held"] else found.problems).append(rekeyed_line(found.rekeyed))
    # no record of ours at all: the portal was emptied as a whole, which is no judgement of single records
    elif found.counts["held"] == 0:
        for _, request_id, create in found.vanished:
            _create(found, request_id, create)
        found.vanished.clear()
    if found.vanished:
        found.counts["archived"] += len(found.vanished)
        named = ", ".join(key for key, *_ in found.vanished[:3])
        warnings.append(
            f"{len(found.vanished):,} records were merged into others or deleted for good in the CRM and are not made "
            f"again ({named}{', ...' if len(found.vanished) > 3 else ''})"
        )
    return tuple(warnings)


def _live_values(row: Mapping[str, Any]) -> dict[str, str]:
    held: Mapping[str, str] = row["live_values"] or {}
    return {field: normalise(field, held.get(field)) for field in (*COMPARED_FIELDS, MANAGED_STATE)}


def _is_retired(live: Mapping[str, str]) -> bool:
    return bool(live.get(RETIRED_AT)) and bool(live.get(RETIRED_REASON))


def _compare_unwanted(found: _Comparison, row: Mapping[str, Any], inputs: PlanInputs, reason: RetiredReason) -> None:
    live = _live_values(row)
    # once is enough: a second time would only move the date
    if _is_retired(live):
        found.counts["retired_before"] += 1
        return
    now = normalise(RETIRED_AT, inputs.now, inputs.text_limits)
    after = {RETIRED_AT: now, RETIRED_REASON: reason.value}
    before = {field: live[field] for field in after}
    found.retires.append(Operation(0, "retire", row["key"], row["record_id"], before=before, after=after))


def _withhold_retirements(found: _Comparison, inputs: PlanInputs) -> tuple[str, ...]:
    """Take retirements out where nobody can be sure of them; return the warning."""
    missing = sum(operation.after[RETIRED_REASON] == RetiredReason.DELETED for operation in found.retires)
    if not found.retires or not (inputs.retirements_withheld or missing > MOST_MISSING):
        return ()
    withheld = len(found.retires)
    found.retires.clear()
    return (
        f"{withheld} records would be retired, but too many requests are missing to be sure: none is retired this run",
    )


def _numbered(operations: list[Operation]) -> list[Operation]:
    return [msgspec.structs.replace(operation, seq=seq) for seq, operation in enumerate(operations, start=1)]


def _plan_links(connection: duckdb.DuckDBPyConnection, plan_id: str, last_seq: int, found: _Comparison) -> Counter[str]:
    """Store the link operations; return labels by action, those wanted, and those there."""
    keys, request_ids, record_ids = zip(*found.linkable, strict=True) if found.linkable else ((), (), ())
    columns = [pa.array(values, pa.string()) for values in (keys, request_ids, record_ids)]
    with incoming(connection, pa.table(dict(zip(("key", "request_id", "record_id"), columns, strict=True)))):
        connection.execute("CREATE OR REPLACE TEMP TABLE plan_records AS SELECT * FROM incoming_rows")
    # each of the statements that follow reads tables that the ones before have made
    connection.execute("CREATE OR REPLACE TEMP TABLE wanted_links AS " + read_sql("sync/desired_links"))
    set_variables(connection, plan_id=plan_id, last_seq=last_seq)
    connection.execute("CREATE OR REPLACE TEMP TABLE compared_links AS " + read_sql("sync/compared_links"))
    connection.execute("CREATE OR REPLACE TEMP TABLE asked_pairs AS " + read_sql("sync/asked_pairs"))
    connection.execute("CREATE OR REPLACE TEMP TABLE link_origins AS " + read_sql("sync/link_origins"))
    counts = store_link_operations(connection, read_sql("sync/plan_link_operations"))
    counts["desired"] = connection.execute("SELECT count(*) FROM wanted_links").fetchall()[0][0]
    counts["live"] = connection.execute(read_sql("sync/live_link_labels")).fetchall()[0][0]
    counts["records written"], counts["labels written"] = connection.execute(
        read_sql("sync/written_before")
    ).fetchall()[0]
    return counts


def _plan_rollups(connection: duckdb.DuckDBPyConnection, plan_id: str, inputs: PlanInputs) -> int:
    """Store the changes of companies, after all others; return how many."""
    if not inputs.rollups:
        return 0
    return append_operations(connection, plan_id, list(plan_rollups(connection, inputs.text_limits)))


def append_operations(connection: duckdb.DuckDBPyConnection, plan_id: str, operations: Sequence[Operation]) -> int:
    """Number and store operations after all that a plan has; return how many."""
    if operations:
        [(last,)] = connection.execute(
            "SELECT coalesce(max(seq), 0) FROM sync.plan_operations WHERE plan_id = $plan_id", {"plan_id": plan_id}
        ).fetchall()
        numbered = (msgspec.structs.replace(one, seq=seq) for seq, one in enumerate(operations, start=last + 1))
        insert_operations(connection, plan_id, numbered)
    return len(operations)


def store_link_operations(connection: duckdb.DuckDBPyConnection, operations: str) -> Counter[str]:
    """Number and store the operations on pairs that a query finds; return labels by action.

    Reads the variables `plan_id` and `last_seq`, the number of the plan's last operation on a record.
    """
    connection.execute("CREATE OR REPLACE TEMP TABLE link_operations AS " + operations)
    connection.execute("INSERT INTO sync.plan_operations " + read_sql("sync/numbered_link_operations"))
    return Counter(dict(connection.execute(read_sql("sync/plan_link_counts")).fetchall()))


def kept_associations(connection: duckdb.DuckDBPyConnection) -> tuple[Conflict, ...]:
    """The pairs of the plan in variable `plan_id` that lose our label and stay associated."""
    return tuple(
        Conflict(key, pair, "kept") for key, pair in connection.execute(read_sql("sync/kept_associations")).fetchall()
    )


def association_warnings(kept: Sequence[Conflict]) -> tuple[str, ...]:
    """Say how many pairs stay associated without our label, and why."""
    if not kept:
        return ()
    what = f"{len(kept):,} pairs lose our label and stay associated"
    reason = "they were associated before our first link, or the ledger does not know"
    remedy = "remove in the CRM those that nobody wants"
    return (f"{what} ({_examples([f'{one.key}:{one.field}' for one in kept])}): {reason}; {remedy}",)


def _unexplained_associations(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    pairs = [pair for (pair,) in connection.execute(read_sql("sync/unexplained_associations")).fetchall()]
    if not pairs:
        return ()
    what = f"{len(pairs):,} pairs are associated without a label and no vote accounts for it ({_examples(pairs)})"
    reason = "made by people, or left of a label that the ledger does not know of"
    return (f"{what}: {reason}; remove in the CRM those that nobody wants",)


def _examples(pairs: Sequence[str]) -> str:
    return ", ".join(pairs[:EXAMPLES]) + (", ..." if len(pairs) > EXAMPLES else "")


def _calls(connection: duckdb.DuckDBPyConnection, inputs: PlanInputs, found: _Comparison, rollups: int) -> int:
    # the question of `is_first_apply`, which needs a finished plan to ask it
    applied, unfinished, *_ = connection.execute(read_sql("sync/portal_history")).fetchall()[0]
    return estimate_calls(
        creates=len(found.creates),
        updates=len(found.updates),
        retires=len(found.retires),
        pairs=planned_pairs(connection),
        canary=found.counts["held"] == 0 or (applied == 0 and unfinished > 0),
        limits=inputs.limits,
        rollups=rollups,
    )


def planned_pairs(connection: duckdb.DuckDBPyConnection) -> Iterator[PairToWrite]:
    """The links and unlinks of the plan in variable `plan_id`, in order; nothing else may be asked meanwhile."""
    # not by a cursor of its own: that would not see what the open transaction has written
    connection.execute(read_sql("sync/planned_pairs"))
    while page := connection.fetchmany(PAGE):
        yield from (PairToWrite(*row) for row in page)


def _header(
    inputs: PlanInputs,
    found: _Comparison,
    links: Counter[str],
    *,
    plan_id: str,
    numbers: PlanNumbers,
    warnings: tuple[str, ...],
    calls: int,
    rollups: int,
) -> Plan:
    actions = {"create": len(found.creates), "update": len(found.updates), "retire": len(found.retires)}
    merged = sum(operation.after[RETIRED_REASON] == RetiredReason.MERGED for operation in found.retires)
    counts = PlanCounts(
        identified=found.counts["identified"],
        unchanged=found.counts["unchanged"],
        archived=found.counts["archived"],
        live=found.counts["live"],
        active=found.counts["active"],
        merged=merged,
        retired_before=found.counts["retired_before"],
        written_before=links["records written"],
        links_written_before=links["labels written"],
        links_desired=links["desired"],
        link=links["link"],
        unlink=links["unlink"],
        links_unchanged=links["desired"] - links["link"],
        live_links=links["live"],
        roll_up=rollups,
        **actions,
    )
    return Plan(
        plan_id=plan_id,
        run_id=inputs.run_id,
        # known once the operations are saved
        hash="",
        kind="sync",
        tenant=inputs.tenant,
        environment=inputs.environment,
        portal_id=inputs.portal_id,
        source_name=",".join(inputs.source_names),
        link_contacts=inputs.link_contacts,
        mapping_version=MAPPING_VERSION,
        code_version=inputs.code_version,
        created_at=inputs.now,
        counts=counts,
        calls=calls,
        numbers=numbers,
        records_held=found.counts["held"],
        conflicts=tuple(found.conflicts),
        problems=tuple(found.problems),
        warnings=warnings,
        settings=inputs.settings,
    )


def _numbers(connection: duckdb.DuckDBPyConnection) -> PlanNumbers:
    return PlanNumbers(*connection.execute(read_sql("sync/guard_numbers")).fetchall()[0])
