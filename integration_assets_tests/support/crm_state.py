"""What a portal holds of ours, in terms in which two portals, and two runs, can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import NamedTuple

from integration_assets.sandbox.server import SeededPortal
from integration_assets.sync.feature_request_object import FEATURE_REQUEST, MANAGED_STATE
from integration_assets_tests.support.foreign import hubspot_links, hubspot_records, portal_for_foreigners

MOMENTS = frozenset({"retired_at"})
"""Managed properties that hold when something was done: two runs never agree in them."""


class CrmState(NamedTuple):
    """What a portal holds of ours, in terms that do not depend on the portal's ids or on when it was written."""

    records: dict[str, dict[str, str | None]]
    links: dict[str, set[tuple[str, str, str | None]]]
    archived: set[str]


def crm_state(seeded: SeededPortal) -> CrmState:
    """What HubSpot's own client reads of our records and their links; fails when a key is there twice."""
    portal = seeded.portal
    with ExitStack() as stack:
        address = stack.enter_context(portal_for_foreigners(portal))
        records = hubspot_records(address, portal.token, FEATURE_REQUEST.name)
        archived = set(hubspot_records(address, portal.token, FEATURE_REQUEST.name, archived=True))
        key_of = {str(values["hs_object_id"]): key for key, values in records.items()}
        links: dict[str, set[tuple[str, str, str | None]]] = {key: set() for key in records}
        for target, names in (("companies", ("name", "domain")), ("contacts", ("email",))):
            known = hubspot_records(address, portal.token, target)
            found = hubspot_links(address, portal.token, FEATURE_REQUEST.name, target, key_of)
            for record_id, pairs in found.items():
                links[key_of[record_id]] |= {
                    (target, " ".join(str(known[other][name]) for name in names), label) for other, label in pairs
                }
    return CrmState({key: _managed(values) for key, values in records.items()}, links, archived)


def _managed(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """Managed properties without moments; the digest of a moment is left out as well."""
    kept = {
        definition.name: values.get(definition.name)
        for definition in FEATURE_REQUEST.properties
        if definition.name not in MOMENTS
    }
    digests = (kept[MANAGED_STATE] or "").split()
    kept[MANAGED_STATE] = " ".join(one for one in digests if one.partition(":")[0] not in MOMENTS)
    return kept
