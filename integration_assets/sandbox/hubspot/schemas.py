"""Custom objects and the ways to associate records: how they are created, described, changed and removed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from integration_assets.sandbox.hubspot.definitions import custom_object_properties
from integration_assets.sandbox.hubspot.errors import Json, conflict, error, not_found, validation
from integration_assets.sandbox.hubspot.links import USER, AssociationType, Pair
from integration_assets.sandbox.hubspot.objects import ObjectType
from integration_assets.sandbox.hubspot.values import iso

if TYPE_CHECKING:
    from integration_assets.sandbox.hubspot.portal import Portal

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,49}")
_TYPE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_PROPERTY_FIELDS = (
    "primaryDisplayProperty",
    "secondaryDisplayProperties",
    "requiredProperties",
    "searchableProperties",
)
_EDITABLE = ("labels", "description", "restorable", "clearDescription", *_PROPERTY_FIELDS)


def create_schema(portal: Portal, body: Json, at: float) -> Json:
    """Create a custom object; returns it in full. An archived object of that name is purged first.

    Raises:
        ApiError: no subscription, name taken, or the definition does not hold together.
    """
    if not portal.options.has_custom_objects:
        raise error(
            portal.options.no_custom_objects_status,
            "FORBIDDEN" if portal.options.no_custom_objects_status == 403 else "VALIDATION_ERROR",
            f"Portal {portal.portal_id} does not have access to custom objects.",
        )
    if sum(one.custom for one in portal.objects.values()) >= portal.options.max_custom_objects:
        raise validation(f"The limit of {portal.options.max_custom_objects} custom objects is reached")
    name = body.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise validation("Schemas need a name: a letter, then at most 49 letters, digits and underscores")
    if any(one.name.lower() == name.lower() for one in portal.objects.values()):
        raise conflict(f'An object type named "{name}" already exists.', sub_category="OBJECT_TYPE_ALREADY_EXISTS")
    labels = body.get("labels")
    if not isinstance(labels, dict) or not labels.get("singular") or not labels.get("plural"):
        raise validation("Schemas need labels, singular and plural")
    one = _new_object(portal, name)
    for definition in custom_object_properties(f"{name}_information"):
        one.add_property(definition, at)
    for given in body.get("properties") or []:
        one.create_property({"groupName": f"{name}_information", **given}, portal.options, at)
    moment = iso(int(portal.clock() * 1000))
    schema: Json = {
        "labels": {key: labels[key] for key in ("singular", "plural")},
        "description": body.get("description") or "",
        "restorable": True,
        "createdAt": moment,
        "updatedAt": moment,
        **{field: body.get(field) or [] for field in _PROPERTY_FIELDS[1:]},
        "primaryDisplayProperty": body.get("primaryDisplayProperty"),
    }
    _check_property_fields(one, schema)
    one.schema.set(schema, at)
    targets = [portal.object_type(target) for target in body.get("associatedObjects") or []]
    portal.archived_objects.pop(name.lower(), None)
    portal.objects[name] = one
    for target in targets:
        _add_plain(portal, (name, target.name), f"{name}_to_{target.singular}", at)
    return describe(portal, one, at=None)


def _new_object(portal: Portal, name: str) -> ObjectType:
    group = f"{name}_information"
    return ObjectType(
        name=name,
        object_type_id=portal.new_object_type_id(),
        singular=name,
        store=portal.new_store(),
        created_property="hs_createdate",
        modified_property="hs_lastmodifieddate",
        custom=True,
        fully_qualified_name=f"p{portal.portal_id}_{name}",
        groups={group: {"name": group, "label": f"{name} information", "displayOrder": 0}},
    )


def _check_property_fields(one: ObjectType, schema: Json) -> None:
    if not schema["primaryDisplayProperty"]:
        raise validation("A primary display property is required", sub_category="PRIMARY_DISPLAY_PROPERTY_REQUIRED")
    for field in _PROPERTY_FIELDS:
        given = schema[field]
        for name in [given] if isinstance(given, str) else given:
            if one.definition(name) is None:
                raise validation(f'"{field}" names "{name}", which is not a property of the object')


def change_schema(portal: Portal, one: ObjectType, body: Json, at: float) -> Json:
    """PATCH a schema; fields that are not given stay.

    Raises:
        ApiError: the object is HubSpot's own, or a field names a property that does not exist.
    """
    current = one.schema.current
    if current is None:
        raise validation(f"The schema of {one.name} cannot be changed")
    changed = {**current, **{key: body[key] for key in _EDITABLE if body.get(key) is not None}}
    _check_property_fields(one, changed)
    changed["updatedAt"] = iso(int(portal.clock() * 1000))
    one.schema.set(changed, at)
    return describe(portal, one, at=None)


def delete_schema(portal: Portal, one: ObjectType, *, purge: bool) -> None:
    """Archive a custom object, or purge one that is archived.

    Raises:
        ApiError: the object is HubSpot's own, or has live records.
    """
    if not one.custom:
        raise validation(f"The schema of {one.name} cannot be deleted")
    if purge:
        portal.archived_objects.pop(one.name.lower(), None)
        return
    if one.store.live:
        raise validation("The object type still has records", sub_category="EXISTING_OBJECT_RECORDS")
    portal.objects.pop(one.name, None)
    portal.types.drop_object(one.name, portal.clock())
    one.schema.set({**(one.schema.current or {}), "archived": True}, portal.clock())
    portal.archived_objects[one.name.lower()] = one


def describe(
    portal: Portal, one: ObjectType, *, at: float | None, properties: bool = True, associations: bool = True
) -> Json:
    """A schema as a reader saw it at a moment (None: as it is)."""
    moment = float("inf") if at is None else at
    kinds = portal.types.touching(one.name, moment) if associations else []
    schema = one.schema.seen(moment) or one.schema.current or {"labels": {}, "archived": False}
    body: Json = {
        "id": one.object_type_id,
        "objectTypeId": one.object_type_id,
        "name": one.name if one.custom else one.singular.upper(),
        "archived": False,
        "restorable": True,
        "allowsSensitiveProperties": False,
        "requiredProperties": [],
        "searchableProperties": [],
        "secondaryDisplayProperties": [],
        **schema,
        "properties": one.definitions(seen_at=moment) if properties else [],
        "associations": [
            association_definition(portal, kind) for kind in kinds if all(name in portal.objects for name in kind.pair)
        ],
    }
    if one.custom:
        body["id"] = one.object_type_id.removeprefix("2-")
        body["fullyQualifiedName"] = one.fully_qualified_name
    return body


def association_definition(portal: Portal, one: AssociationType) -> Json:
    """An association type as schemas list it: with its name, without its label."""
    return {
        "id": str(one.key[1]),
        "name": one.name,
        "fromObjectTypeId": portal.objects[one.pair[0]].object_type_id,
        "toObjectTypeId": portal.objects[one.pair[1]].object_type_id,
        "cardinality": "ONE_TO_MANY",
        "inverseCardinality": "ONE_TO_MANY",
    }


def _add_plain(portal: Portal, pair: Pair, name: str, at: float) -> tuple[AssociationType, AssociationType]:
    there, back = (USER, portal.types.new_id()), (USER, portal.types.new_id())
    made = (
        AssociationType(pair, there, None, name, back),
        AssociationType((pair[1], pair[0]), back, None, name, there),
    )
    portal.types.add(*made, at)
    return made


def create_label(portal: Portal, pair: Pair, body: Json, at: float) -> list[tuple[AssociationType, AssociationType]]:
    """Create the types of one request: the plain one where it is missing, and the labelled one unless the label is "".

    Raises:
        ApiError: 400 for a bad name or label, 409 for one that exists, 437 for one too many.
    """
    if not portal.options.has_labels:
        raise error(403, "FORBIDDEN", f"Portal {portal.portal_id} does not have access to association labels.")
    name, label = body.get("name"), body.get("label")
    if not isinstance(name, str) or not _TYPE_NAME.fullmatch(name):
        raise validation("Association labels need a name: a letter, then letters, digits and underscores")
    if not isinstance(label, str):
        raise validation("Association labels need a label")
    existing = portal.types.of(pair)
    if any(one.name == name or (label and one.label == label) for one in existing):
        raise conflict(f'An association label named "{name}" or "{label}" already exists')
    if len(existing) >= portal.options.label_limit:
        raise error(
            437,
            "VALIDATION_ERROR",
            f"No more than {portal.options.label_limit} association types are allowed between {pair[0]} and {pair[1]}",
        )
    plain = portal.types.plain(pair)
    if not label:
        if plain is not None:
            raise conflict("The pair has an association without label already")
        return [_add_plain(portal, pair, name, at)]
    made = [] if plain else [_add_plain(portal, pair, f"{pair[0]}_to_{pair[1]}", at)]
    there, back = (USER, portal.types.new_id()), (USER, portal.types.new_id())
    inverse_label = body.get("inverseLabel") or label
    labelled = (
        AssociationType(pair, there, label, name, back),
        AssociationType((pair[1], pair[0]), back, inverse_label, name, there),
    )
    portal.types.add(*labelled, at)
    return [*made, labelled]


def change_label(portal: Portal, pair: Pair, body: Json, at: float) -> None:
    """Rename a label. Without `inverseLabel` both directions get the new one.

    Raises:
        ApiError: there is no such label of the portal's own, or the new one is empty.
    """
    there = _own_type(portal, pair, body.get("associationTypeId"))
    label = body.get("label")
    if not isinstance(label, str) or not label:
        raise validation("Association labels need a label")
    back = portal.types.find((pair[1], pair[0]), there.inverse)
    if back is None:
        raise not_found("The association label has no inverse")
    portal.types.add(there._replace(label=label), back._replace(label=body.get("inverseLabel") or label), at)


def delete_label(portal: Portal, pair: Pair, type_id: object, at: float) -> None:
    """Remove a label in both directions, from all associations that have it.

    Raises:
        ApiError: there is no such label of the portal's own.
    """
    there = _own_type(portal, pair, type_id)
    portal.links.drop_type(there)
    portal.types.remove(there, at)


def _own_type(portal: Portal, pair: Pair, type_id: object) -> AssociationType:
    found = (
        portal.types.find(pair, (USER, int(type_id)))
        if isinstance(type_id, int | str) and str(type_id).isdigit()
        else None
    )
    if found is None:
        raise not_found(f"No association label {type_id} between {pair[0]} and {pair[1]}")
    return found
