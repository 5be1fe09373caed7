"""Read both systems at the same time into the raw tables, page by page.

Order within the feedback system: votes, persons, accounts and status changes first, because only they tell which custom
statuses exist; then the requests, asked for by every status seen. Within the CRM everything is independent but the
contacts, which are read by the addresses of voters and authors. All raw tables change in one transaction at the end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import duckdb

from integration_assets.assets.run_session import Mode, RunSession, RunState
from integration_assets.assets.together import together
from integration_assets.config import Environment, Settings
from integration_assets.connectors.crm.base import Crm
from integration_assets.connectors.feedback.base import FeedbackSystem
from integration_assets.errors import ConfigurationError, IntegrationError
from integration_assets.models import Board, FeatureRequest, LinkTarget, LiveSchema, Page, Rejected
from integration_assets.reporting.progress import track
from integration_assets.resolution.addresses import split_address
from integration_assets.staging.loading import Loader, quarantine, replacing
from integration_assets.staging.rows import PortalRead
from integration_assets.sync.feature_request_object import FEATURE_REQUEST, record_key
from integration_assets.sync.portal import check_portal, pinned_portal
from integration_assets.tenants.integrations import company_mapping, crm_for, feedback_for

MOST_MISSING_RETRIEVED = 200
"""Requests missing from the list that are looked up one by one; when more are missing, nothing is retired this run."""

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

T = TypeVar("T")


@dataclass
class Reading:
    """What one read of both systems gathers beside the tables. Ids are the source's."""

    load: Loader
    started_at: datetime
    rejected: list[tuple[str, Rejected]] = field(default_factory=list)
    statuses: set[str] = field(default_factory=set)
    scope: frozenset[str] | None = None
    in_scope: set[str] = field(default_factory=set)
    excluded: set[str] = field(default_factory=set)
    unusable: set[str] = field(default_factory=set)
    merged_away: set[str] = field(default_factory=set)
    voted_for: set[str] = field(default_factory=set)
    live_records: list[str] = field(default_factory=list)
    live_keys: set[str] = field(default_factory=set)

    def take(self, stage: str, table: str, page: Page[T]) -> None:
        """Load one page; whatever cannot be used is kept with its reason."""
        refused = (*page.rejected, *self.load.append(table, page.records))
        self.rejected += [(stage, record) for record in refused]


async def read_both(session: RunSession) -> None:
    """Replace all raw tables by what the two systems say now."""
    state, settings, connection = session.state, session.settings, session.connection
    async with AsyncExitStack() as stack:
        feedback = await stack.enter_async_context(feedback_for(settings, state.calls))
        crm = await stack.enter_async_context(crm_for(settings, session.target, state.calls))
        with replacing(connection, TABLES) as load:
            reading = Reading(load, datetime.now(UTC))
            await together(
                _read_feedback(feedback, settings, reading),
                _read_crm(crm, state, settings, connection, reading),
                _read_other_schema(session, reading),
            )
            await together(
                _read_contacts(crm, connection, reading),
                _read_missing(feedback, state, settings, reading),
            )
        state.quota = crm.quota
        state.identified = len(reading.in_scope)
        connection.execute("DELETE FROM raw.excluded_requests")
        connection.execute("INSERT INTO raw.excluded_requests SELECT unnest(?::VARCHAR[])", [sorted(reading.excluded)])
    for stage in dict.fromkeys(stage for stage, _ in reading.rejected):
        quarantine(connection, state.run_id, stage, [record for name, record in reading.rejected if name == stage])


# ------------------------------------------------------------------------------------------------- feedback system


async def _read_feedback(feedback: FeedbackSystem, settings: Settings, reading: Reading) -> None:
    boards = await _read_boards(feedback, reading)
    reading.scope = _scope(boards, settings.canny_boards, settings.canny_exclude_boards)
    reading.statuses.update(settings.canny_statuses)
    await together(
        _read_votes(feedback, reading),
        _read_pages(feedback.voters(), "persons", "raw_votes", "raw.voters", reading),
        _read_pages(feedback.accounts(), "accounts", "raw_votes", "raw.accounts", reading),
        _read_status_changes(feedback, reading),
    )
    await _read_requests(feedback, reading)
    expected = sum(board.request_count or 0 for board in boards)
    if len(reading.in_scope | reading.excluded | reading.unusable) < expected:
        # The list moved while it was paged, or holds statuses nobody has seen yet: once more, ids are merged.
        await _read_requests(feedback, reading)


async def _read_boards(feedback: FeedbackSystem, reading: Reading) -> list[Board]:
    boards: list[Board] = []
    async for page in feedback.boards():
        reading.take("raw_feature_requests", "raw.boards", page)
        boards += page.records
    return boards


def _scope(boards: Sequence[Board], wanted: Sequence[str], unwanted: Sequence[str]) -> frozenset[str] | None:
    """Ids of the boards asked for, or None for all. Boards are named by id or by name, whatever the case."""
    for variable, names in (("CANNY_BOARDS", wanted), ("CANNY_EXCLUDE_BOARDS", unwanted)):
        known = {name for board in boards for name in (board.board_id, board.name.casefold())}
        if missing := [name for name in names if name not in known and name.casefold() not in known]:
            raise ConfigurationError(
                f"{variable}: no board is called {', '.join(missing)}; there are {', '.join(b.name for b in boards)}"
            )
    if not wanted and not unwanted:
        return None
    chosen = {board.board_id for board in boards if not wanted or _is_named(board, wanted)}
    return frozenset(chosen - {board.board_id for board in boards if _is_named(board, unwanted)})


def _is_named(board: Board, names: Sequence[str]) -> bool:
    return board.board_id in names or board.name.casefold() in {name.casefold() for name in names}


async def _read_votes(feedback: FeedbackSystem, reading: Reading) -> None:
    with track("votes") as advance:
        async for page in feedback.votes():
            reading.take("raw_votes", "raw.votes", page)
            for vote in page.records:
                reading.voted_for.add(vote.request_id)
                if vote.request_status:
                    reading.statuses.add(vote.request_status)
            advance(len(page.records))
    reading.load.note_read("votes", as_of=reading.started_at)


async def _read_status_changes(feedback: FeedbackSystem, reading: Reading) -> None:
    with track("status changes") as advance:
        async for page in feedback.status_changes():
            reading.take("raw_feature_requests", "raw.status_changes", page)
            reading.statuses.update(change.source_status for change in page.records)
            advance(len(page.records))


async def _read_pages(
    pages: AsyncIterator[Page[T]], name: str, stage: str, table: str, reading: Reading, *, read: str | None = None
) -> None:
    with track(name) as advance:
        async for page in pages:
            reading.take(stage, table, page)
            advance(len(page.records))
    if read:
        reading.load.note_read(read, as_of=reading.started_at)


async def _read_requests(feedback: FeedbackSystem, reading: Reading) -> None:
    with track("feature requests") as advance:
        async for page in feedback.feature_requests(statuses=frozenset(reading.statuses)):
            reading.unusable.update(record.key for record in page.rejected)
            _take_requests(reading, page.records, page.rejected)
            advance(len(page.records))
    reading.load.note_read("feature_requests", as_of=reading.started_at, rows_read=len(reading.in_scope))


def _take_requests(reading: Reading, requests: Sequence[FeatureRequest], rejected: tuple[Rejected, ...] = ()) -> None:
    inside = [request for request in requests if reading.scope is None or request.board_id in reading.scope]
    reading.in_scope.update(request.request_id for request in inside)
    reading.excluded.update(request.request_id for request in requests if request not in inside)
    reading.merged_away.update(merged for request in requests for merged in request.merged_ids)
    reading.take("raw_feature_requests", "raw.feature_requests", Page(tuple(inside), rejected))


async def _read_missing(feedback: FeedbackSystem, state: RunState, settings: Settings, reading: Reading) -> None:
    """Look up requests that votes or CRM records know but the list lacks, before they count as gone."""
    prefix = record_key(settings.source_name, "")
    written = {key.removeprefix(prefix) for key in reading.live_keys if key.startswith(prefix)}
    missing = (
        (reading.voted_for | written) - reading.in_scope - reading.excluded - reading.merged_away - reading.unusable
    )
    if len(missing) > MOST_MISSING_RETRIEVED:
        state.retirements_withheld = True
        state.notes.append(
            f"{len(missing)} known requests are missing from the list (more than {MOST_MISSING_RETRIEVED}): "
            "nothing is retired this run"
        )
        return

    async def look_up(request_id: str) -> None:
        request = await feedback.feature_request(request_id)
        if request is not None:
            _take_requests(reading, [request])

    with track("missing requests", len(missing)) as advance:
        for some in chunks(sorted(missing), 10):
            await together(*(look_up(request_id) for request_id in some))
            advance(len(some))


# ------------------------------------------------------------------------------------------------------------- CRM


async def _read_crm(
    crm: Crm, state: RunState, settings: Settings, connection: duckdb.DuckDBPyConnection, reading: Reading
) -> None:
    mapping = company_mapping(settings)
    target = state.environment or settings.environment
    # Another portal ends the run here, before anything of it is read into this environment's store.
    check_portal(
        target,
        await crm.portal(),
        configured_id=settings.hubspot(target)[2],
        pinned_id=pinned_portal(connection, target),
        other_portal_id=settings.hubspot(target.other)[2],
    )
    schema = await crm.schema(FEATURE_REQUEST, mapping.names())
    reading.load.append("raw.crm_portals", [PortalRead(target.value, "target", schema)])
    reading.load.note_read("crm_schema", as_of=reading.started_at, rows_read=1)
    await together(
        _read_pages(
            crm.companies(mapping), "companies", "raw_crm_companies", "raw.crm_companies", reading, read="companies"
        ),
        _read_records(crm, reading),
    )


async def _read_records(crm: Crm, reading: Reading) -> None:
    """Records of ours, live and archived, and the links of the live ones."""
    stage, table = "raw_crm_feature_requests", "raw.crm_feature_requests"
    with track("CRM records") as advance:
        for archived in (False, True):
            async for page in crm.feature_requests(FEATURE_REQUEST, archived=archived):
                reading.take(stage, table, page)
                if not archived:
                    reading.live_records += [record.record_id for record in page.records]
                    reading.live_keys.update(record.key for record in page.records if record.key)
                advance(len(page.records))
    targets: tuple[LinkTarget, ...] = ("company", "contact")
    with track("CRM links") as advance:
        for some in chunks(reading.live_records, crm.records_per_link_read):
            for target in targets:
                links = await crm.links(FEATURE_REQUEST, some, target)
                reading.take(stage, "raw.crm_links", Page(links))
                advance(len(links))
    reading.load.note_read("crm_feature_requests", as_of=reading.started_at)


async def _read_other_schema(session: RunSession, reading: Reading) -> None:
    """The other environment's schema, for comparison only: that it cannot be read costs nothing but a warning."""
    settings, other = session.settings, session.target.other
    reading.load.append("raw.crm_portals", [await _other_schema(session, settings, other)])


async def _other_schema(session: RunSession, settings: Settings, other: Environment) -> PortalRead:
    schema: LiveSchema | None = None
    reason: str | None = None
    if settings.hubspot(other)[0] is None:
        reason = "not configured"
    elif session.state.mode is Mode.READ_ONLY:
        reason = "not read by a read-only run"
    else:
        try:
            async with crm_for(settings, other, session.state.calls) as crm:
                schema = await crm.schema(FEATURE_REQUEST, company_mapping(settings).names())
        except IntegrationError as error:
            reason = error.message
    return PortalRead(other.value, "other", schema, reason)


async def _read_contacts(crm: Crm, connection: duckdb.DuckDBPyConnection, reading: Reading) -> None:
    """Contacts of all voters and authors that have an address, a batch of addresses a call."""
    rows = connection.execute("SELECT DISTINCT email FROM loading.voters WHERE email IS NOT NULL").fetchall()
    parts = [split_address(email) for (email,) in rows]
    emails = sorted({f"{local}@{host}" for local, host in filter(None, parts)})
    with track("contacts", len(emails)) as advance:

        async def read(some: Sequence[str]) -> None:
            reading.take("raw_crm_contacts", "raw.crm_contacts", await crm.contacts(some))
            advance(len(some))

        for batches in chunks(list(chunks(emails, crm.records_per_write)), 10):
            await together(*(read(some) for some in batches))
    reading.load.note_read("contacts", as_of=reading.started_at)


def chunks(items: Sequence[T] | Collection[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most `size`."""
    listed = list(items)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]
