"""What is special about UserVoice: tokens that end, pages by cursor or number, filters some servers ignore, two ids."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import pytest
from pydantic import SecretStr

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import ClientSecret, Credential, Token
from integration_assets.connectors.feedback.base import IgnoredFilterError
from integration_assets.connectors.feedback.uservoice import records
from integration_assets.connectors.feedback.uservoice.connector import UserVoiceFeedback
from integration_assets.connectors.limiter import Limiter, Window
from integration_assets.errors import ContractError, CredentialError, PermanentError
from integration_assets.models import Account, FeatureRequest, Page, RejectedRequest, Status, Vote, Voter
from integration_assets.sandbox import uservoice
from integration_assets.sandbox.lookalike import Fault, Lookalike
from integration_assets.sandbox.uservoice import Options, uservoice_lookalike
from integration_assets_tests.connectors.serving import served
from integration_assets_tests.support.fault_server import FaultServer, answer, fault_server

pytestmark = pytest.mark.usefixtures("no_backoff")

T = TypeVar("T")
TOKEN = "uv-token-0123456789"
SUGGESTION = {"id": 7, "title": "Dark mode", "supporters_count": 3, "links": {"forum": 1}}
DAY_0 = 1_780_000_000_000


def talk(
    story: Callable[[UserVoiceFeedback], Awaitable[T]], *answers: Any, credential: Credential | None = None
) -> tuple[T, FaultServer]:
    """Run `story` against a server that gives these answers, each a body or a (status, body) pair, in turn."""
    behaviours = [answer(*given) if isinstance(given, tuple) else answer(200, given) for given in answers]

    async def session() -> tuple[T, FaultServer]:
        async with (
            fault_server(*behaviours) as server,
            UserVoiceFeedback(
                base_url=server.url, credential=credential or Token(SecretStr(TOKEN)), calls=CallCounter()
            ) as system,
        ):
            return await story(system), server

    return asyncio.run(session())


def on(
    account: uservoice.Account,
    story: Callable[[UserVoiceFeedback], Awaitable[T]],
    *faults: Fault,
    limiter: Limiter | None = None,
    secret: str | None = None,
) -> tuple[T, Lookalike]:
    """Run `story` on the look-alike of an account, signed in by its key and secret."""

    async def session() -> tuple[T, Lookalike]:
        app = uservoice_lookalike(account)
        app.faults += faults
        credential = ClientSecret(account.client_id, SecretStr(secret or account.client_secret))
        async with (
            served(app) as url,
            UserVoiceFeedback(base_url=url, credential=credential, calls=CallCounter(), limiter=limiter) as system,
        ):
            return await story(system), app

    return asyncio.run(session())


def made(suggestions: int, *, supporters: int = 0, **options: Any) -> uservoice.Account:
    """An account with so many suggestions in one forum, each with so many supporters."""
    account = uservoice.Account(options=Options(**options), clock=lambda: 1_790_000_000)
    forum = account.add_forum("Ideas")
    people = [account.add_user(f"P {n}", f"p{n}@acme.example").id for n in range(supporters)]
    for number in range(suggestions):
        account.add_suggestion(forum.id, f"Idea {number}", created=DAY_0 + number * 1000)
    for suggestion in account.lists["suggestions"]:
        for person in people:
            account.support(suggestion, person)
    return account


async def pages(reading: AsyncIterator[Page[T]]) -> list[Page[T]]:
    return [page async for page in reading]


def ids(found: list[Page[Any]], name: str = "request_id") -> list[int]:
    return [int(getattr(record, name)) for page in found for record in page.records]


def listed(items: list[Any], name: str = "suggestions", total: int | None = None, **pagination: Any) -> dict[str, Any]:
    counted = {"total_records": len(items) if total is None else total, "total_pages": 1}
    return {name: items, "pagination": {**counted, **pagination}}


def paths(app: Lookalike) -> list[str]:
    return [request.path.removeprefix("/api/v2/") for request in app.requests]


async def suggestions_of(system: UserVoiceFeedback) -> list[Page[FeatureRequest]]:
    return await pages(system.feature_requests(statuses=()))


# ---------------------------------------------------------------------------------------------------------- tokens


def test_a_token_that_ended_is_had_anew_once_for_all() -> None:
    """Calls that were refused together share one new token, and each is made again."""
    account = made(1, supporters=1)

    async def story(system: UserVoiceFeedback) -> None:
        await system.check()
        # Somebody else had a token by the same key: ours is no longer one.
        account.new_token()
        await asyncio.gather(*(system.check() for _ in range(3)))

    _, app = on(account, story)
    assert paths(app).count("oauth/token") == 2
    assert [request.status for request in app.requests].count(401) == 3
    assert len(app.requests) == 2 + 2 * 3 + 1


def test_a_key_that_stays_refused_is_not_tried_a_third_time() -> None:
    """A new token that is refused as well says that the key may not read."""
    account = made(0)
    with pytest.raises(CredentialError, match="USERVOICE_SECRET") as caught:
        on(account, lambda system: system.check(), Fault(lambda one: "/admin/" in one.path, times=None, status=401))
    assert account.client_secret not in str(caught.value)


def test_a_wrong_secret_is_sent_once() -> None:
    """Whatever is read after it: the account could be locked."""

    async def story(system: UserVoiceFeedback) -> None:
        for _ in range(3):
            with pytest.raises(CredentialError, match="USERVOICE_CLIENT_ID"):
                await system.check()

    _, app = on(made(0), story, secret="wrong-secret-0123")
    assert paths(app) == ["oauth/token"]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_client_may_be_refused_by_any_status_of_oauth(status: int) -> None:
    """What the refusal says is not documented, and is not repeated."""
    credential = ClientSecret("key-1", SecretStr("secret-0123456789"))
    with pytest.raises(CredentialError, match="USERVOICE_SECRET"):
        talk(lambda system: system.check(), (status, {"error": "jo@acme.example"}), credential=credential)


@pytest.mark.parametrize("body", [{}, {"access_token": None}, {"access_token": ""}, {"access_token": 5}, []])
def test_an_answer_without_a_token_is_a_broken_contract(body: Any) -> None:
    with pytest.raises(ContractError, match=r"\$"):
        talk(lambda system: system.check(), body, credential=ClientSecret("key-1", SecretStr("secret-0123456789")))


def test_a_token_is_sent_as_it_is_and_never_renewed() -> None:
    """Without a key there is nothing to have another with."""
    line, server = talk(lambda system: system.check(), listed([SUGGESTION]))
    assert [one.line.split()[:2] for one in server.requests] == [["GET", "/api/v2/admin/suggestions?per_page=1"]]
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert line.endswith("answers; the credential reads 1 suggestion")
    with pytest.raises(CredentialError):
        talk(lambda system: system.check(), (401, {}), listed([SUGGESTION]))


# ----------------------------------------------------------------------------------------------------------- pages


@pytest.mark.parametrize(
    "options", [{}, {"cursor": "next_cursor"}, {"cursor": None}, {"cursor_at_the_end": True}], ids=str
)
@pytest.mark.parametrize("number", [0, 1, 100, 101, 250])
def test_a_list_takes_a_call_for_each_hundred(number: int, options: dict[str, Any]) -> None:
    """By either name of the cursor, by numbers, and where the last page has a cursor as well."""
    account = made(number, **options)
    found, app = on(account, suggestions_of)
    assert ids(found) == sorted(account.lists["suggestions"], reverse=True)
    assert len(app.requests) == 1 + max(1, -(-number // 100))
    assert not any(page.doubtful for page in found)


@pytest.mark.parametrize("cursor", ["cursor", None])
def test_a_list_that_changed_while_it_was_read_is_doubtful(cursor: str | None) -> None:
    """A suggestion that goes moves all behind it up where pages are numbered; the totals tell in either case."""
    account = made(250, cursor=cursor)

    def shrink(request: Any) -> bool:
        if ("cursor=" in request.query or "page=2" in request.query) and len(account.lists["suggestions"]) == 250:
            account.delete_suggestion(max(account.lists["suggestions"]))
        return False

    found, _ = on(account, suggestions_of, Fault(shrink))
    assert [page.doubtful for page in found] == [False, False, True]
    # With numbers one is missing that was there from the first call to the last.
    assert len(ids(found)) == (250 if cursor else 249)


@pytest.mark.parametrize(
    ("answers", "path"),
    [
        ([listed([{**SUGGESTION, "id": one}], cursor="c", total_pages=9) for one in (7, 6)], "repeats an earlier one"),
        ([{"suggestions": [SUGGESTION]}], r"\$\.pagination is missing"),
        ([{"suggestions": [], "pagination": []}], r"\$\.pagination is list"),
        ([{"suggestions": {}, "pagination": {}}], r"\$\.suggestions is dict, not list"),
        ([listed([SUGGESTION], total_pages="1")], r"\$\.pagination\.total_pages is no number"),
        ([listed([SUGGESTION], total_pages=2, cursor=5)], r"\$\.pagination\.cursor is int"),
        ([{"suggestions": [{"id": n} for n in range(100)], "pagination": {}}], "neither a cursor nor total_pages"),
        ([[]], r"\$ is list, not an object"),
    ],
)  # fmt: skip
def test_a_page_of_another_shape_names_the_field(answers: list[Any], path: str) -> None:
    """Loops, holes and drift in the envelope end the read with the path of the field."""
    with pytest.raises(ContractError, match=path):
        talk(suggestions_of, *answers)


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_cursor_of_an_earlier_run_that_is_refused_begins_the_list_anew(status: int) -> None:
    """One that is taken goes on behind it."""
    account = made(3, supporters=80)

    async def behind(system: UserVoiceFeedback) -> tuple[list[int], list[int]]:
        whole = await pages(system.votes())
        assert whole[0].cursor is not None
        return ids(whole, "vote_id"), ids(await pages(system.votes(after=whole[0].cursor)), "vote_id")

    (whole, rest), app = on(account, behind)
    assert rest == whole[100:]
    # The last page of the first read, and all but the first: where it ends is told by a missing cursor.
    assert len(app.requests) == 1 + 3 + 2
    refused = Fault(lambda one: "cursor=stale" in one.query, status=status, body=b"{}")
    again, app = on(account, lambda system: pages(system.votes(after="stale")), refused)
    assert ids(again, "vote_id") == whole
    assert len(app.requests) == 1 + 1 + 3


# -------------------------------------------------------------------------------------------------------- requests


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ({"name": "Under Review ", "is_open": True}, Status.UNDER_REVIEW),
        ({"name": "completed", "is_open": False}, Status.COMPLETE),
        ({"name": "Someday", "is_open": True}, Status.UNKNOWN),
        ({"name": " on hold ", "is_open": True}, Status.ON_HOLD),
        ({"name": "on hold", "is_open": False}, Status.CLOSED),
        ({"name": "Won't do", "is_open": False}, Status.CLOSED),
        ({"name": "Someday", "is_open": None}, Status.UNKNOWN),
    ],
)
def test_a_status_is_known_by_its_word_or_by_being_closed(status: dict[str, Any], meaning: Status) -> None:
    """The account's own word is kept beside it."""
    body = {**listed([{**SUGGESTION, "links": {"status": 4}}]), "statuses": [{"id": 4, **status}]}
    (page,), _ = talk(suggestions_of, body)
    assert [(one.status, one.source_status) for one in page.records] == [(meaning, status["name"])]
    assert page.unreadable_fields == {}


@pytest.mark.parametrize(
    ("fields", "meaning"),
    [
        ({}, Status.OPEN),
        ({"closed_at": "2026-01-01T00:00:00Z"}, Status.CLOSED),
        ({"state": "merged"}, Status.DUPLICATE),
        ({"state": "published"}, Status.OPEN),
    ],
)
def test_without_a_status_a_suggestion_is_open_until_it_is_closed(fields: dict[str, Any], meaning: Status) -> None:
    (page,), _ = talk(suggestions_of, listed([{**SUGGESTION, **fields}]))
    assert [(one.status, one.source_status) for one in page.records] == [(meaning, None)]


def test_a_linked_record_that_did_not_come_along_is_told() -> None:
    """Its id stands in for the name of a forum; a status without a name is unknown."""
    (page,), _ = talk(suggestions_of, listed([{**SUGGESTION, "links": {"forum": 1, "status": 4}}]))
    assert [(one.board_id, one.board, one.status) for one in page.records] == [("1", "1", Status.UNKNOWN)]
    reason = "a record of statuses that is linked did not come with the page"
    assert page.unreadable_fields == {"uservoice.suggestions.links": (("7", reason),)}


def test_a_suggestion_without_a_title_is_rejected_with_what_is_known_of_it() -> None:
    """Its forum decides whether anybody asked for it."""
    url = "https://acme.uservoice.com/forums/1/suggestions/7"
    suggestion = {**SUGGESTION, "title": " ", "portal_url": url}
    (page,), _ = talk(suggestions_of, listed([suggestion, {"id": None}, {"id": True}, 5]))
    assert page.rejected[0] == RejectedRequest("feature_request", "7", "no title", url=url, board_id="1")
    assert [one.key for one in page.rejected[1:]] == ["item 2 without id", "item 3 without id", "item 4 without id"]
    # As many as the list has: they are there, although none can be used.
    assert not page.doubtful


def test_a_merged_suggestion_stays_as_a_duplicate_without_votes() -> None:
    """Asked for alone it is there; the list may leave it out. Its supporters have moved."""
    account = made(2, supporters=2)
    loser, winner = account.lists["suggestions"]
    account.merge(loser, winner)

    async def story(system: UserVoiceFeedback) -> tuple[list[int], Any, list[int]]:
        votes = await pages(system.votes(request_id=str(loser)))
        return ids(await suggestions_of(system)), await system.feature_request(str(loser)), ids(votes, "vote_id")

    (found, merged, votes), _ = on(account, story)
    assert (found, merged.status, merged.score, votes) == ([winner], Status.DUPLICATE, 0, [])


@pytest.mark.parametrize("request_id", ["", "..", "7/supporters", "7?x=1", "é", "²"])
def test_an_id_that_would_be_another_path_is_not_asked_for(request_id: str) -> None:
    """It comes from a record of the CRM, which anybody may have written."""

    async def story(system: UserVoiceFeedback) -> list[Any]:
        votes = await pages(system.votes(request_id=request_id))
        return [await system.feature_request(request_id), await system.voter(request_id), votes]

    found, server = talk(story, (500, None))
    assert found == [None, None, []]
    assert server.requests == []


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ((404, None), PermanentError),
        ((404, []), PermanentError),
        ({"suggestions": [{**SUGGESTION, "id": 8}]}, ContractError),
        ({"suggestions": []}, ContractError),
        ({"suggestions": [SUGGESTION, SUGGESTION]}, ContractError),
        ({}, ContractError),
    ],
)
def test_other_answers_for_a_single_suggestion_are_errors(given: Any, kind: type[Exception]) -> None:
    """Only what says that there is none means that there is none: everything would be retired else."""
    with pytest.raises(kind) as caught:
        talk(lambda system: system.feature_request("7"), given)
    assert type(caught.value) is kind
    assert talk(lambda system: system.feature_request("7"), (404, {}))[0] is None


# ------------------------------------------------------------------------------------------------ votes and persons


def test_votes_of_one_suggestion_are_asked_for_alone() -> None:
    """One call per hundred of them, and each answer is held against the question."""
    account = made(3, supporters=120)
    wanted = list(account.lists["suggestions"])[1]
    found, app = on(account, lambda system: pages(system.votes(request_id=str(wanted))))
    assert {vote.request_id for page in found for vote in page.records} == {str(wanted)}
    assert (len(ids(found, "vote_id")), len(app.requests)) == (120, 1 + 2)
    assert [page.cursor is None for page in found] == [False, True]


def test_a_filter_that_is_ignored_costs_one_call() -> None:
    """Ten that ask at once wait for the first answer, and whoever asks later makes no call at all."""
    account = made(20, supporters=10, keeps_filters=False)

    async def ask(system: UserVoiceFeedback, suggestion: int) -> None:
        with pytest.raises(IgnoredFilterError, match="only its list of all votes"):
            await pages(system.votes(request_id=str(suggestion)))

    async def story(system: UserVoiceFeedback) -> list[Page[Vote]]:
        asked = list(account.lists["suggestions"])
        await asyncio.gather(*(ask(system, one) for one in asked[:10]))
        await ask(system, asked[10])
        return await pages(system.votes())

    found, app = on(account, story)
    assert len(ids(found, "vote_id")) == 200
    assert len(app.requests) == 1 + 1 + 2


def test_an_empty_answer_says_nothing_of_the_filter() -> None:
    """The next one may show that it is ignored."""

    async def story(system: UserVoiceFeedback) -> None:
        assert ids(await pages(system.votes(request_id="7")), "vote_id") == []
        await pages(system.votes(request_id="9"))

    vote = {"id": 1, "links": {"suggestion": 8}}
    with pytest.raises(IgnoredFilterError):
        talk(story, listed([], "supporters"), listed([vote], "supporters"))


def test_votes_out_of_order_are_a_broken_contract() -> None:
    """Whoever reads to the first known vote would miss those behind it."""
    votes = [{"id": one, "links": {"suggestion": 7}} for one in (5, 6)]
    with pytest.raises(ContractError, match="not in the order"):
        talk(lambda system: pages(system.votes()), listed(votes, "supporters"))


def test_a_vote_without_its_suggestion_is_rejected_and_one_without_a_person_counts() -> None:
    votes = [{"id": 3, "links": {"suggestion": 7, "user": 4}}, {"id": 2, "links": {"suggestion": 7, "user": None}}]
    body = {**listed([*votes, {"id": 1, "links": {"user": 4}}], "supporters"), "users": [{"id": 4, "email_address": 5}]}
    (page,), _ = talk(lambda system: pages(system.votes()), body)
    assert page.records == (Vote("3", "7", Voter("4"), None), Vote("2", "7", None, None))
    assert [(one.kind, one.key) for one in page.rejected] == [("vote", "1")]


def test_persons_and_accounts_share_the_list_of_accounts() -> None:
    """Persons name accounts by UserVoice's id, which is ours only where the customer has none; read together, once."""
    account = made(0)
    acme, beta = account.add_account("Acme", "acme / é", 10_023), account.add_account("Beta", None, None)
    jo = account.add_user("Jo", "jo@acme.example")
    for one in (acme.id, beta.id, acme.id, None):
        account.join(jo.id, one)

    async def story(system: UserVoiceFeedback) -> tuple[list[Page[Account]], list[Page[Voter]]]:
        return await asyncio.gather(pages(system.accounts()), pages(system.voters()))

    (accounts, voters), app = on(account, story)
    own = Account("acme / é", "Acme", None, "100.23")
    assert [one for page in accounts for one in page.records] == [Account(str(beta.id), "Beta"), own]
    person = Voter(str(jo.id), "jo@acme.example", ("acme / é", str(beta.id)))
    assert [one for page in voters for one in page.records] == [person]
    assert sorted(paths(app)) == ["admin/external_accounts", "admin/users", "oauth/token"]

    async def alone(system: UserVoiceFeedback) -> list[Any]:
        return [await system.voter(str(jo.id)), await system.voter(str(jo.id)), await system.voter("1")]

    found, app = on(account, alone)
    assert found == [person, person, None]
    # Each account is looked at once.
    assert len(app.requests) == 1 + 3 + 2


@pytest.mark.parametrize(("cents", "text"), [(0, "0.00"), (5, "0.05"), (-500, "-5.00"), ("100", None), (1.5, None)])
def test_cents_become_whole_units_exactly(cents: Any, text: str | None) -> None:
    """What is no whole number costs the account its spend, and is told."""
    (page,), _ = talk(
        lambda system: pages(system.accounts()), listed([{"id": 3, "mrr_cents": cents}], "external_accounts")
    )
    assert page.records == (Account("3", None, None, text),)
    assert list(page.unreadable_fields) == ([] if text else ["uservoice.external_accounts.mrr_cents"])


def test_every_field_that_is_read_is_a_documented_one() -> None:
    """What the reader uses of a record is never counted as unknown; others are, by list and name."""
    shapes: dict[str, type[msgspec.Struct]] = {
        "board": records._Forum,
        "feature_request": records._Suggestion,
        "vote": records._Supporter,
        "voter": records._User,
        "account": records._ExternalAccount,
    }
    assert shapes.keys() == records.DOCUMENTED.keys()
    for kind, shape in shapes.items():
        assert {one.encode_name for one in msgspec.structs.fields(shape)} <= records.DOCUMENTED[kind][1]
    (page,), _ = talk(suggestions_of, listed([{**SUGGESTION, "cv_enterprise": 1}]))
    assert page.unknown_fields == {"uservoice.suggestions.cv_enterprise": 1}


# ---------------------------------------------------------------------------------------------------------- limits


def test_the_limit_is_learnt_from_the_first_answer() -> None:
    """Units a minute; what a slow call took more, or somebody else, is spent for us as well."""
    account = uservoice.Account(units_per_minute=50, clock=lambda: 1_790_000_000, now=lambda: 1_790_000_000)
    limiter = Limiter({})
    assert not account.refuse()
    on(account, lambda system: system.check(), limiter=limiter)
    assert limiter.windows() == (Window(50, 60),)
    with limiter._log.held() as buckets:
        # The token, the call, and the unit of before less the token, which takes none.
        assert len(buckets["default"].ended) + len(buckets["default"].under_way) == 2


@pytest.mark.parametrize("status", [404, 405])
def test_an_address_where_uservoice_is_not_is_told_as_one(status: int) -> None:
    """The message is about the address, not the secret."""
    with pytest.raises(PermanentError, match="check the base URL") as wrong:
        talk(lambda system: system.check(), (status, None))
    assert not isinstance(wrong.value, CredentialError)
