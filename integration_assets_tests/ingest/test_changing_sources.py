"""Reading sources that change, repeat themselves or fall short while they are read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_assets.errors import ContractError
from integration_assets.ingest.raw_tables import ingest
from integration_assets.sandbox.canny.records import Post
from integration_assets.sandbox.canny.workspace import Workspace
from integration_assets.sandbox.lookalike import Fault, LoggedRequest
from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import build_sandbox, serving
from integration_assets_tests.conftest import Served
from integration_assets_tests.ingest.conftest import Reader
from integration_assets_tests.proofs.figures.paging import MOST_PASSES, missed_by_plain_paging, read_under_churn
from integration_assets_tests.support.altering import alter
from integration_assets_tests.support.churn import Churn

BOARDS, POSTS, ONE_POST = "/v1/boards/list", "/v1/posts/list", "/v1/posts/retrieve"
VOTES, USERS = "/v2/votes/list", "/v2/users/list"
SEEDS = 8
Json = dict[str, Any]


@pytest.fixture
def paged(tmp_path: Path) -> Iterator[Reader]:
    """A reader of a sandbox whose requests and votes take three pages and more."""
    made = build_sandbox(build_sample(requests=330, votes=400, companies=60), plan=None, slack_interval=0)
    with serving(made) as addresses:
        yield Reader(Served(made, addresses), tmp_path)


def workspace_of(reader: Reader) -> Workspace:
    return reader.served.sandbox.sample.workspace


def stored(reader: Reader, table: str = "feature_requests", column: str = "request_id") -> set[str]:
    return {row[0] for row in reader.rows(f"SELECT {column} FROM raw.{table}")}


def usable(workspace: Workspace) -> set[str]:
    """Posts a reader can use: the sample has a few without a title."""
    return {post.id for post in workspace.posts.values() if (post.title or "").strip()}


def unsettled(reader: Reader) -> tuple[bool, list[str]]:
    """Read; whether retirements are withheld, and the notes of the run."""
    with reader.inputs() as inputs:
        asyncio.run(ingest(inputs))
        withheld = inputs.connection.execute("SELECT reason FROM raw.withheld_retirements").fetchall()
        assert {reason for (reason,) in withheld} <= set(inputs.notes)
        return bool(withheld), inputs.notes


# ------------------------------------------------------------------------------------------------------- requests


def test_a_source_that_stays_is_read_once_and_its_boards_once(paged: Reader) -> None:
    """Each page but the first brings 99 requests; nothing is asked a second time, in a first and in a later run."""
    posts = len(workspace_of(paged).posts)
    for _ in range(2):
        calls = paged.read()
        assert (calls[POSTS], calls[BOARDS]) == (-(-(posts - 1) // 99), 1)
    assert stored(paged) == usable(workspace_of(paged))


@pytest.mark.parametrize("seed", range(3))
def test_no_living_request_is_missed_while_others_come_and_go(paged: Reader, seed: int) -> None:
    """Requests are made, deleted and merged between the pages: all that stayed are in the store."""
    churn = Churn(workspace_of(paged), seed, deleted=0.5)
    churn.attach(paged.served.sandbox.canny)
    paged.read()
    assert churn.deletions
    assert churn.lived & usable(workspace_of(paged)) <= stored(paged)


def test_many_ways_to_change_under_the_read_lose_nothing() -> None:
    """Eight workspaces, each with its own changes; a loop over positions would lose something in most of them.

    More of them: the proof `paging`.
    """
    outcomes = [read_under_churn(seed) for seed in range(SEEDS)]
    assert [outcome.missed for outcome in outcomes] == [0] * SEEDS
    assert max(outcome.passes for outcome in outcomes) <= MOST_PASSES
    assert sum(missed_by_plain_paging(seed, "oldest") > 0 for seed in range(SEEDS)) > SEEDS / 2


@pytest.mark.parametrize("seed", range(3))
def test_a_storm_of_deletions_loses_nothing_either(seed: int) -> None:
    """Fifteen deletions between any two pages."""
    outcome = read_under_churn(seed, deleted=0.75, inserted=0.9, draws=20)
    assert outcome.deletions > 30
    assert outcome.missed == 0


def test_requests_deleted_after_they_were_counted_cost_one_call(paged: Reader) -> None:
    """The boards are counted again, and agree."""
    workspace = workspace_of(paged)

    def delete(request: LoggedRequest) -> bool:
        if request.path.endswith(POSTS):
            workspace.delete_post(next(iter(workspace.posts)))
            return True
        return False

    paged.served.sandbox.canny.faults.append(Fault(delete, times=1))
    calls = paged.read()
    assert (calls[POSTS], calls[BOARDS]) == (-(-(len(workspace.posts) - 1) // 99), 2)
    assert stored(paged) == usable(workspace)


def test_requests_that_no_status_finds_cost_a_second_pass_once(paged: Reader) -> None:
    """A status nobody has seen hides a request; that the list falls short by it is known from the next run on."""
    workspace = workspace_of(paged)
    made = workspace.moment()
    workspace.add_post(
        Post(workspace.new_id(made), next(iter(workspace.boards)), "Hidden", made, "hidden", status="On ice")
    )
    pages = -(-(len(workspace.posts) - 2) // 99)
    assert [(calls[POSTS], calls[BOARDS]) for calls in (paged.read(), paged.read())] == [(2 * pages, 3), (pages, 2)]


@pytest.mark.parametrize("page", [0, 198])
def test_a_page_that_is_wrongly_empty_once_loses_nothing(paged: Reader, page: int) -> None:
    """`posts: []` without more to come, wherever in the list, is not its end: it is asked for again."""
    emptied: list[int] = []

    def empty(asked: Json, answer: Json) -> Json:
        if asked["skip"] == page and not emptied:
            emptied.append(page)
            return {"posts": [], "hasMore": False}
        return answer

    alter(paged.served.sandbox.canny, POSTS, empty)
    paged.read()
    assert emptied == [page]
    assert stored(paged) == usable(workspace_of(paged))


@pytest.mark.parametrize("kept", [100, 1])
def test_a_list_cut_short_is_read_again(paged: Reader, kept: int) -> None:
    """A first page that claims to be the last falls short of what the boards count."""
    cut: list[int] = []

    def shorten(asked: Json, answer: Json) -> Json:
        if asked["skip"] == 0 and not cut:
            cut.append(kept)
            return {"posts": answer["posts"][:kept], "hasMore": False}
        return answer

    alter(paged.served.sandbox.canny, POSTS, shorten)
    calls = paged.read()
    assert calls[BOARDS] == 2
    assert stored(paged) == usable(workspace_of(paged))


def test_pages_in_another_order_give_the_same_requests(paged: Reader) -> None:
    """The second page served for the first, and the first for the second, once."""
    swapped = {0: 99, 99: 0}

    def swap(asked: Json, answer: Json) -> Json:
        return answer if asked["skip"] not in swapped else {**answer, "posts": held[swapped.pop(asked["skip"])]}

    def hold(asked: Json, answer: Json) -> Json:
        held[asked["skip"]] = answer["posts"]
        return answer

    held: dict[int, list[Json]] = {}
    alter(paged.served.sandbox.canny, POSTS, hold)
    paged.read()
    alter(paged.served.sandbox.canny, POSTS, swap)
    before = stored(paged)
    withheld, _ = unsettled(paged)
    assert not swapped
    assert (stored(paged), withheld) == (before, False)


def test_a_list_that_is_another_one_each_time_retires_nothing(paged: Reader) -> None:
    """After three passes of which no two agree the run goes on, and says why it retires nothing."""
    passes: list[int] = []

    def part(asked: Json, answer: Json) -> Json:
        passes.append(asked["skip"])
        return {"posts": answer["posts"][: 20 * len(passes)], "hasMore": False}

    alter(paged.served.sandbox.canny, POSTS, part)
    withheld, notes = unsettled(paged)
    assert passes == [0, 0, 0]
    assert withheld
    assert any(
        "was read 3 times and was incomplete or another one each time: nothing is retired" in note for note in notes
    )


def test_two_short_lists_that_agree_are_believed(paged: Reader) -> None:
    """They are left to the look-up of known requests and to the guard, which compares with the last good run."""
    alter(paged.served.sandbox.canny, POSTS, lambda _asked, answer: {"posts": answer["posts"][:60], "hasMore": False})
    withheld, _ = unsettled(paged)
    assert [request.path for request in paged.served.sandbox.canny.requests if request.path.endswith(POSTS)] == [
        "/api" + POSTS
    ] * 2
    voted = {vote.post_id for vote in workspace_of(paged).votes.values()}
    if len(voted) > 260:  # more than 200 known ones are missing: no look-ups, no retirements
        assert withheld


def test_the_same_gap_in_every_pass_is_not_believed(paged: Reader) -> None:
    """Passes whose pages do not continue each other agree because they miss the same: nothing is retired."""
    alter(
        paged.served.sandbox.canny,
        POSTS,
        lambda asked, answer: {**answer, "posts": answer["posts"][60:]} if asked["skip"] else answer,
    )
    withheld, notes = unsettled(paged)
    assert stored(paged) < usable(workspace_of(paged))
    assert withheld
    assert any("was incomplete or another one each time" in note for note in notes)


def test_a_source_that_serves_one_page_for_ever_ends_the_read(paged: Reader) -> None:
    """A server that ignores the position is a broken contract, not an endless run."""
    first: list[Json] = []

    def same(_asked: Json, answer: Json) -> Json:
        first.append(answer)
        return {**first[0], "hasMore": True}

    alter(paged.served.sandbox.canny, POSTS, same)
    with pytest.raises(ContractError, match=r"\$\.posts repeats earlier pages"):
        paged.read()
    assert len(first) < 20
    assert paged.rows("SELECT count(*) FROM raw.feature_requests") == [(0,)]


# ---------------------------------------------------------------------------------------------- votes and other lists


def twice(key: str) -> Any:
    """Each page also holds the one before it."""
    before: list[Json] = []

    def repeat(asked: Json, answer: Json) -> Json:
        items, before[:] = [*(before if "cursor" in asked else ()), *answer[key]], answer[key]
        return {**answer, key: items}

    return repeat


@pytest.mark.parametrize(
    ("path", "key", "table", "column"), [(VOTES, "items", "votes", "vote_id"), (USERS, "users", "voters", "voter_id")]
)
def test_pages_served_twice_or_backwards_change_nothing(
    paged: Reader, path: str, key: str, table: str, column: str
) -> None:
    """Records are known by their ids, whatever page they come on and in which order."""
    paged.read()
    before = paged.rows(f"SELECT * FROM raw.{table} ORDER BY {column}")
    alter(paged.served.sandbox.canny, path, twice(key))
    alter(paged.served.sandbox.canny, path, lambda _asked, answer: {**answer, key: answer[key][::-1]})
    paged.read(full=True)
    assert paged.rows(f"SELECT * FROM raw.{table} ORDER BY {column}") == before


def test_a_page_of_votes_left_out_is_found_by_the_scores(paged: Reader) -> None:
    """The requests whose votes fall short of their score have theirs read again."""
    workspace = workspace_of(paged)
    left_out: list[int] = []

    def leave_out(asked: Json, answer: Json) -> Json:
        if "cursor" in asked and not left_out:
            left_out.append(len(answer["items"]))
            return {**answer, "items": []}
        return answer

    alter(paged.served.sandbox.canny, VOTES, leave_out)
    paged.read()
    assert left_out == [100]
    living = {vote.id for vote in workspace.votes.values() if vote.post_id in workspace.posts}
    assert stored(paged, "votes", "vote_id") >= living


def test_votes_cut_short_are_found_by_the_scores(paged: Reader) -> None:
    """So many requests differ that all votes are read again, which takes fewer calls."""
    workspace = workspace_of(paged)
    paged.read()
    cut: list[int] = []

    def shorten(asked: Json, answer: Json) -> Json:
        if not cut:
            cut.append(1)
            return {"items": [], "hasNextPage": False, "cursor": None}
        return answer

    alter(paged.served.sandbox.canny, VOTES, shorten)
    for vote_id in [vote_id for post in workspace.posts for _, vote_id in list(workspace.votes_of_post[post].keys)[:1]]:
        workspace.delete_vote(vote_id)
    paged.read()
    assert stored(paged, "votes", "vote_id") == set(workspace.votes)


@pytest.mark.parametrize("path", [VOTES, USERS])
def test_a_cursor_that_expires_costs_a_restart_and_nothing_else(paged: Reader, path: str) -> None:
    """The list is read from its start again, once."""
    paged.read()
    tables = ("votes", "voters", "accounts")
    before = [paged.rows(f"SELECT * FROM raw.{table} ORDER BY ALL") for table in tables]
    expired = Fault(
        lambda request: request.path.endswith(path) and b'"cursor"' in request.body,
        status=400,
        body=b'{"error":"invalid cursor"}',
    )
    paged.served.sandbox.canny.faults.append(expired)
    paged.read(full=True)
    assert [paged.rows(f"SELECT * FROM raw.{table} ORDER BY ALL") for table in tables] == before
    assert not paged.served.sandbox.canny.faults


def test_a_cursor_that_comes_back_ends_the_read_and_keeps_yesterdays_rows(paged: Reader) -> None:
    """A loop is a broken contract; the tables stay as they were."""
    paged.read()
    tables = ("votes", "voters", "feature_requests")
    before = [paged.rows(f"SELECT * FROM raw.{table} ORDER BY ALL") for table in tables]
    cursors: list[str] = []

    def loop(_asked: Json, answer: Json) -> Json:
        cursors.append(answer["cursor"])
        return {**answer, "hasNextPage": True, "cursor": cursors[0]}

    alter(paged.served.sandbox.canny, VOTES, loop)
    with pytest.raises(ContractError, match=r"\$\.cursor repeats an earlier one"):
        paged.read(full=True)
    assert [paged.rows(f"SELECT * FROM raw.{table} ORDER BY ALL") for table in tables] == before


def test_a_request_deleted_before_its_votes_are_read_again_does_not_end_the_run(paged: Reader) -> None:
    """Its votes stay as they were read until the next run sees that it is gone."""
    paged.read()
    workspace = workspace_of(paged)
    post_id = max(workspace.posts, key=workspace.score)
    workspace.delete_vote(next(vote_id for _, vote_id in workspace.votes_of_post[post_id].newest_first()))

    def delete(request: LoggedRequest) -> bool:
        if request.path.endswith(VOTES) and post_id.encode() in request.body and post_id in workspace.posts:
            workspace.delete_post(post_id)
        return False

    paged.served.sandbox.canny.faults.append(Fault(delete, times=None))
    paged.read()
    assert post_id in stored(paged)
    paged.read()
    assert post_id not in stored(paged)
    assert paged.rows(f"SELECT count(*) FROM raw.votes WHERE request_id = '{post_id}'") == [(0,)]


# ------------------------------------------------------------------------------------------------------- CRM lists

LISTED_COMPANIES = "/crm/objects/2026-09/0-2"


@pytest.fixture
def many_companies(tmp_path: Path) -> Iterator[Reader]:
    """A reader of a sandbox whose companies take three pages."""
    made = build_sandbox(build_sample(requests=40, votes=100, companies=250), plan=None, slack_interval=0)
    with serving(made) as addresses:
        yield Reader(Served(made, addresses), tmp_path)


def test_companies_archived_while_they_are_read_are_not_invented(many_companies: Reader) -> None:
    """One that was served before stays for this run, one that was not is absent, and no other is missed or doubled."""
    seeded = many_companies.served.sandbox.sandbox
    first, last = min(seeded.company_ids, key=int), max(seeded.company_ids, key=int)

    def archive(request: LoggedRequest) -> bool:
        if request.path == LISTED_COMPANIES and "after=" in request.query:
            for company_id in {first, last} - archived:
                seeded.portal.archive("companies", company_id)
                archived.add(company_id)
        return False

    archived: set[str] = set()
    many_companies.served.sandbox.hubspot_sandbox.faults.append(Fault(archive, times=None))
    many_companies.read()
    assert archived == {first, last}
    rows = many_companies.rows("SELECT company_id FROM raw.crm_companies")
    assert sorted(row[0] for row in rows) == sorted(set(seeded.company_ids) - {last})
    many_companies.read()
    assert stored(many_companies, "crm_companies", "company_id") == set(seeded.company_ids) - {first, last}


def test_pages_of_companies_served_twice_change_nothing(many_companies: Reader) -> None:
    """Each page also holds the one before it."""
    many_companies.read()
    before = many_companies.rows("SELECT * FROM raw.crm_companies ORDER BY company_id")
    earlier: list[Json] = []

    def repeat(_asked: Json, answer: Json) -> Json:
        results, earlier[:] = [*earlier, *answer["results"]], answer["results"]
        return {**answer, "results": results}

    alter(many_companies.served.sandbox.hubspot_sandbox, LISTED_COMPANIES, repeat)
    many_companies.read()
    assert many_companies.rows("SELECT * FROM raw.crm_companies ORDER BY company_id") == before


@pytest.mark.parametrize("length", [1, 2])
def test_a_list_of_companies_that_loops_ends_the_read(many_companies: Reader, length: int) -> None:
    """Cursors that come back are a broken contract; the store keeps what it had, which is nothing."""

    def loop(_asked: Json, answer: Json) -> Json:
        if len(seen) < length:
            seen.append(str(answer["paging"]["next"]["after"]))
            return answer
        seen.append(seen[-length])
        return {**answer, "paging": {"next": {"after": seen[-1]}}}

    seen: list[str] = []
    alter(many_companies.served.sandbox.hubspot_sandbox, LISTED_COMPANIES, loop)
    with pytest.raises(ContractError, match="repeats a page cursor"):
        many_companies.read()
    assert many_companies.rows("SELECT count(*) FROM raw.crm_companies") == [(0,)]
