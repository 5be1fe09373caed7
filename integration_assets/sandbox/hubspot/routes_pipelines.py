"""Pipelines over HTTP: read only, as nobody sets up a look-alike's sales process by its API."""

from __future__ import annotations

from integration_assets.sandbox.hubspot.calls import Call, Operation, Reply, object_scope
from integration_assets.sandbox.hubspot.pipelines import deal_pipelines


def list_pipelines(call: Call) -> Reply:
    """The pipelines of a type with their stages; companies and contacts have none."""
    return Reply(200, {"results": deal_pipelines() if call.object_type().name == "deals" else []})


OPERATIONS = (Operation("GET", "/crm/pipelines/2026-09/{type}", list_pipelines, scopes=object_scope("read")),)
