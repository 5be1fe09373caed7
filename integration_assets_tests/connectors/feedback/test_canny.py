"""What is special about Canny: two generations of paging, its statuses, its records with holes in them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import pytest
from pydantic import SecretStr

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.feedback.canny import records as canny_records
from integration_assets.connectors.feedback.canny.connector import CannyFeedback
from integration_assets.connectors.limiter import Limiter
from integration_assets.errors import ContractError, CredentialError, PermanentError
from integration_assets.models import Account, Page, Rejected, Status, Vote, Voter
from integration_assets_tests.support.fault_server import FaultServer, answer, fault_server

pytestmark = pytest.mark.usefixtures("no_backoff")

T = TypeVar("T")
KEY = "canny-key-0123456789"


def talk(story: Callable[[CannyFeedback], Awaitable[T]], *answers: Any) -> tuple[T, FaultServer]:
    """Run `story` against a server that gives these answers, each a body or a (status, body) pair, in turn."""
    behaviours = [answer(*given) if isinstance(given, tuple) else answer(200, given) for given in answers]

    async def session() -> tuple[T, FaultServer]:
        async with fault_server(*behaviours) as server:
            system = CannyFeedback(
                base_url=server.url + "/api", key=SecretStr(KEY), calls=CallCounter(), limiter=Limiter({})
            )
            async with system:
                return await story(system), server

    return asyncio.run(session())


async def pages(reading: Any) -> list[Page[Any]]:
    return [page async for page in reading]


def cursor_page(key: str, items: list[Any], cursor: str | None) -> dict[str, Any]:
    return {key: items, "hasNextPage": cursor is not None, "cursor": cursor}


POST = {"id": "p1", "title": "Dark mode", "status": "open"}
VOTE = {"id": "v1", "post": {"id": "p1", "status": "Won't do"}, "voter": {"id": "u1", "email": "A@B.example"}}


def test_requests_are_asked_for_by_all_statuses_oldest_first_a_hundred_at_a_time() -> None:
    """The body says exactly that, the key among it; the second page begins with the last of the first."""
    two = [{**POST, "id": "p1"}, {**POST, "id": "p2"}]
    found, server = talk(
        lambda system: pages(system.feature_requests(statuses=["Won't do", "Planned", "a, b"])),
        {"posts": two, "hasMore": True},
        {"posts": [{**POST, "id": "p2"}, {**POST, "id": "p3"}], "hasMore": False},
    )
    first, second = (request.json for request in server.requests)
    statuses = first.pop("status").split(",")
    assert sorted(statuses) == ["Won't do", "closed", "complete", "in progress", "open", "planned", "under review"]
    assert first == {"apiKey": KEY, "sort": "oldest", "limit": 100, "skip": 0}
    assert second["skip"] == 1
    assert [record.request_id for page in found for record in page.records] == ["p1", "p2", "p3"]
    assert server.requests[0].line == "POST /api/v1/posts/list HTTP/1.1"
    assert KEY not in str(server.requests[0].headers)


def test_cursors_are_followed_and_never_sent_first() -> None:
    """The first call has no cursor, the next ones the cursor they were given."""
    found, server = talk(
        lambda system: pages(system.votes()),
        cursor_page("items", [VOTE], "c1"),
        cursor_page("items", [{**VOTE, "id": "v2"}], "c2"),
        cursor_page("items", [], None),
    )
    assert [request.json.get("cursor") for request in server.requests] == [None, "c1", "c2"]
    assert all("cursor" not in request.json for request in server.requests[:1])
    assert sum(len(page.records) for page in found) == 2


def test_a_page_served_twice_counts_once() -> None:
    """Records are recognised by id."""
    found, _ = talk(
        lambda system: pages(system.votes()), cursor_page("items", [VOTE], "c1"), cursor_page("items", [VOTE], None)
    )
    assert sum(len(page.records) for page in found) == 1


@pytest.mark.parametrize(
    ("answers", "path"),
    [
        ([cursor_page("items", [VOTE], "c1")], r"\$\.cursor repeats"),
        ([{"items": [], "hasNextPage": True, "cursor": None}], r"\$\.cursor is NoneType, not str"),
        ([{"items": [], "hasNextPage": True}], r"\$\.cursor is missing"),
        ([{"items": [], "hasNextPage": "false"}], r"\$\.hasNextPage is str, not bool"),
        ([{"items": []}], r"\$\.hasNextPage is missing"),
        ([{"votes": [], "hasNextPage": False}], r"\$\.items is missing"),
        ([{"items": {}, "hasNextPage": False}], r"\$\.items is dict, not list"),
        ([[]], r"\$ is list, not an object"),
    ],
)
def test_a_page_of_another_shape_names_the_field(answers: list[Any], path: str) -> None:
    """Loops, holes and drift in the envelope end the read with the path of the field."""
    with pytest.raises(ContractError, match=path):
        talk(lambda system: pages(system.votes()), *answers)


def test_more_pages_announced_and_none_given_is_a_broken_contract() -> None:
    """An endless list of empty pages is left at the first."""
    with pytest.raises(ContractError, match=r"\$\.posts is empty"):
        talk(lambda system: pages(system.feature_requests(statuses=())), {"posts": [], "hasMore": True})


def test_an_expired_cursor_restarts_the_read_once() -> None:
    """The list is read again from its start; what was seen is not handed out again."""
    found, server = talk(
        lambda system: pages(system.votes()),
        cursor_page("items", [VOTE], "c1"),
        (400, {"error": "invalid cursor"}),
        cursor_page("items", [VOTE], "c1"),
        cursor_page("items", [{**VOTE, "id": "v2"}], None),
    )
    assert [record.vote_id for page in found for record in page.records] == ["v1", "v2"]
    assert len(server.requests) == 4


def test_a_cursor_that_keeps_expiring_ends_the_read() -> None:
    """The second refusal is final."""
    with pytest.raises(PermanentError, match="invalid cursor"):
        talk(
            lambda system: pages(system.votes()),
            cursor_page("items", [VOTE], "c1"),
            (400, {"error": "invalid cursor"}),
            cursor_page("items", [VOTE], "c1"),
            (400, {"error": "invalid cursor"}),
        )


def test_a_key_revoked_in_the_middle_is_a_credential_error() -> None:
    """400 with `invalid api key` is not taken for an expired cursor."""
    with pytest.raises(CredentialError, match="Canny rejected CANNY_API_KEY"):
        talk(
            lambda system: pages(system.votes()),
            cursor_page("items", [VOTE], "c1"),
            (400, {"error": "invalid api key"}),
        )


def test_holes_that_the_api_allows_are_none() -> None:
    """Nulls and absent keys, unknown keys, empty texts: a record with its id and title is enough."""
    bare = {"id": "p1", "title": " x "}
    nulls: dict[str, Any] = {
        "id": "p2",
        "title": "y",
        "status": None,
        "author": None,
        "category": None,
        "eta": None,
        "details": None,
        "tags": None,
        "score": None,
        "created": None,
        "statusChangedAt": None,
        "mergeHistory": None,
        "board": None,
        "totalMRR": 12.5,
        "jira": {"linkedIssues": []},
        "by": {"id": 7},
    }
    (page,), _ = talk(
        lambda system: pages(system.feature_requests(statuses=())), {"posts": [bare, nulls], "hasMore": False}
    )
    assert page.rejected == ()
    one, two = page.records
    assert (one.title, one.status, one.source_status, one.created_at) == (" x ", Status.UNKNOWN, None, None)
    assert (two.board, two.tags, two.merged_ids, two.score) == (None, (), (), None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"title": ""}, "no title"),
        ({"title": " \t"}, "no title"),
        ({"title": " \u200b\u3164"}, "no title"),  # nothing to see is nothing to read in a ranking or a record
        ({"title": None}, "no title"),
        ({"title": 7}, "Expected `str | null`, got `int` - at `$.title`"),
    ],
)
def test_a_record_without_a_title_is_rejected(change: dict[str, Any], reason: str) -> None:
    """It is handed back with its id and a reason without its value; its neighbours are unharmed."""
    posts = [{**POST, **change}, {**POST, "id": "p2"}]
    (page,), _ = talk(lambda system: pages(system.feature_requests(statuses=())), {"posts": posts, "hasMore": False})
    assert page.rejected == (Rejected("feature_request", "p1", reason),)
    assert page.unreadable_fields == {}
    assert [record.request_id for record in page.records] == ["p2"]


@pytest.mark.parametrize(
    ("change", "without", "reason"),
    [
        ({"status": ["open"]}, {"status": Status.UNKNOWN, "source_status": None}, "got `array` - at `$.status`"),
        ({"score": "12"}, {"score": None}, "Expected `int | null`, got `str` - at `$.score`"),
        ({"score": True}, {"score": None}, "Expected `int | null`, got `bool` - at `$.score`"),
        ({"score": 3.5}, {"score": None}, "Expected `int | null`, got `float` - at `$.score`"),
        ({"board": "b1"}, {"board": None, "board_id": None}, "Expected `object | null`, got `str` - at `$.board`"),
        ({"board": {"id": "b1", "name": 7}}, {"board": None, "board_id": "b1"}, "got `int` - at `$.board.name`"),
        ({"tags": {"name": "x"}}, {"tags": ()}, "Expected `array | null`, got `object` - at `$.tags`"),
        ({"tags": [{"name": "x"}, None]}, {"tags": ()}, "Expected `object`, got `null` - at `$.tags[1]`"),
        ({"author": {}}, {"author_id": None}, "Object missing required field `id` - at `$.author`"),
        ({"author": {"id": ""}}, {"author_id": None}, "Expected `str` of length >= 1 - at `$.author.id`"),
        ({"author": "ann"}, {"author_id": None}, "Expected `object | null`, got `str` - at `$.author`"),
        ({"created": "yesterday"}, {"created_at": None}, "Invalid RFC3339 encoded datetime - at `$.created`"),
        ({"created": "2026-04-16T01:07:22"}, {"created_at": None}, "with a timezone component - at `$.created`"),
        ({"created": "0001-01-01T00:00:00+14:00"}, {"created_at": None}, "a time beyond the calendar"),
        ({"statusChangedAt": 1}, {"status_changed_at": None}, "got `int` - at `$.statusChangedAt`"),
        ({"mergeHistory": [{"post": 5}]}, {"merged_ids": ()}, "got `int` - at `$.mergeHistory[0].post`"),
    ],
)
def test_an_optional_field_that_cannot_be_read_costs_that_field(
    change: dict[str, Any], without: dict[str, Any], reason: str
) -> None:
    """The record is as it would be without the field, which is named with the record's id and what is wrong with it."""
    whole, found = (
        talk(lambda system: pages(system.feature_requests(statuses=())), {"posts": [one], "hasMore": False})[0][0]
        for one in (POST, {**POST, **change})
    )
    assert found.rejected == ()
    assert found.records == (msgspec.structs.replace(whole.records[0], **without),)
    [(name, [(record_id, said)])] = found.unreadable_fields.items()
    assert (name, record_id) == (f"canny.posts.{next(iter(change))}", "p1")
    assert said.endswith(reason)
    assert whole.unreadable_fields == {}


@pytest.mark.parametrize(
    ("change", "vote"),
    [
        ({"voter": {}}, Vote("v1", "p1", None, None, "Won't do")),
        ({"voter": {"id": "u1", "email": 5}}, Vote("v1", "p1", Voter("u1", None), None, "Won't do")),
        ({"created": 7}, Vote("v1", "p1", Voter("u1", "A@B.example"), None, "Won't do")),
        ({"post": {"id": "p1", "status": 5}}, Vote("v1", "p1", Voter("u1", "A@B.example"), None, None)),
    ],
)
def test_a_vote_loses_only_what_cannot_be_read(change: dict[str, Any], vote: Vote) -> None:
    """A person that cannot be read is nobody known, and the vote is one."""
    item = {**VOTE, "created": None, **change}
    (page,), _ = talk(lambda system: pages(system.votes()), cursor_page("items", [item], None))
    assert (page.records, page.rejected) == ((vote,), ())
    assert list(page.unreadable_fields) == [f"canny.votes.{next(iter(change))}"]


@pytest.mark.parametrize("item", [{}, {"id": None}, {"id": 5}, {"id": ""}, "text", None, [1]])
def test_a_record_without_an_id_is_rejected_by_its_place(item: Any) -> None:
    """Whatever is no record at all is counted, not dropped."""
    (page,), _ = talk(lambda system: pages(system.votes()), cursor_page("items", [VOTE, item], None))
    assert len(page.records) == 1
    assert [(bad.kind, bad.key) for bad in page.rejected] == [("vote", "item 2 without id")]


def test_times_are_utc_whatever_their_zone() -> None:
    """An offset is understood."""
    post = {**POST, "created": "2026-04-16T03:07:22.189+02:00"}
    (page,), _ = talk(lambda system: pages(system.feature_requests(statuses=())), {"posts": [post], "hasMore": False})
    created = page.records[0].created_at
    assert created == datetime(2026, 4, 16, 1, 7, 22, 189_000, tzinfo=UTC)
    assert created.tzinfo is UTC


def test_the_status_words_of_the_source_are_kept() -> None:
    """Built-in words map whatever their case; a workspace's own are unknown to us."""
    posts = [
        {**POST, "id": str(n), "status": status} for n, status in enumerate(["In Progress", "Won't do", "On hold"])
    ]
    (page,), _ = talk(lambda system: pages(system.feature_requests(statuses=())), {"posts": posts, "hasMore": False})
    assert [(record.status, record.source_status) for record in page.records] == [
        (Status.IN_PROGRESS, "In Progress"),
        (Status.UNKNOWN, "Won't do"),
        (Status.ON_HOLD, "On hold"),
    ]


def test_votes_without_a_voter_stay_and_without_a_request_do_not() -> None:
    """A deleted person's vote is a vote; a vote on nothing is rejected. The post's status comes along."""
    items = [{**VOTE, "voter": None}, {**VOTE, "id": "v2", "post": None}, {**VOTE, "id": "v3"}]
    (page,), _ = talk(lambda system: pages(system.votes()), cursor_page("items", items, None))
    assert page.records == (
        Vote("v1", "p1", None, None, "Won't do"),
        Vote("v3", "p1", Voter("u1", "A@B.example"), None, "Won't do"),
    )
    assert page.rejected == (Rejected("vote", "v2", "Expected `object`, got `null` - at `$.post`"),)


@pytest.mark.parametrize(
    ("spend", "text"), [(None, None), (0, "0"), (100.23, "100.23"), (1250, "1250"), (-5, "-5"), (1e308, "1e+308")]
)
def test_spend_is_kept_as_the_number_was_written(spend: Any, text: str | None) -> None:
    """The rules about money are not the connector's."""
    company = {"id": "Company / é", "name": "", "domain": "", "monthlySpend": spend}
    (page,), _ = talk(lambda system: pages(system.accounts()), cursor_page("companies", [company], None))
    assert page.records == (Account("Company / é", None, None, text),)


@pytest.mark.parametrize("spend", ["100", True, {"amount": 1}])
def test_spend_that_is_no_number_costs_the_account_its_spend(spend: Any) -> None:
    """Text and booleans are drift, not money."""
    (page,), _ = talk(
        lambda system: pages(system.accounts()), cursor_page("companies", [{"id": "c", "monthlySpend": spend}], None)
    )
    assert page.records == (Account("c", None, None, None),)
    assert list(page.unreadable_fields) == ["canny.companies.monthlySpend"]


def test_members_of_several_companies_keep_all_of_them() -> None:
    """The order of the source, each once."""
    user = {"id": "u1", "email": None, "userID": None, "companies": [{"id": "b"}, {"id": "a"}, {"id": "b"}]}
    (page,), _ = talk(lambda system: pages(system.voters()), cursor_page("users", [user], None))
    assert page.records == (Voter("u1", None, ("b", "a")),)


@pytest.mark.parametrize("said", ["invalid post id", "Invalid postID", "Post not found.", "not found", "no such post"])
def test_an_unknown_post_is_none_in_every_plain_text_of_it(said: str) -> None:
    """The text is not documented; one that says nothing but this is believed."""
    assert talk(lambda system: system.feature_request("p1"), (400, {"error": said}))[0] is None


def test_an_unknown_user_is_none_and_a_refusal_over_a_post_is_not() -> None:
    """Each kind of record has its own text."""
    assert talk(lambda system: system.voter("u1"), (400, {"error": "invalid user id"}))[0] is None
    with pytest.raises(PermanentError, match="invalid post id"):
        talk(lambda system: system.voter("u1"), (400, {"error": "invalid post id"}))


@pytest.mark.parametrize("refusal", [(400, {"error": "invalid post id"}), (404, {"error": "not found"}), (404, None)])
def test_an_unknown_post_is_none_however_it_is_refused(refusal: Any) -> None:
    """The documentation does not say; all plausible answers are understood."""
    found, server = talk(lambda system: system.feature_request("p1"), refusal)
    assert found is None
    assert server.requests[0].json == {"apiKey": KEY, "id": "p1"}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ((400, {"error": "too many things"}), PermanentError),
        ((400, None), PermanentError),
        ((400, {"error": "invalid id"}), PermanentError),
        ((400, {"error": "invalid user id"}), PermanentError),
        ((400, {"error": "too many posts asked for, wait"}), PermanentError),
        ((400, {"error": "your company may not retrieve a post"}), PermanentError),
        ((400, {"error": "company not found"}), PermanentError),
        ((400, {"error": "invalid api key"}), CredentialError),
        ((401, {"error": "nope"}), CredentialError),
        ({**POST, "id": "p2"}, ContractError),
        ({"title": "no id"}, ContractError),
        ({"error": "strange"}, ContractError),
    ],
)
def test_other_refusals_of_a_single_post_are_errors(given: Any, kind: type[Exception]) -> None:
    """Only what speaks of the post means that it does not exist."""
    with pytest.raises(kind) as caught:
        talk(lambda system: system.feature_request("p1"), given)
    assert type(caught.value) is kind


def test_a_post_that_exists_and_cannot_be_used_is_rejected() -> None:
    """It is neither gone nor the end of the run."""
    found, _ = talk(lambda system: system.feature_request("p1"), {"id": "p1", "title": " "})
    assert found == Rejected("feature_request", "p1", "no title")


def test_error_texts_with_values_in_them_are_not_repeated() -> None:
    """A message that quotes an address stays out of ours."""
    with pytest.raises(PermanentError) as caught:
        talk(lambda system: system.check(), (422, {"error": "no such user: jo@acme.example"}))
    assert "jo@" not in str(caught.value)


def test_fields_canny_does_not_document_are_counted_and_kept_out() -> None:
    """By list and name, for records served for the first time; the record is as it would be without them."""
    odd = {**POST, "id": "p2", "sentiment": {"score": 1}, "totalMRR": 5}
    found, _ = talk(
        lambda system: pages(system.feature_requests(statuses=())),
        {"posts": [POST, odd], "hasMore": True},
        {"posts": [odd, {**odd, "id": "p3"}], "hasMore": False},
    )
    assert [page.unknown_fields for page in found] == [{"canny.posts.sentiment": 1}, {"canny.posts.sentiment": 1}]
    plain, _ = talk(lambda system: pages(system.feature_requests(statuses=())), {"posts": [POST], "hasMore": False})
    assert plain[0].unknown_fields == {}
    assert msgspec.structs.replace(found[1].records[0], request_id="p1") == plain[0].records[0]


def test_every_field_that_is_read_is_a_documented_one() -> None:
    """What the reader uses of a record is never counted as unknown."""
    shapes: dict[str, type[msgspec.Struct]] = {
        "board": canny_records._Board,
        "feature_request": canny_records._Post,
        "vote": canny_records._Vote,
        "voter": canny_records._User,
        "account": canny_records._Company,
        "status_change": canny_records._StatusChange,
    }
    assert shapes.keys() == canny_records.DOCUMENTED.keys()
    for kind, shape in shapes.items():
        assert {one.encode_name for one in msgspec.structs.fields(shape)} <= canny_records.DOCUMENTED[kind][1]


@pytest.mark.parametrize("status", [404, 405])
def test_an_address_where_canny_is_not_is_told_as_one(status: int) -> None:
    """A base URL without `/api`, or of another service: the message is about the address, not the key."""
    with pytest.raises(PermanentError, match=r"check the base URL: Canny's is https://canny\.io/api") as wrong:
        talk(lambda system: pages(system.feature_requests(statuses=["open"])), (status, {"error": "Not Found"}))
    assert not isinstance(wrong.value, CredentialError)
