"""Reading both systems: whole the first time, and afterwards with as few calls as what changed takes."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from itertools import count
from unittest import mock

import pytest
from starlette.types import Receive, Scope, Send

from integration_assets.errors import ConfigurationError
from integration_assets.ingest.watermarks import REQUESTS_LOOKED_AT as LOOKED_AT
from integration_assets.ingest.watermarks import due_reads
from integration_assets.sandbox.canny import records
from integration_assets.sandbox.canny.workspace import Workspace
from integration_assets.sandbox.lookalike import Fault, LoggedRequest
from integration_assets_tests.ingest.conftest import Reader
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

DAY_MILLISECONDS = 86_400_000
VOTES, USERS, ONE_USER = "/v2/votes/list", "/v2/users/list", "/v1/users/retrieve"
ACCOUNTS, CHANGES, POSTS = "/v2/companies/list", "/v2/status_changes/list", "/v1/posts/list"
CONTACTS = "POST /crm/objects/2026-09/{object_type}/batch/read"


def workspace_of(reader: Reader) -> Workspace:
    return reader.served.sandbox.sample.workspace


def stored_votes(reader: Reader, post_id: str) -> set[object]:
    return {row[0] for row in reader.rows(f"SELECT voter_id FROM raw.votes WHERE request_id = '{post_id}'")}


def a_popular_post(workspace: Workspace) -> str:
    """A post with several votes whose voters all exist."""
    return max(workspace.posts, key=workspace.score)


def someone_who_did_not_vote(workspace: Workspace, post_id: str) -> str:
    voted = {workspace.votes[vote_id].voter_id for _, vote_id in workspace.votes_of_post[post_id].newest_first()}
    return next(user_id for user_id in workspace.users if user_id not in voted and workspace.users[user_id].email)


def test_the_first_read_is_whole(reader: Reader) -> None:
    """Every vote, person and account is in the store; requests whose score is not their votes are asked twice."""
    calls = reader.read()
    workspace = workspace_of(reader)
    pages = -(-len(workspace.votes) // 100)
    differing = len(reader.rows("SELECT request_id FROM raw.vote_differences"))
    assert calls[VOTES] == pages + differing
    assert reader.rows("SELECT count(*) FROM raw.votes") == [(len(workspace.votes),)]
    assert reader.rows("SELECT count(DISTINCT account_id) FROM raw.accounts") == [(len(workspace.companies),)]
    known = {row[0] for row in reader.rows("SELECT voter_id FROM raw.voters")}
    assert known >= set(workspace.users)


def test_contacts_are_read_while_votes_still_are(reader: Reader) -> None:
    """Persons are fewer than votes: their contacts are asked for as soon as they are known, and only once."""
    whole = reader.read()
    contacts = reader.rows("SELECT contact_id FROM raw.crm_contacts ORDER BY 1")
    sandbox = reader.served.sandbox
    for lookalike in (sandbox.canny, sandbox.hubspot_sandbox):
        lookalike.clear()
    pages = -(-len(workspace_of(reader).votes) // 100)
    served, app, all_asked = count(1), sandbox.canny.app, []

    def asked() -> list[LoggedRequest]:
        return [one for one in sandbox.hubspot_sandbox.requests if one.path.endswith("/0-1/batch/read")]

    async def last_page_held(scope: Scope, receive: Receive, send: Send) -> None:
        """The last page of votes is not answered before all contacts were asked for."""
        if scope["path"].endswith(VOTES) and next(served) == pages:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(asked()) < whole[CONTACTS]:  # noqa: ASYNC110 - the other server is of another thread
                    await asyncio.sleep(0.01)
            all_asked.append(True)
        await app(scope, receive, send)

    with mock.patch.object(sandbox.canny, "app", last_page_held):
        again = reader.read(full=True)
    assert all_asked
    assert again[CONTACTS] == whole[CONTACTS]
    inputs = [item["id"] for one in asked() for item in json.loads(one.body)["inputs"]]
    assert len(inputs) == len({*inputs})
    assert reader.rows("SELECT contact_id FROM raw.crm_contacts ORDER BY 1") == contacts


def test_contacts_of_voters_that_the_list_of_persons_lacks_are_read_as_well(reader: Reader) -> None:
    """Whoever only a vote knows is asked for at the end."""
    nobody = json.dumps({"users": [], "hasNextPage": False}).encode()
    reader.served.sandbox.canny.faults.append(
        Fault(lambda request: request.path.endswith(USERS), status=200, body=nobody)
    )
    reader.read()
    of_votes = {row[0] for row in reader.rows("SELECT lower(trim(email)) FROM raw.voters")}
    found = {row[0] for row in reader.rows("SELECT contact_id FROM raw.crm_contacts")}
    reader.read(full=True)
    contacts = dict(reader.rows("SELECT contact_id, email FROM raw.crm_contacts"))
    wanted = {contact_id for contact_id, email in contacts.items() if email in of_votes}
    assert wanted
    assert wanted <= found


def test_a_second_read_stops_at_the_known(reader: Reader) -> None:
    """When nothing changed, one page of votes and of status changes is read, and no person, account or contact."""
    reader.read()
    before = reader.rows("SELECT * FROM raw.votes ORDER BY vote_id")
    people = reader.rows("SELECT * FROM raw.voters ORDER BY voter_id")
    calls = reader.read()
    assert (calls[VOTES], calls[CHANGES]) == (1 + LOOKED_AT, 1)
    assert not {USERS, ACCOUNTS, ONE_USER, CONTACTS} & set(calls)
    assert reader.rows("SELECT * FROM raw.votes ORDER BY vote_id") == before
    assert reader.rows("SELECT * FROM raw.voters ORDER BY voter_id") == people


def test_a_new_vote_of_a_known_person_takes_no_further_call(reader: Reader) -> None:
    """A vote more is in the store after a read of one page."""
    reader.read()
    workspace = workspace_of(reader)
    post_id = a_popular_post(workspace)
    voter_id = someone_who_did_not_vote(workspace, post_id)
    workspace.vote(post_id, voter_id)
    calls = reader.read()
    assert calls[VOTES] == 1 + LOOKED_AT
    assert ONE_USER not in calls
    assert voter_id in stored_votes(reader, post_id)


@pytest.mark.parametrize("more", [0, 1])
def test_new_voters_are_had_by_the_way_that_takes_fewer_calls(reader: Reader, more: int) -> None:
    """One by one, until they are more than the pages of the list of all."""
    reader.read()
    workspace = workspace_of(reader)
    post_id, pages = a_popular_post(workspace), -(-len(workspace.users) // 100)
    assert (len(workspace.users) + pages + more) <= pages * 100
    for number in range(pages + more):
        user = records.User(workspace.new_id(0), "Ada", 0, f"ada{number}@acme.example")
        workspace.vote(post_id, workspace.add_user(user).id)
    calls = reader.read()
    assert (calls.get(ONE_USER, 0), calls.get(USERS, 0)) == ((0, pages) if more else (pages, 0))
    [(found,)] = reader.rows("SELECT count(*) FROM raw.voters WHERE email LIKE 'ada%@acme.example'")
    assert found == pages + more


def test_a_voter_met_first_is_looked_up_at_once(reader: Reader) -> None:
    """A new person is retrieved with their accounts, and their address asked of the CRM, without reading everybody."""
    reader.read()
    workspace = workspace_of(reader)
    old = next(user for user in workspace.users.values() if workspace.users[user.id].company_ids)
    newcomer = type(old)(
        **{
            **{name: getattr(old, name) for name in old.__dataclass_fields__},
            "id": workspace.new_id(),
            "email": "newcomer@brand-new.example",
            "user_id": None,
        }
    )
    workspace.add_user(newcomer)
    workspace.vote(a_popular_post(workspace), newcomer.id)
    calls = reader.read()
    assert (calls[ONE_USER], calls.get(USERS, 0), calls[CONTACTS]) == (1, 0, 1)
    memberships = reader.rows(f"SELECT account_id FROM raw.voter_accounts WHERE voter_id = '{newcomer.id}'")
    assert {row[0] for row in memberships} == set(newcomer.company_ids)


def test_an_un_vote_is_found_by_the_score(reader: Reader) -> None:
    """A vote taken back leaves no trace in the lists; the request's lower score has its votes read again."""
    reader.read()
    workspace = workspace_of(reader)
    post_id = a_popular_post(workspace)
    vote_id = next(
        vote_id for _, vote_id in workspace.votes_of_post[post_id].newest_first() if workspace.votes[vote_id].voter_id
    )
    voter_id = workspace.votes[vote_id].voter_id
    workspace.delete_vote(vote_id)
    calls = reader.read()
    assert calls[VOTES] == 1 + 1 + LOOKED_AT
    assert voter_id not in stored_votes(reader, post_id)
    assert reader.read()[VOTES] == 1 + LOOKED_AT


def swap_votes(workspace: Workspace, post_id: str) -> tuple[str, str]:
    """Take one vote back and put an older one in its place, as the API's `createdAt` allows; who left and who came."""
    held = [vote_id for _, vote_id in workspace.votes_of_post[post_id].newest_first()]
    left = next(vote_id for vote_id in held if workspace.votes[vote_id].voter_id)
    gone, oldest = str(workspace.votes[left].voter_id), min(workspace.votes[vote_id].created for vote_id in held)
    came = someone_who_did_not_vote(workspace, post_id)
    workspace.delete_vote(left)
    workspace.vote(post_id, came, created=oldest - DAY_MILLISECONDS)
    return gone, came


def test_an_un_vote_beside_a_back_dated_vote_is_found(reader: Reader) -> None:
    """The score is the same and no list's head shows it: found once every request had its turn."""
    reader.read()
    workspace = workspace_of(reader)
    post_id = a_popular_post(workspace)
    score = workspace.score(post_id)
    gone, came = swap_votes(workspace, post_id)
    assert workspace.score(post_id) == score
    for _ in range(-(-len(workspace.posts) // LOOKED_AT)):
        reader.read()
    stored = stored_votes(reader, post_id)
    assert (gone in stored, came in stored) == (False, True)


def test_requests_that_moved_are_looked_at_first(reader: Reader) -> None:
    """A change of status, and the next run holds its votes against the source, whoever's turn it is."""
    reader.read()
    reader.read()
    workspace = workspace_of(reader)
    looked_at = {row[0] for row in reader.rows("SELECT request_id FROM raw.vote_looks")}
    assert len(looked_at) == LOOKED_AT
    post_id = max(looked_at, key=workspace.score)
    gone, came = swap_votes(workspace, post_id)
    workspace.change_status(post_id, next(iter(workspace.users)), "complete")
    reader.read()
    stored = stored_votes(reader, post_id)
    assert (gone in stored, came in stored) == (False, True)


def test_votes_are_read_whole_once_a_day(reader: Reader) -> None:
    """Whatever no look finds is found by the next day; with many more votes it takes longer, up to a week."""
    reader.read()
    with reader.inputs() as inputs:
        connection = inputs.connection
        [(credential, at)] = connection.execute(
            "SELECT credential, finished_at FROM raw.full_reads WHERE input = 'votes'"
        ).fetchall()

        def due(age: timedelta) -> bool:
            return "votes" in due_reads(connection, credential, at + age, full=False)

        assert (due(timedelta(hours=23)), due(timedelta(hours=24))) == (False, True)
        connection.execute("INSERT INTO raw.votes (vote_id) SELECT 'v' || range FROM range(300000)")
        assert (due(timedelta(days=3)), due(timedelta(days=4))) == (False, True)
        connection.execute("INSERT INTO raw.votes (vote_id) SELECT 'w' || range FROM range(900000)")
        assert (due(timedelta(days=6, hours=23)), due(timedelta(days=7))) == (False, True)


def test_a_difference_that_reading_again_does_not_mend_is_left_alone(reader: Reader) -> None:
    """A request whose reported votes never equal the listed voters is not read again until either number moves."""
    reader.read()
    workspace = workspace_of(reader)
    voters = {post_id: stored_votes(reader, post_id) - {None} for post_id in workspace.posts}
    merged, into = next(
        (one, other) for one in voters for other in voters if one != other and voters[one] & voters[other]
    )
    workspace.merge(merged, into, keep_duplicates=True)
    assert reader.read()[VOTES] == 1 + 1 + LOOKED_AT
    [(score, stored)] = reader.rows(f"SELECT score, stored FROM raw.vote_differences WHERE request_id = '{into}'")
    assert (score, stored) == (workspace.score(into), len(voters[merged] | voters[into]))
    assert reader.read()[VOTES] == 1 + LOOKED_AT
    workspace.vote(into, someone_who_did_not_vote(workspace, into))
    assert reader.read()[VOTES] == 1 + 1 + LOOKED_AT


def test_votes_of_a_request_deleted_since_are_gone_and_not_lost(reader: Reader) -> None:
    """The votes of a request that an earlier run knew leave the store with it."""
    reader.read()
    workspace = workspace_of(reader)
    post_id = a_popular_post(workspace)
    workspace.delete_post(post_id)
    reader.read()
    assert stored_votes(reader, post_id) == set()


def test_a_merge_is_followed_without_a_full_read(reader: Reader) -> None:
    """After a merge the surviving request's votes are read again only when the numbers differ."""
    reader.read()
    workspace = workspace_of(reader)
    into = a_popular_post(workspace)
    merged = min((post_id for post_id in workspace.posts if post_id != into), key=workspace.score)
    workspace.merge(merged, into)
    calls = reader.read()
    assert calls[VOTES] <= 2 + LOOKED_AT
    assert (merged, into) in reader.rows("SELECT merged_request_id, request_id FROM raw.merge_aliases")


def test_a_full_read_can_be_asked_for(reader: Reader) -> None:
    """`--full` reads everything whole, whatever earlier runs know."""
    first = reader.read()
    again = reader.read(full=True)
    assert again[VOTES] == -(-len(workspace_of(reader).votes) // 100)
    assert again[USERS] == first[USERS]


def test_another_workspace_is_read_whole(reader: Reader) -> None:
    """A key that is not the one of the last read leads to a whole read: it may belong to other data."""
    reader.read()
    workspace_of(reader).api_key = "another-key-of-the-workspace"
    calls = reader.read(canny_api_key="another-key-of-the-workspace")
    assert calls[USERS] >= 1
    assert calls[VOTES] == -(-len(workspace_of(reader).votes) // 100)


def test_boards_left_out_are_neither_loaded_nor_lost(reader: Reader) -> None:
    """Requests of a board that is not asked for are known as excluded; a board that does not exist ends the run."""
    board = next(iter(workspace_of(reader).boards.values()))
    reader.read(canny_exclude_boards=(board.name,))
    assert reader.rows(f"SELECT count(*) FROM raw.feature_requests WHERE board_id = '{board.id}'") == [(0,)]
    inside = sum(post.board_id == board.id for post in workspace_of(reader).posts.values())
    assert inside - 2 <= reader.rows("SELECT count(*) FROM raw.excluded_requests")[0][0] <= inside
    with pytest.raises(ConfigurationError, match="CANNY_BOARDS: no board is called Nowhere"):
        reader.read(canny_boards=("Nowhere",))


def test_boards_that_leave_none_end_the_run(reader: Reader) -> None:
    """An empty ranking, or every record retired, would pass for what somebody meant."""
    board, *_ = names = [board.name for board in workspace_of(reader).boards.values()]
    every = "every board that is asked for is excluded as well"
    with pytest.raises(ConfigurationError, match=f"CANNY_BOARDS and CANNY_EXCLUDE_BOARDS: {every}; there are {board}"):
        reader.read(canny_boards=(board,), canny_exclude_boards=(board.upper(),))
    with pytest.raises(ConfigurationError, match=f"^CANNY_EXCLUDE_BOARDS: {every}"):
        reader.read(canny_exclude_boards=tuple(names))
