"""What the readers of both systems share: where pages go, what is gathered beside them, how they are cut."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import duckdb

from integration_assets.assets.call_floor import Work
from integration_assets.assets.known import Unreadable
from integration_assets.models import Page, Rejected
from integration_assets.reporting.progress import track
from integration_assets.staging.loading import Loader

TABLES = (
    "raw.boards",
    "raw.feature_requests",
    "raw.status_changes",
    "raw.votes",
    "raw.voters",
    "raw.accounts",
    "raw.crm_companies",
    "raw.crm_contacts",
    "raw.crm_feature_requests",
    "raw.crm_links",
    "raw.crm_portals",
    "raw.internal_accounts",
)

LOOK_UPS_IN_FLIGHT = 10
"""Records looked up one by one at the same time."""
REQUESTS = "raw_feature_requests"
"""The asset that requests, boards and status changes belong to."""

MOST_UNKNOWN_FIELDS = 200
"""Fields nobody documented that one read keeps apart."""

if TYPE_CHECKING:
    from integration_assets.assets.reading_companies import CompanyRead

T = TypeVar("T")


@dataclass
class Reading:
    """One read of both systems: where rows go, and what is gathered beside them. Ids are the source's.

    `due` names the inputs that are read whole. `scores` are the votes the source reports per request in scope;
    `differences` the reported and stored votes of those where reading again did not make them equal; `looked_at` are
    requests whose votes were held against the source although nothing differed. `passes` counts how often the list of
    requests was read; `requests_unsettled` says that no pass over it could be believed. `work` counts what there was to
    read, `company_read` is what to remember of the read of companies. `persons_read` is set once all persons were read,
    if they are due. `credential` is a digest of where, and as whom, the feedback system is read; `votes_kept` counts
    votes that a run which was killed had read, `notes` are lines for people,
    `withheld` the reasons why nothing may be retired.
    """

    connection: duckdb.DuckDBPyConnection
    load: Loader
    started_at: datetime
    due: set[str]
    rejected: defaultdict[str, list[Rejected]] = field(default_factory=lambda: defaultdict(list))
    scope: frozenset[str] | None = None
    statuses: set[str] = field(default_factory=set)
    in_scope: set[str] = field(default_factory=set)
    excluded: set[str] = field(default_factory=set)
    unusable: set[str] = field(default_factory=set)
    merged_away: set[str] = field(default_factory=set)
    scores: dict[str, int] = field(default_factory=dict)
    differences: dict[str, tuple[int, int]] = field(default_factory=dict)
    looked_at: list[str] = field(default_factory=list)
    persons_seen: set[str] = field(default_factory=set)
    persons_read: asyncio.Event = field(default_factory=asyncio.Event)
    live_keys: set[str] = field(default_factory=set)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    unreadable_fields: dict[str, Unreadable] = field(default_factory=dict)
    work: Work = field(default_factory=Work)
    company_read: CompanyRead | None = None
    credential: str = ""
    votes_kept: int = 0
    notes: list[str] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    passes: int = 0
    requests_unsettled: bool = False

    def take(self, stage: str, table: str, page: Page[T]) -> None:
        """Load one page; whatever cannot be used is kept with its reason, under the asset that met it."""
        self.rejected[stage] += (*page.rejected, *self.load.append(table, page.records))
        for name, count in page.unknown_fields.items():
            if name in self.unknown_fields or len(self.unknown_fields) < MOST_UNKNOWN_FIELDS:
                self.unknown_fields[name] += count
        for name, found in page.unreadable_fields.items():
            self.unreadable_fields.setdefault(name, Unreadable(found[0][1])).add([record_id for record_id, _ in found])


async def read_pages(
    pages: AsyncIterator[Page[T]], name: str, stage: str, table: str, reading: Reading, *, read: str | None = None
) -> int:
    """Read a list to its end, shown as `name`; returns how many records it had, unusable ones included.

    `read` is what `raw.reads` calls it.
    """
    served = 0
    with track(name) as advance:
        async for page in pages:
            reading.take(stage, table, page)
            served += size_of(page)
            advance(len(page.records))
    if read:
        reading.load.note_read(read, as_of=reading.started_at)
    return served


def size_of(page: Page[T]) -> int:
    """Records of a page, unusable ones included."""
    return len(page.records) + len(page.rejected)


def chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most `size`."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
