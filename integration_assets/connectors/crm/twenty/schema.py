"""The schema of a workspace: what it has of ours, and the making of what is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from integration_assets.connectors.crm.twenty import endpoints
from integration_assets.connectors.crm.twenty.metadata import Metadata, read_metadata, required
from integration_assets.connectors.crm.twenty.names import (
    BORN_FIELDS,
    KEY_FIELD,
    LABEL_FIELD,
    TARGETS,
    ObjectNames,
    camel_case,
    field_name,
    option_value,
    our_option,
    request_object,
    request_relation,
    vote_object,
)
from integration_assets.connectors.crm.twenty.session import Session
from integration_assets.connectors.crm.twenty.values import DEFAULT_CURRENCY, FIELD_TYPES, default_currency
from integration_assets.connectors.crm.twenty.wire import SYSTEM, Field, ObjectMetadata
from integration_assets.errors import ConfigurationError, ContractError
from integration_assets.examples import first_names
from integration_assets.models import (
    LinkDefinition,
    LiveLink,
    LiveProperty,
    LiveSchema,
    ObjectDefinition,
    Obstacle,
    Portal,
    PropertyDefinition,
    PropertyGroup,
    PropertyKind,
    SchemaWords,
    TextLimits,
    TypeDifference,
)

MAX_TEXT = 65_536
TEXT_LIMITS = TextLimits(text=MAX_TEXT, long_text=MAX_TEXT, address=MAX_TEXT)
"""Twenty has no limit of its own; ours keeps batches of long texts to a size every server takes."""
WORDS = SchemaWords(property="field", properties="fields")
ICON = "IconBulb"
RELATION = "RELATION"


# ----------------------------------------------------------------------------------------------------------- reading


def live_schema(
    metadata: Metadata, definition: ObjectDefinition, company_properties: Collection[str], portal: Portal
) -> LiveSchema:
    """Our part of a workspace's schema. Pure."""
    one = metadata.get(request_object(definition).singular)
    mapped = _company_properties(metadata, company_properties)
    obstacles = tuple(_foreign_votes(metadata, definition))
    if one is None or not one.is_active:
        absent = LiveSchema(portal, False, one is not None, (), (), mapped)
        return msgspec.structs.replace(absent, text_limits=TEXT_LIMITS, grouped=False, obstacles=obstacles, words=WORDS)
    pairs = ((item, one.field(field_name(definition, item.name))) for item in definition.properties)
    return LiveSchema(
        portal=portal,
        object_present=True,
        object_archived=False,
        properties=tuple(_of_ours(definition, item, field) for item, field in pairs if field is not None),
        links=tuple(_links(metadata, definition)),
        company_properties=mapped,
        other_properties=_others(one, definition),
        text_limits=TEXT_LIMITS,
        grouped=False,
        obstacles=obstacles,
        words=WORDS,
    )


def workspace_currency(metadata: Metadata, arr_field: str | None) -> str | None:
    """The currency of the workspace, as far as it has one: that of new amounts in the field of companies' ARR. Pure."""
    company = metadata.get(TARGETS["company"])
    field = company.field(arr_field) if company and arr_field else None
    return default_currency(field.default_value) if field else None


def inactive_properties(metadata: Metadata, definition: ObjectDefinition) -> tuple[str, ...]:
    """Names of our properties whose fields are switched off, in the order of the definition. Pure."""
    one = metadata.get(request_object(definition).singular)
    off = {field.name for field in one.fields if not field.is_active} if one else set()
    return tuple(item.name for item in definition.properties if field_name(definition, item.name) in off)


def company_fields(metadata: Metadata, group: PropertyGroup) -> tuple[LiveProperty, ...]:
    """Our properties on companies, as their fields are; one that is switched off says so. Pure."""
    company = metadata.get(TARGETS["company"])
    by_name = {field.name: field for field in company.fields} if company else {}
    pairs = ((item, by_name.get(camel_case(item.name))) for item in group.properties)
    return tuple(
        msgspec.structs.replace(
            _live(item, field),
            archived=not field.is_active,
            # Either sign will do: people write labels and help texts anew.
            made_by_us=field.label == item.label or field.description == item.description,
        )
        for item, field in pairs
        if field is not None
    )


def _live(item: PropertyDefinition, field: Field) -> LiveProperty:
    return LiveProperty(
        name=item.name,
        type=field.type,
        field_type="",
        unique=field.is_unique is True,
        writable=True,
        options=tuple(our_option(option.value) for option in field.options or ()),
        difference=_difference(item.kind, field),
    )


def _of_ours(definition: ObjectDefinition, item: PropertyDefinition, field: Field) -> LiveProperty:
    """A property of our object, with what a person adds to it: how an API key changes a field is not known."""
    live = _live(item, field)
    lacking = [f"{option_value(value)} ({label})" for value, label in item.options if value not in (live.options or ())]
    if not lacking:
        return live
    advice = (
        f"in Twenty's settings, under Data model, {definition.plural}, add to the field {field.name} the options "
        f"{', '.join(lacking)}: the API name is in upper case"
    )
    return msgspec.structs.replace(live, adding_options=advice)


def _difference(kind: PropertyKind, field: Field) -> TypeDifference | None:
    wanted = FIELD_TYPES[kind]
    # No type is written as another one is, and none can be changed.
    return None if field.type == wanted else TypeDifference(f"type is {field.type}, expected {wanted}")


def _company_properties(metadata: Metadata, names: Collection[str]) -> tuple[LiveProperty, ...]:
    company = metadata.get(TARGETS["company"])
    fields = [company.field(name) for name in dict.fromkeys(names)] if company else []
    return tuple(
        LiveProperty(
            field.name,
            field.type,
            "",
            field.is_unique is True,
            writable=True,
            options=tuple(option.value for option in field.options or ()),
        )
        for field in fields
        if field is not None
    )


def _others(one: ObjectMetadata, definition: ObjectDefinition) -> tuple[str, ...]:
    """Names of the fields that neither Twenty nor our definition brings along."""
    ours = {field_name(definition, item.name) for item in definition.properties}
    fields = (field for field in one.fields if field.is_active and field.type != RELATION)
    return tuple(sorted(field.name for field in fields if field.name not in ours | BORN_FIELDS))


def _foreign_votes(metadata: Metadata, definition: ObjectDefinition) -> Iterator[Obstacle]:
    """An object with the name of our votes that is somebody else's: setup would add our fields to it."""
    vote = metadata.get(vote_object(definition).singular)
    born = BORN_FIELDS | {KEY_FIELD, LABEL_FIELD}
    fields = [one.name for one in vote.fields if one.is_active and one.type != RELATION] if vote else []
    others = sorted(name for name in fields if name not in born)
    if vote is not None and others and vote.field(KEY_FIELD) is None:
        named = first_names(others)
        yield Obstacle(
            f"an object {vote.name_singular} exists that is not ours: it has {named} and no {KEY_FIELD}",
            "delete that object in Twenty's settings, under Data model, if nobody needs it, or use another workspace",
        )


def _links(metadata: Metadata, definition: ObjectDefinition) -> Iterator[LiveLink]:
    """The labels that can be written: there is an option for each, and everything a vote needs beside it."""
    vote = metadata.get(vote_object(definition).singular)
    if vote is None or not vote.is_active:
        return
    key, label = vote.field(KEY_FIELD), vote.field(LABEL_FIELD)
    # Without a unique key each run would make every vote anew.
    if key is None or not key.is_unique or label is None or vote.field(request_relation(definition)) is None:
        return
    texts = {our_option(option.value): option.label for option in label.options or ()}
    for link in definition.links:
        if link.name in texts and vote.field(TARGETS[link.target]) is not None:
            yield LiveLink(link.target, link.name, texts[link.name])


# ---------------------------------------------------------------------------------------------------------- creating


async def create_object(session: Session, definition: ObjectDefinition) -> None:
    """Create our object; what it is shown by, its name, comes with it.

    It is looked for first: the refusal to make one that exists says something else in 2.x.
    """
    names = request_object(definition)
    if names.singular not in await read_metadata(session):
        await session.define(endpoints.OBJECTS, _object_body(names))


async def create_properties(
    session: Session, definition: ObjectDefinition, properties: Sequence[PropertyDefinition], currency: str | None
) -> None:
    """Create the fields of properties that are not there, one call each: Twenty takes no more at a time.

    New amounts will be in `currency`, where it is known.

    Raises:
        HeldError: our object does not exist.
        PermanentError: one of them is refused.
        UnknownOutcomeError: an answer was lost: the field may have been created.
    """
    one = required(await read_metadata(session), request_object(definition).singular)
    have = {field.name for field in one.fields}
    for item in properties:
        if field_name(definition, item.name) not in have:
            await session.define(endpoints.FIELDS, _field_body(definition, item, one.id, currency))


async def create_company_fields(session: Session, properties: Sequence[PropertyDefinition]) -> None:
    """Create the fields of properties that companies do not have, one call each.

    Raises:
        HeldError: the workspace has no companies.
        PermanentError: one of them is refused.
        UnknownOutcomeError: an answer was lost: the field may have been created.
    """
    company = required(await read_metadata(session), TARGETS["company"])
    have = {field.name for field in company.fields}
    for item in properties:
        name = camel_case(item.name)
        if name not in have:
            await session.define(endpoints.FIELDS, _new_field(name, item, company.id))


async def create_link(session: Session, definition: ObjectDefinition, link: LinkDefinition) -> None:
    """Create what a link needs: the object of votes with its key, its label and its relations.

    All labels come with the first link, as options of one field, so that nothing that exists is ever changed.

    Raises:
        HeldError: our object does not exist.
        ConfigurationError: the field of labels exists without this one.
        PermanentError: something is refused.
        UnknownOutcomeError: an answer was lost: what was asked for may have been created.
    """
    names = vote_object(definition)
    metadata = await read_metadata(session)
    required(metadata, request_object(definition).singular)
    if names.singular not in metadata:
        await session.define(endpoints.OBJECTS, _object_body(names))
        metadata = await read_metadata(session)
    vote = required(metadata, names.singular)
    have = {field.name: field for field in vote.fields}
    label = have.get(LABEL_FIELD)
    if label is not None and option_value(link.name) not in {option.value for option in label.options or ()}:
        raise ConfigurationError(
            f"the field {LABEL_FIELD!r} of {names.label_plural} has no option {option_value(link.name)}: add it in "
            "Twenty's settings, under Data model",
            system=SYSTEM,
        )
    for body in _vote_fields(metadata, definition, vote):
        if body["name"] not in have:
            await session.define(endpoints.FIELDS, body)


def _object_body(names: ObjectNames) -> dict[str, Any]:
    return {
        "nameSingular": names.singular,
        "namePlural": names.plural,
        "labelSingular": names.label,
        "labelPlural": names.label_plural,
        "icon": ICON,
    }


def _field_body(
    definition: ObjectDefinition, item: PropertyDefinition, object_id: str, currency: str | None
) -> dict[str, Any]:
    body = _new_field(field_name(definition, item.name), item, object_id)
    if item.unique:
        body["isUnique"] = True
    if item.options:
        body["options"] = _options(item.options)
    # People may change it in the settings of the field: amounts are written in what it says.
    if item.kind is PropertyKind.MONEY:
        body["defaultValue"] = {"amountMicros": None, "currencyCode": f"'{currency or DEFAULT_CURRENCY}'"}
    return body


def _new_field(name: str, item: PropertyDefinition, object_id: str) -> dict[str, Any]:
    return {
        "objectMetadataId": object_id,
        "type": FIELD_TYPES[item.kind],
        "name": name,
        "label": item.label,
        "description": item.description,
    }


def _options(options: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"value": option_value(value), "label": label, "color": "sky", "position": position}
        for position, (value, label) in enumerate(options)
    ]


def _vote_fields(metadata: Metadata, definition: ObjectDefinition, vote: ObjectMetadata) -> Iterator[dict[str, Any]]:
    common = {"objectMetadataId": vote.id}
    yield common | {"type": "TEXT", "name": KEY_FIELD, "label": "Vote key", "isUnique": True}
    labels = [(link.name, link.label) for link in definition.links]
    yield common | {"type": "SELECT", "name": LABEL_FIELD, "label": "Label", "options": _options(labels)}
    relations = {
        request_relation(definition): definition.singular,
        **{TARGETS[link.target]: TARGETS[link.target].capitalize() for link in definition.links},
    }
    for name, label in relations.items():
        target = metadata.get(name)
        if target is None:
            raise ContractError(f"the workspace has no object {name!r}", system=SYSTEM)
        yield common | {
            "type": RELATION,
            "name": name,
            "label": label,
            "relationCreationPayload": _to_many(target, vote_object(definition).label_plural),
        }


def _to_many(target: ObjectMetadata, label: str) -> Mapping[str, Any]:
    return {
        "type": "MANY_TO_ONE",
        "targetObjectMetadataId": target.id,
        "targetFieldLabel": label,
        "targetFieldIcon": ICON,
    }
