"""How many calls a plan will take: reads before updates, writes, and the read-back of everything."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from integration_assets.connectors.crm.base import Crm


class BatchLimits(msgspec.Struct, frozen=True):
    """The connector's maxima per call (see `Crm`)."""

    records_per_write: int = 100
    pairs_per_write: int = 2_000
    pairs_per_removal: int = 100
    records_per_link_read: int = 1_000


def batch_limits(crm: Crm) -> BatchLimits:
    """The limits of a connector."""
    return BatchLimits(crm.records_per_write, crm.pairs_per_write, crm.pairs_per_removal, crm.records_per_link_read)


def batches(items: int, size: int) -> int:
    """Calls it takes to send `items`, `size` at a time."""
    return -(-items // size)


def estimate_calls(counts: Mapping[str, int], limits: BatchLimits) -> int:
    """Calls to apply and verify a plan.

    `counts` has operations by action, pairs by `<action> <target>`, and `linked records` by `linked <target>`.
    """
    new, changed = counts.get("create", 0), counts.get("update", 0) + counts.get("retire", 0)
    calls = batches(new, limits.records_per_write) * 2 + batches(changed, limits.records_per_write) * 3
    for target in ("company", "contact"):
        calls += batches(counts.get(f"link {target}", 0), limits.pairs_per_write)
        calls += batches(counts.get(f"unlink {target}", 0), limits.pairs_per_removal)
        # once before the write, once after it
        calls += batches(counts.get(f"linked {target}", 0), limits.records_per_link_read) * 2
    return calls
