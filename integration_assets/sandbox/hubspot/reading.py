"""Records as the API prints them: chosen properties, history, and the properties HubSpot derives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from integration_assets.sandbox.hubspot.errors import Json
from integration_assets.sandbox.hubspot.links import CHILD_COMPANY, PARENT_COMPANY, PRIMARY_COMPANY
from integration_assets.sandbox.hubspot.objects import ObjectType
from integration_assets.sandbox.hubspot.pipelines import CLOSED_STAGES
from integration_assets.sandbox.hubspot.records import Record
from integration_assets.sandbox.hubspot.values import iso

if TYPE_CHECKING:
    from integration_assets.sandbox.hubspot.portal import Portal


def _parent(portal: Portal, record_id: int) -> str | None:
    parents = portal.links.with_type(("companies", "companies"), record_id, PARENT_COMPANY)
    return str(parents[0]) if parents else None


def _children(portal: Portal, record_id: int) -> str:
    return str(len(portal.links.with_type(("companies", "companies"), record_id, CHILD_COMPANY)))


def _contacts(portal: Portal, record_id: int) -> str:
    return str(len(portal.links.of(("companies", "contacts"), record_id)))


def _primary_company(portal: Portal, record_id: int) -> str | None:
    companies = portal.links.with_type(("contacts", "companies"), record_id, PRIMARY_COMPANY)
    return str(companies[0]) if companies else None


def _deal_is_closed(portal: Portal, record_id: int) -> str:
    return str(portal.objects["deals"].store.records[record_id].properties.get("dealstage") in CLOSED_STAGES).lower()


_DERIVED: dict[str, dict[str, Callable[[Portal, int], str | None]]] = {
    "companies": {
        "hs_parent_company_id": _parent,
        "hs_num_child_companies": _children,
        "num_associated_contacts": _contacts,
    },
    "contacts": {"associatedcompanyid": _primary_company},
    "deals": {"hs_is_closed": _deal_is_closed},
}
"""Properties computed when read, from associations or from the stage of a deal."""


def value_of(portal: Portal, one: ObjectType, record: Record, name: str) -> str | None:
    """The value of a defined property, or None when it is unset."""
    if name == "hs_object_id":
        return str(record.id)
    if name == one.created_property:
        return iso(record.created)
    if name == one.modified_property:
        return iso(record.updated)
    derived = _DERIVED.get(one.name, {}).get(name)
    if derived is not None:
        return derived(portal, record.id)
    value = record.properties.get(name)
    return None if value == "" and portal.options.cleared_reads_as == "null" else value


def chosen(one: ObjectType, asked: Sequence[str]) -> list[str]:
    """Defined properties among those asked for, in order, with those every read returns; undefined ones vanish."""
    names = [*asked, *one.system] if asked else list(one.defaults)
    return [name for name in dict.fromkeys(names) if one.definition(name) is not None]


def render(portal: Portal, one: ObjectType, record: Record, names: Iterable[str], history: Sequence[str] = ()) -> Json:
    """A record with the named properties, which must be defined."""
    body: Json = {
        "id": str(record.id),
        "properties": {name: value_of(portal, one, record, name) for name in names},
        "createdAt": iso(record.created),
        "updatedAt": iso(record.updated),
        "archived": record.archived_at is not None,
        "url": f"https://{portal.options.ui_domain}/contacts/{portal.portal_id}/record/{one.object_type_id}/{record.id}",
    }
    if record.archived_at is not None:
        body["archivedAt"] = iso(record.archived_at)
    if history:
        body["propertiesWithHistory"] = {
            name: property_history(record, name) for name in history if one.definition(name) is not None
        }
    return body


def property_history(record: Record, name: str) -> list[Json]:
    """Every value a property had, newest first."""
    entries: list[Json] = []
    version: Record | None = record
    while version is not None:
        older = version.previous
        value = version.properties.get(name)
        if value != (older.properties.get(name) if older else None):
            entries.append({"value": value or "", "timestamp": iso(version.updated), "sourceType": "INTEGRATION"})
        version = older
    return entries
