"""Associating records: which types a request may use, the limit per record, and what a pair's types become."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from integration_assets.sandbox.hubspot.errors import ApiError, Json, error, validation
from integration_assets.sandbox.hubspot.links import PRIMARY_COMPANY, PRIMARY_COMPANY_OF_TICKET, Key, Pair
from integration_assets.sandbox.hubspot.objects import ObjectType

if TYPE_CHECKING:
    from integration_assets.sandbox.hubspot.portal import Portal


def parse_types(portal: Portal, pair: Pair, given: Any) -> list[Key]:
    """Types named in a request.

    Raises:
        ApiError: 400, none is named or one does not exist between these object types.
    """
    if not isinstance(given, list) or not given:
        raise validation("Associations need at least one type")
    keys: list[Key] = []
    for item in given:
        if not isinstance(item, dict):
            raise validation("Association types need associationCategory and associationTypeId")
        category, number = item.get("associationCategory"), item.get("associationTypeId")
        if not isinstance(number, int) or portal.types.find(pair, (str(category), number)) is None:
            raise validation(
                f"No association type {category} {number} between {pair[0]} and {pair[1]}",
                sub_category="crm.associations.INVALID_ASSOCIATION_TYPE",
            )
        keys.append((str(category), number))
    return keys


def limit_of(portal: Portal, pair: Pair) -> int:
    """Most records of the second type one record of the first may have."""
    return portal.options.association_limits.get(pair, portal.options.association_limit)


def pair_refusal(portal: Portal, source: ObjectType, from_id: str, target: ObjectType, to_id: str) -> ApiError | None:
    """Reason why these two records cannot be associated, or None."""
    context = {
        "fromObjectId": [from_id],
        "fromObjectType": [source.singular],
        "toObjectId": [to_id],
        "toObjectType": [target.singular],
    }
    for one, record_id in ((source, from_id), (target, to_id)):
        if not record_id.isdigit() or one.store.find(int(record_id)) is None:
            return error(
                400,
                "VALIDATION_ERROR",
                f"{one.singular} {record_id} is not valid, it may be deleted or not exist",
                sub_category="crm.associations.INVALID_OBJECT_IDS",
                context=context,
            )
    if (source.name, from_id) == (target.name, to_id):
        return validation("A record cannot be associated with itself", context=context)
    for pair, one_id, other_id in (
        ((source.name, target.name), from_id, to_id),
        ((target.name, source.name), to_id, from_id),
    ):
        links = portal.links.of(pair, int(one_id))
        if int(other_id) not in links and len(links) >= limit_of(portal, pair):
            return error(
                400,
                "VALIDATION_ERROR",
                f"{pair[0]} {one_id} has the most {pair[1]} it may have: {limit_of(portal, pair)}",
                sub_category="crm.associations.ASSOCIATION_LIMIT_EXCEEDED",
                context=context,
            )
    return None


def link(portal: Portal, pair: Pair, from_id: int, to_id: int, keys: Iterable[Key]) -> None:
    """Replace the types of a pair of records."""
    wanted = set(keys)
    for one_pair, one_id, direct in ((pair, from_id, True), (pair[::-1], to_id, False)):
        primary = _PRIMARY.get(one_pair)
        if primary is not None and _becomes_primary(portal, one_pair, one_id):
            back = portal.types.find(one_pair, primary)
            wanted.add(primary if direct or back is None else back.inverse)
    portal.links.put(pair, from_id, to_id, wanted)
    if portal.options.association_moves_modified:
        _touch(portal, pair[0], from_id)
        _touch(portal, pair[1], to_id)


_PRIMARY: dict[Pair, Key] = {
    ("contacts", "companies"): PRIMARY_COMPANY,
    ("tickets", "companies"): PRIMARY_COMPANY_OF_TICKET,
}
"""The type by which a record has one company before all others."""


def _becomes_primary(portal: Portal, pair: Pair, record_id: int) -> bool:
    """The first company of a contact or a ticket becomes its primary one, where the portal does that."""
    return portal.options.first_company_becomes_primary and not portal.links.of(pair, record_id)


def _touch(portal: Portal, object_type: str, record_id: int) -> None:
    store = portal.objects[object_type].store
    now = portal.clock()
    store.replace(store.records[record_id]._replace(updated=int(now * 1000)), now)


def check_new_links(portal: Portal, source: ObjectType, associations: Any) -> list[Json]:
    """The associations of a create request, as `{"target", "to_id", "keys"}`.

    Raises:
        ApiError: a type or a record does not exist.
    """
    found: list[Json] = []
    for item in associations or []:
        to_id = str(item.get("to", {}).get("id")) if isinstance(item, dict) else ""
        types = item.get("types") if isinstance(item, dict) else None
        target = _target_of(portal, source, types)
        if not to_id.isdigit() or target.store.find(int(to_id)) is None:
            raise validation(f"{target.singular} {to_id} does not exist")
        keys = parse_types(portal, (source.name, target.name), types)
        found.append({"target": target.name, "to_id": int(to_id), "keys": keys})
    return found


def _target_of(portal: Portal, source: ObjectType, types: Any) -> ObjectType:
    """The object type the given types lead to: a create request does not name it."""
    for one in portal.objects.values():
        try:
            parse_types(portal, (source.name, one.name), types)
        except ApiError:
            continue
        return one
    raise validation("Associations of a new record need types that exist")


def link_new(portal: Portal, source: ObjectType, record_id: int, associations: list[Json]) -> None:
    """Make the checked associations of a record that was just created."""
    for item in associations:
        link(portal, (source.name, item["target"]), record_id, item["to_id"], item["keys"])
