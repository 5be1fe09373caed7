"""What every feedback system must do, run over all that are registered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar, cast

import pytest
from pydantic import SecretStr

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.feedback.abilities import VoteList
from integration_assets.connectors.feedback.base import FeedbackSystem
from integration_assets.connectors.feedback.quackback import connector as quackback
from integration_assets.connectors.limiter import DEFAULT_BUCKET, Window
from integration_assets.connectors.specs import ProviderKind
from integration_assets.errors import ContractError, CredentialError, QuotaError, TransientError
from integration_assets.models import Account, Board, Page, StatusChange, Vote
from integration_assets.providers import PROVIDERS, feedback_factory, of_kind
from integration_assets.sandbox.lookalike import Fault
from integration_assets_tests.connectors.feedback.samples import SAMPLES, Sample
from integration_assets_tests.connectors.serving import served

pytestmark = [
    pytest.mark.usefixtures("no_backoff"),
    # Those that are asked over HTTP: a table of one's own has tests of its own.
    pytest.mark.parametrize("provider", [spec.name for spec in of_kind(ProviderKind.FEEDBACK) if spec.address]),
]

T = TypeVar("T")


@pytest.fixture(autouse=True)
def no_minute_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small plan counts the calls of a minute, and a suite of real calls would wait for it."""
    monkeypatch.setitem(quackback.PACES, "usual", {DEFAULT_BUCKET: (Window(1_000, 60),)})


def feedback_system(provider: str) -> FeedbackSystem:
    """A connector that was not opened: it says what it is."""
    opened = feedback_factory(provider)(
        base_url="http://127.0.0.1:1",
        credential=PROVIDERS[provider].credential(SecretStr("a-key-of-no-use"), {}),
        calls=CallCounter(),
    )
    return cast("FeedbackSystem", opened)


def talk(
    provider: str,
    sample: Sample,
    story: Callable[[FeedbackSystem], Awaitable[T]],
    *,
    key: str | None = None,
    calls: CallCounter | None = None,
) -> T:
    """Run `story` with a connector of `provider` on the sample's look-alike."""

    async def session() -> T:
        async with served(sample.app) as url:
            opened = feedback_factory(provider)(
                base_url=url + sample.path,
                credential=PROVIDERS[provider].credential(SecretStr(key or sample.key), sample.options),
                calls=calls or CallCounter(),
                options=sample.options,
            )
            async with opened as system:
                return await story(system)

    return asyncio.run(session())


async def gathered(pages: AsyncIterator[Page[Any]]) -> list[Any]:
    """All records of a read, which must not reject any."""
    found: list[Any] = []
    async for page in pages:
        assert page.rejected == ()
        found.extend(page.records)
    return found


async def votes_of(system: FeedbackSystem, sample: Sample) -> AsyncIterator[Page[Vote]]:
    """All votes: from their list, or where there is none request by request."""
    if system.abilities.vote_list is not VoteList.NONE:
        async for page in system.votes():
            yield page
        return
    for request_id in sample.requests:
        async for page in system.votes(request_id=request_id):
            yield page


async def if_there(there: bool, pages: AsyncIterator[Page[T]]) -> AsyncIterator[Page[T]]:
    """The pages of a list that a system may not have; it is not asked for one that it has not."""
    if there:
        async for page in pages:
            yield page


def boards_of(system: FeedbackSystem) -> AsyncIterator[Page[Board]]:
    """All boards, where there are any."""
    return if_there(system.abilities.boards, system.boards())


def accounts_of(system: FeedbackSystem) -> AsyncIterator[Page[Account]]:
    """All accounts, where there are any."""
    return if_there(system.abilities.accounts, system.accounts())


def changes_of(system: FeedbackSystem) -> AsyncIterator[Page[StatusChange]]:
    """All status changes, where there is a history."""
    return if_there(system.abilities.status_history, system.status_changes())


READS: dict[str, tuple[str, Callable[[FeedbackSystem, Sample], AsyncIterator[Page[Any]]]]] = {
    "boards": ("board_id", lambda system, sample: boards_of(system)),
    "requests": ("request_id", lambda system, sample: system.feature_requests(statuses=sample.custom_statuses)),
    "votes": ("vote_id", votes_of),
    "voters": ("voter_id", lambda system, sample: if_there(system.abilities.people, system.voters())),
    "accounts": ("account_id", lambda system, sample: accounts_of(system)),
    "changes": ("change_id", lambda system, sample: changes_of(system)),
}


def is_there(provider: str, read: str) -> bool:
    """True if the system has the list of one of `READS`."""
    can = feedback_system(provider).abilities
    there = {"boards": can.boards, "voters": can.people, "accounts": can.accounts, "changes": can.status_history}
    return there.get(read, True)


def test_the_system_has_a_sample_and_its_name(provider: str) -> None:
    """A registered system is in this suite, under its own name."""
    assert provider in SAMPLES
    assert feedback_system(provider).name == provider


@pytest.mark.parametrize("read", READS)
def test_every_record_is_read_once_and_whole(provider: str, read: str) -> None:
    """All records of the sample, each exactly once, with every field as the source has it."""
    sample = SAMPLES[provider]()
    id_field, pages = READS[read]
    expected: dict[str, Any] = getattr(sample, read)
    found = talk(provider, sample, lambda system: gathered(pages(system, sample)))
    # Without records in the sample nothing would be said of a list that the system has.
    assert bool(expected) is is_there(provider, read)
    assert len(found) == len(expected)
    assert {getattr(record, id_field): record for record in found} == expected


def test_requests_come_oldest_first_votes_and_changes_newest_first(provider: str) -> None:
    """The orders that incremental reads rely on."""
    sample = SAMPLES[provider]()

    async def story(system: FeedbackSystem) -> tuple[list[Any], list[Any], list[Any]]:
        return (
            await gathered(system.feature_requests(statuses=sample.custom_statuses)),
            await gathered(votes_of(system, sample)),
            await gathered(changes_of(system)),
        )

    requests, votes, changes = talk(provider, sample, story)
    abilities = feedback_system(provider).abilities
    # A system that cannot tell its newest requests has no order of them.
    if abilities.newest_requests:
        times = [request.created_at for request in requests]
        assert times == sorted(times, reverse=abilities.requests_newest_first)
    # Where they are had by request, the order is that of one request's.
    if abilities.vote_list is VoteList.NONE:
        lists = [[vote for vote in votes if vote.request_id == request_id] for request_id in sample.requests]
    else:
        lists = [votes] if abilities.vote_list is VoteList.NEWEST_FIRST else []
    for some in lists:
        assert [vote.created_at for vote in some] == sorted((vote.created_at for vote in some), reverse=True)
    assert [change.changed_at for change in changes] == sorted((c.changed_at for c in changes), reverse=True)


def test_the_newest_requests_come_in_one_call(provider: str) -> None:
    """A few, the newest first: those of the whole list from its newest end. What else they need was read once."""
    sample, calls = SAMPLES[provider](), CallCounter()
    if not feedback_system(provider).abilities.newest_requests:
        pytest.skip("it cannot tell its newest requests")

    async def story(system: FeedbackSystem) -> tuple[Any, list[Any]]:
        newest = await system.newest_feature_requests()
        assert calls.totals(provider).total == sample.newest_calls
        assert await system.newest_feature_requests() == newest
        assert calls.totals(provider).total == sample.newest_calls + 1
        return newest, await gathered(system.feature_requests(statuses=()))

    newest, listed = talk(provider, sample, story, calls=calls)
    assert newest.records
    ordered = listed if feedback_system(provider).abilities.requests_newest_first else listed[::-1]
    assert list(newest.records) == ordered[: len(newest.records)]


def test_unnamed_custom_statuses_are_found_in_votes_and_by_id(provider: str) -> None:
    """Requests of a status nobody named are missing from the list, show in votes, and can be had by id."""
    sample = SAMPLES[provider]()
    if not sample.custom_statuses:
        pytest.skip("its list leaves no status out")

    async def story(system: FeedbackSystem) -> tuple[list[Any], set[str | None], Any]:
        listed = await gathered(system.feature_requests(statuses=()))
        seen = {vote.request_status for vote in await gathered(system.votes())}
        hidden = sorted(set(sample.requests) - {request.request_id for request in listed})
        return hidden, seen, await system.feature_request(hidden[0])

    hidden, seen, fetched = talk(provider, sample, story)
    assert {sample.requests[request_id].source_status for request_id in hidden} == set(sample.custom_statuses)
    assert set(sample.custom_statuses) <= seen
    assert fetched == sample.requests[hidden[0]]


def test_a_request_that_does_not_exist_is_none(provider: str) -> None:
    """Asked for by an id that never was, the answer is None, not an error."""
    sample = SAMPLES[provider]()
    assert talk(provider, sample, lambda system: system.feature_request("0" * 24)) is None


def test_the_calls_counted_are_the_requests_the_server_got(provider: str) -> None:
    """No hidden traffic: counts equal the server's own log, and nothing is a write."""
    sample, calls = SAMPLES[provider](), CallCounter()

    async def story(system: FeedbackSystem) -> str:
        for _, pages in READS.values():
            await gathered(pages(system, sample))
        return await system.check()

    line = talk(provider, sample, story, calls=calls)
    total = calls.totals(provider)
    assert total.total == len(sample.app.requests)
    assert (total.writes, total.retried, total.throttled) == (0, 0, 0)
    assert "127.0.0.1" in line
    assert sample.key not in line


@pytest.mark.parametrize("status", [None, 401, 403])
def test_a_rejected_key_is_named_and_not_repeated(provider: str, status: int | None) -> None:
    """However the system refuses a key, the error names the setting and never the key."""
    secret = PROVIDERS[provider].secret
    assert secret is not None
    variable = secret.variable.name
    sample, calls = SAMPLES[provider](), CallCounter()
    if status is not None:
        sample.app.faults.append(Fault(lambda request: True, times=None, status=status))
    for story in (lambda system: system.check(), lambda system: system.feature_request("0" * 24)):
        with pytest.raises(CredentialError, match=variable) as caught:
            talk(provider, sample, story, key="wrong-key-of-16c", calls=calls)
        assert "wrong-key" not in str(caught.value)
        assert caught.value.exit_code == 1
    assert calls.totals(provider).total == 2


def test_faults_on_the_way_do_not_show_in_the_result(provider: str) -> None:
    """A 429, a 503, a cut answer and a web page in the middle of a read: the same records, a few calls more."""
    sample, calls = SAMPLES[provider](), CallCounter()
    sample.app.faults += [
        Fault(lambda request: request.number == 2, status=429, headers={"retry-after": "0"}),
        Fault(lambda request: request.number == 4, status=503, body=b"<html>busy</html>"),
        Fault(lambda request: request.number == 6, status=200, body=b'{"posts":[', close=True),
        Fault(lambda request: request.number == 8, status=200, body=b"<html>hello</html>"),
    ]

    async def story(system: FeedbackSystem) -> tuple[list[Any], list[Any]]:
        requests = await gathered(system.feature_requests(statuses=sample.custom_statuses))
        return requests, await gathered(votes_of(system, sample))

    requests, votes = talk(provider, sample, story, calls=calls)
    assert {request.request_id for request in requests} == set(sample.requests)
    assert {vote.vote_id for vote in votes} == set(sample.votes)
    assert (calls.totals(provider).retried, calls.totals(provider).throttled) == (4, 1)


def test_a_storm_of_429_ends_the_run_with_a_bounded_number_of_calls(provider: str) -> None:
    """QuotaError, exit code 75, and no more than the repeats of one call."""
    sample = SAMPLES[provider]()
    sample.app.faults.append(Fault(lambda request: True, times=None, status=429, headers={"retry-after": "0"}))
    with pytest.raises(QuotaError) as caught:
        talk(provider, sample, lambda system: gathered(votes_of(system, sample)))
    assert caught.value.exit_code == 75
    assert len(sample.app.requests) <= 8


def test_a_server_that_is_down_is_transient(provider: str) -> None:
    """Errors to the end are worth another run later."""
    sample = SAMPLES[provider]()
    sample.app.faults.append(Fault(lambda request: True, times=None, status=502, body=b""))
    with pytest.raises(TransientError, match="502"):
        talk(provider, sample, lambda system: system.check())


@pytest.mark.parametrize("body", [b"[]", b'{"error":"something"}', b'{"boards":{"id":"1"}}', b'"text"', b"7", b"null"])
def test_a_success_of_another_shape_is_a_broken_contract(provider: str, body: bytes) -> None:
    """200 with an error, a list for an object, a text: never taken for an empty page of any list."""
    sample = SAMPLES[provider]()
    sample.app.faults.append(Fault(lambda request: True, times=None, status=200, body=body))

    async def story(system: FeedbackSystem) -> None:
        for read, (_, pages) in READS.items():
            if is_there(provider, read):
                with pytest.raises(ContractError, match=r"\$"):
                    await gathered(pages(system, sample))

    talk(provider, sample, story)
