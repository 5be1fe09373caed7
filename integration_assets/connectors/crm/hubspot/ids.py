"""What one portal calls our object and our labels.

Object type ids and association type ids are assigned per portal, and the numbers of association types repeat across
categories and pairs: everything is looked up by name, and a type is told by (from, to, category, number), never by its
number alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import msgspec

from integration_assets.connectors.crm.hubspot import endpoints
from integration_assets.connectors.crm.hubspot.session import Session
from integration_assets.connectors.crm.hubspot.wire import AssociationType, Listing, Schema, decode
from integration_assets.errors import HeldError
from integration_assets.models import LinkTarget, ObjectDefinition

OTHER = "other"
"""Prefix of labels that are not ours: `other:<category>:<type id>`."""
USER_DEFINED = "USER_DEFINED"

TypeKey = tuple[str, int]
"""Category and number of an association type, within one direction of one pair of object types."""


class LinkTypes(msgspec.Struct, frozen=True):
    """The association types of our labels from our object to one target, by link name."""

    ours: Mapping[str, TypeKey]

    def label(self, key: TypeKey) -> str:
        """The label of a type: our link name, or `other:<category>:<type id>`, the unlabelled type included."""
        return next((name for name, known in self.ours.items() if known == key), f"{OTHER}:{key[0]}:{key[1]}")

    def key(self, label: str) -> TypeKey:
        """The type of a label, ours or one read before.

        Raises:
            HeldError: the portal does not define this label of ours.
        """
        if (known := self.ours.get(label)) is not None:
            return known
        prefix, _, rest = label.partition(":")
        category, _, number = rest.partition(":")
        if prefix == OTHER and category and number.isdecimal():
            return category, int(number)
        reason = f"the portal has no link label {label!r}"
        raise HeldError(f"{reason}; run setup", reasons=(reason,))


def name_links(
    definition: ObjectDefinition, target: LinkTarget, types: Iterable[AssociationType]
) -> dict[TypeKey, str | None]:
    """Our link name of each association type, None for those that are not ours, told by the text of the label."""
    names = {link.label: link.name for link in definition.links if link.target == target}
    return {
        (entry.category, entry.type_id): names.get(entry.label or "") if entry.category == USER_DEFINED else None
        for entry in types
    }


async def find_object(session: Session, name: str, *, archived: bool = False) -> Schema | None:
    """Our object in the portal's list of custom objects; reading it alone answers old states for a minute or more."""
    endpoint = endpoints.schemas()
    listing = await session.read("GET", endpoint, Listing, params={"archived": str(archived).lower()})
    schemas = (decode(entry, Schema, endpoint=endpoint.template) for entry in listing.results)
    return next((schema for schema in schemas if schema.name.casefold() == name.casefold()), None)


async def association_types(session: Session, object_type: str, target: LinkTarget) -> list[AssociationType]:
    """All association types from our object to a target."""
    endpoint = endpoints.association_labels(object_type, endpoints.TARGETS[target])
    listing = await session.read("GET", endpoint, Listing, bucket=endpoints.ASSOCIATION_BUCKET)
    return [decode(entry, AssociationType, endpoint=endpoint.template) for entry in listing.results]


class PortalIds:
    """Ids of one portal, looked up at the first need and kept until `forget`. Absence is never kept."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = asyncio.Lock()
        self._object_types: dict[str, str] = {}
        self._link_types: dict[tuple[str, LinkTarget], LinkTypes] = {}

    async def object_type(self, definition: ObjectDefinition) -> str | None:
        """Object type id of our object; None when the portal does not have it."""
        async with self._lock:
            if (known := self._object_types.get(definition.name)) is not None:
                return known
            schema = await find_object(self._session, definition.name)
            if schema is not None:
                self._object_types[definition.name] = schema.object_type_id
            return schema.object_type_id if schema else None

    async def required_object_type(self, definition: ObjectDefinition) -> str:
        """Object type id of our object.

        Raises:
            HeldError: the portal does not have it.
        """
        object_type = await self.object_type(definition)
        if object_type is None:
            reason = f"the portal has no object {definition.name!r}"
            raise HeldError(f"{reason}; run setup", reasons=(reason,))
        return object_type

    async def link_types(self, definition: ObjectDefinition, target: LinkTarget) -> LinkTypes:
        """Types of our labels to a target.

        Raises:
            HeldError: the portal does not have our object.
        """
        object_type = await self.required_object_type(definition)
        async with self._lock:
            if (known := self._link_types.get((object_type, target))) is None:
                known = self.remember_links(
                    definition, object_type, target, await association_types(self._session, object_type, target)
                )
            return known

    def remember_object(self, definition: ObjectDefinition, object_type: str) -> None:
        """Keep what was just read or created; the lists that would tell may lag behind a creation by minutes."""
        self._object_types[definition.name] = object_type

    def remember_links(
        self, definition: ObjectDefinition, object_type: str, target: LinkTarget, types: Iterable[AssociationType]
    ) -> LinkTypes:
        """Keep the types just read, unless one of our labels is missing: it may be on its way."""
        named = name_links(definition, target, sorted(types, key=lambda entry: -entry.type_id))
        known = LinkTypes({name: key for key, name in named.items() if name is not None})
        if set(known.ours) == {link.name for link in definition.links if link.target == target}:
            self._link_types[(object_type, target)] = known
        return known

    def forget_links(self) -> None:
        """Look labels up again at the next need."""
        self._link_types.clear()
