"""Merging two records of one type: by default the survivor gets an id of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from integration_assets.sandbox.hubspot.errors import error, not_found, validation
from integration_assets.sandbox.hubspot.objects import ObjectType
from integration_assets.sandbox.hubspot.records import MERGED_IDS, Record

if TYPE_CHECKING:
    from integration_assets.sandbox.hubspot.portal import Portal

_LISTED_BESIDE = {"domain": "hs_additional_domains", "email": "hs_additional_emails"}
"""Where the second value goes when both records have one."""


def merge_records(portal: Portal, one: ObjectType, primary_id: int, merged_id: int) -> Record:
    """Merge the second record into the first. Associations of both move to the survivor.

    Raises:
        ApiError: a record does not exist, both are the same, or the primary has swallowed too many.
    """
    primary, merged = one.store.find(primary_id), one.store.find(merged_id)
    if primary is None or merged is None:
        raise not_found("Could not merge: one of the records does not exist")
    if primary_id == merged_id:
        raise validation("A record cannot be merged with itself")
    swallowed = _swallowed(portal, primary, merged)
    if len(swallowed) > portal.options.max_merges + 1:
        raise error(414, "VALIDATION_ERROR", "Cannot have more than 250 identities on a profile")
    now = portal.clock()
    survivor_id = primary_id if portal.options.preserve_primary_id else one.store.new_id()
    survivor = Record(
        survivor_id,
        {**_joined(primary, merged), MERGED_IDS: ";".join(swallowed)},
        min(primary.created, merged.created),
        int(now * 1000),
        previous=primary,
    )
    links = [portal.links.drop_record(one.name, record_id) for record_id in (merged_id, primary_id)]
    one.store.forget(merged_id, now, survivor=survivor_id)
    if survivor_id == primary_id:
        one.store.replace(survivor, now)
    else:
        one.store.forget(primary_id, now, survivor=survivor_id)
        one.store.add(survivor, now)
    for found in links:
        for other_type, others in found.items():
            for other_id, keys in others.items():
                if other_id not in {primary_id, merged_id, survivor_id}:
                    pair = (one.name, other_type)
                    before = portal.links.of(pair, survivor_id).get(other_id, frozenset())
                    portal.links.put(pair, survivor_id, other_id, before | keys)
    return survivor


def _swallowed(portal: Portal, primary: Record, merged: Record) -> list[str]:
    """Ids the survivor answers for, oldest merges first."""
    own = [] if portal.options.preserve_primary_id else [str(primary.id)]
    earlier = [record.properties.get(MERGED_IDS, "").split(";") for record in (primary, merged)]
    return [text for text in dict.fromkeys([*earlier[0], *earlier[1], *own, str(merged.id)]) if text]


def _joined(primary: Record, merged: Record) -> dict[str, str]:
    """The primary's values, filled up with the other's; a second domain or address is listed beside the first."""
    filled = {name: value for name, value in primary.properties.items() if value}
    joined = {**merged.properties, **filled}
    for name, beside in _LISTED_BESIDE.items():
        second = merged.properties.get(name)
        if second and second != joined.get(name):
            listed = [
                *primary.properties.get(beside, "").split(";"),
                *merged.properties.get(beside, "").split(";"),
                second,
            ]
            joined[beside] = ";".join(dict.fromkeys(text.strip() for text in listed if text.strip()))
    return joined
