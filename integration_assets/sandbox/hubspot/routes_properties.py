"""Property definitions and groups over HTTP."""

from __future__ import annotations

from integration_assets.sandbox.hubspot.calls import Call, Operation, Reply, batch_reply, required_text, scope_of
from integration_assets.sandbox.hubspot.errors import ApiError, Json, conflict, not_found, validation
from integration_assets.sandbox.hubspot.objects import ObjectType

BATCH = 100


def _object(call: Call) -> ObjectType:
    # This API does not take the bare name of a custom object, unlike the others.
    return call.object_type(bare_names=False)


def _seen_at(call: Call) -> float:
    return call.portal.clock() - call.portal.options.property_lag


def list_properties(call: Call) -> Reply:
    """All definitions of one sensitivity, in one answer."""
    wanted = call.query.get("dataSensitivity", "non_sensitive")
    found = _object(call).definitions(seen_at=_seen_at(call), archived=call.flag("archived"))
    return Reply(200, {"results": [one for one in found if one["dataSensitivity"] == wanted]})


def read_property(call: Call) -> Reply:
    """One definition."""
    name = call.params["name"]
    found = _object(call).definitions(seen_at=_seen_at(call), archived=call.flag("archived"))
    definition = next((one for one in found if one["name"] == name), None)
    if definition is None:
        raise not_found(f'Property "{name}" does not exist')
    return Reply(200, definition)


def create_property(call: Call) -> Reply:
    """Create a property, or bring an archived one back."""
    return Reply(201, _object(call).create_property(call.fields, call.portal.options, call.portal.clock()))


def change_property(call: Call) -> Reply:
    """Change a definition."""
    return Reply(200, _object(call).change_property(call.params["name"], call.fields, call.portal.clock()))


def archive_property(call: Call) -> Reply:
    """Archive a property; its values vanish with it."""
    _object(call).archive_property(call.params["name"], call.portal.clock())
    return Reply(204)


def batch_create(call: Call) -> Reply:
    """Create up to 100 properties, each for itself."""
    one, results, errors = _object(call), [], []
    for item in call.inputs(BATCH):
        try:
            results.append(one.create_property(item, call.portal.options, call.portal.clock()))
        except ApiError as refusal:
            body = {key: value for key, value in refusal.body.items() if key != "correlationId"}
            errors.append({**body, "context": {"name": [str(item.get("name"))]}})
    return batch_reply(call, results, errors, status=201)


def batch_read(call: Call) -> Reply:
    """Read up to 100 definitions."""
    for name in ("archived", "dataSensitivity"):
        if name not in call.fields and not call.legacy:
            raise validation(f'Some required fields were not set: ["{name}"]')
    found = _object(call).definitions(seen_at=_seen_at(call), archived=bool(call.fields.get("archived")))
    known = {one["name"]: one for one in found}
    names = [required_text(item, "name") for item in call.inputs(BATCH)]
    missing = [name for name in names if name not in known]
    errors: list[Json] = []
    if missing:
        message = f"Could not get some properties: {', '.join(missing)}"
        errors = [{"status": "error", "category": "OBJECT_NOT_FOUND", "message": message, "context": {"name": missing}}]
    return batch_reply(call, [known[name] for name in names if name in known], errors)


def batch_archive(call: Call) -> Reply:
    """Archive up to 100 properties."""
    for item in call.inputs(BATCH):
        _object(call).archive_property(required_text(item, "name"), call.portal.clock())
    return Reply(204)


# ------------------------------------------------------------------------------------------------------------- groups


def list_groups(call: Call) -> Reply:
    """All groups."""
    return Reply(200, {"results": [{**group, "archived": False} for group in _object(call).groups.values()]})


def _group(call: Call) -> Json:
    found = _object(call).groups.get(call.params["group"])
    if found is None:
        raise not_found(f'Property group "{call.params["group"]}" does not exist')
    return found


def read_group(call: Call) -> Reply:
    """One group."""
    return Reply(200, {**_group(call), "archived": False})


def create_group(call: Call) -> Reply:
    """Create a group."""
    groups, name, label = _object(call).groups, required_text(call.fields, "name"), required_text(call.fields, "label")
    if name in groups:
        raise conflict(f'A property group named "{name}" already exists.')
    groups[name] = {"name": name, "label": label, "displayOrder": call.fields.get("displayOrder", -1)}
    return Reply(201, {**groups[name], "archived": False})


def change_group(call: Call) -> Reply:
    """Rename or move a group."""
    group = _group(call)
    group.update({key: call.fields[key] for key in ("label", "displayOrder") if call.fields.get(key) is not None})
    return Reply(200, {**group, "archived": False})


def delete_group(call: Call) -> Reply:
    """Remove a group that no property is in."""
    one, group = _object(call), _group(call)
    names = [name for name in one.properties if (one.definition(name) or {}).get("groupName") == group["name"]]
    if names:
        raise validation(f'Property group "{group["name"]}" still has properties')
    del one.groups[group["name"]]
    return Reply(204)


def _read(call: Call) -> list[str]:
    return [scope_of(_object(call), "schemas", "read")]


def _write(call: Call) -> list[str]:
    return [scope_of(_object(call), "schemas", "write")]


_BASE = "/crm/properties/2026-09/{type}"

OPERATIONS = (
    Operation("GET", _BASE, list_properties, scopes=_read),
    Operation("POST", _BASE, create_property, scopes=_write),
    Operation("POST", f"{_BASE}/batch/create", batch_create, scopes=_write),
    Operation("POST", f"{_BASE}/batch/read", batch_read, scopes=_read),
    Operation("POST", f"{_BASE}/batch/archive", batch_archive, scopes=_write),
    Operation("GET", f"{_BASE}/groups", list_groups, scopes=_read),
    Operation("POST", f"{_BASE}/groups", create_group, scopes=_write),
    Operation("GET", _BASE + "/groups/{group}", read_group, scopes=_read),
    Operation("PATCH", _BASE + "/groups/{group}", change_group, scopes=_write),
    Operation("DELETE", _BASE + "/groups/{group}", delete_group, scopes=_write),
    Operation("GET", _BASE + "/{name}", read_property, scopes=_read),
    Operation("PATCH", _BASE + "/{name}", change_property, scopes=_write),
    Operation("DELETE", _BASE + "/{name}", archive_property, scopes=_write),
)
