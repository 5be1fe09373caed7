"""Phase one: create, update and retire records, a batch at a time, each read back before it counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from integration_assets.connectors.crm.base import RecordWrite
from integration_assets.models import CrmFeatureRequest, Rejected
from integration_assets.sync.application import Application
from integration_assets.sync.apply_report import FEATURE_REQUEST_KIND
from integration_assets.sync.diff import Conflict, state_without
from integration_assets.sync.feature_request_object import (
    MANAGED_STATE,
    digest,
    normalise,
    parse_managed_state,
    state_text,
    tenant_mark,
)
from integration_assets.sync.ledger import IntentOutcome
from integration_assets.sync.operations import Operation
from integration_assets.sync.sending import Sent, record_writer, send
from integration_assets.sync.verify import LOST_READ_PAUSES_SECONDS, new_bases, read_records, unkept_fields, why_unkept


class _Findings(msgspec.Struct):
    """Findings of reading back a batch, gathered before they are committed."""

    outcomes: list[IntentOutcome] = []
    bases: dict[str, dict[str, str | None]] = {}
    records: list[CrmFeatureRequest] = []
    rejected: list[Rejected] = []
    corrections: list[Operation] = []


async def apply_records(application: Application, operations: Sequence[Operation]) -> None:
    """Write one batch of record operations of one action, and verify it."""
    ready = await _unmoved(application, operations)
    if ready:
        await _write_and_verify(application, ready)
    application.on_progress("records", len(operations))


async def _unmoved(application: Application, operations: Sequence[Operation]) -> list[Operation]:
    """The operations whose before-values are still there; changed fields are left out and reported."""
    # a create has no values before it to compare with
    changing = [operation for operation in operations if operation.action != "create"]
    # read anew: hours may lie between the plan and its approval, and people edit meanwhile
    live = await read_records(application.crm, application.definition, [operation.key for operation in changing])
    ready = [operation for operation in operations if operation.action == "create"]
    for operation in changing:
        remaining, conflicts = _still_to_write(operation, live.get(operation.key))
        application.report.conflicts.extend(conflicts)
        if remaining is not None:
            ready.append(remaining)
    return ready


def _still_to_write(operation: Operation, record: CrmFeatureRequest | None) -> tuple[Operation | None, list[Conflict]]:
    if record is None:  # archived or gone since: writing would bring back half a record
        return None, [Conflict(operation.key, field, "moved") for field in operation.after if field != MANAGED_STATE]
    left_out, conflicts = set(), []
    for field, before in operation.before.items():
        # our own bookkeeping: a change of it alone is nobody's edit
        if field == MANAGED_STATE:
            continue
        live = normalise(field, record.values.get(field))
        if live != before:
            left_out.add(field)
            if live != operation.after[field]:  # else it was done already
                conflicts.append(Conflict(operation.key, field, "moved"))
    if not left_out:
        return msgspec.structs.replace(operation, record_id=record.record_id), conflicts
    moved = {conflict.field for conflict in conflicts}
    after = {field: value for field, value in operation.after.items() if field not in left_out}
    if MANAGED_STATE in after:
        # the state must not vouch for values that are not written
        after[MANAGED_STATE] = state_without(operation.before, operation.after, moved)
    if not after.keys() - {MANAGED_STATE} and moved:
        return None, conflicts
    now = {field: normalise(field, record.values.get(field)) for field in after}
    # an interrupted run, or somebody by hand, has done it already
    if now == after:
        return None, conflicts
    kept = {field: operation.before[field] for field in after}
    return msgspec.structs.replace(operation, record_id=record.record_id, before=kept, after=after), conflicts


async def _write_and_verify(application: Application, operations: Sequence[Operation]) -> None:
    # on record before it is sent: after a crash nothing is in the CRM that the ledger does not know of
    ids = application.ledger.record_intent(operations, now=application.now())
    ledger_ids = {operation.key: ledger_id for operation, ledger_id in zip(operations, ids, strict=True)}
    by_key = {operation.key: operation for operation in operations}
    sent = await _send(application, operations)
    read = await _read_back(application, sent, by_key)
    findings = _Findings()
    for write, reason in sent.rejected:
        _refused(application, findings, ledger_ids[write.key], write.key, reason)
    for write in sent.accepted:
        _accepted(application, findings, ledger_ids[write.key], by_key[write.key], read.get(write.key))
    for writes, lost in ((sent.unaccounted, False), (sent.lost, True)):
        for write in writes:
            _unsure(application, findings, ledger_ids[write.key], by_key[write.key], read.get(write.key), lost=lost)
    application.ledger.record_outcomes(
        findings.outcomes,
        now=application.now(),
        bases=findings.bases,
        records=findings.records,
        rejected=findings.rejected,
    )
    # after the commit and with an intent of its own: should it fail, the outcomes of the batch are kept
    if findings.corrections:
        await _correct(application, findings.corrections)
    sent.raise_what_ended_it()


async def _send(application: Application, operations: Sequence[Operation]) -> Sent[RecordWrite]:
    writes = [
        RecordWrite(operation.key, operation.after, creates=operation.action == "create") for operation in operations
    ]
    return await send(writes, record_writer(application.crm, application.definition), application.pause)


async def _read_back(
    application: Application, sent: Sent[RecordWrite], by_key: Mapping[str, Operation]
) -> dict[str, CrmFeatureRequest]:
    """Read what the CRM holds of everything that may have been written. May move items of `sent` to another fate."""
    keys = [write.key for write in (*sent.accepted, *sent.unaccounted, *sent.lost)]
    read = await read_records(application.crm, application.definition, keys)
    absent = [write for write in sent.accepted if write.key not in read]
    if absent:
        # said to be written, but not there: once more, then it is a broken contract
        again = await _send(application, [by_key[write.key] for write in absent])
        sent.accepted = [write for write in sent.accepted if write.key in read]
        sent.add(again)
        read |= await read_records(application.crm, application.definition, [write.key for write in absent])
    # a write without an answer may still arrive: not there yet does not mean refused
    for seconds in LOST_READ_PAUSES_SECONDS:
        missing = [
            write.key
            for write in sent.lost
            if write.key not in read or unkept_fields(by_key[write.key], read[write.key])
        ]
        if not missing:
            break
        await application.pause(seconds)
        read |= await read_records(application.crm, application.definition, missing)
    return read


def _refused(application: Application, findings: _Findings, ledger_id: int, key: str, reason: str) -> None:
    findings.outcomes.append(IntentOutcome(ledger_id, "rejected", reason))
    findings.rejected.append(application.reject(FEATURE_REQUEST_KIND, key, reason))
    application.report.rejected += 1


def _accepted(
    application: Application,
    findings: _Findings,
    ledger_id: int,
    operation: Operation,
    record: CrmFeatureRequest | None,
) -> None:
    if record is None:
        findings.outcomes.append(
            IntentOutcome(ledger_id, "unknown", "said to be written, but not there on reading back")
        )
        application.report.absent.append(operation.key)
        return
    findings.records.append(record)
    findings.bases[operation.key] = new_bases(operation, record)
    # the answer said it was written; what reads back decides
    unkept = unkept_fields(operation, record)
    if not unkept:
        _verified(application, findings, ledger_id, operation, record)
        return
    reason = why_unkept(operation, record, unkept)
    _refused(application, findings, ledger_id, operation.key, reason)
    # its digests claim values that are not there: the next plan would take the difference for a person's edit
    if MANAGED_STATE in operation.after and MANAGED_STATE not in unkept:
        findings.corrections.append(_corrected_state(operation, record, unkept))


def _verified(
    application: Application,
    findings: _Findings,
    ledger_id: int,
    operation: Operation,
    record: CrmFeatureRequest,
) -> None:
    findings.outcomes.append(IntentOutcome(ledger_id, "verified", record_id=record.record_id))
    report = application.report
    report.verified += 1
    report.created += operation.action == "create"
    report.updated += operation.action == "update"
    report.retired += operation.action == "retire"
    if operation.action != "retire":
        report.written.add(operation.key)
    if operation.action == "update":
        report.updated_keys.add(operation.key)


def _unsure(
    application: Application,
    findings: _Findings,
    ledger_id: int,
    operation: Operation,
    record: CrmFeatureRequest | None,
    *,
    lost: bool,
) -> None:
    # nobody confirmed it, but it is there as written: that is proof enough
    if record is not None and not unkept_fields(operation, record):
        findings.records.append(record)
        findings.bases[operation.key] = new_bases(operation, record)
        _verified(application, findings, ledger_id, operation, record)
    # no reject: it may still arrive, and running again is harmless
    elif lost:
        findings.outcomes.append(IntentOutcome(ledger_id, "unknown", "the answer was lost and the write was not found"))
        application.report.unknown += 1
    else:
        reason = "the CRM neither confirmed nor refused it, and it was not found on reading back"
        _refused(application, findings, ledger_id, operation.key, reason)


def _corrected_state(operation: Operation, record: CrmFeatureRequest, unkept: Sequence[str]) -> Operation:
    """A write of `managed_state` alone, so that it speaks of the values as read back."""
    state = operation.after[MANAGED_STATE]
    # digests of what is there: the next plan then finds no edit, and writes the wanted values again
    digests = parse_managed_state(state) | {
        field: digest(normalise(field, record.values.get(field))) for field in unkept
    }
    return Operation(
        operation.seq,
        "update",
        operation.key,
        record.record_id,
        before={MANAGED_STATE: state},
        after={MANAGED_STATE: state_text(digests, tenant_mark(state))},
    )


async def _correct(application: Application, operations: Sequence[Operation]) -> None:
    """Not counted: the records are reported as rejected already."""
    ids = application.ledger.record_intent(operations, now=application.now())
    sent = await _send(application, operations)
    read = await read_records(application.crm, application.definition, [operation.key for operation in operations])
    outcomes = [
        IntentOutcome(ledger_id, "verified" if _holds(operation, read.get(operation.key)) else "unknown")
        for operation, ledger_id in zip(operations, ids, strict=True)
    ]
    application.ledger.record_outcomes(outcomes, now=application.now(), bases={}, records=read.values())
    sent.raise_what_ended_it()


def _holds(operation: Operation, record: CrmFeatureRequest | None) -> bool:
    return record is not None and not unkept_fields(operation, record)
