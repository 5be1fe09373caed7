"""Read the feedback system: votes, persons, accounts, status changes, then the requests.

The requests come last, because only votes and status changes tell which custom statuses exist: requests of a status
nobody asked for are not listed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Literal, TypeVar

from integration_assets.assets.checkpoint import VoteCheckpoint, forget_vote_pages
from integration_assets.assets.known import (
    MOST_NEW_PERSONS,
    VOTES_PER_CALL,
    agrees,
    forget_votes,
    known_among,
    known_statuses,
    next_to_look_at,
    settled_differences,
    stored_votes,
)
from integration_assets.assets.reading_pages import LOOK_UPS_IN_FLIGHT, REQUESTS, Reading, chunks, read_pages, size_of
from integration_assets.assets.reading_requests import read_boards, read_requests, scope_of
from integration_assets.assets.together import together
from integration_assets.config import Settings
from integration_assets.connectors.feedback.base import FeedbackSystem
from integration_assets.errors import PermanentError
from integration_assets.models import Page, Rejected, StatusChange, Vote, Voter
from integration_assets.reporting.progress import track

VOTES = "raw_votes"

T = TypeVar("T")


async def read_feedback(feedback: FeedbackSystem, settings: Settings, reading: Reading) -> None:
    """Everything of the feedback system but the requests its lists lack.

    Raises:
        ConfigurationError: a configured board does not exist.
    """
    boards = await read_boards(feedback, reading)
    reading.scope = scope_of(boards, settings.canny_boards, settings.canny_exclude_boards)
    reading.statuses |= {*settings.canny_statuses, *known_statuses(reading.connection)}
    whole = []
    if "persons" in reading.due:
        whole.append(_read_persons(feedback, reading))
    if "accounts" in reading.due:
        whole.append(_read_accounts(feedback, reading))
    await together(_read_votes(feedback, reading), _read_status_changes(feedback, reading), *whole)
    await read_requests(feedback, reading, boards)
    await together(_compare_scores(feedback, reading), _read_new_persons(feedback, reading))


# ------------------------------------------------------------------------------------------- votes and status changes


async def _read_votes(feedback: FeedbackSystem, reading: Reading) -> None:
    with track("votes") as advance:
        if "votes" in reading.due:
            needed = await _read_all_votes(feedback, reading, advance)
        else:
            reading.load.carry_over("raw.votes")
            needed = await _read_votes_until(feedback, reading, "raw.votes", advance)
    reading.work.feedback.votes = needed
    reading.load.note_read("votes", as_of=reading.started_at)


async def _read_all_votes(feedback: FeedbackSystem, reading: Reading, advance: Callable[[int], None]) -> int:
    """The whole list, from where a run that died has come; how many of it this run had to read."""
    checkpoint, needed = VoteCheckpoint(reading.connection, reading.credential, reading.started_at), 0
    for page in checkpoint.pages():
        _take_votes(reading, page)
        reading.votes_kept += size_of(page)
        advance(len(page.records))
    async for page in feedback.votes(after=checkpoint.cursor):
        _take_votes(reading, page)
        checkpoint.keep(page, datetime.now(UTC))
        needed += size_of(page)
        advance(len(page.records))
    if reading.votes_kept:  # what has come since is at the head of the list
        needed += await _read_votes_until(feedback, reading, "loading.votes", advance)
    return needed


_VOTE_IDS = {
    "raw.votes": "SELECT vote_id AS id FROM raw.votes",
    "loading.votes": "SELECT vote_id AS id FROM loading.votes",
}


async def _read_votes_until(
    feedback: FeedbackSystem,
    reading: Reading,
    table: Literal["raw.votes", "loading.votes"],
    advance: Callable[[int], None],
) -> int:
    """The list to the first vote that `table` holds; how many records that are."""
    stored, needed = _VOTE_IDS[table], 0
    async for page, number in _until_known(feedback.votes(), stored, lambda vote: vote.vote_id, reading):
        _take_votes(reading, page)
        needed += number
        advance(len(page.records))
    return needed


def _take_votes(reading: Reading, page: Page[Vote]) -> None:
    reading.take(VOTES, "raw.votes", page)
    reading.statuses.update(vote.request_status for vote in page.records if vote.request_status)
    reading.persons_seen.update(vote.voter.voter_id for vote in page.records if vote.voter)


async def _read_status_changes(feedback: FeedbackSystem, reading: Reading) -> None:
    stored = None if "status_changes" in reading.due else "SELECT change_id AS id FROM raw.status_changes"
    if stored:
        reading.load.carry_over("raw.status_changes")

    def change_id(change: StatusChange) -> str:
        return change.change_id

    needed = 0
    with track("status changes") as advance:
        async for page, number in _until_known(feedback.status_changes(), stored, change_id, reading):
            reading.take(REQUESTS, "raw.status_changes", page)
            reading.statuses.update(change.source_status for change in page.records)
            needed += number
            advance(len(page.records))
    reading.work.feedback.status_changes = needed


async def _until_known(
    pages: AsyncIterator[Page[T]], stored: str | None, id_of: Callable[[T], str], reading: Reading
) -> AsyncIterator[tuple[Page[T], int]]:
    """Pages of a list that comes newest first, to the first one that holds something stored; all when `stored` is None.

    That page is still given: what is new in it comes before what is known. With each page comes how many of its records
    had to be read: all, or those to the first known one.
    """
    async for page in pages:
        ids = [id_of(one) for one in page.records]
        known = known_among(reading.connection, stored, ids) if stored and ids else set()
        first = next((place for place, record_id in enumerate(ids, start=1) if record_id in known), None)
        yield page, first or size_of(page)
        if first:
            return


async def _compare_scores(feedback: FeedbackSystem, reading: Reading) -> None:
    """Read the votes again of requests whose reported votes differ from the stored ones: un-votes leave no other trace.

    Pages that a whole read lost show by this, too. A difference that reading again did not mend is left alone until
    either number moves.
    """
    settled = settled_differences(reading.connection)
    differing = _differences(reading)
    suspects = sorted(request_id for request_id, numbers in differing.items() if settled.get(request_id) != numbers)
    calls = sum(1 + differing[request_id][0] // VOTES_PER_CALL for request_id in suspects)
    if calls > sum(reading.scores.values()) / VOTES_PER_CALL:
        reading.due.add("votes")
        reading.connection.execute("DELETE FROM loading.votes")
        forget_vote_pages(reading.connection)
        reading.votes_kept = 0
        await _read_votes(feedback, reading)
    else:
        await _read_votes_again(feedback, reading, suspects)
    if "votes" not in reading.due:
        await _look_at_votes(feedback, reading, next_to_look_at(reading.connection, suspects))
    reading.differences = _differences(reading)


def _differences(reading: Reading) -> dict[str, tuple[int, int]]:
    stored = stored_votes(reading.connection, reading.in_scope)
    return {
        request_id: (score, stored.get(request_id, 0))
        for request_id, score in reading.scores.items()
        if score != stored.get(request_id, 0)
    }


async def _look_at_votes(feedback: FeedbackSystem, reading: Reading, request_ids: Sequence[str]) -> None:
    """Hold the newest votes of some requests against the stored ones, and read again those that are others.

    A vote taken back beside one that came in with an old date leaves the score as it was, and is in no list's head.
    """
    others: list[str] = []

    async def look(request_id: str) -> None:
        try:
            page: Page[Vote] = await anext(feedback.votes(request_id=request_id), Page(()))
        except PermanentError as error:
            if error.status in (400, 404):  # deleted or merged since it was listed: the next run sees it gone
                return
            raise
        whole = page.cursor is None
        if agrees(reading.connection, reading.in_scope, request_id, page.records, whole=whole):
            return
        if not whole:
            others.append(request_id)
            return
        forget_votes(reading.connection, reading.in_scope, request_id)
        _take_votes(reading, page)

    with track("votes looked at", len(request_ids)) as advance:
        for some in chunks(request_ids, LOOK_UPS_IN_FLIGHT):
            await together(*(look(request_id) for request_id in some))
            advance(len(some))
    reading.looked_at = list(request_ids)
    reading.work.feedback.looked_at = len(request_ids)
    await _read_votes_again(feedback, reading, others)


async def _read_votes_again(feedback: FeedbackSystem, reading: Reading, request_ids: Sequence[str]) -> None:
    async def read(request_id: str) -> None:
        try:
            pages = [page async for page in feedback.votes(request_id=request_id)]
        except PermanentError as error:
            # Deleted or merged since it was listed: this run keeps what it read before, the next one sees it gone.
            if error.status in (400, 404) and await feedback.feature_request(request_id) is None:
                return
            raise
        reading.work.feedback.scores_again.append(reading.scores[request_id])
        forget_votes(reading.connection, reading.in_scope, request_id)
        for page in pages:
            _take_votes(reading, page)

    with track("votes read again", len(request_ids)) as advance:
        for some in chunks(request_ids, LOOK_UPS_IN_FLIGHT):
            await together(*(read(request_id) for request_id in some))
            advance(len(some))


# ------------------------------------------------------------------------------------------------ persons, accounts


async def _read_persons(feedback: FeedbackSystem, reading: Reading) -> None:
    reading.work.feedback.persons = await read_pages(feedback.voters(), "persons", VOTES, "raw.voters", reading)
    reading.persons_read.set()


async def _read_accounts(feedback: FeedbackSystem, reading: Reading) -> None:
    reading.work.feedback.accounts = await read_pages(feedback.accounts(), "accounts", VOTES, "raw.accounts", reading)


async def _read_new_persons(feedback: FeedbackSystem, reading: Reading) -> None:
    """Persons and accounts when they are not due: those of yesterday, and whoever appears for the first time."""
    if "persons" not in reading.due:
        known = {voter_id for (voter_id,) in reading.connection.execute("SELECT voter_id FROM raw.voters").fetchall()}
        new = sorted(reading.persons_seen - known)
        if len(new) > MOST_NEW_PERSONS:
            reading.due.add("persons")
            await _read_persons(feedback, reading)
        else:
            reading.load.carry_over("raw.voters")
            reading.load.carry_over("raw.voter_accounts")
            await _look_up_persons(feedback, reading, new)
    if "accounts" not in reading.due:
        reading.load.carry_over("raw.accounts")
        unknown = reading.connection.execute(
            "SELECT count(*) FROM loading.voter_accounts ANTI JOIN raw.voter_accounts USING (account_id)"
        ).fetchall()
        if unknown[0][0]:
            reading.due.add("accounts")
            await _read_accounts(feedback, reading)


async def _look_up_persons(feedback: FeedbackSystem, reading: Reading, voter_ids: Sequence[str]) -> None:
    reading.work.feedback.looked_up += len(voter_ids)
    for some in chunks(voter_ids, LOOK_UPS_IN_FLIGHT):
        found: list[Voter | Rejected | None] = []

        async def look_up(voter_id: str, found: list[Voter | Rejected | None] = found) -> None:
            found.append(await feedback.voter(voter_id))

        await together(*(look_up(voter_id) for voter_id in some))
        usable = tuple(voter for voter in found if isinstance(voter, Voter))
        unusable = tuple(voter for voter in found if isinstance(voter, Rejected))
        reading.take(VOTES, "raw.voters", Page(usable, unusable))
