"""What is special about Quackback: votes by post, merges that no list tells, cursors that name a record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import pytest
from pydantic import SecretStr

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.feedback.quackback import records
from integration_assets.connectors.feedback.quackback.connector import QuackbackFeedback
from integration_assets.errors import ContractError, CredentialError, PermanentError
from integration_assets.models import Account, FeatureRequest, Page, Rejected, RejectedRequest, Status, Vote, Voter
from integration_assets.sandbox.lookalike import Fault
from integration_assets.sandbox.quackback import Workspace, quackback_lookalike
from integration_assets.sandbox.quackback.records import Kind
from integration_assets_tests.connectors.serving import served
from integration_assets_tests.support.fault_server import FaultServer, answer, fault_server

pytestmark = pytest.mark.usefixtures("no_backoff")

T = TypeVar("T")
KEY = "qb_0123456789abcdef0123456789abcdef0123456789abcdef"
POST_ID, OTHER_ID = f"post_01{'a' * 24}", f"post_01{'b' * 24}"
POST = {"id": POST_ID, "title": "Dark mode", "voteCount": 3, "statusId": "s1", "boardSlug": "ideas"}
STATUSES = {"data": [{"id": "s1", "name": "Open", "slug": "open", "category": "active"}]}


def talk(story: Callable[[QuackbackFeedback], Awaitable[T]], *answers: Any, **options: Any) -> tuple[T, FaultServer]:
    """Run `story` against a server that gives these answers, each a body or a (status, body) pair, in turn."""
    behaviours = [answer(*given) if isinstance(given, tuple) else answer(200, given) for given in answers]

    async def session() -> tuple[T, FaultServer]:
        async with (
            fault_server(*behaviours) as server,
            QuackbackFeedback(base_url=server.url, key=SecretStr(KEY), calls=CallCounter(), **options) as system,
        ):
            return await story(system), server

    return asyncio.run(session())


def on(workspace: Workspace, story: Callable[[QuackbackFeedback], Awaitable[T]], *faults: Fault) -> T:
    """Run `story` on the look-alike of a workspace."""

    async def session() -> T:
        app = quackback_lookalike(workspace)
        app.faults += faults
        async with (
            served(app) as url,
            QuackbackFeedback(base_url=url, key=SecretStr(KEY), calls=CallCounter(), pace="import") as system,
        ):
            return await story(system)

    return asyncio.run(session())


def made(posts: int) -> Workspace:
    """A workspace with so many posts on one board, a day apart."""
    workspace = Workspace(calls_per_minute=None, clock=lambda: 1_790_000_000)
    board = workspace.add_board("Ideas", "ideas", created=0)
    for number in range(posts):
        workspace.add_post(board.id, f"Idea {number}", created=1_780_000_000_000 + number)
    return workspace


async def pages(reading: Any) -> list[Page[Any]]:
    return [page async for page in reading]


def listed(items: list[Any], cursor: str | None = None) -> dict[str, Any]:
    return {"data": items, "meta": {"pagination": {"cursor": cursor, "hasMore": cursor is not None}}}


# ------------------------------------------------------------------------------------------------------- requests


def test_the_key_is_a_header_and_pages_are_asked_for_oldest_first_a_hundred_at_a_time() -> None:
    """The first call has no cursor, the next one the cursor it was given; statuses are read once."""
    found, server = talk(
        lambda system: pages(system.feature_requests(statuses=())),
        STATUSES,
        listed([POST], POST_ID),
        listed([{**POST, "id": OTHER_ID}]),
    )
    assert [request.line.split()[1] for request in server.requests] == [
        "/api/v1/statuses",
        "/api/v1/posts?sort=oldest&limit=100",
        f"/api/v1/posts?sort=oldest&limit=100&cursor={POST_ID}",
    ]
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    assert [record.request_id for page in found for record in page.records] == [POST_ID, OTHER_ID]


@pytest.mark.parametrize(("options", "header"), [({}, None), ({"pace": "import"}, "true")])
def test_only_who_says_so_calls_as_an_import(options: dict[str, str], header: str | None) -> None:
    """The header lifts the server's limit, and is the operator's choice."""
    _, server = talk(lambda system: system.check(), listed([]), **options)
    assert server.requests[0].headers.get("x-import-mode") == header


@pytest.mark.parametrize("removed", [1, 4])
def test_a_list_whose_cursor_was_removed_is_read_on_from_its_beginning(removed: int) -> None:
    """The first page comes again in place of the second: every living post is served, each of them once."""
    workspace = made(250)
    ids, asked = list(workspace.posts), list[str]()

    def purge(request: Any) -> bool:
        if "cursor=" in request.query and len(asked) < removed:
            asked.append(request.query.partition("cursor=")[2])
            workspace.purge_post(asked[-1])
        return False

    async def story(system: QuackbackFeedback) -> list[str]:
        found = await pages(system.feature_requests(statuses=()))
        return [record.request_id for page in found for record in page.records]

    if removed > 3:
        with pytest.raises(ContractError, match=r"\$\.data repeats earlier pages"):
            on(workspace, story, Fault(purge))
        return
    found = on(workspace, story, Fault(purge))
    assert sorted(found) == sorted(ids)
    assert len(asked) == 1


@pytest.mark.parametrize("post_id", [{}, [1], None, 5])
def test_a_page_may_begin_with_a_post_whose_id_is_of_another_type(post_id: Any) -> None:
    """It is rejected like any other, and no sign of a list that begins anew."""
    (page,), _ = talk(
        lambda system: pages(system.feature_requests(statuses=())), STATUSES, listed([{**POST, "id": post_id}, POST])
    )
    assert ([one.request_id for one in page.records], [one.key for one in page.rejected]) == (
        [POST_ID],
        ["item 1 without id"],
    )


@pytest.mark.parametrize(
    ("answers", "path"),
    [
        ([listed([POST], "c1"), listed([{**POST, "id": OTHER_ID}], "c1")], r"cursor repeats an earlier one"),
        ([{"data": [], "meta": {"pagination": {"hasMore": True, "cursor": None}}}], r"cursor is NoneType, not str"),
        ([{"data": [], "meta": {"pagination": {"hasMore": "no"}}}], r"pagination\.hasMore is str, not bool"),
        ([{"data": []}], r"\$\.meta is missing"),
        ([{"data": {}}], r"\$\.data is dict, not list"),
        ([[]], r"\$ is list, not an object"),
    ],
)
def test_a_page_of_another_shape_names_the_field(answers: list[Any], path: str) -> None:
    """Loops, holes and drift in the envelope end the read with the path of the field."""
    with pytest.raises(ContractError, match=path):
        talk(lambda system: pages(system.feature_requests(statuses=())), STATUSES, *answers)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ({"name": "New", "slug": "open", "category": "active"}, Status.OPEN),
        ({"name": "Shipped", "slug": "shipped", "category": "complete"}, Status.COMPLETE),
        ({"name": "Won't do", "slug": "wont_do", "category": "closed"}, Status.CLOSED),
        ({"name": "Someday", "slug": "someday", "category": "active"}, Status.UNKNOWN),
        ({"name": "On Hold", "slug": "parked", "category": "active"}, Status.ON_HOLD),
        ({"name": "On Hold", "slug": "parked", "category": "closed"}, Status.CLOSED),
        ({"name": "Odd", "slug": None, "category": None}, Status.UNKNOWN),
    ],
)
def test_a_status_is_known_by_its_slug_or_by_a_category_that_ends_it(status: Any, meaning: Status) -> None:
    """The workspace's own word is kept beside it."""
    (page,), _ = talk(
        lambda system: pages(system.feature_requests(statuses=())),
        {"data": [{"id": "s1", **status}]},
        listed([POST]),
    )
    assert [(one.status, one.source_status) for one in page.records] == [(meaning, status["name"])]


@pytest.mark.parametrize("status_id", [None, "s2"])
def test_a_post_of_no_known_status_stays(status_id: str | None) -> None:
    """Its status may have been deleted."""
    (page,), _ = talk(
        lambda system: pages(system.feature_requests(statuses=())), STATUSES, listed([{**POST, "statusId": status_id}])
    )
    assert [(one.status, one.source_status) for one in page.records] == [(Status.UNKNOWN, None)]


def test_links_lead_to_the_portal_and_without_one_to_the_server() -> None:
    """The API may be asked at an address that people cannot reach."""

    def link(post: Any, **options: Any) -> tuple[str | None, str]:
        found, server = talk(
            lambda system: pages(system.feature_requests(statuses=())), STATUSES, listed([post]), **options
        )
        return found[0].records[0].url, server.url

    assert link(POST, portal="https://ideas.example/")[0] == f"https://ideas.example/b/ideas/posts/{POST_ID}"
    url, server_url = link(POST)
    assert url == f"{server_url}/b/ideas/posts/{POST_ID}"
    assert link({**POST, "boardSlug": None})[0] is None


def test_a_post_without_a_title_is_rejected_with_what_is_known_of_it() -> None:
    """Its board decides whether anybody asked for it, and what was merged into it is not gone."""
    post = {**POST, "title": " ", "boardId": "b1", "mergedPosts": [{"id": OTHER_ID}, {}, 5]}
    (page,), server = talk(lambda system: pages(system.feature_requests(statuses=())), STATUSES, listed([post]))
    url = f"{server.url}/b/ideas/posts/{POST_ID}"
    assert page.rejected == (
        RejectedRequest("feature_request", POST_ID, "no title", url=url, board_id="b1", merged_ids=(OTHER_ID,)),
    )


def test_fields_that_are_not_documented_are_counted() -> None:
    """By list and name."""
    (page,), _ = talk(
        lambda system: pages(system.feature_requests(statuses=())), STATUSES, listed([{**POST, "sentiment": 1}])
    )
    assert page.unknown_fields == {"quackback.posts.sentiment": 1}


def test_every_field_that_is_read_is_a_documented_one() -> None:
    """What the reader uses of a record is never counted as unknown."""
    shapes: dict[str, type[msgspec.Struct]] = {
        "board": records._Board,
        "feature_request": records._Post,
        "vote": records._Voter,
        "account": records._Company,
        "status": records.PostStatus,
    }
    assert shapes.keys() == records.DOCUMENTED.keys()
    for kind, shape in shapes.items():
        assert {one.encode_name for one in msgspec.structs.fields(shape)} <= records.DOCUMENTED[kind][1]


# ------------------------------------------------------------------------------------------------- merged and gone


def test_a_post_that_was_merged_is_answered_by_the_one_it_lives_on_in() -> None:
    """The list has neither it nor a word of it; the survivor, asked for alone, names what was merged into it."""
    workspace = made(3)
    first, second, third = workspace.posts
    workspace.merge(first, second)
    workspace.merge(third, second)

    async def story(system: QuackbackFeedback) -> tuple[list[Page[Any]], Any, Any]:
        found = await pages(system.feature_requests(statuses=()))
        return found, await system.feature_request(first), await system.feature_request(second)

    (page,), merged, survivor = on(workspace, story)
    assert [(one.request_id, one.merged_ids) for one in page.records] == [(second, ())]
    assert isinstance(merged, FeatureRequest)
    assert merged == survivor
    assert (merged.request_id, merged.merged_ids) == (second, (first, third))


def test_a_deleted_post_is_gone_and_so_is_what_was_merged_into_it() -> None:
    """It could be restored, and is answered for as long; a list does not have it."""
    workspace = made(2)
    first, second = workspace.posts
    workspace.merge(first, second)
    workspace.delete_post(second)

    async def story(system: QuackbackFeedback) -> list[Any]:
        return [await system.feature_request(one) for one in (first, second, OTHER_ID, "0" * 24)]

    assert on(workspace, story) == [None] * 4


@pytest.mark.parametrize("post_id", ["", "..", "post_1/voters", "post?limit=1", "é"])
def test_an_id_that_would_be_another_path_is_not_asked_for(post_id: str) -> None:
    """It comes from a record of the CRM, which anybody may have written."""

    async def story(system: QuackbackFeedback) -> tuple[Any, list[Page[Any]]]:
        return await system.feature_request(post_id), await pages(system.votes(request_id=post_id))

    found, server = talk(story, (500, None))
    assert found == (None, [])
    assert server.requests == []


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ((400, {"error": {"code": "BAD_REQUEST", "message": "no"}}), PermanentError),
        ((400, None), PermanentError),
        ((401, {"error": {"code": "UNAUTHORIZED", "message": "no"}}), CredentialError),
        ({"data": {**POST, "id": OTHER_ID}}, ContractError),
        ({"data": None}, ContractError),
        ({"error": {"code": "NOT_FOUND"}}, ContractError),
    ],
)
def test_other_answers_for_a_single_post_are_errors(given: Any, kind: type[Exception]) -> None:
    """Only what says that there is none means that there is none."""
    with pytest.raises(kind) as caught:
        talk(lambda system: system.feature_request(POST_ID), given)
    assert type(caught.value) is kind


# ---------------------------------------------------------------------------------------------- votes and persons


def test_a_vote_has_the_id_of_its_post_and_person() -> None:
    """Who voted on both of two merged posts has one vote; somebody anonymous has no address."""
    workspace = made(2)
    first, second = workspace.posts
    jo = workspace.add_principal(Kind.USER, "Jo", "Jo@Acme.example")
    nobody = workspace.add_principal(Kind.ANONYMOUS)
    for place, (post_id, person) in enumerate([(first, jo), (second, jo), (first, nobody)]):
        workspace.vote(post_id, person.id, created=1_780_000_000_000 + place)
    workspace.merge(first, second)
    (page,) = on(workspace, lambda system: pages(system.votes(request_id=second)))
    assert [(one.vote_id, one.request_id, one.voter) for one in page.records] == [
        (f"{second}:{nobody.id}", second, Voter(nobody.id)),
        (f"{second}:{jo.id}", second, Voter(jo.id, "jo@acme.example")),
    ]


def test_votes_without_a_person_are_rejected_by_their_place() -> None:
    """Nothing else says which they are."""
    items = [{"principalId": "principal_1"}, {"principalId": None, "email": "a@b.example"}]
    (page,), _ = talk(lambda system: pages(system.votes(request_id=POST_ID)), listed(items))
    assert page.records == (Vote(f"{POST_ID}:principal_1", POST_ID, Voter("principal_1"), None),)
    assert [(one.kind, one.key) for one in page.rejected] == [("vote", "item 2 without id")]


def test_there_is_no_list_of_all_votes() -> None:
    """Asking for it is a mistake of ours, and no empty list."""
    with pytest.raises(PermanentError, match="by post only"):
        talk(lambda system: pages(system.votes()), listed([]))


@pytest.mark.parametrize(
    ("cents", "text"), [(None, None), (0, "0.00"), (5, "0.05"), (10_023, "100.23"), (-500, "-5.00"), (10**15, None)]
)
def test_cents_become_whole_units_exactly(cents: int | None, text: str | None) -> None:
    """Without a float on the way."""
    company = {"id": "company_1", "externalId": "acme / é", "name": "", "domain": "", "mrrCents": cents}
    (page,), _ = talk(lambda system: pages(system.accounts()), listed([company]))
    assert page.records == (Account("acme / é", None, None, text or (None if cents is None else "10000000000000.00")),)


@pytest.mark.parametrize("cents", ["100", 1.5, True])
def test_cents_that_are_no_whole_number_cost_the_account_its_spend(cents: Any) -> None:
    """A company without an id of the customer's has Quackback's."""
    (page,), _ = talk(lambda system: pages(system.accounts()), listed([{"id": "company_1", "mrrCents": cents}]))
    assert page.records == (Account("company_1"),)
    assert list(page.unreadable_fields) == ["quackback.companies.mrrCents"]


# ---------------------------------------------------------------------------------------------------------- refusals


def test_a_key_without_the_scope_is_told_which_one() -> None:
    """Boards are public to every key, and so are no proof of it; all else names the scope."""
    workspace = made(1)
    workspace.key.scopes = frozenset({"write:article"})
    assert len(on(workspace, lambda system: pages(system.boards()))[0].records) == 1
    for story in (lambda system: system.check(), lambda system: pages(system.feature_requests(statuses=()))):
        with pytest.raises(CredentialError, match="missing the 'read:feedback' scope") as caught:
            on(workspace, story)
        assert KEY not in str(caught.value)


def test_error_texts_with_values_in_them_are_not_repeated() -> None:
    """A message that quotes an address stays out of ours."""
    refusal = {"error": {"code": "X", "message": "no such user: jo@acme.example"}}
    with pytest.raises(PermanentError) as caught:
        talk(lambda system: system.check(), (422, refusal))
    assert "jo@" not in str(caught.value)


@pytest.mark.parametrize("status", [404, 405])
def test_an_address_where_quackback_is_not_is_told_as_one(status: int) -> None:
    """The message is about the address, not the key."""
    with pytest.raises(PermanentError, match="check the base URL") as wrong:
        talk(lambda system: system.check(), (status, None))
    assert not isinstance(wrong.value, CredentialError)


def test_a_rejected_record_is_no_rejected_list() -> None:
    """A board without an id is told, and the others are read."""
    (page,), _ = talk(lambda system: pages(system.boards()), {"data": [{"id": "b1"}, {"name": "x"}]})
    assert ([one.name for one in page.records], page.rejected) == (
        ["b1"],
        (Rejected("board", "item 2 without id", "Object missing required field `id`"),),
    )
