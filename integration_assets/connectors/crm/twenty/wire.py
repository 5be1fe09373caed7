"""Shapes of Twenty's answers, and the envelopes they come in.

Records are plain mappings: which fields they have is the workspace's own affair. Entries of lists are decoded one by
one, so that one of another form costs itself only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from integration_assets.errors import ContractError

SYSTEM = "twenty"

T = TypeVar("T")
Row = Mapping[str, Any]


class _Wire(msgspec.Struct, rename="camel"):
    """A shape of an answer; fields it does not name are passed over."""


class PageInfo(_Wire):
    """End of a page, and whether more follow."""

    has_next_page: bool = False
    end_cursor: str | None = None


class ListPage(_Wire):
    """A page of a list; where its entries are differs, see `entries`."""

    data: Any
    page_info: PageInfo = msgspec.field(default_factory=PageInfo)


class Record(_Wire):
    """The part of a record every object has."""

    id: str
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None


class Option(_Wire):
    """An option of a SELECT field."""

    value: str
    label: str = ""


class Field(_Wire):
    """A field as the metadata define it. `is_unique` is None where they do not tell, as those of 1.x."""

    id: str
    name: str
    type: str
    label: str = ""
    description: str | None = None
    is_active: bool = True
    is_unique: bool | None = None
    options: list[Option] | None = None
    default_value: Any = None


class ObjectMetadata(_Wire):
    """An object as the metadata define it."""

    id: str
    name_singular: str
    name_plural: str
    is_active: bool = True
    fields: list[Field] = []

    def field(self, name: str) -> Field | None:
        """The field of this name that is not switched off."""
        return next((one for one in self.fields if one.name == name and one.is_active), None)


class _IndexField(_Wire):
    field_metadata_id: str


class _Index(_Wire):
    is_unique: bool
    index_field_metadata_list: list[_IndexField]


class _IndexedObject(_Wire):
    index_metadata_list: list[_Index]


class _IndexEdge(_Wire):
    node: _IndexedObject


class _IndexEdges(_Wire):
    edges: list[_IndexEdge]


class _IndexedObjects(_Wire):
    objects: _IndexEdges


class IndexAnswer(_Wire):
    """The indexes of all objects."""

    data: _IndexedObjects

    def unique_fields(self) -> frozenset[str]:
        """Ids of the fields that alone make up a unique index."""
        indexes = (index for edge in self.data.objects.edges for index in edge.node.index_metadata_list)
        return frozenset(
            index.index_field_metadata_list[0].field_metadata_id
            for index in indexes
            if index.is_unique and len(index.index_field_metadata_list) == 1
        )


def decode(body: Any, kind: type[T], *, endpoint: str) -> T:
    """Check parsed JSON against a shape.

    Raises:
        ContractError: a used field is absent or has another type; names the field's path, never its value.
    """
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise ContractError(
            f"twenty answered {endpoint} in an unexpected form: {error}", system=SYSTEM, endpoint=endpoint
        ) from None


def entries(data: Any, *, endpoint: str) -> list[Any]:
    """The list an answer carries: bare, or as the only value of an envelope whose name differs by call and version.

    Raises:
        ContractError: there is none.
    """
    inner = next(iter(data.values())) if isinstance(data, dict) and len(data) == 1 else data
    if not isinstance(inner, list):
        raise ContractError(
            f"twenty answered {endpoint} in an unexpected form: no list of records", system=SYSTEM, endpoint=endpoint
        )
    return inner


def decode_entry(entry: Any, kind: type[T]) -> T | str:
    """Check one entry of a list; when its form is wrong, the reason instead, with the field's path."""
    try:
        return msgspec.convert(entry, kind)
    except msgspec.ValidationError as error:
        return f"unexpected form: {error}"


def entry_id(entry: Any) -> str:
    """Id of a list entry whose form may be wrong otherwise."""
    found = entry.get("id") if isinstance(entry, dict) else None
    return found if isinstance(found, str) and found else "without id"
