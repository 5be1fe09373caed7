"""What the servers hold at one moment, taken from their own state and not through the product."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from integration_assets.sandbox.hubspot import Portal
from integration_assets.sandbox.server import Sandbox
from integration_assets.sync.feature_request_object import FEATURE_REQUEST, MANAGED_STATE
from integration_assets_tests.support.harness import OBJECT

MANAGED = frozenset(definition.name for definition in FEATURE_REQUEST.properties)
LABELS = {
    to_object: frozenset(link.label for link in FEATURE_REQUEST.links if link.target == target)
    for to_object, target in (("companies", "company"), ("contacts", "contact"))
}
MOMENTS = frozenset({"retired_at"})
"""Managed properties that hold when something was done: two runs never agree in them."""
SYSTEM_PREFIXES = ("hs_", "createdate", "lastmodifieddate")


@dataclass(frozen=True)
class Ours:
    """Our records by key and our labels by key and other record, less our ids and what is the clock's."""

    records: dict[str, dict[str, str]]
    links: dict[tuple[str, str, str], frozenset[str]]
    repeated: tuple[str, ...]

    @property
    def labels(self) -> set[tuple[str, str, str, str]]:
        """Every label of every pair."""
        return {(*pair, label) for pair, labels in self.links.items() for label in labels}


def ours(portal: Portal) -> Ours:
    """What a portal holds of ours; `repeated` are keys that several live records carry."""
    if portal.find_object(OBJECT) is None:
        return Ours({}, {}, ())
    found, links = portal.records(OBJECT), {}
    keys = Counter(str(record["properties"].get("feature_request_key", "")).lower() for record in found)
    records = {}
    for record in found:
        key = str(record["properties"].get("feature_request_key", "")).lower()
        records[key] = _managed(record["properties"])
        for to_object, labels in LABELS.items():
            for other, carried in portal.associations(OBJECT, record["id"], to_object).items():
                mine = labels & {label for label in carried if label is not None}
                # An association without any label is what a removal may leave behind, and a person sees it.
                if mine or set(carried) == {None}:
                    links[key, to_object, other] = frozenset(mine)
    return Ours(records, links, tuple(sorted(key for key, times in keys.items() if key and times > 1)))


def _managed(properties: dict[str, Any]) -> dict[str, str]:
    kept = {name: str(value) for name, value in properties.items() if name in MANAGED - MOMENTS}
    digests = kept.get(MANAGED_STATE, "").split()
    # Whose mark a record carries is not compared: a fault may let another tenant take the records over.
    kept[MANAGED_STATE] = " ".join(one for one in digests if one.partition(":")[0] not in {*MOMENTS, "tenant"})
    return kept


Theirs = dict[str, Any]
"""Everything in a portal that is not ours, by a name that says what it is."""


def theirs(portal: Portal) -> Theirs:
    """Companies and contacts whole, with their links; on our records, what we do not manage."""
    found: Theirs = {}
    for object_type in ("companies", "contacts"):
        for archived in (False, True):
            for record in portal.records(object_type, archived=archived):
                found[f"{object_type} {record['id']}{' (archived)' if archived else ''}"] = record
        definitions = portal.object_type(object_type).properties
        found[f"properties of {object_type}"] = sorted(definitions)
    for record in portal.records("contacts"):
        found[f"companies of contact {record['id']}"] = portal.associations("contacts", record["id"], "companies")
    if portal.find_object(OBJECT) is None:
        return found
    found["properties of ours made by others"] = sorted(set(portal.object_type(OBJECT).properties) - MANAGED)
    for record in portal.records(OBJECT):
        key = record["properties"].get("feature_request_key")
        others = {
            name: value
            for name, value in record["properties"].items()
            if name not in MANAGED and not name.startswith(SYSTEM_PREFIXES)
        }
        if others:
            found[f"other properties of {key}"] = others
        for to_object, labels in LABELS.items():
            for other, carried in portal.associations(OBJECT, record["id"], to_object).items():
                if foreign := {label for label in carried if label is not None} - labels:
                    found[f"other labels of {key} to {to_object} {other}"] = foreign
    return found


@dataclass(frozen=True)
class Picture:
    """Both portals and Slack at one moment."""

    ours: Ours
    theirs: Theirs
    production: tuple[Ours, Theirs]
    messages: int


def picture(sandbox: Sandbox) -> Picture:
    """Take one. The servers must not be answering a request of the product."""
    portal, production = sandbox.sandbox.portal, sandbox.production.portal
    return Picture(ours(portal), theirs(portal), (ours(production), theirs(production)), len(sandbox.team.messages))
