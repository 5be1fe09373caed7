"""The protocol every CRM is read and written through.

Ids of a portal's schema (object type, label type) stay inside the connector: callers use names only, so that sandbox
and production are the same to them. Errors: `CredentialError` (token rejected, scope missing, named), `TransientError`
(unreachable, 5xx, quota), `ContractError` (answer not of the documented shape); writes add `BatchRejectedError` and
`UnknownOutcomeError`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from integration_assets.connectors.limiter import Quota
from integration_assets.errors import PermanentError
from integration_assets.errors import UnknownOutcomeError as UnknownOutcomeError  # noqa: PLC0414 - exported again
from integration_assets.models import (
    Company,
    Contact,
    CrmFeatureRequest,
    Deal,
    Link,
    LinkDefinition,
    LinkTarget,
    LiveProperty,
    LiveSchema,
    ObjectDefinition,
    Owner,
    Page,
    Portal,
    PropertyAmendment,
    PropertyDefinition,
    PropertyGroup,
    Rejected,
)


class BatchRejectedError(PermanentError):
    """The CRM refused a whole batch because of at least one of its records; nothing of it was written.

    The remedy is to halve the batch until each bad record is alone. `reason` is what the CRM said, without values.
    """

    def __init__(
        self, reason: str, *, system: str | None = None, endpoint: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(f"batch rejected: {reason}", system=system, endpoint=endpoint, status=status)
        self.reason = reason


class CompanyMapping(msgspec.Struct, frozen=True):
    """Names of the company properties that hold what only the tenant can tell us. None: not mapped.

    `lifecycle` None: the CRM's own property of the lifecycle stage, where it has one. `segments` are what companies are
    filtered by. `rollups` are properties of our own on companies, which may not exist yet.
    """

    arr: str | None = None
    currency: str | None = None
    account_id: str | None = None
    lifecycle: str | None = None
    segments: tuple[str, ...] = ()
    owner: str | None = None
    renewal: str | None = None
    rollups: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """The property names that are mapped, without `rollups`."""
        single = (self.arr, self.currency, self.account_id, self.lifecycle, self.owner, self.renewal)
        # Each once: what companies are filtered by may have another meaning as well.
        return tuple(dict.fromkeys(name for name in (*single, *self.segments) if name))


class RecordWrite(msgspec.Struct, frozen=True):
    """Managed values to write on the record with this key; created when there is none. An empty string clears.

    `creates`: no record had the key when the plan was made, so that a CRM that wants more of a new record gets it.
    """

    key: str
    values: Mapping[str, str]
    creates: bool = False


class WrittenRecord(msgspec.Struct, frozen=True):
    """One record the CRM says it wrote. `created` is False for an update."""

    key: str
    record_id: str
    created: bool


class RecordsOutcome(msgspec.Struct, frozen=True):
    """Answer to one batch of record writes: every input is in exactly one of the three.

    `unaccounted` are keys the CRM neither confirmed nor refused; read them back.
    """

    written: tuple[WrittenRecord, ...]
    rejected: tuple[Rejected, ...] = ()
    unaccounted: tuple[str, ...] = ()


class PairWrite(msgspec.Struct, frozen=True):
    """All labels one pair of records shall carry (writing replaces): ours, and `other:` ones read before.

    For removal: the labels to take off the pair.
    """

    record_id: str
    target: LinkTarget
    target_id: str
    labels: tuple[str, ...]


class PairsOutcome(msgspec.Struct, frozen=True):
    """Answer to one batch of link writes. `rejected` names pairs by `<record_id>:<target>:<target_id>`."""

    written: tuple[PairWrite, ...]
    rejected: tuple[tuple[PairWrite, str], ...] = ()
    unaccounted: tuple[PairWrite, ...] = ()


class PairLinks(msgspec.Struct, frozen=True):
    """Labels of the pairs asked for. `unreadable` pairs carry a type that cannot be told from the target's side."""

    links: tuple[Link, ...]
    unreadable: tuple[PairWrite, ...] = ()


class BulkRefusedError(PermanentError):
    """A bulk read could not be had: nothing of it was handed out, and the list is still there."""


class CallCosts(msgspec.Struct, frozen=True):
    """Calls a CRM takes at least, for the floor that a run's calls are compared with.

    `schema` is one reading of the schema where our object exists and a company property is mapped (one less where none
    is), `missing_object` one where it does not. `writing` comes before the first write of a record: scopes, and what
    our object is called, which `naming` of them ask and a run that writes to companies alone does without; `labels`
    before the first link to a target. A list brings `records_per_page`, and the primary companies of
    `contacts_per_call` contacts take a call; None: they come with the contacts. Reading links brings `links_per_page`
    of each record, or, with `links_together`, of all records of a call, a label each. `lists_contacts`: all contacts
    are listed, `contacts_per_call` a call, whichever addresses are asked for.
    """

    schema: int
    missing_object: int
    writing: int
    labels: int
    records_per_page: int
    contacts_per_call: int | None
    links_per_page: int
    lists_contacts: bool = False
    links_together: bool = False
    naming: int = 0


class ChangeCosts(msgspec.Struct, frozen=True):
    """Records that one call of each method of `CompanyChanges` brings."""

    ids_per_page: int
    records_per_read: int
    archived_per_page: int
    parents_per_call: int


class CompanyChanges(Protocol):
    """Changes among the companies of a portal: for CRMs that can tell it in fewer calls than listing them takes.

    A company that is gone shows in one of four ways: `read` does not return it although it was asked for, `archived`
    names it, another one has it among its `merged_ids`, or `read` returns its survivor in its place.
    """

    lag: timedelta
    """Longest time until a change shows: one made within that time before `modified` may be missing from it."""
    costs: ChangeCosts

    async def modified(self, since: datetime, *, most: int) -> tuple[str, ...] | None:
        """Ids of the live companies created or modified since (with a zone); None when they are more than `most`."""

    async def read(self, mapping: CompanyMapping, ids: Sequence[str]) -> Page[Company]:
        """These companies as they are now, `costs.records_per_read` of them at most. Their parents are not told."""

    def archived(self) -> AsyncIterator[tuple[str, ...]]:
        """Ids of all archived companies, page by page."""

    async def parents(self, ids: Sequence[str]) -> Mapping[str, str]:
        """The parent of each of these companies that has one, `costs.parents_per_call` companies at most."""


class CompanyExport(Protocol):
    """All companies at once, as a file: for CRMs that make one. For a first load, where it takes fewer calls."""

    scope: str
    """The scope the credential needs for it."""
    calls: int
    """Calls it takes at least."""

    async def count(self) -> int:
        """About how many companies there are."""

    def companies(self, mapping: CompanyMapping, *, expected: int) -> AsyncIterator[Page[Company]]:
        """All live companies as of the start of the export, without their parents; `expected` is what `count` told.

        Raises:
            BulkRefusedError: there is no file, or not a whole one; raised before the first page.
        """


class DealPage(msgspec.Struct, frozen=True):
    """Some open deals, and the calls that they take at least, for the floor of the run."""

    page: Page[Deal]
    calls: int


class OpenDeals(Protocol):
    """Open deals (opportunities) of a portal: neither won nor lost yet."""

    scopes: frozenset[str]
    """Scopes that reading them takes, beyond those of a run."""

    def of(self, company_ids: Collection[str] | None) -> AsyncIterator[DealPage]:
        """Read the open deals of these companies, each with its companies; None asks for those of all companies.

        The way with fewer calls is taken, so deals of other companies may be among them.
        """


class Owners(Protocol):
    """People whom companies of a portal belong to, where a company holds only an id of its owner."""

    scopes: frozenset[str]
    """Scopes that reading them takes, beyond those of a run."""

    def names(self) -> AsyncIterator[Page[Owner]]:
        """Read the names of all of them, page by page. Addresses are not kept."""


class CompanyWrites(Protocol):
    """Properties of our own on companies, the only thing that is ever written on one. Companies are named by their id.

    At most `Crm.records_per_write` of them are read or written in one call.
    """

    setup_scopes: frozenset[str]
    """Scopes that creating the properties takes, beyond those of `setup`."""
    schema_calls: int
    """Calls of `properties`."""
    calls_per_batch: int
    """Calls of a batch: looked at before, written, and read back."""

    async def properties(self, group: PropertyGroup) -> tuple[LiveProperty, ...]:
        """Those of our properties that companies have, archived ones left out."""

    async def create(self, group: PropertyGroup, properties: Sequence[PropertyDefinition]) -> None:
        """Create the group, no error when it exists, and these properties of it."""

    async def write(self, group: PropertyGroup, writes: Sequence[RecordWrite]) -> RecordsOutcome:
        """Set values of companies that exist; `key` is the id. An empty string clears."""

    async def read(self, names: Sequence[str], ids: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Read the values that are set, by id, consistently (never by search). Companies that are gone are absent."""


class PropertyAmendments(Protocol):
    """Additions to properties of ours that exist. Of others, none says that it is `amendable`."""

    async def amend(self, definition: ObjectDefinition, amendments: Sequence[PropertyAmendment]) -> None:
        """Add options behind those there are, and write help texts where nobody has changed them since they were read.

        Nothing else of a property changes. Raises as `Crm.create_properties`.
        """


class Crm(Protocol):
    """A CRM portal: one credential, one environment."""

    records_per_write: int
    """Most records one `upsert`, and keys one read by key, may carry."""
    addresses_per_read: int
    """Most addresses one `contacts` may carry."""
    pairs_per_write: int
    """Most pairs one `link` may carry."""
    pairs_per_removal: int
    """Most pairs one `unlink` may carry."""
    pairs_per_archive: int
    """Most pairs one `unlink_whole` may carry."""
    records_per_archive: int
    """Most records of ours one `unlink_whole` may name."""
    records_per_link_read: int
    """Most record ids one `links` may carry."""
    costs: CallCosts
    """Calls it takes at least."""
    company_changes: CompanyChanges | None
    """The way to read changed companies alone; None where only listing all of them tells."""
    company_export: CompanyExport | None
    """The way to read all companies at once; None where there is none."""
    deals: OpenDeals | None
    """The way to read open deals; None where the CRM has none, or they cannot be read."""
    owners: Owners | None
    """None where the property itself holds the name."""
    property_amendments: PropertyAmendments | None
    """The way to add to properties of ours that exist; None where `setup` only creates."""
    company_writes: CompanyWrites | None
    """The way to keep properties of ours on companies; None where there is none."""

    @property
    def name(self) -> str:
        """Provider name, lower-case ("hubspot")."""

    @property
    def quota(self) -> Quota:
        """Return the calls left today as the CRM last said, for the whole account; empty before the first call."""

    async def portal(self) -> Portal:
        """Identity of the portal the credential belongs to."""

    async def granted_scopes(self) -> frozenset[str] | None:
        """Scopes of the credential, or None where the CRM cannot tell."""

    def needed_scopes(self, *, setup: bool, link_contacts: bool) -> frozenset[str]:
        """Scopes a run needs; with `setup`, those needed to create the schema as well."""

    # -- reading

    async def schema(self, definition: ObjectDefinition, company_properties: Collection[str]) -> LiveSchema:
        """Read what the portal's schema holds of `definition` and of the named company properties, fresh each time."""

    async def archived_properties(self, definition: ObjectDefinition) -> tuple[str, ...]:
        """Names of our properties that exist archived."""

    def companies(self, mapping: CompanyMapping) -> AsyncIterator[Page[Company]]:
        """All live companies with all their domains, parent and merged ids."""

    async def contacts(self, emails: Sequence[str]) -> Page[Contact]:
        """The contacts with these addresses (additional addresses count), with their primary company.

        At most `addresses_per_read` of them.
        """

    def feature_requests(
        self, definition: ObjectDefinition, *, archived: bool
    ) -> AsyncIterator[Page[CrmFeatureRequest]]:
        """All live, or all archived, records of our object. Empty when the object does not exist."""

    async def feature_requests_by_key(
        self, definition: ObjectDefinition, keys: Sequence[str]
    ) -> Mapping[str, CrmFeatureRequest]:
        """The live records with these keys, read consistently (never by search). Missing keys are absent."""

    async def links(
        self, definition: ObjectDefinition, record_ids: Sequence[str], target: LinkTarget
    ) -> tuple[Link, ...]:
        """All labels between these records of ours and records of `target`."""

    async def links_of_pairs(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairLinks:
        """All labels of these pairs, all of one target, read from the side of the target.

        At most `records_per_link_read` companies or contacts.
        """

    # -- writing

    async def upsert(self, definition: ObjectDefinition, writes: Sequence[RecordWrite]) -> RecordsOutcome:
        """Create or update records by our unique key, in one call."""

    async def link(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        """Set the labels of pairs, all of one target, in one call. Replaces a pair's labels."""

    async def unlink(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        """Take the given labels off pairs, all of one target, in one call. The plain association may stay."""

    async def unlink_whole(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        """End every association of pairs, all of one target, in one call: whatever labels they carry."""

    # -- schema (setup only)

    async def create_object(self, definition: ObjectDefinition) -> None:
        """Create our object with its display property.

        Raises:
            ConfigurationError: the portal's subscription has no custom objects.
        """

    async def create_group(self, definition: ObjectDefinition) -> None:
        """Create our property group, and whatever else a schema called `lacking`; no error when it exists."""

    async def create_properties(self, definition: ObjectDefinition, properties: Sequence[PropertyDefinition]) -> None:
        """Create properties in our group."""

    async def create_link(self, definition: ObjectDefinition, link: LinkDefinition) -> None:
        """Create a link label with its inverse."""
