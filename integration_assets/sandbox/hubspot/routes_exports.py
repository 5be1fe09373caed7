"""Exports over HTTP: start, status, and the file, which needs no token."""

from __future__ import annotations

from integration_assets.sandbox.hubspot.calls import Call, Operation, Reply, required_text
from integration_assets.sandbox.hubspot.errors import Json, validation
from integration_assets.sandbox.hubspot.exports import object_named
from integration_assets.sandbox.hubspot.values import iso

SCOPE = "crm.export"


def start(call: Call) -> Reply:
    """Begin an export of all records of a type."""
    fields, portal = call.fields, call.portal
    if required_text(fields, "exportType") != "VIEW" or required_text(fields, "format") != "CSV":
        raise validation("Only exports of a view as CSV are simulated")
    for name in ("exportName", "language"):
        required_text(fields, name)
    names = fields.get("objectProperties")
    if not isinstance(names, list) or not names:
        raise validation('Some required fields were not set: ["objectProperties"]')
    one = object_named(portal, required_text(fields, "objectType"))
    internal = "NAMES" in (fields.get("exportInternalValuesOptions") or [])
    made = portal.exports.start(portal, one, [str(name) for name in names], internal_names=internal)
    return Reply(202, {"id": made.task_id, "links": {}})


def status(call: Call) -> Reply:
    """Progress of an export; each look at a finished one gives a new address of its file."""
    portal = call.portal
    state, made = portal.exports.status(portal, call.params["id"])
    body: Json = {"status": state, "startedAt": iso(int(made.starts_at * 1000))}
    if state == "COMPLETE":
        base = portal.options.export_link_base or f"http://{call.host}"
        body["result"] = f"{base}/exported-files/{portal.exports.link(portal, made)}"
        body["completedAt"] = iso(int(made.done_at * 1000))
    return Reply(200, body)


def fetch(call: Call) -> Reply:
    """The file behind an address."""
    file = call.portal.exports.fetch(call.portal, call.params["key"])
    return Reply(200, file=file)


OPERATIONS = (
    Operation("POST", "/crm/exports/2026-09/export/async", start, scopes=lambda _call: [SCOPE]),
    Operation("GET", "/crm/exports/2026-09/export/async/tasks/{id}/status", status, scopes=lambda _call: [SCOPE]),
    Operation("GET", "/exported-files/{key}", fetch, kind="free"),
)
