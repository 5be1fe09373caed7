"""Read back what was written and compare. Only what is there counts as written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from integration_assets.connectors.crm.base import Crm, PairWrite
from integration_assets.models import CrmFeatureRequest, Link, LinkTarget, ObjectDefinition
from integration_assets.sync.diff import differing_fields
from integration_assets.sync.feature_request_object import (
    MANAGED_STATE,
    STATE_FIELDS,
    digest,
    normalise,
    parse_managed_state,
)
from integration_assets.sync.operations import Operation

LOST_READ_PAUSES_SECONDS = (2.0, 10.0, 20.0)
"""Waits before reading back again a write whose answer was lost: it may be applied half a minute after the time-out."""

Labels = Mapping[tuple[str, str], tuple[str, ...]]
"""All labels by record id and target id, sorted."""


async def read_records(crm: Crm, definition: ObjectDefinition, keys: Sequence[str]) -> dict[str, CrmFeatureRequest]:
    """The live records with these keys; keys without one are absent."""
    found = await crm.feature_requests_by_key(definition, keys) if keys else {}
    return {key.lower(): record for key, record in found.items() if not record.archived}


def unkept_fields(operation: Operation, record: CrmFeatureRequest) -> list[str]:
    """Fields the CRM did not keep as written."""
    return differing_fields(operation.after, record.values)


def new_bases(operation: Operation, record: CrmFeatureRequest) -> dict[str, str | None]:
    """Values as read back, of all managed fields for a create and of those written otherwise.

    None: the value is a person's. An undo puts such a value back together with the digest of what we had written before
    it, and that digest is then all that is known of our last write.
    """
    fields = STATE_FIELDS if operation.action == "create" else [f for f in STATE_FIELDS if f in operation.after]
    bases: dict[str, str | None] = {field: normalise(field, record.values.get(field)) for field in fields}
    if MANAGED_STATE in operation.after:
        digests = parse_managed_state(operation.after[MANAGED_STATE])
        theirs = [field for field in fields if digests.get(field) != digest(operation.after.get(field, ""))]
        bases.update(dict.fromkeys(theirs))
    return bases


async def read_labels(
    crm: Crm, definition: ObjectDefinition, record_ids: Collection[str], target: LinkTarget
) -> Labels:
    """All labels between these records and records of `target`, in as few reads as it takes."""
    labels: dict[tuple[str, str], set[str]] = defaultdict(set)
    ids = sorted(set(record_ids))
    for start in range(0, len(ids), crm.records_per_link_read):
        for link in await crm.links(definition, ids[start : start + crm.records_per_link_read], target):
            labels[link.record_id, link.target_id].add(link.label)
    return {pair: tuple(sorted(have)) for pair, have in labels.items()}


def link_problem(pair: PairWrite, labels: Labels, *, unlink: bool) -> str | None:
    """What is wrong with a pair on reading back, or None."""
    have = labels.get((pair.record_id, pair.target_id), ())
    if unlink:
        left = [label for label in pair.labels if label in have]
        return f"still carries {', '.join(left)} after it was taken off" if left else None
    missing = [label for label in pair.labels if label not in have]
    return f"does not carry {', '.join(missing)} after it was set" if missing else None


def as_links(target: LinkTarget, pairs: Sequence[PairWrite], labels: Labels) -> list[Link]:
    """The labels of these pairs as rows."""
    return [
        Link(pair.record_id, target, pair.target_id, label)
        for pair in pairs
        for label in labels.get((pair.record_id, pair.target_id), ())
    ]
