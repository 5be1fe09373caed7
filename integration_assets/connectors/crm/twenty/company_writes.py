"""Properties of ours on companies of Twenty: fields made by setup, written by record id, read back by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from integration_assets.connectors.crm.base import RecordsOutcome, RecordWrite, WrittenRecord
from integration_assets.connectors.crm.twenty import reads, schema
from integration_assets.connectors.crm.twenty.metadata import read_metadata
from integration_assets.connectors.crm.twenty.names import camel_case
from integration_assets.connectors.crm.twenty.session import Session
from integration_assets.connectors.crm.twenty.values import ValueRefusedError, to_field
from integration_assets.connectors.crm.twenty.wire import Record, decode_entry
from integration_assets.models import LiveProperty, PropertyDefinition, PropertyGroup, PropertyKind, Rejected

KIND = "company"
GONE = "the company is gone"


class TwentyCompanyWrites:
    """See `connectors.crm.base.CompanyWrites` for what each method promises."""

    setup_scopes: frozenset[str] = frozenset()
    schema_calls = 1
    calls_per_batch = 4
    """One more than elsewhere: see `write`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def properties(self, group: PropertyGroup) -> tuple[LiveProperty, ...]:
        """Those of our properties that companies have; a field that is switched off counts as archived."""
        return schema.company_fields(await read_metadata(self._session), group)

    async def create(self, group: PropertyGroup, properties: Sequence[PropertyDefinition]) -> None:
        """Create the fields of these properties; Twenty has no groups of fields."""
        del group
        await schema.create_company_fields(self._session, properties)

    async def write(self, group: PropertyGroup, writes: Sequence[RecordWrite]) -> RecordsOutcome:
        """Set values by record id. Safe to repeat.

        Twenty has no call that changes many records and makes none: one that was deleted would come back, and one that
        was destroyed would be made anew without a name. So those that are there are asked for just before.

        Raises:
            BatchRejectedError: the whole batch is refused.
            UnknownOutcomeError: the answer was lost.
        """
        kinds = {item.name: item.kind for item in group.properties}
        there = await reads.rollups(self._session, (), [write.key for write in writes])
        rows: dict[str, Mapping[str, Any]] = {}
        rejected: dict[str, str] = {}
        for write in writes:
            if write.key not in there:
                rejected[write.key] = GONE
                continue
            try:
                rows[write.key] = {"id": write.key, **_row(kinds, write.values)}
            except ValueRefusedError as error:
                rejected[write.key] = str(error)
        answer = await self._session.upsert(reads.COMPANIES, list(rows.values())) if rows else []
        written = {one.id for entry in answer if isinstance(one := decode_entry(entry, Record), Record)}
        return RecordsOutcome(
            written=tuple(WrittenRecord(key, key, created=False) for key in rows if key in written),
            rejected=tuple(Rejected(KIND, key, reason) for key, reason in rejected.items()),
            unaccounted=tuple(key for key in rows if key not in written),
        )

    async def read(self, names: Sequence[str], ids: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Values by record id, of companies that are not deleted."""
        return await reads.rollups(self._session, names, ids)


def _row(kinds: Mapping[str, PropertyKind], values: Mapping[str, str]) -> dict[str, Any]:
    row = {}
    for name, value in values.items():
        try:
            row[camel_case(name)] = to_field(kinds[name], value)
        except ValueRefusedError as error:
            raise ValueRefusedError(f"{name}: {error}") from None
    return row
