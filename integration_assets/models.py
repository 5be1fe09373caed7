"""Canonical records: what every feedback system and every CRM is translated into.

Ids are text. Times are UTC, timezone-aware. Money is an exact decimal, or the raw text of the source where the rules of
`resolution` have yet to accept it. Lists are tuples. Nothing here knows a vendor.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")

# ---------------------------------------------------------------------------------------------------- feedback system


class Status(StrEnum):
    """Canonical status of a feature request; the source's own words are kept beside it."""

    OPEN = "open"
    UNDER_REVIEW = "under_review"
    PLANNED = "planned"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    COMPLETE = "complete"
    CLOSED = "closed"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"


class Board(msgspec.Struct, frozen=True):
    """A board of feature requests. `request_count` is what the source reports, or None."""

    board_id: str
    name: str
    request_count: int | None = None


class FeatureRequest(msgspec.Struct, frozen=True):
    """One idea. `score` is the vote count the source reports; `merged_ids` are requests merged into this one."""

    request_id: str
    title: str
    status: Status
    source_status: str | None
    board_id: str | None = None
    board: str | None = None
    category: str | None = None
    details: str | None = None
    url: str | None = None
    tags: tuple[str, ...] = ()
    score: int | None = None
    author_id: str | None = None
    created_at: datetime | None = None
    status_changed_at: datetime | None = None
    merged_ids: tuple[str, ...] = ()


class StatusChange(msgspec.Struct, frozen=True):
    """One move of a request to another status."""

    change_id: str
    request_id: str
    source_status: str
    changed_at: datetime | None


class Voter(msgspec.Struct, frozen=True):
    """A person who votes or authors. `email` is exactly as the source gave it (never logged)."""

    voter_id: str
    # Never normalised here: `resolution` decides what it means, and a CRM may hold it spelt as it is.
    email: str | None = None
    account_ids: tuple[str, ...] = ()


class Vote(msgspec.Struct, frozen=True):
    """One person's support for one request. `voter` is None when the person is gone.

    `request_status` is the source's word for the status of the request, where votes carry it: the only way to learn
    of statuses nobody configured.
    """

    vote_id: str
    request_id: str
    # Kept although the person is gone: the vote still counts.
    voter: Voter | None
    created_at: datetime | None
    request_status: str | None = None


class Account(msgspec.Struct, frozen=True):
    """A company as the feedback system knows it. `monthly_spend` is the source's number as text, in its currency."""

    account_id: str
    name: str | None = None
    domain: str | None = None
    monthly_spend: str | None = None


# ---------------------------------------------------------------------------------------------------------------- CRM


class PortalKind(StrEnum):
    """Kind of CRM portal, as the portal says."""

    STANDARD = "STANDARD"
    SANDBOX = "SANDBOX"
    DEVELOPER_TEST = "DEVELOPER_TEST"
    OTHER = "OTHER"


class RecordPages(msgspec.Struct, frozen=True):
    """Addresses at which people see records in the CRM, with `{id}` where a record's id belongs; None: not known.

    `unknown` says why the one of companies is not known, and what to do.
    """

    company: str | None = None
    request: str | None = None
    unknown: str | None = None


class Portal(msgspec.Struct, frozen=True):
    """Identity of a CRM portal. `currency` is an ISO 4217 code or None; `time_zone` an IANA name or None."""

    portal_id: str
    kind: PortalKind
    currency: str | None = None
    time_zone: str | None = None
    pages: RecordPages = RecordPages()


class Company(msgspec.Struct, frozen=True):
    """A CRM company. `arr`, `currency` and `account_id` are raw text of the mapped properties, or None.

    `segments` are the raw texts of the properties that companies are filtered by, `owner` and `renewal_date` those of
    the mapped properties; several values of one are separated by `;`. `rollups` are the values of our own properties on
    companies, where they are kept; unset is absent in both.
    """

    company_id: str
    name: str | None = None
    domain: str | None = None
    additional_domains: tuple[str, ...] = ()
    arr: str | None = None
    currency: str | None = None
    lifecycle_stage: str | None = None
    parent_id: str | None = None
    merged_ids: tuple[str, ...] = ()
    account_id: str | None = None
    modified_at: datetime | None = None
    rollups: Mapping[str, str] = {}
    segments: Mapping[str, str] = {}
    owner: str | None = None
    renewal_date: str | None = None


class Owner(msgspec.Struct, frozen=True):
    """Somebody whom companies belong to. `name` None: the CRM has none; an address never takes its place."""

    owner_id: str
    name: str | None = None


class Contact(msgspec.Struct, frozen=True):
    """A CRM contact. Addresses are lower-case as the CRM keeps them (never logged)."""

    contact_id: str
    email: str | None
    additional_emails: tuple[str, ...] = ()
    primary_company_id: str | None = None


class Deal(msgspec.Struct, frozen=True):
    """An open deal (opportunity). `company_ids` are its companies; a deal of several counts for each of them.

    `stage` is the label people see. `amount` is in `currency`, an ISO 4217 code, or in the portal's where that is None.
    `home_amount` is the same as the CRM converts it to the portal's currency, None where it does not tell.
    """

    deal_id: str
    name: str | None = None
    company_ids: tuple[str, ...] = ()
    stage: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    home_amount: Decimal | None = None
    close_date: date | None = None


class CrmFeatureRequest(msgspec.Struct, frozen=True):
    """A feature-request record as the CRM holds it now. `values` has the managed properties only; unset is absent."""

    record_id: str
    key: str | None
    values: Mapping[str, str]
    archived: bool = False


LinkTarget = Literal["company", "contact"]

PLAIN_LABEL = "plain"
"""The association without a label. A CRM may add it to every labelled pair, and may keep it when the label goes."""


class Link(msgspec.Struct, frozen=True):
    """One label on one pair of records: request → company (`voted`), request → contact (`voter`, `author`).

    `label` is one of ours, `PLAIN_LABEL`, or `other:<...>` for any other, which is preserved and never compared.
    """

    record_id: str
    target: LinkTarget
    target_id: str
    label: str


# ---------------------------------------------------------------------------------------------------- internal system


class InternalAccount(msgspec.Struct, frozen=True):
    """One row of a tenant's internal system, raw text where the rules of `resolution` have yet to accept it.

    `company_id` is a CRM company, `currency` an ISO 4217 code; None where the system says nothing.
    """

    row_id: str
    company_id: str | None = None
    domain: str | None = None
    arr: str | None = None
    currency: str | None = None


# ------------------------------------------------------------------------------------------------- schema of the CRM


class PropertyKind(StrEnum):
    """Kind of value a managed property holds. Each connector maps it to a type of its CRM."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    NUMBER = "number"
    MONEY = "money"
    DATE_TIME = "date_time"
    OPTION = "option"
    ADDRESS = "address"
    """Address of a web page."""


class TextLimits(msgspec.Struct, frozen=True):
    """Most UTF-16 units a CRM keeps of a value, by kind of property.

    `whole_seconds`: of a time it keeps nothing below a second.
    """

    text: int
    long_text: int
    address: int
    whole_seconds: bool = False

    def of(self, kind: PropertyKind) -> int | None:
        """The limit of this kind; None for kinds that are no text."""
        by_kind = {
            PropertyKind.TEXT: self.text,
            PropertyKind.LONG_TEXT: self.long_text,
            PropertyKind.ADDRESS: self.address,
        }
        return by_kind.get(kind)


class PropertyDefinition(msgspec.Struct, frozen=True):
    """Definition of a managed property. `options` are internal values of an OPTION, in order, with labels."""

    name: str
    label: str
    kind: PropertyKind
    unique: bool = False
    options: tuple[tuple[str, str], ...] = ()
    description: str = ""


class PropertyGroup(msgspec.Struct, frozen=True):
    """Properties of ours on a standard object, in a group of their own."""

    name: str
    label: str
    properties: tuple[PropertyDefinition, ...]


class LinkDefinition(msgspec.Struct, frozen=True):
    """A link label from our object to a standard one, with the label seen from the other side."""

    name: str
    target: LinkTarget
    label: str
    inverse_label: str


class ObjectDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """The custom object this pipeline owns.

    `summary_properties` are what people see of a record beside its name, where the CRM shows more than that.
    """

    name: str
    singular: str
    plural: str
    group: str
    group_label: str
    key_property: str
    display_property: str
    properties: tuple[PropertyDefinition, ...]
    links: tuple[LinkDefinition, ...]
    summary_properties: tuple[str, ...] = ()


class TypeDifference(msgspec.Struct, frozen=True):
    """Difference between the type a property has and the one its kind asks for, in the CRM's own words.

    `harmless`: it takes our values and gives them back unchanged. `remedy` mends it where the type can be changed;
    empty where the property has to be made anew.
    """

    detail: str
    harmless: bool = False
    remedy: str = ""


class LiveProperty(msgspec.Struct, frozen=True):
    """A property as a portal defines it now. `options` is None when they live outside the portal.

    `type` and `field_type` (how the CRM's settings draw it, empty where there is no such word) are the CRM's own words,
    for people and for comparing two portals of one provider. `difference` says of a property of ours, as the connector
    judges it, how its type is not the one its kind asks for; None when it is. `description` is the help text of one of
    ours, None where it is not read; `amendable`: options and a help text may be added to it. `adding_options` says how
    a person adds those it lacks, in terms of its CRM; empty where there is no more to say than that it is done there.
    `made_by_us` tells of one on companies whether it bears a sign that `setup` made it; None where no sign is known.
    """

    name: str
    type: str
    field_type: str
    unique: bool
    writable: bool
    options: tuple[str, ...] | None
    archived: bool = False
    group: str | None = None
    required: bool = False
    difference: TypeDifference | None = None
    description: str | None = None
    amendable: bool = False
    adding_options: str = ""
    made_by_us: bool | None = None


class PropertyAmendment(msgspec.Struct, frozen=True):
    """Additions to a property of ours that exists: `options` that it lacks, and a help text in the place of another.

    `description` None leaves the text as it is; else it is written where `replaces` still stands.
    """

    name: str
    options: tuple[tuple[str, str], ...] = ()
    description: str | None = None
    replaces: str = ""


class LiveLink(msgspec.Struct, frozen=True):
    """A link definition as a portal has it: `limit` is the most records of the target one record may have, or None."""

    target: LinkTarget
    name: str | None
    label: str | None
    # Of this portal: another one may have another limit.
    limit: int | None = None


class Obstacle(msgspec.Struct, frozen=True):
    """Something only a person can take out of the way before our object can be made or written: what it is, what to do.

    The words are the connector's, in terms of its CRM.
    """

    detail: str
    remedy: str


class SchemaWords(msgspec.Struct, frozen=True):
    """A CRM's words for a property and a company, as its users know them, in the singular and the plural."""

    property: str = "property"
    properties: str = "properties"
    company: str = "company"
    companies: str = "companies"


class LiveSchema(msgspec.Struct, frozen=True):
    """Schema of one portal, as far as the pipeline uses it, by name. Ids of the portal never appear here.

    `object_present` is False when our object does not exist; `object_archived` when it exists only archived.
    `company_properties` covers the mapped company properties only, those that exist. `other_properties` are names of
    properties of our object that people added to it, or that say it is somebody else's object of the same name.
    `text_limits` are told whether or not the object exists; None in a schema that was read by an earlier version.

    What a CRM needs beyond the definition, the connector tells: `needed_properties` beside ours (a marker of our
    records), `lacking` other things that are missing and that creating the group makes (a pipeline), `obstacles` that
    `setup` cannot take away. `unlabelled` says why links carry no labels here: each pair then has one link at most,
    whatever it stands for. `grouped` is False where the CRM has no groups of properties. `notes` are for people: how
    our object is kept in this portal. `rollups` are our properties on companies, None where nobody asked for them.
    `words` are those in which people are told what differs.
    """

    portal: Portal
    object_present: bool
    object_archived: bool
    properties: tuple[LiveProperty, ...]
    links: tuple[LiveLink, ...]
    company_properties: tuple[LiveProperty, ...]
    other_properties: tuple[str, ...] = ()
    text_limits: TextLimits | None = None
    needed_properties: tuple[PropertyDefinition, ...] = ()
    lacking: tuple[str, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    unlabelled: str | None = None
    grouped: bool = True
    notes: tuple[str, ...] = ()
    rollups: tuple[LiveProperty, ...] | None = None
    words: SchemaWords = SchemaWords()


# ------------------------------------------------------------------------------------------------------ at the edge


class Rejected(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record that cannot be used or written, with the reason. `key` identifies it and is no personal data.

    `url` leads to it in its own system, where that is known.
    """

    kind: str
    key: str
    reason: str
    url: str | None = None


class RejectedRequest(Rejected, frozen=True, eq=False):
    """A feature request that cannot be used, with what is known of it all the same.

    Its board decides whether anybody asked for it; the requests merged into it are not gone, and the votes on all of
    them are not lost. It equals any rejection of the same record for the same reason.
    """

    board_id: str | None = None
    merged_ids: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        """True if both reject one record for one reason."""
        # Also equal to a plain rejection: the same record met twice, once with less known of it, is told once.
        if not isinstance(other, Rejected):
            return NotImplemented
        return (self.kind, self.key, self.reason) == (other.kind, other.key, other.reason)

    def __hash__(self) -> int:
        """Digest of what is compared."""
        # By the same three as above: board and merged ids are no part of which rejection it is.
        return hash((self.kind, self.key, self.reason))


REQUEST_WITHOUT_ID = "its request has no id"
"""Reason of a vote that is fine in itself, on a request that has no id."""
WITHOUT_ID = "without id"
"""Ending of the key of a record that has none: `item 5 without id`."""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a long read: what could be used, and what could not.

    `doubtful`: records before this page may have been missed, because the list changed while it was read.
    `unreadable_fields`: optional fields (`<system>.<list>.<field>`) that some records are used without, because what
    stood there could not be read: record id and reason of each.
    `unknown_fields`: how many records carried each field that the system does not document (`<system>.<list>.<field>`).
    `cursor`: where the list goes on, for a reader that comes back later; None at its end, and where a system has none.
    """

    records: tuple[T, ...]
    rejected: tuple[Rejected, ...] = ()
    doubtful: bool = False
    unknown_fields: Mapping[str, int] = {}
    unreadable_fields: Mapping[str, tuple[tuple[str, str], ...]] = {}
    cursor: str | None = None
