"""Read the companies of the CRM: whole, or only what changed since the last read where that takes fewer calls.

The first load of very many companies comes as an export, where the CRM makes one and the credential may ask for it.

Whole reads see everything at once. Changes may show late in a CRM's index; so what was changed shortly before a read is
asked for again by the next one, the records themselves are read by id, and everything is read whole once a week, and
whenever the portal, the mapped properties or the version of the product is another one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import duckdb
import msgspec
import pyarrow as pa

from integration_assets import __version__
from integration_assets.connectors.crm.base import BulkRefusedError, ChangeCosts, CompanyChanges, CompanyMapping, Crm
from integration_assets.errors import CredentialError, PermanentError
from integration_assets.ingest.call_floor import calls_for
from integration_assets.ingest.context import CompanyRead, IngestContext, chunks, size_of
from integration_assets.ingest.gather import gather
from integration_assets.ingest.watermarks import CLOCKS_DIFFER, EVERYTHING_EVERY
from integration_assets.models import Company, Page
from integration_assets.reporting.progress import track
from integration_assets.staging.texts import text_list
from integration_assets.staging.transactions import transaction

log = logging.getLogger(__name__)

STAGE, TABLE = "raw_crm_companies", "raw.crm_companies"
OVERLAP = timedelta(minutes=30)
"""Time before the last read from which changes are asked for, beyond the index's lag: clocks differ, indexes slow."""
PAGES_BEFORE_EXPORT = 5
"""Pages of a first load before an export is thought of: nobody with few companies pays for the question."""
EXPORT_SAVES = 2
"""Factor by which an export has to take fewer calls than the rest of the list: it takes its time, and may fail."""
READS_IN_FLIGHT = 5
"""Batches of companies or parents read at the same time."""


class ChangePlan(msgspec.Struct, frozen=True):
    """Plan of reading changes: those since `since`, at most `most` of them, within `archived_pages` of archived."""

    since: datetime
    most: int
    archived_pages: int


class _TooManyError(Exception):
    """More changed, or was archived, than a whole read would cost. `archived` is how many were counted, if any."""

    def __init__(self, archived: int | None = None) -> None:
        super().__init__()
        self.archived = archived


async def read_companies(
    crm: Crm, mapping: CompanyMapping, portal_id: str, context: IngestContext, *, full: bool
) -> None:
    """Load all companies as they are now; `full` reads them whole whatever an earlier read knows."""
    source, last = source_of(portal_id, mapping), last_read(context.connection)
    changes, plan = crm.company_changes, None
    # Another portal, mapping or version makes what is stored useless: changes would be laid over other companies.
    if changes is not None and last is not None and last.source == source and not full:
        plan = change_plan(last, stored_companies(context.connection), crm.costs.records_per_page, changes, context)
    counted, asked = last.archived if last else None, 0
    if changes is not None and plan is not None and last is not None:
        try:
            archived = await _read_changes(changes, mapping, plan, context)
        # Before the permanent errors, of which it is one: a whole read would be refused as well.
        except CredentialError:
            raise
        except (PermanentError, _TooManyError) as reason:
            # A search that is refused or makes no sense is no reason to go without companies.
            context.connection.execute("DELETE FROM loading.crm_companies")
            why = reason.message if isinstance(reason, PermanentError) else "more has changed than a whole read costs"
            log.info("companies are read whole, not only what changed: %s", why)
            # Kept for the next plan, which then knows that changes do not pay.
            counted = getattr(reason, "archived", None) or counted
            asked = int(isinstance(reason, _TooManyError))  # how many have changed, nothing but a search can tell
        else:
            context.company_read = msgspec.structs.replace(
                last, changes_from=context.started_at - changes.lag, archived=archived
            )
            return
    context.work.crm.company_calls = asked
    await _read_whole(crm, mapping, context)
    context.company_read = CompanyRead(source, context.started_at, context.started_at, counted)


def source_of(portal_id: str, mapping: CompanyMapping) -> str:
    """A digest of what is read from where."""
    # The version too: a newer one may read more of each company than the older one stored.
    single = (mapping.arr, mapping.currency, mapping.account_id, mapping.lifecycle, mapping.owner, mapping.renewal)
    lists = (",".join(mapping.segments), *mapping.rollups)
    text = "\n".join((portal_id, *(name or "" for name in single), *lists, __version__))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def change_plan(
    last: CompanyRead, stored: int, page: int, changes: CompanyChanges, context: IngestContext
) -> ChangePlan | None:
    """Plan how to read changes; None when a whole read is due or takes hardly more calls.

    Changes have to save half of the calls: a whole read sees what an index does not show yet.
    """
    now = context.started_at
    if now - last.whole_at >= EVERYTHING_EVERY or not stored:
        return None
    # Noted by a clock that was wrong: what changed before that moment would be asked for by nobody.
    if max(last.whole_at, last.changes_from) > now + CLOCKS_DIFFER:
        return None
    whole, costs = calls_for(stored, page), changes.costs
    # What it takes although nothing changed: archived companies and parents have no other way to show.
    certain = change_calls(costs, changed=1, archived=last.archived or 0, companies=stored)
    if certain * 2 > whole:
        return None
    # Calls that are left until a whole read would have been cheaper: there the read of changes gives up.
    left = whole - certain
    # Of what is left, each changed company takes its share of a search and of a read.
    per_company = 1 / costs.ids_per_page + 1 / costs.records_per_read
    return ChangePlan(
        since=min(last.changes_from, now) - OVERLAP,
        most=int(left / per_company),
        archived_pages=calls_for(last.archived or 0, costs.archived_per_page) + left,
    )


def change_calls(costs: ChangeCosts, *, changed: int, archived: int, companies: int) -> int:
    """Calls of reading changes: of so many companies, so many of which changed, beside so many archived ones."""
    return (
        max(1, calls_for(changed, costs.ids_per_page))
        + calls_for(changed, costs.records_per_read)
        + max(1, calls_for(archived, costs.archived_per_page))
        + calls_for(companies, costs.parents_per_call)
    )


# ------------------------------------------------------------------------------------------------------------- whole


async def _read_whole(crm: Crm, mapping: CompanyMapping, context: IngestContext) -> None:
    """All companies by the list, or, on a first load of very many, by an export after the first few pages."""
    served, exported, first = 0, None, stored_companies(context.connection) == 0
    with track("companies") as advance:
        pages = 0
        async for page in crm.companies(mapping):
            context.take(STAGE, TABLE, page)
            served, pages = served + size_of(page), pages + 1
            advance(len(page.records))
            # On a first load only: later reads ask for changes.
            if first and pages == PAGES_BEFORE_EXPORT:
                exported = await _by_export(crm, mapping, served, context)
                if exported is not None:
                    break
    if exported is None:
        context.work.crm.companies = served
    count = loading_companies(context.connection)
    context.load.note_read("companies", as_of=context.started_at, rows_read=count if exported else served)


async def _by_export(crm: Crm, mapping: CompanyMapping, served: int, context: IngestContext) -> int | None:
    """Load all companies from an export, if that is worth it; how many they were, or None: the list has to go on."""
    changes, page = crm.company_changes, crm.costs.records_per_page
    # An export is asked for its properties by name, and ours are not there before `setup` has made them.
    export = None if mapping.rollups else crm.company_export
    # An export lacks parents: only the calls of changes bring them.
    if export is None or changes is None or export.scope not in (await crm.granted_scopes() or ()):
        return None
    expected = await export.count()
    parents = calls_for(expected, changes.costs.parents_per_call)
    if (export.calls + parents) * EXPORT_SAVES > calls_for(expected - served, page):
        return None
    exported = 0
    try:
        with track("exported companies", expected) as advance:
            async for rows in export.companies(mapping, expected=expected):
                context.take(STAGE, TABLE, rows)
                exported += size_of(rows)
                advance(len(rows.records))
    except BulkRefusedError as error:
        log.warning("companies are read page by page, an export was not to be had: %s", error.message)
        # The list goes on where it stood: what an export gave so far is read once more, and counts once by its key.
        context.inputs.notes.append(f"companies were read page by page, an export was not to be had: {error.message}")
        return None
    await _read_parents(changes, context)
    # To learn what the credential may do and how many there are took a call each.
    context.work.crm.company_calls += PAGES_BEFORE_EXPORT + 2 + export.calls + parents
    return exported


# ----------------------------------------------------------------------------------------------------------- changes


async def _read_changes(
    changes: CompanyChanges, mapping: CompanyMapping, plan: ChangePlan, context: IngestContext
) -> int:
    """Load yesterday's companies with what changed since; returns how many archived ones there are.

    Raises:
        _TooManyError: there is more to read than a whole read has.
    """
    with track("changed companies") as advance:
        ids = await changes.modified(plan.since, most=plan.most)
        # More changed than a whole read would cost: found out before any record is read.
        if ids is None:
            raise _TooManyError
        context.load.carry_over(TABLE)
        gone: set[str] = set()

        async def read(batch: Sequence[str]) -> None:
            page = await changes.read(mapping, batch)
            context.take(STAGE, TABLE, page)
            # The search index shows records that are gone; those it named and the read did not give are not there.
            gone.update(_no_longer_there(batch, page))
            advance(size_of(page))

        for batches in chunks(list(chunks(ids, changes.costs.records_per_read)), READS_IN_FLIGHT):
            await gather(*(read(batch) for batch in batches))
        archived = await _archived(changes, plan)
        # After all reads: a company of one batch may have swallowed one of another.
        forget_companies(context.connection, gone | archived)
        count = await _read_parents(changes, context)
    context.work.crm.company_calls = change_calls(
        changes.costs, changed=len(ids), archived=len(archived), companies=count
    )
    context.load.note_read("companies", as_of=context.started_at, rows_read=count)
    return len(archived)


def _no_longer_there(asked: Collection[str], page: Page[Company]) -> set[str]:
    """Ids that were asked for and not returned, and those that a returned one has swallowed."""
    returned = {company.company_id for company in page.records}
    swallowed = {merged for company in page.records for merged in company.merged_ids}
    return ({*asked} | swallowed) - returned


async def _archived(changes: CompanyChanges, plan: ChangePlan) -> set[str]:
    found: set[str] = set()
    pages = 0
    async for ids in changes.archived():
        pages += 1
        found.update(ids)
        # Nothing says how many there are: the list is followed until a whole read would have been cheaper.
        if pages > plan.archived_pages:
            raise _TooManyError(len(found))
    return found


async def _read_parents(changes: CompanyChanges, context: IngestContext) -> int:
    """The parents of all companies: a new one need not count as a change. Returns how many companies there are."""
    rows = context.connection.execute("SELECT DISTINCT company_id FROM loading.crm_companies ORDER BY 1").fetchall()
    ids = [company_id for (company_id,) in rows]
    parents: dict[str, str] = {}

    async def read(batch: Sequence[str]) -> None:
        parents.update(await changes.parents(batch))

    for batches in chunks(list(chunks(ids, changes.costs.parents_per_call)), READS_IN_FLIGHT):
        await gather(*(read(batch) for batch in batches))
    set_parents(context.connection, parents)
    return len(ids)


# ------------------------------------------------------------------------------------------------------------- store


def last_read(connection: duckdb.DuckDBPyConnection) -> CompanyRead | None:
    """Read what is remembered of the last read of companies."""
    rows = connection.execute(
        "SELECT source, whole_at AT TIME ZONE 'UTC', changes_from AT TIME ZONE 'UTC', archived FROM raw.company_reads"
    ).fetchall()
    return CompanyRead(*rows[0]) if rows else None


def note_company_read(connection: duckdb.DuckDBPyConnection, read: CompanyRead) -> None:
    """Remember a read of companies. Call once their table is in place: before it, changes would be lost."""
    values = [read.source, read.whole_at.replace(tzinfo=None), read.changes_from.replace(tzinfo=None), read.archived]
    with transaction(connection):
        connection.execute("DELETE FROM raw.company_reads")
        connection.execute("INSERT INTO raw.company_reads VALUES (?, ?, ?, ?)", values)


def stored_companies(connection: duckdb.DuckDBPyConnection) -> int:
    """Companies of the last read."""
    [(count,)] = connection.execute("SELECT count(*) FROM raw.crm_companies").fetchall()
    return int(count)


def loading_companies(connection: duckdb.DuckDBPyConnection) -> int:
    """Companies that are being loaded."""
    [(count,)] = connection.execute("SELECT count(DISTINCT company_id) FROM loading.crm_companies").fetchall()
    return int(count)


def forget_companies(connection: duckdb.DuckDBPyConnection, ids: Collection[str]) -> None:
    """Take companies out of what is being loaded."""
    connection.execute(
        """DELETE FROM loading.crm_companies WHERE company_id IN (SELECT unnest(from_json(?, '["VARCHAR"]')))""",
        [text_list(sorted(ids))],
    )


def set_parents(connection: duckdb.DuckDBPyConnection, parents: Mapping[str, str]) -> None:
    """Give every company that is being loaded its parent, by company id; none to those not named."""
    columns = {"company_id": list(parents), "parent_id": list(parents.values())}
    connection.register("_parents", pa.table({name: pa.array(ids, pa.string()) for name, ids in columns.items()}))
    try:
        connection.execute(
            """
            UPDATE loading.crm_companies AS company SET parent_id = told.parent_id
            FROM (
                SELECT known.company_id, _parents.parent_id
                FROM (SELECT DISTINCT company_id FROM loading.crm_companies) AS known
                LEFT JOIN _parents USING (company_id)
            ) AS told
            WHERE company.company_id = told.company_id AND company.parent_id IS DISTINCT FROM told.parent_id
            """
        )
    finally:
        connection.unregister("_parents")
