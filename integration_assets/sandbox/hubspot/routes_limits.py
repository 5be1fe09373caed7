"""Room of the subscription, and the objects of the library a portal uses, over HTTP."""

from __future__ import annotations

from integration_assets.sandbox.hubspot.calls import Call, Operation, Reply
from integration_assets.sandbox.hubspot.errors import Json, error
from integration_assets.sandbox.hubspot.library import LIBRARY, is_activated
from integration_assets.sandbox.hubspot.objects import ObjectType


def _used(one: ObjectType, limit: int, usage: int) -> Json:
    return {
        "objectTypeId": one.object_type_id,
        "singularLabel": one.singular.capitalize(),
        "pluralLabel": one.name.capitalize(),
        "limit": limit,
        "usage": usage,
        "percentage": 100 * usage / limit if limit else 100.0,
    }


def custom_properties(call: Call) -> Reply:
    """Custom properties, per object and together."""
    most = call.portal.options.max_properties
    found = []
    for one in call.portal.objects.values():
        live = (one.definition(name) for name in one.properties)
        found.append(_used(one, most, sum(1 for definition in live if definition and not definition["hubspotDefined"])))
    usage = sum(one["usage"] for one in found)
    overall = {"overallLimit": 10 * most, "overallUsage": usage, "overallPercentage": 10.0 * usage / most}
    return Reply(200, {"byObjectType": found, **overall})


def pipelines(call: Call) -> Reply:
    """Pipelines, per object."""
    portal = call.portal
    found = [
        _used(portal.objects[name], portal.options.max_pipelines, len(kept.by_id))
        for name, kept in portal.pipelines.items()
    ]
    return Reply(200, {"hubspotDefinedObjectTypes": found, "customObjectTypes": {"byObjectType": []}})


def association_labels(call: Call) -> Reply:
    """Labels, per pair of objects; a subscription without labels is not told."""
    portal = call.portal
    if not portal.options.has_labels:
        raise error(403, "FORBIDDEN", f"Portal {portal.portal_id} does not have access to association labels.")
    return Reply(200, {"results": []})


def enablement(call: Call) -> Reply:
    """Which objects of the library are activated."""
    found = {one.object_type_id: is_activated(call.portal, one) for one in LIBRARY}
    return Reply(200, {"enablementByObjectTypeId": found})


OPERATIONS = (
    Operation("GET", "/crm/limits/2026-09/custom-properties", custom_properties),
    Operation("GET", "/crm/limits/2026-09/pipelines", pipelines),
    Operation("GET", "/crm/limits/2026-09/associations/labels", association_labels),
    Operation("GET", "/crm/object-library/2026-03/enablement", enablement),
)
