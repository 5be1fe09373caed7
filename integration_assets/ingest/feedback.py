"""Read the feedback system: votes, persons, accounts, status changes, then the requests.

The requests come last, because only votes and status changes tell which custom statuses exist: requests of a status
nobody asked for are not listed. Votes of a system without a list of them come after the requests, whose reported counts
tell which of them moved. What a system does not have is not asked for; its `abilities` say so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Literal, TypeVar

from integration_assets.connectors.feedback.abilities import Abilities, VoteList
from integration_assets.connectors.feedback.base import FeedbackSystem, IgnoredFilterError
from integration_assets.connectors.specs import STATUSES
from integration_assets.errors import PermanentError
from integration_assets.ingest.call_floor import calls_for
from integration_assets.ingest.context import LOOK_UPS_IN_FLIGHT, REQUESTS, FeedbackContext, chunks, read_pages, size_of
from integration_assets.ingest.feature_requests import read_boards, read_requests, scope_of
from integration_assets.ingest.gather import gather
from integration_assets.ingest.vote_checkpoint import VoteCheckpoint, forget_vote_pages
from integration_assets.ingest.watermarks import (
    agrees,
    forget_votes,
    known_among,
    known_statuses,
    next_to_look_at,
    settled_differences,
    stored_votes,
)
from integration_assets.models import Page, Rejected, StatusChange, Vote, Voter
from integration_assets.reporting.progress import track

VOTES = "raw_votes"

T = TypeVar("T")


async def read_feedback(feedback: FeedbackSystem, context: FeedbackContext) -> None:
    """Everything of one feedback system but the requests its lists lack.

    Raises:
        ConfigurationError: a configured board does not exist.
    """
    own, abilities = context.own, feedback.abilities
    context.work.abilities = abilities
    # Told once per run: what is missing in the tables is then no riddle.
    context.inputs.notes.extend(abilities.limitations(own.spec.label))
    boards = await read_boards(feedback, context)
    context.scope = scope_of(boards, own, context.prefix)
    context.statuses |= {*own.texts(STATUSES), *known_statuses(context.connection, context.prefix)}
    lists = []
    if "persons" in context.due:
        lists.append(_read_persons(feedback, context))
    if abilities.accounts and "accounts" in context.due:
        lists.append(_read_accounts(feedback, context))
    if abilities.status_history:
        lists.append(_read_status_changes(feedback, context))
    if abilities.vote_list is not VoteList.NONE:
        lists.append(_read_votes(feedback, context))
    await gather(*lists)
    await read_requests(feedback, context, boards)
    # Before the persons: no list has named those who voted.
    if abilities.vote_list is VoteList.NONE:
        await _read_votes_by_request(feedback, context)
    # After the requests, which bring the scores to compare with, and authors that no vote has named.
    await gather(_compare_scores(feedback, context), _read_new_persons(feedback, context))


# ------------------------------------------------------------------------------------------- votes and status changes


async def _read_votes(feedback: FeedbackSystem, context: FeedbackContext) -> None:
    # Where nothing known can end a read, only a whole one finds what is new.
    if feedback.abilities.vote_list is VoteList.UNORDERED:
        context.due.add("votes")
    with track("votes") as advance:
        if "votes" in context.due:
            needed = await _read_all_votes(feedback, context, advance)
        else:
            context.load.carry_over("raw.votes", context.prefix)
            needed = await _read_votes_until(feedback, context, "raw.votes", advance)
    context.work.votes = needed
    context.load.note_read("votes", as_of=context.started_at)


async def _read_votes_by_request(feedback: FeedbackSystem, context: FeedbackContext) -> None:
    """Read the votes of all requests, or of those whose reported votes moved since the last run."""
    if "votes" in context.due:
        # A count of none is believed: the call would bring nothing. Unusable requests have votes all the same.
        listed = context.in_scope | context.unusable
        await _read_votes_again(feedback, context, sorted(one for one in listed if context.scores.get(one) != 0))
    else:
        context.load.carry_over("raw.votes", context.prefix)
        await _read_votes_again(feedback, context, _moved(context))
    context.load.note_read("votes", as_of=context.started_at)


async def _read_all_votes(feedback: FeedbackSystem, context: FeedbackContext, advance: Callable[[int], None]) -> int:
    """The whole list, from where a run that died has come; how many of it this run had to read."""
    checkpoint, needed = VoteCheckpoint(context.connection, context.credential, context.started_at), 0
    for page in checkpoint.pages():
        _take_votes(context, page)
        context.votes_kept += size_of(page)
        advance(len(page.records))
    async for page in feedback.votes(after=checkpoint.cursor):
        _take_votes(context, page)
        # After it was taken: a page that cannot be loaded must not wait for the next run.
        if context.keeps_pages:
            checkpoint.keep(page, datetime.now(UTC))
        needed += size_of(page)
        advance(len(page.records))
    if context.votes_kept:  # what has come since is at the head of the list
        needed += await _read_votes_until(feedback, context, "loading.votes", advance)
    return needed


_VOTE_IDS = {
    "raw.votes": "SELECT vote_id AS id FROM raw.votes",
    "loading.votes": "SELECT vote_id AS id FROM loading.votes",
}


async def _read_votes_until(
    feedback: FeedbackSystem,
    context: FeedbackContext,
    table: Literal["raw.votes", "loading.votes"],
    advance: Callable[[int], None],
) -> int:
    """The list to the first vote that `table` holds; how many records that are."""
    stored, needed = _VOTE_IDS[table], 0
    async for page, number in _until_known(feedback.votes(), stored, lambda vote: vote.vote_id, context):
        _take_votes(context, page)
        needed += number
        advance(len(page.records))
    return needed


def _take_votes(context: FeedbackContext, page: Page[Vote]) -> None:
    context.take(VOTES, "raw.votes", page)
    # Votes and status changes are the only ones to name a custom status: its requests are listed only if asked for.
    context.statuses.update(vote.request_status for vote in page.records if vote.request_status)
    # Of whom a vote tells the accounts, no call could tell more: it went into the table with the vote.
    context.persons_seen.update(
        vote.voter.voter_id for vote in page.records if vote.voter and not vote.voter.account_ids
    )


async def _read_status_changes(feedback: FeedbackSystem, context: FeedbackContext) -> None:
    stored = None if "status_changes" in context.due else "SELECT change_id AS id FROM raw.status_changes"
    if stored:
        context.load.carry_over("raw.status_changes", context.prefix)

    def change_id(change: StatusChange) -> str:
        return change.change_id

    needed = 0
    with track("status changes") as advance:
        async for page, number in _until_known(feedback.status_changes(), stored, change_id, context):
            context.take(REQUESTS, "raw.status_changes", page)
            context.statuses.update(change.source_status for change in page.records)
            needed += number
            advance(len(page.records))
    context.work.status_changes = needed


async def _until_known(
    pages: AsyncIterator[Page[T]], stored: str | None, id_of: Callable[[T], str], context: FeedbackContext
) -> AsyncIterator[tuple[Page[T], int]]:
    """Pages of a list that comes newest first, to the first one that holds something stored; all when `stored` is None.

    That page is still given: what is new in it comes before what is known. With each page comes how many of its records
    had to be read: all, or those to the first known one.
    """
    async for page in pages:
        ids = [id_of(record) for record in page.records]
        stored_ids = known_among(context.connection, stored, ids) if stored and ids else set()
        first = next((position for position, record_id in enumerate(ids, start=1) if record_id in stored_ids), None)
        # Before it ends: new records stand in front of the known one on the same page.
        yield page, first or size_of(page)
        if first:
            return


async def _compare_scores(feedback: FeedbackSystem, context: FeedbackContext) -> None:
    """Read the votes again of requests whose reported votes differ from the stored ones: un-votes leave no other trace.

    Pages that a whole read lost show by this, too. A difference that reading again did not mend is left alone until
    either number moves.
    """
    abilities, suspects = feedback.abilities, _moved(context)
    try:
        if _whole_list_is_cheaper(abilities, context, suspects):
            await _read_all_votes_again(feedback, context)
        elif abilities.vote_list is not VoteList.NONE and abilities.votes_of_request:
            await _read_votes_again(feedback, context, suspects)
        if abilities.votes_of_request and "votes" not in context.due:
            # Not after a whole read, which has just seen them all.
            await _look_at_votes(feedback, context, next_to_look_at(context.connection, suspects, context.prefix))
    except IgnoredFilterError as error:
        # The list of all is the only way on this server, and of no use where nothing differs or it was just read.
        context.inputs.notes.append(error.message)
        if suspects and "votes" not in context.due:
            await _read_all_votes_again(feedback, context)
    context.differences = _differences(context)


async def _read_all_votes_again(feedback: FeedbackSystem, context: FeedbackContext) -> None:
    """Read the whole list of votes in place of what was loaded of it."""
    context.due.add("votes")
    context.connection.execute("DELETE FROM loading.votes WHERE starts_with(vote_id, ?)", [context.prefix])
    # What a dead run had read is part of what differs now.
    forget_vote_pages(context.connection, context.credential)
    context.votes_kept = 0
    await _read_votes(feedback, context)


def _moved(context: FeedbackContext) -> list[str]:
    """Requests whose reported votes are not the stored ones, and were not found so before."""
    settled = settled_differences(context.connection)
    # A difference that reading again did not mend would cost its calls in every run.
    return sorted(one for one, numbers in _differences(context).items() if settled.get(one) != numbers)


def _whole_list_is_cheaper(abilities: Abilities, context: FeedbackContext, request_ids: Sequence[str]) -> bool:
    """True if reading the votes of these requests alone takes more calls than reading those of all."""
    if abilities.vote_list is VoteList.NONE:
        return False
    if not abilities.votes_of_request:
        # The only way to read them, and of no use right after it was gone.
        return bool(request_ids) and "votes" not in context.due
    page = abilities.records_per_call
    return sum(1 + context.scores[one] // page for one in request_ids) > sum(context.scores.values()) / page


def _differences(context: FeedbackContext) -> dict[str, tuple[int, int]]:
    stored = stored_votes(context.connection, context.in_scope)
    return {
        request_id: (score, stored.get(request_id, 0))
        for request_id, score in context.scores.items()
        if score != stored.get(request_id, 0)
    }


async def _look_at_votes(feedback: FeedbackSystem, context: FeedbackContext, request_ids: Sequence[str]) -> None:
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
        # One page of newest votes is one call; only a short list shows by it whether older ones are gone.
        whole = page.cursor is None
        if agrees(context.connection, context.in_scope, request_id, page.records, whole=whole):
            return
        # Older votes may differ as well: they need a read of their own.
        if not whole:
            others.append(request_id)
            return
        forget_votes(context.connection, context.in_scope, request_id)
        _take_votes(context, page)

    with track("votes looked at", len(request_ids)) as advance:
        for batch in chunks(request_ids, LOOK_UPS_IN_FLIGHT):
            await gather(*(look(request_id) for request_id in batch))
            advance(len(batch))
    context.looked_at = list(request_ids)
    context.work.looked_at = len(request_ids)
    await _read_votes_again(feedback, context, others)


async def _read_votes_again(feedback: FeedbackSystem, context: FeedbackContext, request_ids: Sequence[str]) -> None:
    async def read(request_id: str) -> None:
        try:
            # All pages before the old votes go: a read that fails in the middle must not leave half of them.
            pages = [page async for page in feedback.votes(request_id=request_id)]
        except PermanentError as error:
            # Deleted or merged since it was listed: this run keeps what it read before, the next one sees it gone.
            if error.status in (400, 404) and await feedback.feature_request(request_id) is None:
                return
            raise
        context.work.votes_by_request.append(sum(size_of(page) for page in pages))
        forget_votes(context.connection, context.in_scope, request_id)
        for page in pages:
            _take_votes(context, page)

    with track("votes read again", len(request_ids)) as advance:
        for batch in chunks(request_ids, LOOK_UPS_IN_FLIGHT):
            await gather(*(read(request_id) for request_id in batch))
            advance(len(batch))


# ------------------------------------------------------------------------------------------------ persons, accounts


async def _read_persons(feedback: FeedbackSystem, context: FeedbackContext) -> None:
    context.work.persons = await read_pages(feedback.voters(), "persons", VOTES, "raw.voters", context)
    # Contacts are waiting for this.
    context.persons_read.set()


async def _read_accounts(feedback: FeedbackSystem, context: FeedbackContext) -> None:
    context.work.accounts = await read_pages(feedback.accounts(), "accounts", VOTES, "raw.accounts", context)


async def _read_new_persons(feedback: FeedbackSystem, context: FeedbackContext) -> None:
    """Persons and accounts when they are not due: those of yesterday, and whoever appears for the first time."""
    if not feedback.abilities.people:
        # Votes brought whoever they are of. Those of votes that were not read now are kept with their votes.
        if "votes" not in context.due:
            context.load.carry_over("raw.voters", context.prefix)
            context.load.carry_over("raw.voter_accounts", context.prefix)
    elif "persons" not in context.due:
        rows = context.connection.execute(
            "SELECT voter_id FROM raw.voters WHERE starts_with(voter_id, ?)", [context.prefix]
        ).fetchall()
        known_voters = {voter_id for (voter_id,) in rows}
        new = sorted(context.persons_seen - known_voters)
        whole_list = calls_for(len(known_voters) + len(new), feedback.abilities.records_per_call)
        # A call each: with more of them than the whole list takes that is cheaper, and counts as the daily read.
        if len(new) > (whole_list if feedback.abilities.people_by_id else 0):
            context.due.add("persons")
            await _read_persons(feedback, context)
        else:
            context.load.carry_over("raw.voters", context.prefix)
            context.load.carry_over("raw.voter_accounts", context.prefix)
            await _look_up_persons(feedback, context, new)
    # What is not there has nothing new, and nothing to keep.
    if feedback.abilities.accounts and "accounts" not in context.due:
        context.load.carry_over("raw.accounts", context.prefix)
        unknown = context.connection.execute(
            """
            SELECT count(*) FROM loading.voter_accounts
            ANTI JOIN raw.voter_accounts USING (account_id) ANTI JOIN raw.accounts USING (account_id)
            WHERE starts_with(account_id, ?)
            """,
            [context.prefix],
        ).fetchall()
        # There is no call for a single account: a new one costs the whole list.
        if unknown[0][0]:
            context.due.add("accounts")
            await _read_accounts(feedback, context)


async def _look_up_persons(feedback: FeedbackSystem, context: FeedbackContext, voter_ids: Sequence[str]) -> None:
    context.work.looked_up += len(voter_ids)
    for batch in chunks(voter_ids, LOOK_UPS_IN_FLIGHT):
        found: list[Voter | Rejected | None] = []

        # The list as a default: a name of the loop would be the next chunk's by the time it is used.
        async def look_up(voter_id: str, found: list[Voter | Rejected | None] = found) -> None:
            found.append(await feedback.voter(voter_id))

        await gather(*(look_up(voter_id) for voter_id in batch))
        usable = tuple(voter for voter in found if isinstance(voter, Voter))
        unusable = tuple(voter for voter in found if isinstance(voter, Rejected))
        context.take(VOTES, "raw.voters", Page(usable, unusable))
