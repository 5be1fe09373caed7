"""Shared ground of the readers of both systems: where pages go, what is gathered beside them, how they are cut."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import duckdb
import msgspec

from integration_assets.config import Environment, ProviderSettings, Settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.limiter import Quota
from integration_assets.ingest.call_floor import CrmSizes, FeedbackWork, Work
from integration_assets.ingest.watermarks import Unreadable
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
    "raw.crm_deals",
    "raw.crm_owners",
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

T = TypeVar("T")


class CompanyRead(msgspec.Struct, frozen=True):
    """Facts kept of the last read. `changes_from` and `whole_at` are UTC; `archived` is None if not counted."""

    source: str
    whole_at: datetime
    changes_from: datetime
    archived: int | None = None


@dataclass(frozen=True, kw_only=True)
class IngestInputs:
    """Input of a read of all systems: whose, from where, into which store, and how much of it.

    `notes` takes lines for people as they come up, so that they are not lost when the read fails. `full` reads
    everything whole, whatever earlier reads know; `read_only` goes without what only a write needs and the credential
    may not read; `reads_other_schema` is whether the other environment's schema is compared.
    """

    settings: Settings
    tenant: str
    environment: Environment
    run_id: str
    connection: duckdb.DuckDBPyConnection
    calls: CallCounter
    notes: list[str]
    full: bool = False
    read_only: bool = False
    reads_other_schema: bool = True


class Ingested(msgspec.Struct, frozen=True):
    """Result of a read for those who sum up the run: requests in scope, what there was to read, the CRM's limits."""

    identified: int
    work: Work
    crm_sizes: CrmSizes | None
    quota: Quota


@dataclass
class IngestContext:
    """One read of all systems: where rows go, and what is gathered beside them.

    `inputs` is what was asked for. `systems` are the reads of the feedback systems. `work` counts what there was to
    read, `company_read` is what to remember of the read of companies. `withheld` are the reasons why nothing may be
    retired.
    """

    inputs: IngestInputs
    load: Loader
    started_at: datetime
    systems: list[FeedbackContext] = field(default_factory=list)
    rejected: defaultdict[str, list[Rejected]] = field(default_factory=lambda: defaultdict(list))
    live_keys: set[str] = field(default_factory=set)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    unreadable_fields: dict[str, Unreadable] = field(default_factory=dict)
    work: Work = field(default_factory=Work)
    company_read: CompanyRead | None = None
    withheld: list[str] = field(default_factory=list)

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The staging store that is read into."""
        return self.inputs.connection

    @property
    def contacts_due(self) -> bool:
        """True if contacts are read whole: for one feedback system that is due, for the voters of all."""
        return any("contacts" in system.due for system in self.systems)

    @property
    def persons_due(self) -> bool:
        """True if every feedback system's persons are read whole."""
        return all("persons" in system.due for system in self.systems)

    def take(self, stage: str, table: str, page: Page[T]) -> None:
        """Load one page; whatever cannot be used is kept with its reason, under the asset that met it."""
        self.rejected[stage] += (*page.rejected, *self.load.append(table, page.records))
        for name, count in page.unknown_fields.items():
            # A system may send field names that are data: kept without end, they would fill memory and the store.
            if name in self.unknown_fields or len(self.unknown_fields) < MOST_UNKNOWN_FIELDS:
                self.unknown_fields[name] += count
        for name, found in page.unreadable_fields.items():
            # One reason per field is enough: a field that breaks does so in the same way for thousands of records.
            self.unreadable_fields.setdefault(name, Unreadable(found[0][1])).add([record_id for record_id, _ in found])


@dataclass
class FeedbackContext:
    """The read of one feedback system into the tables that all of them share. Ids are the source's, after `prefix`.

    `prefix` is empty where one system is read; the rows of others are none of this read's. `own` are the system's
    settings. `due` names the lists that are read whole. `scores` are the votes the source reports per request in scope;
    `differences` the reported and stored votes of those where reading again did not make them equal; `looked_at` are
    requests whose votes were held against the source although nothing differed. `passes` counts how often the list of
    requests was read; `requests_unsettled` says that no pass over it could be believed. `persons_read` is set once all
    persons were read, if they are due. `credential` is a digest of where, and as whom, the system is read;
    `keeps_pages`: pages of a whole read of votes are kept for a run after one that dies; `votes_kept` counts votes that
    a run which was killed had read.
    """

    shared: IngestContext
    own: ProviderSettings
    due: set[str]
    prefix: str = ""
    credential: str = ""
    keeps_pages: bool = True
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
    votes_kept: int = 0
    passes: int = 0
    requests_unsettled: bool = False

    @property
    def inputs(self) -> IngestInputs:
        """Input of the read of all systems."""
        return self.shared.inputs

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The staging store that is read into."""
        return self.shared.connection

    @property
    def load(self) -> Loader:
        """The load that takes the rows of this system and of all others."""
        return self.shared.load

    @property
    def started_at(self) -> datetime:
        """Start of the read of all systems."""
        return self.shared.started_at

    @property
    def work(self) -> FeedbackWork:
        """Records there were to read of this system."""
        return self.shared.work.feedback.setdefault(self.own.spec.name, FeedbackWork())

    @property
    def key_prefix(self) -> str:
        """Beginning of the keys of this system's records in the CRM."""
        return f"{self.inputs.settings.source_names[self.own.spec.name]}:"

    def take(self, stage: str, table: str, page: Page[T]) -> None:
        """Load one page; whatever cannot be used is kept with its reason, under the asset that met it."""
        self.shared.take(stage, table, page)


async def read_pages(
    pages: AsyncIterator[Page[T]],
    name: str,
    stage: str,
    table: str,
    context: IngestContext | FeedbackContext,
    *,
    read: str | None = None,
) -> int:
    """Read a list to its end, shown as `name`; returns how many records it had, unusable ones included.

    `read` is what `raw.reads` calls it.
    """
    served = 0
    with track(name) as advance:
        async for page in pages:
            context.take(stage, table, page)
            # With the unusable ones: the calls were paid for them too.
            served += size_of(page)
            advance(len(page.records))
    if read:
        context.load.note_read(read, as_of=context.started_at)
    return served


def size_of(page: Page[T]) -> int:
    """Records of a page, unusable ones included."""
    return len(page.records) + len(page.rejected)


def chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most `size`."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
