"""The fewest calls that the work of a run takes: arithmetic over what there was to read and to write.

Both systems are charged in their biggest pages and batches. What a run must do twice to be sure of it belongs to the
work: every batch of writes is read back at once, records are looked at just before they are changed, and the identity
of the portal is asked once more before writing. Repeats after an error, lists that changed while they were read and
batches that a refusal had halved do not: they are what lies between the floor and the calls made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import duckdb
import msgspec

from integration_assets.connectors.crm.base import CallCosts, Crm
from integration_assets.connectors.feedback.abilities import Abilities
from integration_assets.models import LiveSchema
from integration_assets.sql import read_sql
from integration_assets.sync.estimate import BatchLimits, PairToWrite, batch_calls, batch_limits, pair_batches

PAIRS_PER_PAGE: Final = 2_000
"""Pairs of the ledger that are in memory at once."""


@dataclass
class FeedbackWork:
    """Records there were to read of the feedback system. None: the list was not read.

    `votes` and `status_changes` include the first known one that ends an incremental read. `votes_by_request` are those
    of each request whose votes were asked for alone; `looked_up` counts records retrieved one by one, `looked_at`
    requests whose newest votes were held against the stored ones, a call each. `abilities` are the system's.
    """

    abilities: Abilities = field(default_factory=Abilities)
    boards: int = 0
    requests: int | None = None
    votes: int | None = None
    status_changes: int | None = None
    persons: int | None = None
    accounts: int | None = None
    looked_up: int = 0
    looked_at: int = 0
    votes_by_request: list[int] = field(default_factory=list)


@dataclass
class CrmWork:
    """Records there were to read of the CRM. None: the list was not read.

    `schemas` are the calls of reading the schema of each environment that was read. `companies` are those read from the
    list, `company_calls` the calls of whatever way took its place, or of the question whether one could. `link_pages`
    are the calls beyond the first that the record with most links of each call of links takes, or all its links do.
    `deal_calls` are those that the connector says its deals take at least, `owner_calls` those of the names of owners.
    """

    schemas: int = 0
    companies: int | None = None
    company_calls: int = 0
    deal_calls: int = 0
    owner_calls: int = 0
    live_records: int | None = None
    archived_records: int | None = None
    link_pages: int = 0
    addresses: int = 0
    address_spellings: int = 0
    contacts: int = 0


@dataclass
class Work:
    """Records one run had to read of all systems. `feedback` is by provider."""

    feedback: dict[str, FeedbackWork] = field(default_factory=dict)
    crm: CrmWork = field(default_factory=CrmWork)


class CrmSizes(msgspec.Struct, frozen=True):
    """Maxima of what one call of the CRM carries; see `connectors.crm.base.Crm`."""

    costs: CallCosts
    limits: BatchLimits


class Writing(msgspec.Struct, frozen=True):
    """Writes of a run to the CRM: records by action, and the calls that its pairs take, labels towards `targets`.

    `creates` are those after the canary, whose records are `canary`. `companies` are those that were rolled up.
    `asked`: the portal was asked who it is first.
    """

    asked: bool = False
    creates: int = 0
    canary: int = 0
    changes: int = 0
    pair_calls: int = 0
    targets: int = 0
    companies: int = 0


def sizes_of(crm: Crm) -> CrmSizes:
    """The maxima of a connector."""
    return CrmSizes(crm.costs, batch_limits(crm))


def schema_calls(costs: CallCosts, schema: LiveSchema, *, mapped: bool) -> int:
    """Calls that reading a schema takes; `mapped`: company properties are among what was asked for."""
    return (costs.schema if schema.object_present else costs.missing_object) - (0 if mapped else 1)


def calls_for(items: int, per_call: int) -> int:
    """Calls for so many items; none for none."""
    return -(-items // per_call)


def feedback_floor(work: FeedbackWork) -> int:
    """Calls of the feedback system: its boards, each list to its end, what was read again or looked up alone."""
    page = work.abilities.records_per_call
    lists = (work.votes, work.status_changes, work.persons, work.accounts)
    alone = sum(_pages(votes, page) for votes in work.votes_by_request)
    read = request_pages(work.requests, work.abilities) + sum(_pages(records, page) for records in lists)
    boards = _pages(work.boards, page) if work.abilities.boards_paged else 1
    return (boards if work.abilities.boards else 0) + read + alone + work.looked_up + work.looked_at


def request_pages(requests: int | None, abilities: Abilities) -> int:
    """Calls for the list of requests; None: it was not read."""
    # A list that is cut by position moves up when a request is deleted: only a page that begins with what is known
    # proves that none slipped by between two pages. The first page has nothing to repeat.
    overlap = abilities.requests_overlap
    return 0 if requests is None else max(1, calls_for(requests - overlap, abilities.records_per_call - overlap))


def crm_reading_floor(work: CrmWork, sizes: CrmSizes) -> int:
    """Calls of the CRM for reading: schemas, companies, deals, our records and their links, contacts of voters."""
    page, targets = sizes.costs.records_per_page, 2
    lists = (work.companies, work.live_records, work.archived_records)
    # Where contacts are listed, an address takes no call of its own.
    spelled = () if sizes.costs.lists_contacts else (work.addresses, work.address_spellings)
    return (
        work.schemas
        + work.company_calls
        + work.deal_calls
        + work.owner_calls
        + sum(_pages(records, page) for records in lists)
        + calls_for(work.live_records or 0, sizes.limits.records_per_link_read) * targets
        + work.link_pages
        + sum(calls_for(addresses, sizes.limits.records_per_write) for addresses in spelled)
        + (calls_for(work.contacts, sizes.costs.contacts_per_call) if sizes.costs.contacts_per_call else 0)
    )


def writing_floor(work: Writing, sizes: CrmSizes) -> int:
    """Calls of the CRM for writing and reading back; a batch of changes is looked at before it is sent as well."""
    records = sum(
        # Two calls a batch, the write and its reading back; a change is looked at before as well.
        calls_for(number, sizes.limits.records_per_write) * calls
        for number, calls in ((work.creates, 2), (work.canary, 2), (work.changes, 3))
    )
    companies = calls_for(work.companies, sizes.limits.records_per_write) * sizes.limits.company_calls
    # A run with nothing to write asks nothing of what only a write needs, and one that writes to companies alone asks
    # nothing of our object.
    named = records or work.pair_calls
    started = sizes.costs.writing - (0 if named else sizes.costs.naming) if named or companies else 0
    return int(work.asked) + started + work.targets * sizes.costs.labels + records + work.pair_calls + companies


def _pages(records: int | None, size: int) -> int:
    """Calls for a list: an empty one takes a call as well."""
    return 0 if records is None else max(1, calls_for(records, size))


def read_writing(connection: duckdb.DuckDBPyConnection, run_id: str, sizes: CrmSizes, *, canary: int) -> Writing:
    """Read from the ledger what a run has sent. `canary`: records a first apply sends ahead, 0 for any other."""
    records = dict(connection.execute(read_sql("sync/written_records"), [run_id]).fetchall())
    creates = records.get("create", 0)
    # With no more records than that, the canary is all there is.
    ahead = canary if creates > canary else 0
    pair_calls, targets = 0, set()
    for batch in pair_batches(_written_pairs(connection, run_id), sizes.limits):
        # By batches as they were sent, not by the number of pairs: a batch holds pairs of one target only.
        pair_calls += batch_calls(batch, sizes.limits)
        targets.add(batch[0].target)
    return Writing(
        asked=True,
        creates=creates - ahead,
        canary=ahead,
        changes=records.get("update", 0) + records.get("retire", 0),
        pair_calls=pair_calls,
        targets=len(targets),
        companies=records.get("roll_up", 0),
    )


def _written_pairs(connection: duckdb.DuckDBPyConnection, run_id: str) -> Iterator[PairToWrite]:
    connection.execute(read_sql("sync/written_pairs"), [run_id])
    while page := connection.fetchmany(PAIRS_PER_PAGE):
        yield from (PairToWrite(*row) for row in page)
