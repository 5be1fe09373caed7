"""Estimate of a plan's calls: those ahead of the first write, reads before changes, writes, and read-backs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from integration_assets.connectors.crm.base import Crm
from integration_assets.sync.pair_reads import ReadLimits, plan_reads

CANARY_RECORDS = 5
"""Records a first apply writes and reads back before any other."""


class BatchLimits(msgspec.Struct, frozen=True):
    """The connector's maxima per call (see `Crm`), and what it takes before the first write.

    `starting`: who the portal is, what the token may do, what our object is called there; `labels`, for each target.
    `company_calls`: calls of a batch of companies, which is looked at before it is written, and read back.
    """

    records_per_write: int = 100
    pairs_per_write: int = 2_000
    pairs_per_removal: int = 100
    pairs_per_archive: int = 2_000
    records_per_archive: int = 100
    records_per_link_read: int = 1_000
    links_per_page: int = 500
    starting: int = 3
    labels: int = 1
    company_calls: int = 3

    @property
    def reads(self) -> ReadLimits:
        """Those of reading links."""
        return ReadLimits(self.records_per_link_read, self.links_per_page)

    def pairs_of(self, action: str, *, whole: bool) -> tuple[int, int]:
        """Most pairs, and most records of ours, of one write of this kind."""
        if whole:
            return self.pairs_per_archive, self.records_per_archive
        # a pair names one record, so that there is no narrower bound for records here
        size = self.pairs_per_write if action == "link" else self.pairs_per_removal
        return size, size


def batch_limits(crm: Crm) -> BatchLimits:
    """The limits of a connector."""
    return BatchLimits(
        records_per_write=crm.records_per_write,
        pairs_per_write=crm.pairs_per_write,
        pairs_per_removal=crm.pairs_per_removal,
        pairs_per_archive=crm.pairs_per_archive,
        records_per_archive=crm.records_per_archive,
        records_per_link_read=crm.records_per_link_read,
        links_per_page=crm.costs.links_per_page,
        starting=1 + crm.costs.writing,
        labels=crm.costs.labels,
        company_calls=crm.company_writes.calls_per_batch if crm.company_writes else 0,
    )


class PairToWrite(NamedTuple):
    """A link or unlink, with what decides its calls.

    `was_there`: the record is older than the run. `record_links` and `target_links`: links of either end by then.
    """

    action: str
    target: str
    whole: bool
    record: str
    target_id: str
    was_there: bool
    record_links: int
    target_links: int


def estimate_calls(
    *,
    creates: int,
    updates: int,
    retires: int,
    pairs: Iterable[PairToWrite],
    canary: bool,
    limits: BatchLimits,
    rollups: int = 0,
) -> int:
    """Calls to apply and verify a plan; `pairs` in the order of the plan."""
    calls = record_calls(creates, updates, retires, canary=canary, size=limits.records_per_write)
    calls += limits.company_calls * _batches(rollups, limits.records_per_write)
    targets: set[str] = set()
    for batch in pair_batches(pairs, limits):
        targets.add(batch[0].target)
        calls += batch_calls(batch, limits)
    # where nothing is written, nothing is read ahead of it either
    return calls and calls + limits.starting + limits.labels * len(targets)


def record_calls(creates: int, updates: int, retires: int, *, canary: bool, size: int) -> int:
    """Calls for records: written and read back, and those that were there read before. The canary goes ahead."""
    counts, ahead = [creates, updates, retires], [0, 0, 0]
    # a plan no larger than the canary is written in one go
    if canary and sum(counts) > CANARY_RECORDS:
        # in the order of the plan: creates before updates before retirements
        left = CANARY_RECORDS
        for number, count in enumerate(counts):
            ahead[number] = min(count, left)
            left -= ahead[number]
    # a create is written and read back, the others are read before as well; the canary fills batches of its own
    return sum(
        _batches(part, size) * calls
        for count, first, calls in zip(counts, ahead, (2, 3, 3), strict=True)
        for part in (first, count - first)
    )


def pair_batches(pairs: Iterable[PairToWrite], limits: BatchLimits) -> Iterator[list[PairToWrite]]:
    """Cut pairs into the batches they are written in: of one kind, and within what a call may carry."""
    batch: list[PairToWrite] = []
    records: set[str] = set()
    for pair in pairs:
        most_pairs, most_records = limits.pairs_of(pair.action, whole=pair.whole)
        # cut as the application cuts them, or the estimate would drift away from the calls
        full = len(batch) >= most_pairs or (pair.record not in records and len(records) >= most_records)
        if batch and (full or batch[0][:3] != pair[:3]):
            yield batch
            batch, records = [], set()
        batch.append(pair)
        records.add(pair.record)
    if batch:
        yield batch


def batch_calls(batch: list[PairToWrite], limits: BatchLimits) -> int:
    """Calls of one batch: the labels of pairs that may have some are read before it, those of all after it."""
    record_links: dict[str, int] = defaultdict(int)
    target_links: dict[str, int] = defaultdict(int)
    for pair in batch:
        # a batch is read back with all its links in place: the largest number decides the pages
        record_links[pair.record] = max(record_links[pair.record], pair.record_links)
        target_links[pair.target_id] = max(target_links[pair.target_id], pair.target_links)
    # a record that this run makes has no labels to read before
    before = [(pair.record, pair.target_id) for pair in batch if pair.was_there]
    after = [(pair.record, pair.target_id) for pair in batch]
    return 1 + sum(plan_reads(ends, record_links, target_links, limits.reads).calls for ends in (before, after) if ends)


def _batches(items: int, size: int) -> int:
    """Calls it takes to send `items`, `size` at a time."""
    return -(-items // size)
