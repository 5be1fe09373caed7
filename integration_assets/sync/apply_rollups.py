"""Phase three: our properties on companies, a batch at a time, each read back before it counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from integration_assets.connectors.crm.base import CompanyWrites, RecordWrite
from integration_assets.errors import PermanentError
from integration_assets.staging.transactions import transaction
from integration_assets.sync.application import Application
from integration_assets.sync.apply_report import COMPANY_KIND
from integration_assets.sync.company_rollups import NAMES, ROLLUPS, normalise_rollup
from integration_assets.sync.diff import Conflict
from integration_assets.sync.ledger import IntentOutcome
from integration_assets.sync.operations import Operation
from integration_assets.sync.sending import Sent, Write, send
from integration_assets.sync.store import columns, incoming
from integration_assets.sync.verify import LOST_READ_PAUSES_SECONDS

Values = Mapping[str, Mapping[str, str]]
"""By company id: our properties, normalised, "" where unset. Companies that are not there are absent."""


async def apply_rollups(application: Application, operations: Sequence[Operation]) -> None:
    """Write one batch of companies, and verify it.

    Raises:
        PermanentError: the CRM cannot keep properties of ours on companies.
    """
    companies = application.crm.company_writes
    if companies is None:
        raise PermanentError(f"{application.crm.name} keeps no roll-ups on companies: make a new plan")
    ready = await _unmoved(application, companies, operations)
    if ready:
        await _write_and_verify(application, companies, ready)
    application.on_progress("companies", len(operations))


async def read_rollups(companies: CompanyWrites, ids: Sequence[str]) -> Values:
    """Values that these companies hold now."""
    found = await companies.read(NAMES, ids) if ids else {}
    return {
        company_id: {name: normalise_rollup(name, values.get(name)) for name in NAMES}
        for company_id, values in found.items()
    }


async def _unmoved(
    application: Application, companies: CompanyWrites, operations: Sequence[Operation]
) -> list[Operation]:
    """The operations whose before-values are still there; what was changed since is left alone, and told."""
    # read anew: hours may lie between the plan and its approval
    live = await read_rollups(companies, [_company(operation) for operation in operations])
    ready = []
    for operation in operations:
        now = live.get(_company(operation))
        moved = [field for field, value in operation.before.items() if now is None or now[field] != value]
        if not moved:
            ready.append(operation)
        # all of it is there already: an interrupted run has done it
        elif now is None or any(now[field] != value for field, value in operation.after.items()):
            application.report.conflicts.extend(Conflict(operation.key, field, "moved") for field in moved)
    return ready


async def _write_and_verify(
    application: Application, companies: CompanyWrites, operations: Sequence[Operation]
) -> None:
    # on record before it is sent: after a crash nothing is in the CRM that the ledger does not know of
    ids = application.ledger.record_intent(operations, now=application.now())
    ledger_ids = {_company(operation): ledger_id for operation, ledger_id in zip(operations, ids, strict=True)}
    writes = [RecordWrite(_company(operation), operation.after) for operation in operations]
    sent = await send(writes, _writer(companies), application.pause)
    refused = {write.key: reason for write, reason in sent.rejected}
    wanted = {write.key: write.values for write in writes}
    read = await _read_back(application, companies, sent, wanted)
    accepted = {write.key for write in sent.accepted}
    touched = accepted | {write.key for write in (*sent.unaccounted, *sent.lost)}
    outcomes, rejected = [], []
    for company_id, ledger_id in ledger_ids.items():
        if company_id in refused:
            reason = refused[company_id]
        # the batch ended before it was sent: the intent stays open, as after a crash
        elif company_id not in touched:
            continue
        elif _kept(wanted[company_id], read.get(company_id)):
            outcomes.append(IntentOutcome(ledger_id, "verified", record_id=company_id))
            application.report.rolled_up += 1
            continue
        elif company_id in accepted:
            reason = "the CRM did not keep what was written"
        else:
            outcomes.append(IntentOutcome(ledger_id, "unknown", "the answer was lost, and it is not there"))
            application.report.unknown += 1
            continue
        outcomes.append(IntentOutcome(ledger_id, "rejected", reason))
        rejected.append(application.reject(COMPANY_KIND, company_id, reason))
    application.ledger.record_outcomes(outcomes, now=application.now(), bases={}, rejected=rejected)
    refresh_rollups(application.connection, read)
    sent.raise_what_ended_it()


async def _read_back(
    application: Application,
    companies: CompanyWrites,
    sent: Sent[RecordWrite],
    wanted: Mapping[str, Mapping[str, str]],
) -> Values:
    read = dict(await read_rollups(companies, [write.key for write in (*sent.accepted, *sent.unaccounted, *sent.lost)]))
    # a write without an answer may still arrive: not there yet does not mean refused
    for seconds in LOST_READ_PAUSES_SECONDS:
        missing = [write.key for write in sent.lost if not _kept(wanted[write.key], read.get(write.key))]
        if not missing:
            break
        await application.pause(seconds)
        read |= await read_rollups(companies, missing)
    return read


def _kept(wanted: Mapping[str, str], have: Mapping[str, str] | None) -> bool:
    return have is not None and all(have[field] == value for field, value in wanted.items())


def _writer(companies: CompanyWrites) -> Write[RecordWrite]:
    async def write(writes: Sequence[RecordWrite]) -> Sent[RecordWrite]:
        outcome = await companies.write(ROLLUPS, writes)
        written = {record.key for record in outcome.written}
        reasons = {record.key: record.reason for record in outcome.rejected}
        sent: Sent[RecordWrite] = Sent()
        for item in writes:  # by id, never by position
            if item.key in reasons:
                sent.rejected.append((item, reasons[item.key]))
            elif item.key in written:
                sent.accepted.append(item)
            else:
                sent.unaccounted.append(item)
        return sent

    return write


def _company(operation: Operation) -> str:
    return str(operation.record_id)


def refresh_rollups(connection: duckdb.DuckDBPyConnection, values: Values) -> None:
    """Let `raw.crm_companies` say what was read: what is left can then be planned without a new read of all."""
    rows = pa.Table.from_pylist(
        [
            {"company_id": company_id, "rollups": [(name, text) for name, text in held.items() if text]}
            for company_id, held in values.items()
        ],
        schema=columns(company_id=pa.string(), rollups=pa.map_(pa.string(), pa.string())),
    )
    if not rows.num_rows:
        return
    with transaction(connection), incoming(connection, rows):
        connection.execute(
            """
            UPDATE raw.crm_companies SET rollups = incoming_rows.rollups FROM incoming_rows
            WHERE crm_companies.company_id = incoming_rows.company_id
            """
        )
