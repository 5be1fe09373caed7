"""The schema of an object of HubSpot's library that holds our records: what it has of ours, what it has room for.

Nothing here changes the object itself, which people use for other things: our properties are added to it, in a group of
ours, and a pipeline of our own where the object has pipelines.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from integration_assets.connectors.crm.base import RecordWrite
from integration_assets.connectors.crm.hubspot import endpoints
from integration_assets.connectors.crm.hubspot.ids import PortalIds, is_activated
from integration_assets.connectors.crm.hubspot.library import CUSTOM, LIBRARY, PIPELINE, STAGE, LibraryObject, Place
from integration_assets.connectors.crm.hubspot.property_types import TEXT_LIMITS
from integration_assets.connectors.crm.hubspot.schema import (
    CompanyProperties,
    company_definitions,
    known_portal,
    live_links,
    live_property,
    named_properties,
    portal,
    with_request_page,
)
from integration_assets.connectors.crm.hubspot.session import Session, gather
from integration_assets.connectors.crm.hubspot.wire import (
    Listing,
    NamedProperty,
    ObjectLimit,
    Pipeline,
    PipelineLimits,
    Property,
    PropertyLimits,
    Schema,
    decode_entry,
)
from integration_assets.models import LiveProperty, LiveSchema, ObjectDefinition, Obstacle, Portal

SETTING = "HUBSPOT_OBJECT"
CLOSED = "CLOSED"
"""State of our stage: tickets in an open one are work for somebody."""
UNLABELLED = (
    "not on this plan: association labels need Professional. Each company and contact of a request has one plain "
    "association, which does not say who voted and who wrote it"
)


class LibraryState(msgspec.Struct, frozen=True):
    """An object of the library as it was read: its properties, and the pipeline and the stage of our records.

    `pipelines` is how many there are, None where the object has none.
    """

    properties: Sequence[Property]
    names: Mapping[str, NamedProperty]
    pipelines: int | None
    pipeline: tuple[str, str] | None

    @property
    def lacks_pipeline(self) -> bool:
        """True if the object has pipelines, and none of them is ours."""
        return self.pipelines is not None and self.pipeline is None

    def beside(self, library: LibraryObject, definition: ObjectDefinition, write: RecordWrite) -> dict[str, str]:
        """HubSpot's own values that go with a write: what the record is called by, and where a new one stands."""
        values = {}
        title = write.values.get(definition.display_property) or (write.key if write.creates else None)
        if title and library.name_property in self.names:
            values[library.name_property] = title
        # Only of a new one: people may move it from stage to stage.
        if write.creates and self.pipeline:
            values |= dict(zip((PIPELINE, STAGE), self.pipeline, strict=True))
        return values


async def library_state(session: Session, place: Place, definition: ObjectDefinition) -> LibraryState:
    """Read the properties of the object and its pipelines."""
    library, stored = library_of(place), place.stored(definition)
    properties, names = await named_properties(session, library.type_id, {item.name for item in stored.properties})
    # An object without these has no pipelines, and a new record asks for none.
    if not {PIPELINE, STAGE} <= names.keys():
        return LibraryState(properties, names, None, None)
    listing = await session.read("GET", endpoints.pipelines(library.type_id), Listing)
    found = [one for one in (decode_entry(entry, Pipeline) for entry in listing.results) if isinstance(one, Pipeline)]
    # By its label: ids are the portal's own.
    ours = next((one for one in found if one.label == definition.group_label and one.stages), None)
    pipeline = (str(ours.id), str(ours.stages[0].id)) if ours else None
    return LibraryState(properties, names, len(listing.results), pipeline)


async def live_schema(
    session: Session,
    ids: PortalIds,
    place: Place,
    definition: ObjectDefinition,
    company_properties: Collection[str],
    *,
    identity: Portal | None = None,
) -> tuple[LiveSchema, CompanyProperties | None]:
    """Read what the object has of ours now, under our own names, and the names of all company properties."""
    library = library_of(place)
    async with gather() as group:
        who = group.create_task(known_portal(identity) if identity else portal(session))
        activated = group.create_task(is_activated(session, library))
        of_companies = group.create_task(company_definitions(session, company_properties))
    mapped, names = of_companies.result()
    if not activated.result():
        obstacle = Obstacle(
            f"{library.name} are not activated in this portal",
            f"activate {library.name} in HubSpot's settings (Objects), or choose another object with {SETTING}",
        )
        absent = LiveSchema(who.result(), False, False, (), (), mapped, text_limits=TEXT_LIMITS, obstacles=(obstacle,))
        return absent, names
    async with gather() as group:
        reading = group.create_task(library_state(session, place, definition))
        labelled = group.create_task(session.read_unless_refused(endpoints.label_limits(), Listing))
        # Names of labels, where the subscription tells them: without, a label is known by its text.
        described = group.create_task(
            session.read_where_told("GET", endpoints.schema(library.type_id), Schema),
        )
    schema = described.result() or Schema(name=library.name, object_type_id=library.type_id)
    schema.object_type_id = library.type_id
    ids.remember_object(definition, schema)
    async with gather() as group:
        targets = tuple(dict.fromkeys(link.target for link in definition.links))
        links = [group.create_task(live_links(session, ids, schema, definition, target)) for target in targets]
        room = group.create_task(_obstacles(session, place, definition, reading.result()))
    state = reading.result()
    kinds = {item.name: item.kind for item in place.stored(definition).properties}
    neutral = place.neutral_names(definition)
    live = LiveSchema(
        portal=with_request_page(who.result(), library.type_id),
        object_present=True,
        object_archived=False,
        properties=(
            *(
                msgspec.structs.replace(
                    live_property(item, kind=kinds[item.name], our_group=definition.group), name=neutral[item.name]
                )
                for item in state.properties
            ),
            *(_required(name) for name in sorted({*schema.required_properties} - kinds.keys() - _given(library))),
        ),
        links=tuple(link for task in links for link in task.result()),
        company_properties=mapped,
        text_limits=TEXT_LIMITS,
        needed_properties=place.needed(definition),
        lacking=(_pipeline_words(definition, library),) if state.lacks_pipeline else (),
        obstacles=room.result(),
        unlabelled=UNLABELLED if labelled.result() is None else None,
        notes=(_note(definition, library),),
    )
    return live, names


def _given(library: LibraryObject) -> frozenset[str]:
    """HubSpot's own properties that every new record of ours has."""
    return frozenset({library.name_property, PIPELINE, STAGE})


def _required(name: str) -> LiveProperty:
    """A property that the object requires of every record, and that is none of ours."""
    return LiveProperty(name, "", "", unique=False, writable=True, options=None, required=True)


def _note(definition: ObjectDefinition, library: LibraryObject) -> str:
    return (
        f"records are kept as {library.name}: their properties begin with {definition.name}_, and {library.name} "
        f"without the property {definition.name}_marker are left alone"
    )


def _pipeline_words(definition: ObjectDefinition, library: LibraryObject) -> str:
    return f"pipeline {definition.group_label} of {library.name}"


def library_of(place: Place) -> LibraryObject:
    """The object of the library that holds our records.

    Raises:
        ValueError: they are kept in an object of our own.
    """
    if place.library is None:
        raise ValueError("an object of our own is none of the library")
    return place.library


async def _obstacles(
    session: Session, place: Place, definition: ObjectDefinition, state: LibraryState
) -> tuple[Obstacle, ...]:
    """Measure whether what is missing has room, before anything of it is made."""
    library = library_of(place)
    missing = len(place.stored(definition).properties) - len(state.properties)
    found = []
    room = await _room_for_properties(session, library) if missing else None
    if room is not None and room < missing:
        found.append(
            Obstacle(
                f"{missing} properties are missing, and the plan has room for {room} more on {library.name}",
                "delete properties that nobody needs in HubSpot's settings, or choose another object or a larger plan",
            )
        )
    if state.lacks_pipeline and await _room_for_pipelines(session, library) == 0:
        found.append(
            Obstacle(
                f"{_pipeline_words(definition, library)} is missing, and the plan has room for no further pipeline",
                f"delete a pipeline that nobody needs, or choose another object with {SETTING}",
            )
        )
    return tuple(found)


async def _room_for_properties(session: Session, library: LibraryObject) -> int | None:
    limits = await session.read_where_told("GET", endpoints.custom_property_limits(), PropertyLimits)
    return _property_room(limits, library) if limits else None


def _property_room(limits: PropertyLimits, library: LibraryObject) -> int | None:
    """Number of further properties the object may have; None where the portal does not tell."""
    pairs = [(one.limit, one.usage) for one in limits.by_object_type if one.object_type_id == library.type_id]
    # Of the object, and of all objects together: the smaller room counts.
    pairs.append((limits.overall_limit, limits.overall_usage))
    rooms = [limit - (usage or 0) for limit, usage in pairs if limit is not None]
    return max(0, min(rooms)) if rooms else None


async def _room_for_pipelines(session: Session, library: LibraryObject) -> int | None:
    limits = await session.read_where_told("GET", endpoints.pipeline_limits(), PipelineLimits)
    return _pipeline_room(limits.hubspot_defined_object_types, library) if limits else None


def _pipeline_room(limits: Sequence[ObjectLimit], library: LibraryObject) -> int | None:
    found = next((one for one in limits if one.object_type_id == library.type_id), None)
    if found is None or found.limit is None:
        return None
    return max(0, found.limit - (found.usage or 0))


# ---------------------------------------------------------------------------------------------------------- the choice


async def no_custom_objects(session: Session, definition: ObjectDefinition) -> Obstacle:
    """Say what a portal without custom objects can have instead, and what each costs: the choice is a person's."""
    async with gather() as group:
        labels = group.create_task(session.read_unless_refused(endpoints.label_limits(), Listing))
        properties = group.create_task(
            session.read_where_told("GET", endpoints.custom_property_limits(), PropertyLimits)
        )
        pipelines = group.create_task(session.read_where_told("GET", endpoints.pipeline_limits(), PipelineLimits))
        activated = {library.name: group.create_task(is_activated(session, library)) for library in LIBRARY.values()}
    told = "; ".join(
        f"{library.name}: {', '.join(words)}"
        for library in LIBRARY.values()
        if (
            words := _costs(
                library,
                definition,
                activated=activated[library.name].result(),
                properties=properties.result(),
                pipelines=pipelines.result(),
            )
        )
    )
    links = "with labels" if labels.result() is not None else "without labels, as those need Professional"
    return Obstacle(
        "this portal has no custom objects, which need Enterprise",
        f"keep the records in another object, by {SETTING}=services, projects or tickets (now {CUSTOM}), each with "
        f"{len(definition.properties) + 1} properties and a pipeline of ours, and links {links}. {told}",
    )


def _costs(
    library: LibraryObject,
    definition: ObjectDefinition,
    *,
    activated: bool,
    properties: PropertyLimits | None,
    pipelines: PipelineLimits | None,
) -> list[str]:
    words = []
    if library.activated_by_people:
        words.append("activated" if activated else "to be activated in HubSpot's settings first")
    needed = len(definition.properties) + 1
    room = _property_room(properties, library) if properties else None
    if room is not None and room < needed:
        words.append(f"room for {room} properties only")
    if pipelines and _pipeline_room(pipelines.hubspot_defined_object_types, library) == 0:
        words.append("no room for a pipeline")
    if library.catch:
        words.append(library.catch)
    return words or ["nothing else"]


# ------------------------------------------------------------------------------------------------------------ creating


async def create_pipeline(session: Session, place: Place, definition: ObjectDefinition) -> None:
    """Create our pipeline where the object has pipelines and none is ours: our records stay out of those of others."""
    library, state = library_of(place), await library_state(session, place, definition)
    if not state.lacks_pipeline:
        return
    stage: dict[str, Any] = {"label": definition.plural, "displayOrder": 0, "metadata": {"ticketState": CLOSED}}
    body = {"label": definition.group_label, "displayOrder": state.pipelines or 0, "stages": [stage]}
    await session.define("POST", endpoints.pipelines(library.type_id), body)
