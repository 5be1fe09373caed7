"""A CRM in memory that keeps the protocol: unique key, label replacement, normalised values, limits, and faults."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count

from integration_assets.connectors.crm.base import (
    BatchRejectedError,
    CallCosts,
    CompanyChanges,
    CompanyExport,
    CompanyMapping,
    CompanyWrites,
    OpenDeals,
    Owners,
    PairLinks,
    PairsOutcome,
    PairWrite,
    PropertyAmendments,
    RecordsOutcome,
    RecordWrite,
    UnknownOutcomeError,
    WrittenRecord,
)
from integration_assets.connectors.limiter import Quota
from integration_assets.errors import TransientError
from integration_assets.models import (
    PLAIN_LABEL,
    Company,
    Contact,
    CrmFeatureRequest,
    Link,
    LinkDefinition,
    LinkTarget,
    LiveLink,
    LiveProperty,
    LiveSchema,
    ObjectDefinition,
    Page,
    Portal,
    PortalKind,
    PropertyDefinition,
    PropertyKind,
    Rejected,
)
from integration_assets.sync.feature_request_object import FEATURE_REQUEST


class Killed(BaseException):
    """The process dies here."""


@dataclass
class StoredRecord:
    key: str | None
    values: dict[str, str]
    archived: bool = False


@dataclass
class FakeCrm:
    """`fault` is called with the number of each write, before ("before") and after ("after") it takes effect."""

    records_per_write: int = 100
    pairs_per_write: int = 2_000
    pairs_per_removal: int = 100
    pairs_per_archive: int = 2_000
    records_per_archive: int = 100
    records_per_link_read: int = 1_000
    addresses_per_read: int = 1_000
    costs: CallCosts = field(
        default_factory=lambda: CallCosts(
            schema=1, missing_object=1, writing=0, labels=0, records_per_page=1, contacts_per_call=1, links_per_page=500
        )
    )
    company_changes: CompanyChanges | None = None
    company_export: CompanyExport | None = None
    deals: OpenDeals | None = None
    owners: Owners | None = None
    property_amendments: PropertyAmendments | None = None
    company_writes: CompanyWrites | None = None
    portal_id: str = "1"
    kind: PortalKind = PortalKind.STANDARD

    records: dict[str, StoredRecord] = field(default_factory=dict)
    new_ids: Iterator[int] = field(default_factory=lambda: count(1000))
    pairs: dict[tuple[str, LinkTarget, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    unknown_targets: set[str] = field(default_factory=set)
    poison: set[str] = field(default_factory=set)
    refuse_whole_batches: bool = False
    locked: set[str] = field(default_factory=set)
    """Keys of records, and ids of companies and contacts, that somebody else writes: a batch with one is refused."""
    dropped: set[tuple[str, str]] = field(default_factory=set)
    unmentioned: set[str] = field(default_factory=set)
    vanishing: dict[str, int] = field(default_factory=dict)
    unmade_pairs: set[str] = field(default_factory=set)
    lasting_pairs: set[str] = field(default_factory=set)
    """Companies and contacts whose pairs stay as they are, whatever is taken off."""
    link_pages: int = 0
    """Pages that reading links took."""
    fault: Callable[[int, str], None] = lambda _number, _moment: None
    writes: int = 0
    calls: list[str] = field(default_factory=list)
    on_read: Callable[[], None] = lambda: None

    objects: bool = False
    properties: dict[str, LiveProperty] = field(default_factory=dict)
    labels: dict[str, LinkDefinition] = field(default_factory=dict)
    schema_lag: int = 0

    @property
    def name(self) -> str:
        return "fake"

    @property
    def quota(self) -> Quota:
        return Quota()

    async def portal(self) -> Portal:
        return Portal(self.portal_id, self.kind)

    async def granted_scopes(self) -> frozenset[str] | None:
        return None

    def needed_scopes(self, *, setup: bool, link_contacts: bool) -> frozenset[str]:
        return frozenset()

    # -- reading

    async def schema(self, definition: ObjectDefinition, company_properties: Collection[str]) -> LiveSchema:
        self.calls.append("schema")
        return self.live_schema()

    def live_schema(self) -> LiveSchema:
        """The schema as it reads now."""
        lagging = self.schema_lag > 0
        self.schema_lag -= lagging
        links = () if lagging else tuple(LiveLink(d.target, d.name, d.label) for d in self.labels.values())
        return LiveSchema(
            Portal(self.portal_id, self.kind),
            self.objects,
            object_archived=False,
            properties=tuple(self.properties.values()),
            links=links,
            company_properties=(),
        )

    async def archived_properties(self, definition: ObjectDefinition) -> tuple[str, ...]:
        return ()

    async def companies(self, mapping: CompanyMapping) -> AsyncIterator[Page[Company]]:
        yield Page(())

    async def contacts(self, emails: Sequence[str]) -> Page[Contact]:
        return Page(())

    async def feature_requests(
        self, definition: ObjectDefinition, *, archived: bool
    ) -> AsyncIterator[Page[CrmFeatureRequest]]:
        yield Page(tuple(self.seen(i) for i, r in self.records.items() if r.archived == archived))

    def seen(self, record_id: str) -> CrmFeatureRequest:
        record = self.records[record_id]
        return CrmFeatureRequest(record_id, record.key, {k: v for k, v in record.values.items() if v}, record.archived)

    def listed_ids(self) -> list[str]:
        """Ids of the records a list shows, archived ones included."""
        return list(self.records)

    async def feature_requests_by_key(
        self, definition: ObjectDefinition, keys: Sequence[str]
    ) -> Mapping[str, CrmFeatureRequest]:
        assert 0 < len(keys) <= self.records_per_write
        assert len(set(keys)) == len(keys)
        self.calls.append("read records")
        self.on_read()
        return {str(key): self.seen(record_id) for key, record_id in self.live_ids(set(keys)).items()}

    async def links(
        self, definition: ObjectDefinition, record_ids: Sequence[str], target: LinkTarget
    ) -> tuple[Link, ...]:
        assert 0 < len(record_ids) <= self.records_per_link_read
        self.calls.append("read links")
        wanted = set(record_ids)
        live = [record_id for (record_id, kind, _), have in self.pairs.items() if have and kind == target]
        self._count_pages(Counter(live), wanted)
        return tuple(
            Link(record_id, target, target_id, label)
            for (record_id, kind, target_id), labels in self.pairs.items()
            if record_id in wanted and kind == target
            for label in sorted(labels)
        )

    async def links_of_pairs(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairLinks:
        target_ids = {pair.target_id for pair in pairs}
        assert 0 < len(target_ids) <= self.records_per_link_read
        (target,) = {pair.target for pair in pairs}
        self.calls.append("read links from the target")
        self._count_pages(
            Counter(i for (_, kind, i), have in self.pairs.items() if have and kind == target), target_ids
        )
        return PairLinks(
            tuple(
                Link(pair.record_id, target, pair.target_id, label)
                for pair in pairs
                for label in sorted(self.pairs.get((pair.record_id, target, pair.target_id), ()))
            )
        )

    def _count_pages(self, links: Mapping[str, int], ids: Collection[str]) -> None:
        most = max(links.get(one, 0) for one in ids)
        self.link_pages += max(1, -(-most // self.costs.links_per_page))

    # -- writing

    def _begin(self, call: str, written: Collection[str]) -> int:
        self.writes += 1
        self.calls.append(call)
        self.fault(self.writes, "before")
        if self.locked & {*written}:
            raise TransientError("the records are locked", status=423)
        return self.writes

    async def upsert(self, definition: ObjectDefinition, writes: Sequence[RecordWrite]) -> RecordsOutcome:
        keys = [write.key for write in writes]
        if len(keys) > self.records_per_write or len(set(keys)) != len(keys):
            raise BatchRejectedError("too many or duplicate ids")
        number = self._begin("upsert", keys)
        written, rejected = self.put_records(writes)
        self.fault(number, "after")
        said = [one for one in written if one.key not in self.unmentioned]
        return RecordsOutcome(tuple(reversed(said)), rejected, tuple(key for key in keys if key in self.unmentioned))

    def put_records(self, writes: Sequence[RecordWrite]) -> tuple[list[WrittenRecord], tuple[Rejected, ...]]:
        """What a batch of records does, whether or not anybody hears of it."""
        bad = [write.key for write in writes if self.refuses(write)]
        if bad and self.refuse_whole_batches:
            raise BatchRejectedError("a value is not valid")
        written = [self._upsert(write) for write in writes if write.key not in bad]
        return written, tuple(Rejected("feature_request", key, "a value is not valid") for key in bad)

    def refuses(self, write: RecordWrite) -> bool:
        """Whether the values of a record are not accepted."""
        return write.key in self.poison

    def live_ids(self, keys: Collection[str]) -> dict[str | None, str]:
        """Ids of the live records with these keys."""
        return {r.key: i for i, r in self.records.items() if r.key in keys and not r.archived}

    def _upsert(self, write: RecordWrite) -> WrittenRecord:
        record_id = self.live_ids({write.key}).get(write.key)
        if record_id is None and self.vanishing.get(write.key, 0):
            self.vanishing[write.key] -= 1
            return WrittenRecord(write.key, "0", created=True)
        created = record_id is None
        if record_id is None:
            record_id = self.add(StoredRecord(write.key, {}))
        for name, value in write.values.items():
            if (write.key, name) not in self.dropped:
                self.records[record_id].values[name] = stored(name, value)
        return WrittenRecord(write.key, record_id, created=created)

    def add(self, record: StoredRecord) -> str:
        """Keep a new record; return its id, which no other ever had."""
        record_id = str(next(self.new_ids))
        self.records[record_id] = record
        return record_id

    async def link(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        assert 0 < len(pairs) <= self.pairs_per_write
        assert len({pair.target for pair in pairs}) == 1
        number = self._begin("link", [pair.target_id for pair in pairs])
        outcome = self.put_pairs(pairs)
        self.fault(number, "after")
        return outcome

    def put_pairs(self, pairs: Sequence[PairWrite]) -> PairsOutcome:
        """What a batch of links does."""
        if self.refuse_whole_batches and any(pair.target_id in self.unknown_targets for pair in pairs):
            raise BatchRejectedError("one of the two does not exist")
        rejected = []
        written = []
        for pair in pairs:
            record = self.records.get(pair.record_id)
            if pair.target_id in self.unknown_targets or record is None or record.archived:
                rejected.append((pair, "one of the two does not exist"))
                continue
            written.append(pair)
            if pair.target_id not in self.unmade_pairs:
                self.pairs[pair.record_id, pair.target, pair.target_id] = {*pair.labels, PLAIN_LABEL}
        return PairsOutcome(tuple(reversed(written)), tuple(rejected))

    async def unlink(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        assert 0 < len(pairs) <= self.pairs_per_removal
        number = self._begin("unlink", [pair.target_id for pair in pairs])
        self.take_off(pairs)
        self.fault(number, "after")
        return PairsOutcome(tuple(pairs))

    async def unlink_whole(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        assert 0 < len(pairs) <= self.pairs_per_archive
        assert len({pair.record_id for pair in pairs}) <= self.records_per_archive
        number = self._begin("unlink whole", [pair.target_id for pair in pairs])
        self.end_pairs(pairs)
        self.fault(number, "after")
        return PairsOutcome(tuple(pairs))

    def take_off(self, pairs: Sequence[PairWrite]) -> None:
        """What a batch of removals does: the association stays, without the label."""
        for pair in pairs:
            if pair.target_id not in self.lasting_pairs:
                self.pairs[pair.record_id, pair.target, pair.target_id] -= set(pair.labels)

    def end_pairs(self, pairs: Sequence[PairWrite]) -> None:
        """What a batch of whole removals does."""
        for pair in pairs:
            if pair.target_id not in self.lasting_pairs:
                self.pairs.pop((pair.record_id, pair.target, pair.target_id), None)

    def take_off_but_plain(self, pairs: Sequence[PairWrite]) -> None:
        """What a batch of whole removals does where associations outlive their labels."""
        for pair in pairs:
            self.pairs[pair.record_id, pair.target, pair.target_id] &= {PLAIN_LABEL}

    def associate(self, record_id: str, target: LinkTarget, target_id: str, *labels: str) -> None:
        """A person associates two records; without a label, or with some of their own."""
        self.pairs[record_id, target, target_id] |= {*labels, PLAIN_LABEL}

    async def pause(self, _seconds: float) -> None:
        """Somebody waits; here nothing happens meanwhile."""

    # -- schema

    async def create_object(self, definition: ObjectDefinition) -> None:
        self.calls.append("create object")
        self.objects = True
        display = next(p for p in definition.properties if p.name == definition.display_property)
        await self.create_properties(definition, [display])

    async def create_group(self, definition: ObjectDefinition) -> None:
        self.calls.append("create group")

    async def create_properties(self, definition: ObjectDefinition, properties: Sequence[PropertyDefinition]) -> None:
        self.calls.append("create properties")
        for prop in properties:
            assert prop.name not in self.properties
            self.properties[prop.name] = live_property(prop)

    async def create_link(self, definition: ObjectDefinition, link: LinkDefinition) -> None:
        self.calls.append("create link")
        self.labels[link.name] = link

    # -- for tests

    def by_key(self, key: str) -> StoredRecord:
        found = [r for r in self.records.values() if r.key == key and not r.archived]
        assert len(found) == 1, f"{len(found)} records have the key {key}"
        return found[0]

    def state(self) -> tuple[dict[str, dict[str, str]], set[tuple[str, str, str, str]]]:
        """What a person would see, without ids of records: values by key, and labels, the plain ones included."""
        keys = [r.key for r in self.records.values() if not r.archived]
        assert len(set(keys)) == len(keys), "duplicate key"
        values = {str(r.key): {k: v for k, v in r.values.items() if v} for r in self.records.values() if not r.archived}
        links: set[tuple[str, str, str, str]] = {
            (str(self.records[i].key), target, target_id, label)
            for (i, target, target_id), labels in self.pairs.items()
            for label in labels
        }
        return values, links


def live_property(prop: PropertyDefinition) -> LiveProperty:
    return LiveProperty(prop.name, prop.kind.value, "", prop.unique, True, tuple(value for value, _ in prop.options))


_KINDS = {prop.name: prop.kind for prop in FEATURE_REQUEST.properties}


def stored(name: str, value: str) -> str:
    """A value as this CRM keeps it: in its own words, so that the code under test cannot compare text alone."""
    if value and _KINDS[name] in {PropertyKind.NUMBER, PropertyKind.MONEY}:
        return str(Decimal(value) + Decimal("0.00"))
    return value


def lost_answer(*numbers: int, moment: str = "after") -> Callable[[int, str], None]:
    def fault(number: int, when: str) -> None:
        if number in numbers and when == moment:
            raise UnknownOutcomeError("answer lost")

    return fault


def killed_at(number: int, moment: str) -> Callable[[int, str], None]:
    def fault(now: int, when: str) -> None:
        if (now, when) == (number, moment):
            raise Killed

    return fault
