"""The ids by which one portal knows our object and our labels.

Object type ids and association type ids are assigned per portal, and the numbers of association types repeat across
categories and pairs: everything is looked up by name, and a type is told by (from, to, category, number), never by its
number alone.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from integration_assets.connectors.crm.hubspot import endpoints
from integration_assets.connectors.crm.hubspot.library import LibraryObject, Place
from integration_assets.connectors.crm.hubspot.session import Session
from integration_assets.connectors.crm.hubspot.wire import (
    AssociationDefinition,
    AssociationType,
    Enablement,
    Listing,
    Schema,
    decode,
)
from integration_assets.errors import HeldError
from integration_assets.models import PLAIN_LABEL, LinkTarget, ObjectDefinition

OTHER = "other"
"""Prefix of labels that are not ours: `other:<category>:<type id>`."""
USER_DEFINED = "USER_DEFINED"

TypeKey = tuple[str, int]
"""Category and number of an association type, within one direction of one pair of object types."""


class LinkTypes(msgspec.Struct, frozen=True):
    """The association types from our object to one target.

    `ours` are those of our labels by link name, `plain` those without a label. `inverse` leads from a type as seen from
    the target to the same one as seen from our object, as far as the schema tells.
    """

    ours: Mapping[str, TypeKey]
    plain: tuple[TypeKey, ...] = ()
    inverse: Mapping[TypeKey, TypeKey] = {}

    def label(self, key: TypeKey) -> str:
        """The label of a type: our link name, `PLAIN_LABEL`, or `other:<category>:<type id>`."""
        # Plain first: a type without a label is no label of anybody's.
        if key in self.plain:
            return PLAIN_LABEL
        return next((name for name, known in self.ours.items() if known == key), f"{OTHER}:{key[0]}:{key[1]}")

    def key(self, label: str) -> TypeKey:
        """The type of a label, ours or one read before.

        Raises:
            HeldError: the portal does not define this label of ours, or no association without a label.
        """
        # Ours by name, whatever number this portal gave it.
        if (known := self.ours.get(label)) is not None:
            return known
        if label == PLAIN_LABEL and self.plain:
            return self.plain[0]
        # A label of somebody else names its type itself: it is written back as it was read.
        prefix, _, rest = label.partition(":")
        category, _, number = rest.partition(":")
        if prefix == OTHER and category and number.isdecimal():
            return category, int(number)
        reason = f"the portal has no link label {label!r}"
        raise HeldError(f"{reason}; run setup", reasons=(reason,))


Definitions = Sequence[AssociationDefinition]
"""Association types of our object as its schema lists them, in both directions."""


def name_links(
    definition: ObjectDefinition,
    object_type: str,
    target: LinkTarget,
    types: Iterable[AssociationType],
    definitions: Definitions,
) -> dict[TypeKey, str | None]:
    """Our link name of each association type, None for those that are not ours.

    A label is known by its name; people may change its text. Where the schema shows no type of that name, because names
    of new labels lag by minutes, the text of the label tells, unless the type is shown under another name: then it is
    somebody else's label, whatever its text.
    """
    texts = {link.label: link.name for link in definition.links if link.target == target}
    names = {link.name for link in definition.links if link.target == target}
    every = shown_names(object_type, target, definitions)
    shown = {type_id: name for type_id, name in every.items() if name in names}
    own = [entry for entry in types if entry.category == USER_DEFINED]
    # Numbers repeat across categories: only a type that people defined can be one of ours.
    by_name = {entry.type_id for entry in own} & shown.keys()
    found = {shown[type_id] for type_id in by_name}
    named: dict[TypeKey, str | None] = {(entry.category, entry.type_id): None for entry in types}
    for entry in own:
        if entry.type_id in by_name:
            named[entry.category, entry.type_id] = shown[entry.type_id]
        # By its text only where no name is shown for the type, and the link was not found by name already.
        elif entry.type_id not in every and (by_text := texts.get(entry.label or "")) not in found:
            named[entry.category, entry.type_id] = by_text
    return named


def shown_names(object_type: str, target: LinkTarget, definitions: Definitions) -> dict[int, str]:
    """The names of all association types from our object to a target, as far as the schema shows them."""
    # Both ends, as the schema lists the types to all objects, in both directions.
    ends = (object_type, endpoints.TARGET_TYPE_IDS[target])
    return {
        int(one.id): one.name
        for one in definitions
        if one.name and str(one.id).isdecimal() and (one.from_object_type_id, one.to_object_type_id) == ends
    }


def inverse_types(
    object_type: str, target: LinkTarget, types: Iterable[AssociationType], definitions: Definitions
) -> dict[TypeKey, TypeKey]:
    """Each type as seen from the target, with the same one as seen from our object: both carry one name.

    A name that stands for several types of one direction tells nothing, and is left out.
    """
    there: dict[str, list[int]] = defaultdict(list)
    back: dict[str, list[int]] = defaultdict(list)
    ends = (object_type, endpoints.TARGET_TYPE_IDS[target])
    for one in definitions:
        if str(one.id).isdecimal():
            if (one.from_object_type_id, one.to_object_type_id) == ends:
                there[one.name].append(int(one.id))
            elif (one.to_object_type_id, one.from_object_type_id) == ends:
                back[one.name].append(int(one.id))
    # The schema names no category: the list of labels tells which numbers are of a user-defined type.
    own = {entry.type_id for entry in types if entry.category == USER_DEFINED}
    return {
        (USER_DEFINED, back[name][0]): (USER_DEFINED, numbers[0])
        for name, numbers in there.items()
        if len(numbers) == 1 and len(back[name]) == 1 and numbers[0] in own
    }


async def find_object(session: Session, name: str, *, archived: bool = False) -> Schema | None:
    """Our object in the portal's list of custom objects; reading it alone answers old states for a minute or more."""
    return named_object(await custom_objects(session, archived=archived), name)


async def custom_objects(session: Session, *, archived: bool = False) -> list[Schema] | None:
    """The custom objects of a portal; None where its subscription has none."""
    endpoint = endpoints.schemas()
    # With the definitions of its associations: lists of labels never tell their names.
    params = {"archived": str(archived).lower(), "includeAssociationDefinitions": "true"}
    listing = await session.read_unless_refused(endpoint, Listing, params=params)
    if listing is None:
        return None
    return [decode(entry, Schema, endpoint=endpoint.template) for entry in listing.results]


def named_object(schemas: Sequence[Schema] | None, name: str) -> Schema | None:
    """The object of a name, in whatever case it was made."""
    return next((schema for schema in schemas or () if schema.name.casefold() == name.casefold()), None)


async def is_activated(session: Session, library: LibraryObject) -> bool:
    """True if an object of the library can be used in this portal."""
    if not library.activated_by_people:
        return True
    told = await session.read_where_told("GET", endpoints.enablement(), Enablement)
    # Where the portal does not tell, the first read of the object will.
    return told is None or told.enablement_by_object_type_id.get(library.type_id, True)


async def association_types(session: Session, object_type: str, target: LinkTarget) -> list[AssociationType]:
    """All association types from our object to a target."""
    endpoint = endpoints.association_labels(object_type, endpoints.TARGETS[target])
    listing = await session.read("GET", endpoint, Listing, bucket=endpoints.ASSOCIATION_BUCKET)
    return [decode(entry, AssociationType, endpoint=endpoint.template) for entry in listing.results]


class PortalIds:
    """Ids of one portal, looked up at the first need and kept until `forget_links`. Absence is never kept."""

    def __init__(self, session: Session, place: Place) -> None:
        self._session = session
        self._place = place
        self._lock = asyncio.Lock()
        self._object_types: dict[str, str] = {}
        self._definitions: dict[str, Definitions] = {}
        self._link_types: dict[tuple[str, LinkTarget], LinkTypes] = {}

    async def object_type(self, definition: ObjectDefinition) -> str | None:
        """Object type id of our object; None when the portal does not have it."""
        # Under a lock, so that readings at the same time look up once.
        async with self._lock:
            if (known := self._object_types.get(definition.name)) is not None:
                return known
            schema = await self._find(definition)
            # Absence is not kept: setup may create the object a moment later.
            if schema is not None:
                self.remember_object(definition, schema)
            return schema.object_type_id if schema else None

    async def _find(self, definition: ObjectDefinition) -> Schema | None:
        library = self._place.library
        if library is None:
            return await find_object(self._session, definition.name)
        if not await is_activated(self._session, library):
            return None
        return Schema(name=library.name, object_type_id=library.type_id)

    async def required_object_type(self, definition: ObjectDefinition) -> str:
        """Object type id of our object.

        Raises:
            HeldError: the portal does not have it.
        """
        object_type = await self.object_type(definition)
        if object_type is None:
            library = self._place.library
            reason = (
                f"{library.name} are not activated in the portal"
                if library
                else f"the portal has no object {definition.name!r}"
            )
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

    def remember_object(self, definition: ObjectDefinition, schema: Schema) -> None:
        """Keep what was just read or created; the lists that would tell may lag behind a creation by minutes."""
        self._object_types[definition.name] = schema.object_type_id
        self._definitions[schema.object_type_id] = schema.definitions()

    def names(
        self, definition: ObjectDefinition, object_type: str, target: LinkTarget, types: Iterable[AssociationType]
    ) -> dict[TypeKey, str | None]:
        """Our link name of each of these types, by what was last seen of the schema."""
        return name_links(definition, object_type, target, types, self._definitions.get(object_type, ()))

    def type_names(self, object_type: str, target: LinkTarget) -> dict[int, str]:
        """The names the schema shows of association types, ours and others'."""
        return shown_names(object_type, target, self._definitions.get(object_type, ()))

    def remember_links(
        self, definition: ObjectDefinition, object_type: str, target: LinkTarget, types: Iterable[AssociationType]
    ) -> LinkTypes:
        """Keep the types just read, unless one of our labels is missing: it may be on its way."""
        # In one order, whatever order the answer has: which of several types without a label is written must not
        # change.
        ordered = sorted(types, key=lambda entry: -entry.type_id)
        named = self.names(definition, object_type, target, ordered)
        known = LinkTypes(
            {name: key for key, name in named.items() if name is not None},
            self._plain(ordered),
            inverse_types(object_type, target, ordered, self._definitions.get(object_type, ())),
        )
        # Kept only when complete: lists of labels lag behind a creation by minutes. An object of the library may have
        # none of ours for good, where the plan has no labels.
        wanted = {link.name for link in definition.links if link.target == target}
        if set(known.ours) == wanted or (self._place.library is not None and not known.ours):
            self._link_types[(object_type, target)] = known
        return known

    def _plain(self, ordered: Sequence[AssociationType]) -> tuple[TypeKey, ...]:
        """The types without a label, first the one that is written.

        HubSpot gives the first company of a ticket a label of its own, which is no person's: it is as plain to us.
        """
        plain = [entry for entry in ordered if not entry.label]
        if self._place.library is not None:
            plain += [entry for entry in ordered if entry.label and entry.category != USER_DEFINED]
        return tuple((entry.category, entry.type_id) for entry in plain)

    def forget_links(self) -> None:
        """Look labels up again at the next need."""
        self._link_types.clear()
