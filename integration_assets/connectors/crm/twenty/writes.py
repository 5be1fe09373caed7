"""Writes into a workspace: our records, and the votes that link them. Nothing else is ever written.

Answers are matched by key, never by position: Twenty answers updated records first, whatever the order of the request.
A batch is written whole or not at all, and no refusal says which of its records is at fault: it is halved by whoever
sent it.

A label is taken off by putting its vote into Twenty's bin, not by destroying it. A vote's key follows from its pair and
label, and a write restores what is in the bin under its key: a link that comes back, by an undo or a returning voter,
is the same record again with its history, and nothing a wrong filter could do is beyond repair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from integration_assets.connectors.crm.base import PairsOutcome, PairWrite, RecordsOutcome, RecordWrite, WrittenRecord
from integration_assets.connectors.crm.twenty import endpoints
from integration_assets.connectors.crm.twenty.names import (
    KEY_FIELD,
    LABEL_FIELD,
    NAME_FIELD,
    TARGETS,
    field_name,
    option_value,
    request_relation,
    vote_key,
    vote_object,
)
from integration_assets.connectors.crm.twenty.reads import OTHER, findable, has_id_form, links
from integration_assets.connectors.crm.twenty.session import Session
from integration_assets.connectors.crm.twenty.values import ValueRefusedError, to_field
from integration_assets.connectors.crm.twenty.wire import Record, Row, decode_entry
from integration_assets.models import LinkTarget, ObjectDefinition, Rejected

NO_ID = "not the id of a record in Twenty"

# ----------------------------------------------------------------------------------------------------------- records


async def upsert(
    session: Session, plural: str, definition: ObjectDefinition, writes: Sequence[RecordWrite], currency: str
) -> RecordsOutcome:
    """Create or update records by their key. Safe to repeat: the key makes it idempotent.

    Raises:
        BatchRejectedError: the whole batch is refused.
        UnknownOutcomeError: the answer was lost.
    """
    rows: dict[str, Row] = {}
    rejected: dict[str, str] = {}
    for write in writes:
        # An empty key is none, and each write without one would make another record.
        if not findable(write.key):
            rejected[write.key] = "its key is empty or has a character that Twenty cannot find it by"
            continue
        try:
            # A later write of the same key takes the place of an earlier one: twice, a new key refuses its batch.
            rows[write.key] = record_row(definition, write, currency)
        except ValueRefusedError as error:
            rejected[write.key] = str(error)
    answer = await session.upsert(plural, list(rows.values())) if rows else []
    written = written_records(answer)
    return RecordsOutcome(
        written=tuple(written[key] for key in rows if key in written),
        rejected=tuple(Rejected("feature_request", key, reason) for key, reason in rejected.items()),
        unaccounted=tuple(key for key in rows if key not in written),
    )


def record_row(definition: ObjectDefinition, write: RecordWrite, currency: str) -> Row:
    """The body of one record. Pure.

    Raises:
        ValueRefusedError: a value is none that its field can hold; names the property.
    """
    row: dict[str, Any] = {}
    for item in definition.properties:
        if item.name not in write.values:
            continue
        try:
            row[field_name(definition, item.name)] = to_field(item.kind, write.values[item.name], currency=currency)
        except ValueRefusedError as error:
            raise ValueRefusedError(f"{item.name}: {error}") from None
    return row | {KEY_FIELD: write.key}


def written_records(answer: Iterable[Any]) -> dict[str, WrittenRecord]:
    """Records that an answer confirms, by key. Pure."""
    written = {}
    for entry in answer:
        record = decode_entry(entry, Record)
        # One that cannot be read stays unaccounted, and is read back.
        if isinstance(record, Record) and isinstance(key := entry.get(KEY_FIELD), str) and record.created_at:
            # No answer says which it was; the time of change moves with every write, even one that changes nothing.
            created = record.created_at == record.updated_at
            written[key] = WrittenRecord(key, record.id, created)
    return written


# ------------------------------------------------------------------------------------------------------------- links


async def link(
    session: Session, definition: ObjectDefinition, target: LinkTarget, pairs: Sequence[PairWrite], batch_size: int
) -> PairsOutcome:
    """Give pairs their labels, a vote for each. Safe to repeat.

    Labels that a pair has beside them stay: each is a record of its own, and whoever writes names all of them anyway.

    Raises:
        BatchRejectedError: a batch is refused whole; of several batches, those before it were written.
        UnknownOutcomeError: the answer was lost.
    """
    good = [pair for pair in pairs if has_id_form(pair.record_id) and has_id_form(pair.target_id)]
    rows = {row[KEY_FIELD]: row for pair in good for row in vote_rows(definition, target, pair)}
    written: set[str] = set()
    for part in endpoints.cut(rows, batch_size):
        answer = await session.upsert(vote_object(definition).plural, [rows[key] for key in part])
        written |= written_records(answer).keys()
    there = [pair for pair in good if all(row[KEY_FIELD] in written for row in vote_rows(definition, target, pair))]
    return PairsOutcome(
        written=tuple(there),
        rejected=tuple((pair, NO_ID) for pair in pairs if pair not in good),
        unaccounted=tuple(pair for pair in good if pair not in there),
    )


def vote_rows(definition: ObjectDefinition, target: LinkTarget, pair: PairWrite) -> list[dict[str, Any]]:
    """The votes for our labels of a pair; those of others are records of their own, and stay as they are. Pure."""
    texts = {link.name: link.label for link in definition.links if link.target == target}
    return [
        {
            KEY_FIELD: vote_key(pair.record_id, target, pair.target_id, label),
            NAME_FIELD: texts[label],
            LABEL_FIELD: option_value(label),
            f"{request_relation(definition)}Id": pair.record_id,
            f"{TARGETS[target]}Id": pair.target_id,
        }
        for label in dict.fromkeys(pair.labels)
        if label in texts
    ]


async def unlink(
    session: Session, definition: ObjectDefinition, target: LinkTarget, pairs: Sequence[PairWrite]
) -> PairsOutcome:
    """Take labels off pairs. Safe to repeat: what is not there is not found.

    Raises:
        BatchRejectedError: a call is refused whole.
        UnknownOutcomeError: the answer was lost.
    """
    good = [pair for pair in pairs if has_id_form(pair.record_id) and has_id_form(pair.target_id)]
    keys = [row[KEY_FIELD] for pair in good for row in vote_rows(definition, target, pair)]
    await _delete(session, definition, KEY_FIELD, keys)
    return PairsOutcome(tuple(good), tuple((pair, NO_ID) for pair in pairs if pair not in good))


async def unlink_whole(
    session: Session, definition: ObjectDefinition, target: LinkTarget, pairs: Sequence[PairWrite]
) -> PairsOutcome:
    """Take off all labels of pairs, those of others included. Safe to repeat.

    Raises: as `unlink`.
    """
    good = [pair for pair in pairs if has_id_form(pair.record_id) and has_id_form(pair.target_id)]
    ends = {(pair.record_id, pair.target_id) for pair in good}
    found = await links(session, definition, target, [one for one, _ in ends], [other for _, other in ends])
    asked = [one for one in found if (one.record_id, one.target_id) in ends]
    keys = [
        vote_key(one.record_id, target, one.target_id, one.label) for one in asked if not one.label.startswith(OTHER)
    ]
    await _delete(session, definition, KEY_FIELD, keys)
    # Votes of others have keys of their own, or none: they are known by their id.
    others = [one.label.removeprefix(f"{OTHER}:") for one in asked if one.label.startswith(OTHER)]
    await _delete(session, definition, "id", others)
    return PairsOutcome(tuple(good), tuple((pair, NO_ID) for pair in pairs if pair not in good))


async def _delete(session: Session, definition: ObjectDefinition, field: str, values: Iterable[str]) -> None:
    for part in endpoints.cut(values, endpoints.KEYS_PER_FILTER):
        await session.soft_delete(vote_object(definition).plural, endpoints.among(field, part))
