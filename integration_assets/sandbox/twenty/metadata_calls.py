"""Calls of the metadata API: `/rest/metadata/objects`, `/rest/metadata/fields`, and the indexes by GraphQL."""

from __future__ import annotations

import re
from typing import Any

from integration_assets.sandbox.twenty.calls import Call, Reply
from integration_assets.sandbox.twenty.errors import ApiError, Json, metadata_refused, refused
from integration_assets.sandbox.twenty.schema import NAME, OPTION, RESERVED, FieldMeta, ObjectMeta

FIELD_TYPES = frozenset({"TEXT", "NUMBER", "CURRENCY", "SELECT", "LINKS", "DATE_TIME", "RELATION"})
"""Types a field may be made of here."""


def list_objects(call: Call) -> Reply:
    """GET /rest/metadata/objects: all objects with their fields."""
    workspace = call.workspace
    options = workspace.options
    if options.first_generation and "limit" in call.query:
        raise refused("Parameter 'limit' is not allowed")
    shown = [one.shown(options) for one in workspace.objects.values()]
    info = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    if options.first_generation:
        return Reply(200, {"data": {"objects": shown}})
    if options.wrapped_metadata:
        return Reply(200, {"data": {"objects": shown}, "pageInfo": info, "totalCount": len(shown)})
    limit = call.number("limit", len(shown))
    ids = [one["id"] for one in shown]
    after = call.query.get("starting_after")
    start = ids.index(after) + 1 if after in ids else 0
    page = shown[start : start + limit]
    info |= {"hasNextPage": start + len(page) < len(shown), "endCursor": page[-1]["id"] if page else None}
    return Reply(200, {"data": page, "pageInfo": info, "totalCount": len(shown)})


def create_object(call: Call) -> Reply:
    """POST /rest/metadata/objects."""
    workspace, body = call.workspace, call.fields
    singular, plural = _text(call, body, "nameSingular"), _text(call, body, "namePlural")
    for name in (singular, plural):
        _check_name(call, name, "objectMetadata")
    if singular == plural or any({singular, plural} & {one.singular, one.plural} for one in workspace.objects.values()):
        # The first error of the second generation is about something else.
        message = "Object already exists" if workspace.options.first_generation else "Name is not available"
        raise _metadata_refused(call, message, "objectMetadata")
    labels = _text(call, body, "labelSingular"), _text(call, body, "labelPlural")
    one = workspace.add_object(singular, plural, *labels)
    return _created(call, "createOneObject", one.shown(workspace.options))


def create_field(call: Call) -> Reply:
    """POST /rest/metadata/fields."""
    workspace, body = call.workspace, call.fields
    one = _object_by_id(call, body.get("objectMetadataId"))
    kind, name = _text(call, body, "type"), _text(call, body, "name")
    _check_name(call, name, "fieldMetadata")
    if kind not in FIELD_TYPES:
        raise _metadata_refused(call, f"Unsupported field type {kind}", "fieldMetadata")
    if name in one.fields or name in one.columns():
        raise _metadata_refused(call, f'Name "{name}" is not available', "fieldMetadata")
    field = _relation(call, one, name, body) if kind == "RELATION" else _plain(call, one, kind, name, body)
    return _created(call, "createOneField", field.shown(workspace.options))


def query_metadata(call: Call) -> Reply:
    """POST /metadata, GraphQL: the objects with their fields and indexes, whatever of them is asked for."""
    query = call.fields.get("query")
    if not isinstance(query, str) or "objects" not in query or "indexMetadataList" not in query:
        return Reply(200, {"errors": [{"message": "the look-alike answers a query of objects and their indexes only"}]})
    nodes = [_indexed(one) for one in call.workspace.objects.values()]
    return Reply(
        200,
        {"data": {"objects": {"edges": [{"node": node} for node in nodes], "pageInfo": {"hasNextPage": False}}}},
    )


def _indexed(one: ObjectMeta) -> Json:
    indexes = [
        {"isUnique": True, "indexFieldMetadataList": [{"fieldMetadataId": field.id}]}
        for field in one.fields.values()
        if field.unique
    ]
    return {"id": one.id, "nameSingular": one.singular, "indexMetadataList": indexes}


def _plain(call: Call, one: ObjectMeta, kind: str, name: str, body: Json) -> FieldMeta:
    options = _options(call, body) if kind == "SELECT" else None
    return call.workspace.add_field(
        one,
        kind,
        name,
        label=_text(call, body, "label"),
        description=str(body.get("description") or ""),
        unique=body.get("isUnique") is True,
        options=options,
        default=body.get("defaultValue"),
    )


def _options(call: Call, body: Json) -> list[Json]:
    options = body.get("options")
    if not isinstance(options, list) or not options:
        raise _metadata_refused(call, "Options are required", "fieldMetadata")
    for option in options:
        if not OPTION.fullmatch(str(option.get("value"))) or not option.get("label") or "," in option["label"]:
            raise _metadata_refused(call, "Value must be in UPPER_CASE", "fieldMetadata")
        if "color" not in option or "position" not in option:
            raise _metadata_refused(call, "Option needs a color and a position", "fieldMetadata")
    return [{**option, "id": call.workspace.new_id()} for option in options]


def _relation(call: Call, one: ObjectMeta, name: str, body: Json) -> FieldMeta:
    payload = body.get("relationCreationPayload")
    if not isinstance(payload, dict) or payload.get("type") != "MANY_TO_ONE":
        raise _metadata_refused(call, "relationCreationPayload is required, of MANY_TO_ONE here", "fieldMetadata")
    target = _object_by_id(call, payload.get("targetObjectMetadataId"))
    inverse_label = _text(call, payload, "targetFieldLabel")
    _text(call, payload, "targetFieldIcon")
    words = re.findall(r"[A-Za-z0-9]+", inverse_label)
    inverse = "".join([words[0].lower(), *(word.title() for word in words[1:])])
    if inverse in target.fields:
        raise _metadata_refused(call, f'Name "{inverse}" is not available', "fieldMetadata")
    label = _text(call, body, "label")
    return call.workspace.add_relation(one, name, label, target, inverse, inverse_label=inverse_label)


def _object_by_id(call: Call, object_id: Any) -> ObjectMeta:
    found = next((one for one in call.workspace.objects.values() if one.id == object_id), None)
    if found is None:
        raise _metadata_refused(call, "Object does not exist", "fieldMetadata")
    return found


def _check_name(call: Call, name: str, part: str) -> None:
    if not NAME.fullmatch(name):
        raise _metadata_refused(call, f'Name "{name}" is not in camelCase', part)
    if name in RESERVED:
        raise _metadata_refused(call, f'The name "{name}" is not available', part)


def _text(call: Call, body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _metadata_refused(call, f"{name} should not be empty", "fieldMetadata")
    return value


def _metadata_refused(call: Call, message: str, part: str) -> ApiError:
    return metadata_refused(message, part=part, first_generation=call.workspace.options.first_generation)


def _created(call: Call, operation: str, shown: Json) -> Reply:
    wrapped = call.workspace.options.wrapped_metadata
    return Reply(201, {"data": {operation: shown}} if wrapped else shown)
