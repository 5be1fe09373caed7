"""Read boards and requests, and make sure that no request was missed.

A list that changes while it is paged, or that a server cuts short, must not look like requests that are gone. A pass is
believed when its pages continue each other and it holds at least what the boards count, or falls short of that by as
much as the last run did (a status nobody knows hides requests). Otherwise the list is read again, until a pass whose
pages continue each other agrees with the one before. When none does, this run retires nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from integration_assets.config import ProviderSettings
from integration_assets.connectors.feedback.base import FeedbackSystem
from integration_assets.connectors.specs import BOARDS, EXCLUDE_BOARDS
from integration_assets.errors import ConfigurationError, ContractError
from integration_assets.ingest.context import LOOK_UPS_IN_FLIGHT, REQUESTS, FeedbackContext, chunks
from integration_assets.ingest.gather import gather
from integration_assets.ingest.watermarks import known_shortfall
from integration_assets.models import Board, FeatureRequest, Page, Rejected, RejectedRequest
from integration_assets.reporting.progress import track
from integration_assets.staging.texts import text_list

MOST_PASSES = 3
"""Passes over the list of requests before the run goes on with what it has and retires nothing."""
MOST_MISSING_RETRIEVED = 200
"""Requests missing from the list that are looked up one by one; when more are missing, nothing is retired this run."""
MERGED = "merged_request"
"""Kind of a request that lives on in one that cannot be used."""

# ----------------------------------------------------------------------------------------------------------- boards


async def read_boards(feedback: FeedbackSystem, context: FeedbackContext) -> list[Board]:
    """All boards, with what they count now; none where the system has no such thing."""
    boards: list[Board] = []
    if not feedback.abilities.boards:
        return boards
    async for page in feedback.boards():
        context.take(REQUESTS, "raw.boards", page)
        boards += page.records
    context.work.boards = len(boards)
    return boards


def scope_of(boards: Sequence[Board], settings: ProviderSettings, prefix: str = "") -> frozenset[str] | None:
    """Ids of the boards asked for, or None for all. Boards are named by id or by name, whatever the case.

    `prefix` begins the ids of `boards`, and none of those that settings name.

    Raises:
        ConfigurationError: there is no board of that name, or none is left.
    """
    wanted, unwanted = settings.texts(BOARDS), settings.texts(EXCLUDE_BOARDS)
    for name, names in ((BOARDS, wanted), (EXCLUDE_BOARDS, unwanted)):
        # A misspelled name left out in silence would rank other boards than were asked for.
        if missing := [name for name in names if not any(_is_named(board, [name], prefix) for board in boards)]:
            raise ConfigurationError(
                f"{settings.named(name)}: no board is called {', '.join(missing)}; there are "
                f"{', '.join(board.name for board in boards)}"
            )
    if not wanted and not unwanted:
        return None
    chosen = {board.board_id for board in boards if not wanted or _is_named(board, wanted, prefix)}
    kept = frozenset(chosen - {board.board_id for board in boards if _is_named(board, unwanted, prefix)})
    # Nothing would be read, and the ranking be empty, or every record retired, as if that were meant.
    if not kept:
        named = " and ".join(
            settings.named(name) for name, one in ((BOARDS, wanted), (EXCLUDE_BOARDS, unwanted)) if one
        )
        raise ConfigurationError(
            f"{named}: every board that is asked for is excluded as well; there are "
            f"{', '.join(board.name for board in boards)}"
        )
    return kept


def _is_named(board: Board, names: Sequence[str], prefix: str) -> bool:
    return board.board_id.removeprefix(prefix) in names or board.name.casefold() in {name.casefold() for name in names}


# --------------------------------------------------------------------------------------------------------- requests


async def read_requests(feedback: FeedbackSystem, context: FeedbackContext, boards: Sequence[Board]) -> None:
    """All requests; `boards` are those read before. Sets `requests_unsettled` when no pass can be believed."""
    # The usual shortfall is of requests in a status that nobody knows: they are counted and never listed.
    counted, usual = _counted(boards), known_shortfall(context.connection, context.prefix)
    before: set[str] | None = None
    for _ in range(MOST_PASSES):
        served, unbroken = await _pass(feedback, context)
        # More than counted is fine: requests are written while we read.
        if unbroken and len(served) >= counted:
            break
        # Fewer may be right: requests deleted since the boards were counted.
        counted = _counted(await read_boards(feedback, context))
        if unbroken and (len(served) >= counted or counted - len(served - context.unusable) == usual):
            break
        # Twice the same is what the list holds, whatever the boards count; but twice the same gap proves nothing.
        if unbroken and served == before:
            break
        before = served
    else:
        # The run goes on with what it has, and must take no record away for a request it may have missed.
        context.requests_unsettled = True
    context.load.note_read("feature_requests", as_of=context.started_at, rows_read=_in_scope_of_all(context))


def _in_scope_of_all(context: FeedbackContext) -> int:
    """Requests in scope of every feedback system that has listed them by now: the last one notes those of all."""
    return sum(len(system.in_scope) for system in context.shared.systems)


def _counted(boards: Sequence[Board]) -> int:
    return sum(board.request_count or 0 for board in boards)


async def _pass(feedback: FeedbackSystem, context: FeedbackContext) -> tuple[set[str], bool]:
    """Read the list once: the ids it served, usable or not, and whether its pages continue each other."""
    served: set[str] = set()
    unbroken = True
    context.passes += 1
    with track("feature requests") as advance:
        async for page in feedback.feature_requests(statuses=frozenset(context.statuses)):
            served |= {record.key for record in page.rejected} | {request.request_id for request in page.records}
            unbroken = unbroken and not page.doubtful
            _take_requests(context, page)
            advance(len(page.records))
    context.work.requests = len(served)
    return served, unbroken


def _take_requests(context: FeedbackContext, page: Page[FeatureRequest]) -> None:
    requests = page.records
    inside = [request for request in requests if context.scope is None or request.board_id in context.scope]
    context.in_scope.update(request.request_id for request in inside)
    # Kept by id: votes on them are not lost, nobody asked for them.
    context.excluded.update({request.request_id for request in requests} - context.in_scope)
    context.merged_away.update(merged for request in requests for merged in request.merged_ids)
    context.scores.update({request.request_id: request.score for request in inside if request.score is not None})
    context.persons_seen.update(request.author_id for request in inside if request.author_id)
    # A request that cannot be used is there all the same: it must not be retired as gone.
    unusable = _unusable_in_scope(context, page.rejected)
    context.unusable.update(rejected.key for rejected in unusable)
    context.take(
        REQUESTS, "raw.feature_requests", msgspec.structs.replace(page, records=tuple(inside), rejected=unusable)
    )


def _unusable_in_scope(context: FeedbackContext, rejected: Sequence[Rejected]) -> tuple[Rejected, ...]:
    """The requests that cannot be used, and those merged into them; nobody asked for those of other boards."""
    found: list[Rejected] = []
    for record in rejected:
        # Nothing is known of its board, so it is told rather than left out.
        if not isinstance(record, RejectedRequest):
            found.append(record)
        elif context.scope is not None and record.board_id is not None and record.board_id not in context.scope:
            context.excluded.update((record.key, *record.merged_ids))
        else:
            found.append(record)
            # Without the record nothing else says where these went: they would be looked up, and count as deleted.
            found += [
                Rejected(MERGED, merged, f"merged into {record.key}, which cannot be used")
                for merged in record.merged_ids
            ]
    return tuple(found)


def _keep_merges(context: FeedbackContext) -> None:
    """Keep what earlier runs learnt of merges, as long as the request that each lives on in is listed.

    Else every run would look up every request that was ever merged and has a record in the CRM.
    """
    context.load.carry_over("raw.merge_aliases", context.prefix)
    rows = context.connection.execute(
        "SELECT merged_request_id, request_id FROM loading.merge_aliases WHERE starts_with(merged_request_id, ?)",
        [context.prefix],
    ).fetchall()
    # A merge can be taken back: the request is listed again.
    kept = {merged for merged, survivor in rows if survivor in context.in_scope and merged not in context.in_scope}
    context.connection.execute(
        """
        DELETE FROM loading.merge_aliases
        WHERE starts_with(merged_request_id, ?)
        AND NOT list_contains(from_json(?, '["VARCHAR"]'), merged_request_id)
        """,
        [context.prefix, text_list(sorted(kept))],
    )
    context.merged_away.update(kept)


async def read_missing(feedback: FeedbackSystem, context: FeedbackContext) -> None:
    """Look up requests that votes or CRM records know but the list lacks, before they count as gone."""
    connection = context.connection
    if not feedback.abilities.merges_listed:
        _keep_merges(context)
    rows = connection.execute(
        "SELECT DISTINCT request_id FROM loading.votes WHERE starts_with(vote_id, ?)", [context.prefix]
    ).fetchall()
    voted_for = {request_id for (request_id,) in rows}
    keys = {key for key in context.shared.live_keys if key.startswith(context.key_prefix)}
    written = {f"{context.prefix}{key.removeprefix(context.key_prefix)}" for key in keys}
    found = context.in_scope | context.excluded | context.merged_away | context.unusable
    missing = sorted((voted_for | written) - found)
    # So many at once are a fault of the list rather than deletions, and each would cost a call.
    if len(missing) > MOST_MISSING_RETRIEVED:
        context.shared.withheld.append(
            f"{len(missing)} known requests are missing from the list of {context.own.spec.label} (more than "
            f"{MOST_MISSING_RETRIEVED}): nothing is retired this run"
        )
        return

    async def look_up(request_id: str) -> None:
        try:
            request = await feedback.feature_request(request_id)
        except ContractError as error:  # this one record is broken: that it is there is all we know of it
            request = Rejected("feature_request", request_id, error.message)
        if isinstance(request, Rejected):
            _take_requests(context, Page((), (request,)))
        elif request is not None:
            _take_requests(context, Page((request,)))

    with track("missing requests", len(missing)) as advance:
        for batch in chunks(missing, LOOK_UPS_IN_FLIGHT):
            await gather(*(look_up(request_id) for request_id in batch))
            advance(len(batch))
    context.work.looked_up += len(missing)
    gone = set(missing) - context.in_scope - context.excluded - context.unusable
    # Deleting a request deletes its votes: those of a request an earlier run knew are not lost, they are gone.
    connection.execute(
        """
        DELETE FROM loading.votes WHERE list_contains(from_json(?, '["VARCHAR"]'), request_id)
        AND request_id IN (SELECT request_id FROM raw.feature_requests)
        """,
        [text_list(sorted(gone))],
    )
