"""Writes of our records: by key, each row with an answer of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from integration_assets.connectors.crm.base import RecordsOutcome, RecordWrite, WrittenRecord
from integration_assets.connectors.crm.salesforce import names
from integration_assets.connectors.crm.salesforce.session import Fate, Row, Session, problem_of
from integration_assets.models import ObjectDefinition, PropertyKind, Rejected

KIND = "feature_request"
COMPANY_KIND = "company"
_NUMBERS = frozenset({PropertyKind.NUMBER, PropertyKind.MONEY})


async def upsert(session: Session, definition: ObjectDefinition, writes: Sequence[RecordWrite]) -> RecordsOutcome:
    """Create or update records by our key, at most 200.

    Raises:
        BatchRejectedError: the whole call is refused.
        PermanentError: nothing can be written until somebody acts.
        UnknownOutcomeError: the answer was lost.
    """
    rows: dict[str, Row] = {}
    rejected: list[Rejected] = []
    for write in writes:
        row = _row(definition, write)
        # Text in a number's place would spoil the whole request, and one key twice would fail both of its rows.
        if isinstance(row, str):
            rejected.append(Rejected(KIND, write.key, row))
        elif write.key in rows:
            rejected.append(Rejected(KIND, write.key, "the key comes twice in one batch"))
        else:
            rows[write.key] = row
    if not rows:
        return RecordsOutcome((), tuple(rejected))
    key_field = names.custom_name(definition.key_property)
    fates = await session.upsert(names.custom_name(definition.name), key_field, list(rows.values()))
    return _accounted(KIND, list(rows), fates, rejected)


async def update_companies(
    session: Session, kinds: Mapping[str, PropertyKind], writes: Sequence[RecordWrite]
) -> RecordsOutcome:
    """Set values of accounts that exist, at most 200; `kinds` are those of our properties on them, by name.

    Raises: as `upsert`.
    """
    rows: dict[str, Row] = {}
    rejected: list[Rejected] = []
    for write in writes:
        values = _values(kinds, write.values)
        if isinstance(values, str):
            rejected.append(Rejected(COMPANY_KIND, write.key, values))
        else:
            rows[write.key] = {"id": write.key, **values}
    fates = await session.update(names.ACCOUNT, list(rows.values())) if rows else []
    # An update tells of nothing that it is new.
    return _accounted(COMPANY_KIND, list(rows), fates, rejected)


def _accounted(kind: str, keys: Sequence[str], fates: Sequence[Fate], rejected: Sequence[Rejected]) -> RecordsOutcome:
    """Sort the rows of a batch into written, rejected and unaccounted, by key. Pure."""
    written: list[WrittenRecord] = []
    refused: list[Rejected] = []
    unaccounted: list[str] = []
    for key, fate in zip(keys, fates, strict=True):
        if fate is None or (fate.success and not fate.id):
            unaccounted.append(key)
        elif fate.success:
            written.append(WrittenRecord(key, str(fate.id), fate.created))
        else:
            refused.append(Rejected(kind, key, problem_of(fate).reason()))
    return RecordsOutcome(tuple(written), (*refused, *rejected), tuple(unaccounted))


def _row(definition: ObjectDefinition, write: RecordWrite) -> Row | str:
    """The row of a write, or why one of its values cannot be sent."""
    kinds = {item.name: item.kind for item in definition.properties}
    key = names.custom_name(definition.key_property)
    row = _values(kinds, {name: value for name, value in write.values.items() if name != definition.key_property})
    return row if isinstance(row, str) else {key: write.key, **row, **_shown_name(definition, write.values)}


def _values(kinds: Mapping[str, PropertyKind], values: Mapping[str, str]) -> Row | str:
    """Values by their fields, or why one of them cannot be sent."""
    row: Row = {}
    for name, value in values.items():
        sent = _sent(kinds[name], value)
        if isinstance(sent, _Unfit):
            return f"{name}: {sent.reason}"
        row[names.custom_name(name)] = sent
    return row


def _shown_name(definition: ObjectDefinition, values: Mapping[str, str]) -> Row:
    """The standard name of a record, which lists and links show: the beginning of its title."""
    title = values.get(definition.display_property)
    return {names.NAME: title[: names.MOST_NAME_CHARACTERS].strip()} if title and title.strip() else {}


class _Unfit(msgspec.Struct, frozen=True):
    reason: str


def _sent(kind: PropertyKind, value: str) -> Any:
    """A value as JSON: null empties; numbers are written digit by digit, so that none is rounded on the way."""
    if value == "":
        return None
    if kind in _NUMBERS:
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        return msgspec.Raw(format(number, "f").encode()) if number.is_finite() else _Unfit("not a number")
    if kind is PropertyKind.DATE_TIME:
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return _Unfit("not a time")
    return value
