"""Undo of a run, as a plan: what its ledger says was there before, as far as nobody has changed it since.

What is there now is read from the CRM, not taken from an earlier read. The plan is applied and verified like any other
and has a ledger of its own, so that an undo can be undone as well; repeated after a crash it plans what is left.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import duckdb
import msgspec
import pyarrow as pa

from integration_assets.connectors.crm.base import Crm
from integration_assets.errors import ConfigurationError
from integration_assets.models import CrmFeatureRequest, LinkTarget, ObjectDefinition
from integration_assets.sql import read_sql
from integration_assets.staging.transactions import transaction
from integration_assets.sync.apply_rollups import read_rollups, refresh_rollups
from integration_assets.sync.company_rollups import rollup_key
from integration_assets.sync.diff import Conflict
from integration_assets.sync.estimate import batch_limits, estimate_calls
from integration_assets.sync.feature_request_object import KEY, MAPPING_VERSION, OUR_LABELS
from integration_assets.sync.ledger import refresh_records, replace_links
from integration_assets.sync.operations import Operation, insert_operations, plan_hash, read_operations
from integration_assets.sync.plan import (
    PlanInputs,
    append_operations,
    association_warnings,
    kept_associations,
    planned_pairs,
    store_link_operations,
)
from integration_assets.sync.plan_store import (
    SHORTEST_PREFIX,
    Plan,
    PlanCounts,
    hash_header,
    insert_header,
    prune,
)
from integration_assets.sync.store import incoming, set_variables
from integration_assets.sync.undo_records import Entry, Written, undo_record, written_by_run
from integration_assets.sync.verify import chunks, read_records

LAST = "last"
"""Names the last run that wrote and was no undo: said again after a crash, it goes on instead of undoing the undo."""

Progress = Callable[[int], None]
"""Called with the number of records just read."""


class UndoableRun(msgspec.Struct, frozen=True):
    """A run that wrote into a CRM, or may have. `began_at` is UTC without zone, as in the store."""

    run_id: str
    portal_id: str
    began_at: datetime


class _Touched(msgspec.Struct, frozen=True):
    """A record the run touched. `certain`: something of it was verified. `linked`: its links were touched."""

    key: str
    record_id: str | None
    certain: bool
    linked: bool


class _Findings(msgspec.Struct):
    """Findings of comparing the records with the ledger, chunk by chunk. `live`: record ids by key."""

    operations: list[Operation] = []
    conflicts: list[Conflict] = []
    live: dict[str, str] = {}
    gone: int = 0


def find_run(connection: duckdb.DuckDBPyConnection, wanted: str) -> UndoableRun:
    """The run with the id `wanted`, or the only one whose id begins so, or the last one.

    Raises:
        ConfigurationError: no such run, several, or one that wrote nothing.
    """
    rows = connection.execute(read_sql("sync/undoable_runs")).fetchall()
    if wanted == LAST:
        rows = [row for row in rows if row[1] is not None and not row[2]][:1]
        if not rows:
            raise ConfigurationError("no run has written anything yet: there is nothing to undo")
    else:
        if len(wanted) < SHORTEST_PREFIX:
            raise ConfigurationError(f"give at least {SHORTEST_PREFIX} characters of the run's id, or `{LAST}`")
        rows = [row for row in rows if row[0].startswith(wanted.lower())]
        # a whole id wins over longer ones that begin with it
        rows = [row for row in rows if row[0] == wanted.lower()] or rows
    if not rows:
        raise ConfigurationError(f"there is no run {wanted} in this staging store: see `integration-assets report`")
    if len({row[0] for row in rows}) > 1:
        raise ConfigurationError(f"several runs begin with {wanted}: give more of the id")
    run_id, portal_id, _, began_at, _ = rows[0]
    if portal_id is None:
        raise ConfigurationError(f"run {run_id} wrote nothing into the CRM: there is nothing to undo")
    return UndoableRun(run_id, portal_id, began_at)


def saved_undo(connection: duckdb.DuckDBPyConnection, run: UndoableRun, plan_hash: str) -> Plan:
    """The newest saved plan with this hash that undoes `run`.

    Raises:
        ConfigurationError: there is none.
    """
    rows = connection.execute(
        "SELECT header FROM sync.plans WHERE kind = 'undo' AND hash = $hash ORDER BY created_at DESC",
        {"hash": plan_hash},
    ).fetchall()
    for (header,) in rows:
        plan = msgspec.json.decode(header, type=Plan)
        # the hash does not say which run is undone: undos of two runs may have the same
        if plan.undoes == run.run_id:
            return plan
    raise ConfigurationError(f"there is no saved undo of run {run.run_id} with the hash {plan_hash[:12]}")


async def make_undo_plan(
    crm: Crm,
    definition: ObjectDefinition,
    connection: duckdb.DuckDBPyConnection,
    run: UndoableRun,
    inputs: PlanInputs,
    *,
    on_progress: Progress = lambda _count: None,
) -> Plan:
    """Read what the CRM holds now of all that `run` touched, and save the plan that puts it back.

    What was changed since the run, and records that are no longer there, are left alone and named in the plan's
    conflicts. The raw tables are brought up to date with what is read. The connection must be in autocommit.

    Raises:
        ConfigurationError: the run wrote to another portal than `inputs.portal_id`.
    """
    # before the first call: ids of one portal mean other records in another
    if run.portal_id != inputs.portal_id:
        raise ConfigurationError(
            f"run {run.run_id} wrote to portal {run.portal_id}, this is portal {inputs.portal_id}: nothing was undone"
        )
    plan_id = uuid.uuid4().hex
    set_variables(
        connection,
        undone_run=run.run_id,
        portal_id=run.portal_id,
        labels=list(OUR_LABELS),
        plan_id=plan_id,
    )
    touched = [_Touched(*row) for row in connection.execute(read_sql("sync/undo_keys")).fetchall()]
    found = _Findings()
    for chunk in chunks(touched, crm.records_per_write):
        live = await read_records(crm, definition, [one.key for one in chunk])
        with transaction(connection):
            refresh_records(connection, live.values())
        _compare(found, chunk, live, _written(connection, chunk), inputs.now)
        on_progress(len(chunk))
    # links of the others were not touched by the run: reading them would be calls for nothing
    linked = [found.live[one.key] for one in touched if one.linked and one.key in found.live]
    await _read_links(crm, definition, connection, linked)
    companies = await _undo_rollups(crm, connection, found)
    return _save(connection, run, inputs, found, companies, plan_id=plan_id, crm=crm)


async def _undo_rollups(crm: Crm, connection: duckdb.DuckDBPyConnection, found: _Findings) -> list[Operation]:
    """The operations that give companies back what they held, as far as nobody has changed it since."""
    rows = connection.execute(read_sql("sync/undone_rollups")).fetchall()
    written: dict[str, dict[str, tuple[str, list[str], bool]]] = defaultdict(dict)
    for company_id, field, before, values, certain in rows:
        written[company_id][field] = (before, values, certain)
    if not written:
        return []
    if crm.company_writes is None:
        raise ConfigurationError(f"{crm.name} keeps no roll-ups on companies: undo them with the CRM that has them")
    operations = []
    for chunk in chunks(sorted(written), crm.records_per_write):
        live = await read_rollups(crm.company_writes, chunk)
        refresh_rollups(connection, live)
        for company_id in chunk:
            operation, conflicts = _undo_company(company_id, written[company_id], live.get(company_id))
            found.conflicts += conflicts
            operations += [operation] if operation else []
    return operations


def _undo_company(
    company_id: str, written: Mapping[str, tuple[str, list[str], bool]], live: Mapping[str, str] | None
) -> tuple[Operation | None, list[Conflict]]:
    key, before, after = rollup_key(company_id), dict[str, str](), dict[str, str]()
    conflicts: list[Conflict] = []
    for field, (value, values, certain) in written.items():
        if live is None:
            # where nothing was verified, nothing may have been written: its absence is no news
            conflicts += [Conflict(key, KEY, "archived")] if certain and not conflicts else []
        elif live[field] == value:
            continue
        elif live[field] in values:
            before[field], after[field] = live[field], value
        else:
            conflicts.append(Conflict(key, field, "moved"))
    return (Operation(0, "roll_up", key, company_id, before=before, after=after) if after else None), conflicts


def _written(connection: duckdb.DuckDBPyConnection, chunk: Sequence[_Touched]) -> dict[str, Written]:
    set_variables(connection, keys=[one.key for one in chunk])
    entries: dict[str, list[Entry]] = defaultdict(list)
    for key, own, action, before, after, outcome in connection.execute(read_sql("sync/undo_entries")).fetchall():
        entries[key].append(Entry(own, action, before or {}, after or {}, outcome))
    return {key: written_by_run(of_key) for key, of_key in entries.items()}


def _compare(
    found: _Findings,
    chunk: Sequence[_Touched],
    live: Mapping[str, CrmFeatureRequest],
    written: Mapping[str, Written],
    now: datetime,
) -> None:
    for touched in chunk:
        record = live.get(touched.key)
        # another record may have the key now: what the run wrote went with the old one
        if record is None or (touched.record_id is not None and record.record_id != touched.record_id):
            # where nothing was verified, the record may never have been made: its absence is no news
            if touched.certain:
                found.conflicts.append(Conflict(touched.key, KEY, "archived"))
                found.gone += 1
            continue
        found.live[touched.key] = record.record_id
        operation, conflicts = undo_record(touched.key, written.get(touched.key, Written()), record, now=now)
        found.conflicts += conflicts
        if operation is not None:
            found.operations.append(operation)


async def _read_links(
    crm: Crm, definition: ObjectDefinition, connection: duckdb.DuckDBPyConnection, record_ids: Sequence[str]
) -> None:
    targets: tuple[LinkTarget, ...] = ("company", "contact")
    for chunk in chunks(record_ids, crm.records_per_link_read):
        for target in targets:
            links = await crm.links(definition, chunk, target)
            with transaction(connection):
                replace_links(connection, chunk, target, links)


def _save(
    connection: duckdb.DuckDBPyConnection,
    run: UndoableRun,
    inputs: PlanInputs,
    found: _Findings,
    companies: Sequence[Operation],
    *,
    plan_id: str,
    crm: Crm,
) -> Plan:
    ordered = sorted(found.operations, key=lambda operation: operation.action, reverse=True)  # update, then retire
    records = [msgspec.structs.replace(operation, seq=seq) for seq, operation in enumerate(ordered, start=1)]
    with transaction(connection):
        insert_operations(connection, plan_id, records)
        counts = _save_links(connection, found, plan_id=plan_id, last_seq=len(records))
        counts.update(operation.action for operation in records)
        counts["roll_up"] = append_operations(connection, plan_id, companies)
        calls = estimate_calls(
            creates=0,
            updates=counts["update"],
            retires=counts["retire"],
            pairs=planned_pairs(connection),
            # the portal has taken writes of ours before
            canary=False,
            limits=batch_limits(crm),
            rollups=counts["roll_up"],
        )
        kept = kept_associations(connection)
        found.conflicts += kept
        warnings = association_warnings(kept)
        plan = _header(inputs, run, found, counts, plan_id=plan_id, calls=calls, warnings=warnings)
        plan = msgspec.structs.replace(plan, hash=plan_hash(hash_header(plan), read_operations(connection, plan_id)))
        insert_header(connection, plan)
        prune(connection, now=inputs.now)
    return plan


def _save_links(
    connection: duckdb.DuckDBPyConnection, found: _Findings, *, plan_id: str, last_seq: int
) -> Counter[str]:
    """Store the link operations; return labels by action."""
    rows = {"key": pa.array(found.live.keys(), pa.string()), "record_id": pa.array(found.live.values(), pa.string())}
    with incoming(connection, pa.table(rows)):
        connection.execute("CREATE OR REPLACE TEMP TABLE undo_records AS SELECT * FROM incoming_rows")
    set_variables(connection, plan_id=plan_id, last_seq=last_seq)
    connection.execute("CREATE OR REPLACE TEMP TABLE asked_pairs AS " + read_sql("sync/undone_pairs"))
    connection.execute("CREATE OR REPLACE TEMP TABLE link_origins AS " + read_sql("sync/link_origins"))
    return store_link_operations(connection, read_sql("sync/undo_link_operations"))


def _header(
    inputs: PlanInputs,
    run: UndoableRun,
    found: _Findings,
    counts: Counter[str],
    *,
    plan_id: str,
    calls: int,
    warnings: tuple[str, ...],
) -> Plan:
    live = len(found.live)
    return Plan(
        plan_id=plan_id,
        run_id=inputs.run_id,
        hash="",
        kind="undo",
        tenant=inputs.tenant,
        environment=inputs.environment,
        portal_id=inputs.portal_id,
        source_name=",".join(inputs.source_names),
        link_contacts=inputs.link_contacts,
        mapping_version=MAPPING_VERSION,
        code_version=inputs.code_version,
        created_at=inputs.now,
        counts=PlanCounts(
            identified=0,
            create=0,
            update=counts["update"],
            retire=counts["retire"],
            unchanged=0,
            archived=found.gone,
            live=live,
            active=live,
            links_desired=0,
            link=counts["link"],
            unlink=counts["unlink"],
            links_unchanged=0,
            live_links=0,
            merged=0,
            retired_before=0,
            roll_up=counts["roll_up"],
        ),
        calls=calls,
        # an undo reads no inputs, and is no base for the guard of a later run
        numbers=None,
        records_held=live,
        conflicts=tuple(found.conflicts),
        warnings=warnings,
        undoes=run.run_id,
    )
