"""Reading systems that lack a list of all votes, an order of it, or whole kinds of records."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from unittest import mock

import pytest

from integration_assets.automation.polling import newest_records
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.feedback.abilities import Abilities, VoteList
from integration_assets.connectors.feedback.canny.connector import CannyFeedback
from integration_assets.ingest.watermarks import REQUESTS_LOOKED_AT as LOOKED_AT
from integration_assets.ingest.watermarks import due_reads
from integration_assets.sandbox.canny import records
from integration_assets.tenants.integrations import feedback_for
from integration_assets_tests.ingest.conftest import Reader
from integration_assets_tests.ingest.test_raw_tables import (
    ACCOUNTS,
    CHANGES,
    CONTACTS,
    ONE_USER,
    USERS,
    VOTES,
    a_popular_post,
    someone_who_did_not_vote,
    stored_votes,
    workspace_of,
)

BOARDS = "/v1/boards/list"
BY_REQUEST = Abilities(vote_list=VoteList.NONE)
UNORDERED = Abilities(vote_list=VoteList.UNORDERED, votes_of_request=False)
BARE = Abilities(
    vote_list=VoteList.UNORDERED,
    votes_of_request=False,
    newest_requests=False,
    people_by_id=False,
    boards=False,
    merges=False,
    accounts=False,
    status_history=False,
    notes=("Canny has no votes: something else counts as votes",),
)


def having(abilities: Abilities) -> mock._patch[object]:
    """Let Canny's connector say that it has only these abilities."""
    return mock.patch.object(CannyFeedback, "abilities", abilities)


def test_without_a_list_votes_are_read_where_the_reported_count_moved(reader: Reader) -> None:
    """The first read asks every request that has votes; the next one only those whose count is another one."""
    workspace = workspace_of(reader)
    voted_for = [post_id for post_id in workspace.posts if workspace.score(post_id)]
    with having(BY_REQUEST):
        pages = sum(-(-len(list(workspace.votes_of_post[post_id].newest_first())) // 100) for post_id in voted_for)
        assert reader.read()[VOTES] == pages
        listed = [vote_id for post_id in voted_for for _, vote_id in workspace.votes_of_post[post_id].newest_first()]
        assert {row[0] for row in reader.rows("SELECT vote_id FROM raw.votes")} == set(listed)
        assert reader.read()[VOTES] == LOOKED_AT
        post_id = a_popular_post(workspace)
        voter_id = someone_who_did_not_vote(workspace, post_id)
        workspace.vote(post_id, voter_id)
        assert reader.read()[VOTES] == 1 + LOOKED_AT
    assert voter_id in stored_votes(reader, post_id)


def test_votes_read_by_request_are_read_whole_as_often_as_their_calls_allow(reader: Reader) -> None:
    """Three thousand requests with a vote each are three thousand calls: every third day, not every day."""
    reader.read()
    with reader.inputs() as inputs:
        connection = inputs.connection
        [(credential, at)] = connection.execute(
            "SELECT credential, finished_at FROM raw.full_reads WHERE input = 'votes'"
        ).fetchall()
        connection.execute("DELETE FROM raw.votes")
        connection.execute("INSERT INTO raw.votes (vote_id, request_id) SELECT 'v' || range, range FROM range(3000)")

        def due(age: timedelta, abilities: Abilities) -> bool:
            return "votes" in due_reads(connection, credential, at + age, full=False, abilities=abilities)

        assert [due(timedelta(days=days), BY_REQUEST) for days in (2, 3, 4)] == [False, False, True]
        assert due(timedelta(days=2), UNORDERED)


def test_votes_read_by_request_give_the_tables_of_the_list(reader: Reader) -> None:
    """However the votes were asked for, the store holds the same votes of listed requests, and the same persons."""
    query = (
        "SELECT * FROM raw.votes SEMI JOIN raw.feature_requests USING (request_id) ORDER BY vote_id",
        "SELECT * FROM raw.voters ORDER BY voter_id",
    )
    reader.read()
    by_list = [reader.rows(one) for one in query]
    with having(BY_REQUEST):
        reader.read(full=True)
    assert [reader.rows(one) for one in query] == by_list


def test_a_list_without_an_order_is_read_whole_every_time(reader: Reader) -> None:
    """Nothing known ends the read, and no request is asked for alone; an un-vote shows at once."""
    workspace = workspace_of(reader)
    with having(UNORDERED):
        reader.read()
        post_id = a_popular_post(workspace)
        vote_id = next(vote_id for _, vote_id in workspace.votes_of_post[post_id].newest_first())
        workspace.delete_vote(vote_id)
        assert reader.read()[VOTES] == -(-len(workspace.votes) // 100)
    assert reader.rows(f"SELECT 1 FROM raw.votes WHERE vote_id = '{vote_id}'") == []


def test_a_difference_costs_one_whole_list_where_requests_cannot_be_asked_alone(reader: Reader) -> None:
    """A newest-first list that takes no filter is read whole once for an un-vote, and not again for the same one."""
    workspace = workspace_of(reader)
    with having(Abilities(votes_of_request=False)):
        reader.read()
        post_id = a_popular_post(workspace)
        vote_id = next(vote_id for _, vote_id in workspace.votes_of_post[post_id].newest_first())
        workspace.delete_vote(vote_id)
        assert reader.read()[VOTES] == 1 + -(-len(workspace.votes) // 100)
        assert reader.read()[VOTES] == 1
    assert reader.rows(f"SELECT 1 FROM raw.votes WHERE vote_id = '{vote_id}'") == []


def test_what_a_system_does_not_have_is_not_asked_for_and_told_once(reader: Reader) -> None:
    """No call for boards, accounts, status changes or one person; the report says what is missing, a line each."""
    workspace = workspace_of(reader)
    with having(BARE):
        first, told = reader.read_with_notes()
        assert not {BOARDS, ACCOUNTS, CHANGES} & set(first)
        newcomer = next(user for user in workspace.users.values() if user.company_ids)
        reader.rows(f"DELETE FROM raw.voters WHERE voter_id = '{newcomer.id}'")
        workspace.vote(a_popular_post(workspace), newcomer.id)
        second = reader.read()
    assert (second[USERS] > 0, ONE_USER in second, CHANGES in second) == (True, False, False)
    assert [line for line in told if line.startswith("Canny")] == [
        "Canny has no votes: something else counts as votes",
        "Canny has no boards and no accounts and no merges of requests and no history of statuses",
        "Canny cannot tell in a few calls whether anything is new: only whole runs find changes",
    ]


def test_without_a_list_of_persons_their_votes_tell_who_they_are(reader: Reader) -> None:
    """No call for persons, one or all; who voted is kept beside who votes anew, and contacts are found for both."""
    workspace = workspace_of(reader)
    query = "SELECT voter_id FROM raw.voters ORDER BY voter_id"
    with having(Abilities(people=False)):
        first = reader.read()
        voted = {row[0] for row in reader.rows("SELECT DISTINCT voter_id FROM raw.votes WHERE voter_id IS NOT NULL")}
        assert {row[0] for row in reader.rows(query)} == voted
        post_id = a_popular_post(workspace)
        newcomer = workspace.add_user(records.User(workspace.new_id(0), "Ada", 0, "ada@acme.example")).id
        workspace.vote(post_id, newcomer)
        second = reader.read()
        third = reader.read(full=True)
    assert not {USERS, ONE_USER} & {*first, *second, *third}
    assert (second[VOTES], CONTACTS in first) == (1 + LOOKED_AT, True)
    assert {row[0] for row in reader.rows(query)} == voted | {newcomer}


@pytest.mark.parametrize(
    ("abilities", "known"),
    [
        (Abilities(), {"feature_requests", "votes", "status_changes"}),
        (BY_REQUEST, {"feature_requests", "status_changes"}),
        (BARE, set()),
    ],
)
def test_a_look_for_news_asks_only_lists_whose_head_is_new(
    reader: Reader, abilities: Abilities, known: set[str]
) -> None:
    """One call per list that comes newest first; the others have no newest record."""
    calls = CallCounter()
    reader.read()

    async def look() -> dict[str, str | None]:
        with reader.inputs() as inputs:
            async with feedback_for(inputs.settings, inputs.settings.feedbacks[0], calls) as feedback:
                return dict(await newest_records(feedback))

    with having(abilities):
        newest = asyncio.run(look())
    assert {name for name, record_id in newest.items() if record_id is not None} == known
    assert calls.totals("canny").total == len(known)
