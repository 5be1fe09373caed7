"""Properties of ours on companies: created by setup, written by record id, read back by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from integration_assets.connectors.crm.base import RecordsOutcome, RecordWrite, WrittenRecord
from integration_assets.connectors.crm.hubspot import endpoints, reads, schema
from integration_assets.connectors.crm.hubspot.error_answers import parse_problem
from integration_assets.connectors.crm.hubspot.session import Session
from integration_assets.connectors.crm.hubspot.wire import BatchAnswer, Record, decode, decode_entry
from integration_assets.models import LiveProperty, PropertyDefinition, PropertyGroup, Rejected


class HubSpotCompanyWrites:
    """See `connectors.crm.base.CompanyWrites` for what each method promises."""

    setup_scopes = frozenset({"crm.schemas.companies.write"})
    schema_calls = 1
    calls_per_batch = 3

    def __init__(self, session: Session) -> None:
        self._session = session

    async def properties(self, group: PropertyGroup) -> tuple[LiveProperty, ...]:
        """Those of our properties that companies have."""
        return await schema.live_properties(self._session, endpoints.COMPANIES, group)

    async def create(self, group: PropertyGroup, properties: Sequence[PropertyDefinition]) -> None:
        """Create the group and these properties of it."""
        await schema.create_group_named(self._session, endpoints.COMPANIES, group.name, group.label)
        await schema.create_in_group(self._session, endpoints.COMPANIES, group.name, properties)

    async def write(self, group: PropertyGroup, writes: Sequence[RecordWrite]) -> RecordsOutcome:
        """Set values by record id. Safe to repeat."""
        del group  # a portal takes every value as text
        if not writes:
            return RecordsOutcome(())
        inputs = [
            # With a trace id on every input one bad record is refused alone; without, it takes the batch with it.
            {"id": write.key, "objectWriteTraceId": write.key, "properties": dict(write.values)}
            for write in writes
        ]
        endpoint = endpoints.object_batch(endpoints.COMPANIES, "update")
        answer = await self._session.write_batch(endpoint, {"inputs": inputs})
        return account_for_companies([write.key for write in writes], answer)

    async def read(self, names: Sequence[str], ids: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Values by record id, of companies that live under the id they are asked for by."""
        # By id and not by search, whose index lags behind what was just written.
        answer = await reads.records_by_id(self._session, endpoints.COMPANIES, names, ids)
        endpoint, asked = endpoints.object_batch(endpoints.COMPANIES, "read").template, set(ids)
        records = [decode(entry, Record, endpoint=endpoint) for entry in answer.results]
        # One that was merged away may come back as its survivor: that one was not asked for.
        return {
            str(record.id): {name: value for name in names if (value := record.value(name)) is not None}
            for record in records
            if str(record.id) in asked
        }


def account_for_companies(ids: Sequence[str], answer: BatchAnswer) -> RecordsOutcome:
    """Sort the ids of a batch into written, rejected and unaccounted. Pure."""
    asked, written, refused = set(ids), set[str](), dict[str, str]()
    for entry in answer.results:
        record = decode_entry(entry, Record)
        if isinstance(record, Record):
            # By the id: under the trace id of a company that was merged away its survivor would answer.
            written |= {str(record.id)} & asked
    for problem in map(parse_problem, answer.errors):
        named = [one for name in ("objectWriteTraceId", "ids") for one in problem.context.get(name, ()) if one in asked]
        # An error that names nobody can be about the only input alone.
        alone = list(asked) if len(asked) == 1 else []
        refused.update(dict.fromkeys(named or alone, problem.reason()))
    return RecordsOutcome(
        written=tuple(WrittenRecord(one, one, created=False) for one in ids if one in written),
        rejected=tuple(Rejected("company", one, refused[one]) for one in ids if one in refused and one not in written),
        unaccounted=tuple(one for one in ids if one not in written and one not in refused),
    )
