"""Read back what was written and compare. Only what is there counts as written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from integration_assets.connectors.crm.base import Crm, PairWrite
from integration_assets.models import PLAIN_LABEL, CrmFeatureRequest, Link, LinkTarget, ObjectDefinition
from integration_assets.sync.diff import differing_fields
from integration_assets.sync.estimate import batch_limits
from integration_assets.sync.feature_request_object import (
    MANAGED_STATE,
    STATE_FIELDS,
    digest,
    normalise,
    parse_managed_state,
)
from integration_assets.sync.operations import Operation
from integration_assets.sync.pair_reads import in_order, plan_reads
from integration_assets.sync.sending import PairKind, pair_id

T = TypeVar("T")

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


def why_unkept(operation: Operation, record: CrmFeatureRequest, unkept: Sequence[str]) -> str:
    """Say what became of fields that did not read back as written: left as they were, or changed by somebody else."""
    now = {field: normalise(field, record.values.get(field)) for field in unkept}
    # Neither what was there before nor what was written: a rule of the CRM has answered the write with a value of its
    # own, which looks for another remedy than a write that had no effect.
    changed = [field for field in unkept if now[field] != normalise(field, operation.before.get(field))]
    ignored = [field for field in unkept if field not in changed]
    reasons = []
    if ignored:
        reasons.append(f"the CRM did not keep what was written: {', '.join(ignored)}")
    if changed:
        reasons.append(
            f"changed in the CRM right after it was written: {', '.join(changed)}; look for a workflow, flow or "
            "trigger there that sets it"
        )
    return "; ".join(reasons)


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
    crm: Crm,
    definition: ObjectDefinition,
    pairs: Sequence[PairWrite],
    record_links: Mapping[str, int],
    target_links: Mapping[str, int],
) -> Labels:
    """All labels of these pairs, all of one target, in as few reads as it takes.

    `record_links` and `target_links` say how many links either end has: a list of links is read whole.
    """
    limits = batch_limits(crm).reads
    asked = {pair_id(pair): pair for pair in pairs}
    reads = plan_reads(list(asked), record_links, target_links, limits)
    from_records = set(reads.record_ids)
    labels: dict[tuple[str, str], set[str]] = defaultdict(set)
    by_target: dict[str, list[PairWrite]] = defaultdict(list)
    for identity in reads.pairs:
        by_target[identity[1]].append(asked[identity])
    for target_ids in chunks(in_order(by_target, target_links), limits.ids_per_read):
        found = await crm.links_of_pairs(
            definition, [pair for target_id in target_ids for pair in by_target[target_id]]
        )
        for link in found.links:
            labels[link.record_id, link.target_id].add(link.label)
        # what the other end could not tell is read from ours
        from_records |= {pair.record_id for pair in found.unreadable}
    for record_ids in chunks(in_order(from_records, record_links), limits.ids_per_read):
        for link in await crm.links(definition, record_ids, pairs[0].target):
            # a list is read whole: the rest of it was not asked for
            if (link.record_id, link.target_id) in asked:
                labels[link.record_id, link.target_id].add(link.label)
    return {pair: tuple(sorted(have)) for pair, have in labels.items()}


def link_problem(pair: PairWrite, before: Sequence[str], have: Sequence[str], kind: PairKind) -> str | None:
    """Say what is wrong with a pair on reading back, or None. It had the labels `before` and has those in `have`."""
    if kind == "link":
        missing = [label for label in pair.labels if label not in have]
        return f"does not carry {', '.join(missing)} after it was set" if missing else None
    left = [label for label in pair.labels if label in have and label != PLAIN_LABEL]
    if left:
        return f"still carries {', '.join(left)} after it was taken off"
    if kind == "unlink whole":
        # with another label on it, somebody has associated the two anew: that is theirs
        return "is still associated after the association was removed" if tuple(have) == (PLAIN_LABEL,) else None
    # the call must not take off more than it was told to
    lost = [label for label in before if label not in pair.labels and label not in have]
    return f"has lost {', '.join(lost)} as well" if lost else None


def as_links(target: LinkTarget, pairs: Sequence[PairWrite], labels: Labels) -> list[Link]:
    """The labels of these pairs as rows."""
    return [
        Link(pair.record_id, target, pair.target_id, label)
        for pair in pairs
        for label in labels.get((pair.record_id, pair.target_id), ())
    ]


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into parts of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
