"""The shapes of HubSpot's answers: the fields that are used, and no others.

Unknown fields are ignored, because HubSpot adds some without notice; the type of every used field is checked. Lists
whose entries stand for themselves are left as they came, so that one bad entry does not cost the others.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from integration_assets.errors import ContractError

T = TypeVar("T")
SYSTEM = "hubspot"

WireId = str | int
"""The reference says text; association answers carry numbers. Always compared as text."""


class _Wire(msgspec.Struct, rename="camel"):
    """Base of all shapes: HubSpot writes names in camel case."""


# ---------------------------------------------------------------------------------------------------------- listings


class NextPage(_Wire):
    """The beginning of the next page; `after` is opaque and goes back unchanged."""

    after: WireId


class Paging(_Wire):
    """Paging of a list: absent, or without `next`, on the last page."""

    next: NextPage | None = None


class Listing(_Wire):
    """A page of a list."""

    results: list[Any]
    paging: Paging | None = None

    def after(self) -> str | None:
        """Cursor of the next page, None on the last one."""
        return str(self.paging.next.after) if self.paging and self.paging.next else None


class BatchRead(_Wire):
    """Answer to a batch read: what was found, and, with status 207, what was not.

    Without `results` it is none: everything that was asked for would look absent.
    """

    results: list[Any]
    errors: list[Any] = []


class BatchAnswer(_Wire):
    """Answer to a batch write: what succeeded, and, with status 207, what did not."""

    results: list[Any] = []
    errors: list[Any] = []


# ----------------------------------------------------------------------------------------------------------- records


class Record(_Wire):
    """A record. Property values are text or null; `new` and `object_write_trace_id` come with batch writes."""

    id: WireId
    properties: dict[str, str | None]
    updated_at: datetime | None = None
    archived: bool = False
    new: bool | None = None
    object_write_trace_id: str | None = None

    def value(self, name: str | None) -> str | None:
        """A property's value; None when not asked for, unset, or cleared (which reads as an empty string)."""
        # A cleared property reads as an empty string, an unset one as null: both are no value.
        return (self.properties.get(name) or None) if name else None


RECORD_FIELDS = frozenset(
    {
        "id",
        "properties",
        "propertiesWithHistory",
        "createdAt",
        "updatedAt",
        "archived",
        "archivedAt",
        "associations",
        "objectWriteTraceId",
        "new",
        "url",
        "warnings",
    }
)
"""Fields a record of any type may hold, used or not. Source: HubSpot API reference, CRM objects, version 2026-09."""


# ------------------------------------------------------------------------------------------------------ associations


class Reference(_Wire):
    """An object named by its id."""

    id: WireId


class AssociationType(_Wire):
    """Type of an association, in one direction. `type_id` alone means nothing: numbers repeat across categories."""

    category: str
    type_id: int
    label: str | None = None


class AssociatedObject(_Wire):
    """One associated object with all types of the pair."""

    to_object_id: WireId
    association_types: list[AssociationType]


class Associations(_Wire):
    """The objects that one object is associated with; each object pages for itself."""

    source: Reference = msgspec.field(name="from")
    to: list[AssociatedObject]
    paging: Paging | None = None

    def after(self) -> str | None:
        """Cursor of this object's next page, None on its last one."""
        return str(self.paging.next.after) if self.paging and self.paging.next else None


class WrittenPair(_Wire):
    """A pair an association write confirms, in either of the two forms the calls answer with."""

    from_object_id: WireId | None = None
    to_object_id: WireId | None = None
    source: Reference | None = msgspec.field(name="from", default=None)
    to: Reference | None = None

    def ids(self) -> tuple[str, str] | None:
        """Ids of the two ends as text, or None when the entry does not name both."""
        start = self.from_object_id if self.from_object_id is not None else self.source and self.source.id
        end = self.to_object_id if self.to_object_id is not None else self.to and self.to.id
        return None if start is None or end is None else (str(start), str(end))


# ------------------------------------------------------------------------------------------------------------ schema


class AssociationDefinition(_Wire):
    """One direction of an association type as a schema lists it: with its name, which lists of labels never tell."""

    id: WireId
    name: str
    from_object_type_id: str
    to_object_type_id: str


class Schema(_Wire):
    """A custom object. `associations` are left as they came: a type of some other object may have any form."""

    name: str
    object_type_id: str
    archived: bool = False
    required_properties: list[str] = []
    associations: list[Any] = []

    def definitions(self) -> tuple[AssociationDefinition, ...]:
        """The association types that can be read."""
        # Those that cannot be read are left out: they may be of an object that is none of our business.
        decoded = (decode_entry(entry, AssociationDefinition) for entry in self.associations)
        return tuple(one for one in decoded if isinstance(one, AssociationDefinition))


class NamedProperty(_Wire):
    """The name of a property definition, and whose it is: enough to know whether the rest matters."""

    name: str
    hubspot_defined: bool = False


class Option(_Wire):
    """An option of an enumeration, by its internal value."""

    value: str


class ModificationMetadata(_Wire):
    """The parts of a property that may be changed."""

    read_only_value: bool = False
    read_only_definition: bool = False


class Property(_Wire):
    """A property definition."""

    name: str
    type: str
    field_type: str
    group_name: str | None = None
    options: list[Option] | None = None
    has_unique_value: bool = False
    calculated: bool = False
    external_options: bool = False
    modification_metadata: ModificationMetadata | None = None
    description: str | None = None

    @property
    def amendable(self) -> bool:
        """True if its definition may be changed through the API."""
        return not (self.modification_metadata and self.modification_metadata.read_only_definition)

    @property
    def writable(self) -> bool:
        """True if a value may be written through the API."""
        return not self.calculated and not (self.modification_metadata and self.modification_metadata.read_only_value)


class Limit(_Wire):
    """A limit of the portal, of associations per record or of custom objects; `usage` is told of the latter."""

    limit: int | None = None
    usage: int | None = None


class ObjectLimit(_Wire):
    """Allowance of the subscription for an object type, and what is used of it."""

    object_type_id: str
    limit: int | None = None
    usage: int | None = None


class PropertyLimits(_Wire):
    """Custom properties that the subscription allows, by object and in all."""

    by_object_type: list[ObjectLimit] = []
    overall_limit: int | None = None
    overall_usage: int | None = None


class PipelineLimits(_Wire):
    """Pipelines that the subscription allows of HubSpot's own objects."""

    hubspot_defined_object_types: list[ObjectLimit] = []


class Enablement(_Wire):
    """Which objects of the library are activated, by type id."""

    enablement_by_object_type_id: dict[str, bool] = {}


class AccountDetails(_Wire):
    """Identity of a portal."""

    portal_id: WireId
    account_type: str
    time_zone: str | None = None
    company_currency: str | None = None
    ui_domain: str | None = None


class SearchTotal(_Wire):
    """The number of records a search finds."""

    total: int


class SearchPage(Listing, kw_only=True):
    """A page of what a search finds, and how much it finds in all."""

    total: int


class Stage(_Wire):
    """A stage of a pipeline: its id, which records hold, and the label people see."""

    id: WireId
    label: str


class Pipeline(_Wire):
    """A pipeline with its stages."""

    id: WireId = ""
    label: str = ""
    stages: list[Stage] = []


class OwnerEntry(_Wire):
    """An owner. The address that comes with it is not decoded: nothing needs it."""

    id: WireId
    first_name: str | None = None
    last_name: str | None = None


class ExportTask(_Wire):
    """An export that was accepted."""

    id: WireId


class ExportStatus(_Wire):
    """The progress of an export; `result` is the address of its file once it is there, and a secret."""

    status: str
    result: str | None = None


class TokenInfo(_Wire):
    """The scopes of a token."""

    scopes: list[str]


# ---------------------------------------------------------------------------------------------------------- decoding


def decode(body: Any, kind: type[T], *, endpoint: str) -> T:
    """Check parsed JSON against a shape.

    Raises:
        ContractError: a used field is absent or has another type; names the field's path, never its value.
    """
    try:
        # The path of the field is in msgspec's message, its value is not.
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise ContractError(
            f"hubspot answered {endpoint} in an unexpected form: {error}", system=SYSTEM, endpoint=endpoint
        ) from None


def decode_entry(entry: Any, kind: type[T]) -> T | str:
    """Check one entry of a list; when its form is wrong, the reason instead, with the field's path."""
    try:
        return msgspec.convert(entry, kind)
    except msgspec.ValidationError as error:
        return f"unexpected form: {error}"


def entry_id(entry: Any) -> str | None:
    """Id of a list entry whose form may be wrong otherwise."""
    decoded = decode_entry(entry, Reference)
    return str(decoded.id) if isinstance(decoded, Reference) else None
