"""Schemas of custom objects over HTTP. The list shows changes late; the read of one schema flips for a while."""

from __future__ import annotations

from integration_assets.sandbox.hubspot.calls import Call, Operation, Reply, batch_reply, required_text, scope_of
from integration_assets.sandbox.hubspot.errors import Json, error, not_found, validation
from integration_assets.sandbox.hubspot.objects import ObjectType
from integration_assets.sandbox.hubspot.schemas import (
    association_definition,
    change_schema,
    create_label,
    create_schema,
    delete_schema,
    describe,
)

BATCH = 100
_BEFORE = 1e-6
"""A moment before a change, in seconds."""


def _described(call: Call, one: ObjectType, at: float | None) -> Json:
    return describe(
        call.portal,
        one,
        at=at,
        properties=call.flag("includePropertyDefinitions", default=True),
        associations=call.flag("includeAssociationDefinitions", default=True),
    )


def _refuse_below_enterprise(call: Call) -> None:
    options = call.portal.options
    if options.plan != "enterprise" and options.schemas_below_enterprise == "refused":
        raise error(403, "FORBIDDEN", f"Portal {call.portal.portal_id} does not have access to object schemas.")


def list_schemas(call: Call) -> Reply:
    """Every custom object, in one answer."""
    portal = call.portal
    _refuse_below_enterprise(call)
    seen_at = portal.clock() - portal.options.schema_lag
    if call.flag("archived"):
        found = list(portal.archived_objects.values())
        return Reply(200, {"results": [{**_described(call, one, None), "archived": True} for one in found]})
    shown = [
        one
        for one in portal.objects.values()
        if (one.custom and one.schema.seen(seen_at) is not None)
        or (not one.custom and portal.options.list_standard_schemas)
    ]
    return Reply(200, {"results": [_described(call, one, seen_at) for one in shown]})


def create(call: Call) -> Reply:
    """Create a custom object."""
    return Reply(201, create_schema(call.portal, call.fields, call.portal.clock()))


def _find(call: Call) -> ObjectType:
    found = call.portal.find_object(call.params["type"])
    if found is None:
        raise not_found(f"Unable to infer object type from: {call.params['type']}")
    return found


def read(call: Call) -> Reply:
    """One schema; for a while after a change it is sometimes the old one."""
    portal, one = call.portal, _find(call)
    _refuse_below_enterprise(call)
    now = portal.clock()
    fresh = now - one.schema.changed_at < portal.options.schema_flip
    at = one.schema.changed_at - _BEFORE if fresh and portal.random.random() < 0.5 else None
    if at is not None and one.custom and one.schema.seen(at) is None:
        raise not_found(f"Unable to infer object type from: {call.params['type']}")
    return Reply(200, _described(call, one, at))


def change(call: Call) -> Reply:
    """Change a schema."""
    return Reply(200, change_schema(call.portal, _find(call), call.fields, call.portal.clock()))


def delete(call: Call) -> Reply:
    """Archive a schema, or with `archived=true` purge an archived one."""
    purge = call.flag("archived")
    one = call.portal.find_object(call.params["type"])
    if one is None:
        named = call.params["type"].lower()
        archived = call.portal.archived_objects.values()
        one = next(
            (one for one in archived if named in {one.name.lower(), one.object_type_id, one.fully_qualified_name}), None
        )
    if one is None:
        raise not_found(f"Unable to infer object type from: {call.params['type']}")
    delete_schema(call.portal, one, purge=purge)
    return Reply(204)


def batch_read(call: Call) -> Reply:
    """Several schemas at once."""
    results: list[Json] = []
    errors: list[Json] = []
    for item in call.inputs(BATCH):
        named = required_text(item, "id")
        one = call.portal.find_object(named)
        if one is None:
            message = f"Unable to infer object type from: {named}"
            errors.append(
                {"status": "error", "category": "OBJECT_NOT_FOUND", "message": message, "context": {"ids": [named]}}
            )
        else:
            results.append(_described(call, one, None))
    return batch_reply(call, results, errors)


def create_association(call: Call) -> Reply:
    """Define the plain association of a pair."""
    one = _find(call)
    sides = [
        call.portal.object_type(required_text(call.fields, name)) for name in ("fromObjectTypeId", "toObjectTypeId")
    ]
    if one not in sides:
        raise validation("An association definition must include the object type of the path")
    name = call.fields.get("name") or f"{sides[0].name}_to_{sides[1].singular}"
    pair = (sides[0].name, sides[1].name)
    made = create_label(call.portal, pair, {"name": name, "label": ""}, call.portal.clock())[-1]
    return Reply(201, association_definition(call.portal, made[0]))


def delete_association(call: Call) -> Reply:
    """Remove an association definition in both directions, with the associations made by it."""
    one = _find(call)
    wanted = call.params["association_id"]
    found = [
        kind
        for kind in call.portal.types.touching(one.name)
        if str(kind.key[1]) == wanted and kind.key[0] != "HUBSPOT_DEFINED"
    ]
    if not found:
        raise not_found(f"No association definition {wanted}")
    call.portal.links.drop_type(found[0])
    call.portal.types.remove(found[0], call.portal.clock())
    return Reply(204)


def custom_object_limit(call: Call) -> Reply:
    """Number of custom objects the portal may have."""
    limit = call.portal.options.max_custom_objects if call.portal.options.has_custom_objects else 0
    usage = sum(one.custom for one in call.portal.objects.values())
    return Reply(200, {"limit": limit, "usage": usage, "percentage": 100 * usage / limit if limit else 100.0})


def _custom(access: str) -> list[str]:
    return [f"crm.schemas.custom.{access}"]


def _of_one(call: Call) -> list[str]:
    return [scope_of(_find(call), "schemas", "read")]


_BASE = "/crm-object-schemas/2026-09/schemas"

OPERATIONS = (
    Operation("GET", _BASE, list_schemas, scopes=lambda _call: _custom("read")),
    Operation("POST", _BASE, create, scopes=lambda _call: _custom("write")),
    Operation("POST", f"{_BASE}/batch/read", batch_read, scopes=lambda _call: _custom("read")),
    Operation("GET", _BASE + "/{type}", read, scopes=_of_one),
    Operation("PATCH", _BASE + "/{type}", change, scopes=lambda _call: _custom("write")),
    Operation("DELETE", _BASE + "/{type}", delete, scopes=lambda _call: _custom("write")),
    Operation("POST", _BASE + "/{type}/associations", create_association, scopes=lambda _call: _custom("write")),
    Operation(
        "DELETE",
        _BASE + "/{type}/associations/{association_id}",
        delete_association,
        scopes=lambda _call: _custom("write"),
    ),
    Operation("GET", "/crm/limits/2026-09/custom-object-types", custom_object_limit),
)
