"""Names of ours in a workspace. Twenty writes API names in camel case, objects in singular and plural. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from integration_assets.models import LinkTarget, ObjectDefinition

KEY_FIELD = "externalId"
"""Field of the unique key, of our object and of votes."""
NAME_FIELD = "name"
"""Field every object is born with, by which Twenty shows a record."""
LABEL_FIELD = "label"
"""Field of a vote that says which of our labels it stands for."""

TARGETS: dict[LinkTarget, str] = {"company": "company", "contact": "person"}
"""Singular names of the objects our records are linked to; also the names of the relations of a vote."""

BORN_FIELDS = frozenset(
    {"id", NAME_FIELD, "createdAt", "updatedAt", "deletedAt", "createdBy", "updatedBy", "position", "searchVector"}
)
"""Fields every object is born with, beside its relations."""


class ObjectNames(NamedTuple):
    """API names and labels of an object."""

    singular: str
    plural: str
    label: str
    label_plural: str


def camel_case(text: str) -> str:
    """`last_vote_at` and `Last vote at` as `lastVoteAt`."""
    words: list[str] = re.findall(r"[A-Za-z0-9]+", text) or [""]
    first, *others = words
    return first[:1].lower() + first[1:] + "".join(word[:1].upper() + word[1:] for word in others)


def field_name(definition: ObjectDefinition, name: str) -> str:
    """Name of the field that holds our property `name`. No two properties of ours share one.

    The key is `externalId`, as integrations of Twenty call it, and what a record is shown by is `name`, which every
    object is born with: a field of another name would leave all records nameless.
    """
    special = {definition.key_property: KEY_FIELD, definition.display_property: NAME_FIELD}
    return special.get(name) or camel_case(name)


def request_object(definition: ObjectDefinition) -> ObjectNames:
    """Names of our object."""
    return ObjectNames(
        camel_case(definition.name), camel_case(definition.plural), definition.singular, definition.plural
    )


def vote_object(definition: ObjectDefinition) -> ObjectNames:
    """Names of the object between ours and companies or people: one record for each label of each pair.

    Twenty has no links of many to many, nor labels of links.
    """
    singular = f"{camel_case(definition.name)}Vote"
    return ObjectNames(singular, f"{singular}s", f"{definition.singular} vote", f"{definition.singular} votes")


def request_relation(definition: ObjectDefinition) -> str:
    """Name of a vote's relation to our object; in records it is there by its id, as `<name>Id`."""
    return camel_case(definition.name)


def vote_key(record_id: str, target: LinkTarget, target_id: str, label: str) -> str:
    """Unique key of the vote that stands for one label of one pair."""
    return f"{record_id}:{target}:{target_id}:{label}"


def option_value(value: str) -> str:
    """Value of an option there: in upper case, which is the only form an option may have."""
    return value.upper()


def our_option(value: str) -> str:
    """Our value of an option there."""
    return value.lower()
