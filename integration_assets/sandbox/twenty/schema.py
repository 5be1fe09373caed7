"""Objects and fields of a workspace, and their form in the metadata API."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integration_assets.sandbox.twenty.errors import Json
from integration_assets.sandbox.twenty.options import TwentyOptions

SYSTEM_FIELDS = ("id", "createdAt", "updatedAt", "deletedAt", "createdBy", "position", "searchVector")
"""Fields every object is born with, beside its name."""
NAME = re.compile(r"[a-z][a-zA-Z0-9]{0,62}")
"""Form of the API names of objects and fields."""
RESERVED = frozenset(
    [
        "plan",
        "plans",
        "event",
        "events",
        "field",
        "fields",
        "link",
        "links",
        "currency",
        "currencies",
        "fullNames",
        "address",
        "addresses",
        "type",
        "types",
        "object",
        "objects",
        "index",
        "relation",
        "relations",
        "aggregate",
        "user",
        "users",
        "workspace",
        "workspaces",
        "role",
        "roles",
        "job",
        "jobs",
    ]
)
"""Names no object and no field may have."""
OPTION = re.compile(r"[A-Z][A-Z0-9_]*")
"""Form of the value of an option."""


@dataclass
class FieldMeta:
    """A field. `relation_target` is the name of the object at the other end of a relation."""

    id: str
    name: str
    type: str
    label: str
    description: str = ""
    unique: bool = False
    options: list[Json] | None = None
    default: Any = None
    custom: bool = False
    system: bool = False
    active: bool = True
    relation_type: str | None = None
    relation_target: str | None = None

    @property
    def column(self) -> str:
        """Name of the field in records: a relation to one record is there by its id."""
        return f"{self.name}Id" if self.relation_type == "MANY_TO_ONE" else self.name

    def shown(self, options: TwentyOptions) -> Json:
        """The field as the metadata API tells it."""
        body: Json = {
            "id": self.id,
            "type": self.type,
            "name": self.name,
            "label": self.label,
            "description": self.description,
            "isActive": self.active,
            "isSystem": self.system,
            "isNullable": not (options.first_generation and self.unique and self.type == "TEXT"),
            "defaultValue": self.default,
            "options": self.options,
        }
        if self.relation_type:
            body["settings"] = {"relationType": self.relation_type, "joinColumnName": self.column}
        # The first generation says what is custom, and nothing of uniqueness; the second the other way round.
        return body | ({"isCustom": self.custom} if options.first_generation else {"isUnique": self.unique})


@dataclass
class ObjectMeta:
    """An object with its fields by name."""

    id: str
    singular: str
    plural: str
    label: str
    label_plural: str
    custom: bool = False
    fields: dict[str, FieldMeta] = field(default_factory=dict)

    def shown(self, options: TwentyOptions) -> Json:
        """The object as the metadata API tells it."""
        body: Json = {
            "id": self.id,
            "nameSingular": self.singular,
            "namePlural": self.plural,
            "labelSingular": self.label,
            "labelPlural": self.label_plural,
            "isActive": True,
            "isSystem": False,
            "labelIdentifierFieldMetadataId": self.fields["name"].id,
            "fields": [one.shown(options) for one in self.fields.values()],
        }
        return body | (
            {"isCustom": self.custom} if options.first_generation else {"applicationId": str(uuid.UUID(int=1))}
        )

    def columns(self) -> Mapping[str, FieldMeta]:
        """Fields by their name in records; the ends of relations to many are in none."""
        return {one.column: one for one in self.fields.values() if one.relation_type != "ONE_TO_MANY"}

    def unique_columns(self) -> list[str]:
        """Names of the columns that keep their values unique, each with the part of it that does."""
        parts = {"LINKS": ".primaryLinkUrl", "EMAILS": ".primaryEmail"}
        return [f"{one.column}{parts.get(one.type, '')}" for one in self.fields.values() if one.unique]
