"""Pipelines over HTTP. Those of deals are read only, as nobody sets up a look-alike's sales process by its API."""

from __future__ import annotations

from integration_assets.sandbox.hubspot.calls import Call, Operation, Reply, object_scope
from integration_assets.sandbox.hubspot.library import create_pipeline
from integration_assets.sandbox.hubspot.pipelines import deal_pipelines


def list_pipelines(call: Call) -> Reply:
    """The pipelines of a type with their stages; companies and contacts have none."""
    one = call.object_type()
    kept = call.portal.pipelines.get(one.name)
    if kept is not None:
        return Reply(200, {"results": list(kept.by_id.values())})
    return Reply(200, {"results": deal_pipelines() if one.name == "deals" else []})


def create(call: Call) -> Reply:
    """Create a pipeline of an object of the library."""
    return Reply(201, create_pipeline(call.portal, call.object_type(), call.fields))


_PATH = "/crm/pipelines/2026-09/{type}"

OPERATIONS = (
    Operation("GET", _PATH, list_pipelines, scopes=object_scope("read")),
    Operation("POST", _PATH, create, scopes=object_scope("write")),
)
