"""Owners over HTTP, read only: HubSpot makes one of every user."""

from __future__ import annotations

from integration_assets.sandbox.hubspot.calls import API, Call, Operation, Reply
from integration_assets.sandbox.hubspot.errors import Json, validation

SCOPE = "crm.objects.owners.read"
_PATH = "/crm/owners/2026-09"


def list_owners(call: Call) -> Reply:
    """A page of the owners, of today or deactivated ones, with their addresses."""
    limit, after = call.number("limit", 100, most=500), call.query.get("after") or "0"
    if not after.isdigit():
        raise validation("after is not a cursor of this list")
    archived = call.flag("archived")
    owners = [owner for owner in call.portal.owners if bool(owner.get("archived")) is archived]
    end = int(after) + limit
    body: Json = {"results": owners[int(after) : end]}
    if end < len(owners):
        body["paging"] = {"next": {"after": str(end), "link": f"{API}{_PATH}?after={end}"}}
    return Reply(200, body)


OPERATIONS = (Operation("GET", _PATH, list_owners, scopes=lambda _call: [SCOPE]),)
