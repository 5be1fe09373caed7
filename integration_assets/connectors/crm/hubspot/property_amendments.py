"""Additions to properties of ours that a portal has: options that are missing, and help texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from integration_assets.connectors.crm.hubspot import endpoints
from integration_assets.connectors.crm.hubspot.ids import PortalIds
from integration_assets.connectors.crm.hubspot.library import Place
from integration_assets.connectors.crm.hubspot.session import Session
from integration_assets.connectors.crm.hubspot.wire import Listing
from integration_assets.models import ObjectDefinition, PropertyAmendment


class HubSpotAmendments:
    """See `connectors.crm.base.PropertyAmendments` for what each method promises."""

    def __init__(self, session: Session, ids: PortalIds, place: Place) -> None:
        self._session = session
        self._ids = ids
        self._place = place

    async def amend(self, definition: ObjectDefinition, amendments: Sequence[PropertyAmendment]) -> None:
        """Change one property after another, each as it is defined now."""
        object_type = await self._ids.required_object_type(definition)
        by_name = {one.name: one for one in amendments}
        endpoint = endpoints.properties(object_type)
        listing = await self._session.read("GET", endpoint, Listing, params={"archived": "false"})
        entries = {str(entry["name"]): entry for entry in listing.results}
        for stored, neutral in self._place.neutral_names(definition).items():
            amendment = by_name.get(neutral)
            if amendment is None or stored not in entries:
                continue
            if body := changed_parts(entries[stored], amendment):
                await self._session.define("PATCH", endpoints.property_definition(object_type, stored), body)


def changed_parts(entry: Mapping[str, Any], amendment: PropertyAmendment) -> dict[str, Any]:
    """The parts of a definition that an amendment changes, as HubSpot takes them. Pure."""
    body: dict[str, Any] = {}
    there = list(entry.get("options") or ())
    known = {option.get("value") for option in there}
    added = [
        {"value": value, "label": label, "displayOrder": len(there) + number, "hidden": False}
        for number, (value, label) in enumerate(one for one in amendment.options if one[0] not in known)
    ]
    if added:
        # All of them: the list that is sent takes the place of the one that is there.
        body["options"] = [*there, *added]
    if amendment.description is not None and (entry.get("description") or "") == amendment.replaces:
        body["description"] = amendment.description
    return body
