"""Answers that are not as they should be: what each costs, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from integration_assets.connectors.crm.base import (
    CompanyMapping,
    Crm,
    PairWrite,
    RecordsOutcome,
    RecordWrite,
    UnknownOutcomeError,
)
from integration_assets.connectors.crm.twenty.wire import entries
from integration_assets.errors import ContractError, CredentialError, PermanentError
from integration_assets.models import Company, Page
from integration_assets.sandbox.lookalike import Fault
from integration_assets.sandbox.twenty.faults import path_contains
from integration_assets.sync.setup import apply_setup, plan_setup
from integration_assets_tests.connectors.crm.harness import Harness, twenty_harness
from integration_assets_tests.connectors.crm.sample import REQUEST


@pytest.fixture(scope="module")
def served() -> Iterator[Harness]:
    """A workspace with our object."""
    with twenty_harness() as harness:

        async def set_up(crm: Crm) -> None:
            steps = plan_setup(REQUEST, await crm.schema(REQUEST, ()), ())
            await apply_setup(crm, REQUEST, steps, sleep=_at_once, clock=lambda: 0.0)

        harness.talk(set_up)
        yield harness


@pytest.fixture
def ready(served: Harness) -> Harness:
    """The workspace without faults."""
    served.lookalike.clear()
    return served


async def _at_once(_seconds: float) -> None:
    """No wait: the look-alike has no lag."""


def answered(ready: Harness, path: str, body: Any, *, status: int = 200, times: int | None = None) -> None:
    """From now on, calls below this path are answered so."""
    fault = Fault(matches=path_contains(path), times=times, status=status, body=json.dumps(body).encode())
    ready.lookalike.faults.append(fault)


async def companies(crm: Crm) -> list[Page[Company]]:
    return [page async for page in crm.companies(CompanyMapping())]


async def by_key(crm: Crm) -> object:
    return await crm.feature_requests_by_key(REQUEST, ["a"])


async def links(crm: Crm) -> object:
    return await crm.links(REQUEST, ["00000000-0000-4000-8000-000000000001"], "company")


@pytest.mark.parametrize("body", [{}, {"data": {}}, {"data": {"companies": {}}}, {"data": None}, []])
def test_a_list_without_records_is_a_broken_contract(ready: Harness, body: Any) -> None:
    """It is never an empty list: records would be taken for gone."""
    answered(ready, "/rest/companies", body)
    with pytest.raises(ContractError, match="GET /rest/companies"):
        ready.talk(companies)


def test_the_list_is_found_in_any_envelope() -> None:
    """Its name differs by call and by version."""
    for data in ([{"id": "1"}], {"objects": [{"id": "1"}]}, {"createWishes": [{"id": "1"}]}):
        assert entries(data, endpoint="GET /rest") == [{"id": "1"}]


def test_a_record_of_another_form_costs_itself_only(ready: Harness) -> None:
    body = {"data": {"companies": [{"id": "c1", "domainName": None, "name": None}, {"id": 5}, "text"]}}
    answered(ready, "/rest/companies", body)
    (page,) = ready.talk(companies)
    assert page.records == (Company("c1"),)
    assert [(one.kind, one.key) for one in page.rejected] == [("company", "without id"), ("company", "without id")]


@pytest.mark.parametrize(
    ("path", "work", "row"),
    [
        ("/rest/wishes", by_key, {"id": 5, "externalId": "a"}),
        ("/rest/wishVotes", links, {"id": "v1", "createdAt": "yesterday"}),
    ],
)
def test_a_record_of_ours_that_cannot_be_read_is_not_missing(
    ready: Harness, path: str, work: Callable[[Crm], Awaitable[object]], row: dict[str, Any]
) -> None:
    """It would be created, or linked, a second time."""
    answered(ready, path, {"data": {"anything": [row]}})
    with pytest.raises(ContractError, match="unexpected form"):
        ready.talk(work)


def test_a_cursor_that_comes_back_ends_the_read(ready: Harness) -> None:
    """The list would have no end."""
    page = {"data": {"companies": []}, "pageInfo": {"hasNextPage": True, "endCursor": "again"}}
    answered(ready, "/rest/companies", page)
    with pytest.raises(ContractError, match="no end"):
        ready.talk(companies)


@pytest.mark.parametrize("info", [{"hasNextPage": True}, {"hasNextPage": True, "endCursor": None}])
def test_a_page_that_goes_on_nowhere_ends_the_read(ready: Harness, info: dict[str, Any]) -> None:
    """The companies of one page would pass for all there are."""
    answered(ready, "/rest/companies", {"data": {"companies": []}, "pageInfo": info})
    with pytest.raises(ContractError, match="has no cursor"):
        ready.talk(companies)


def test_an_object_of_ours_that_cannot_be_read_is_not_missing(ready: Harness) -> None:
    """Setup would make it again; one of somebody else may have any form."""
    answered(ready, "/rest/metadata/objects", {"data": [{"nameSingular": "other"}, {"nameSingular": "wish"}]})

    async def work(crm: Crm) -> object:
        return await crm.schema(REQUEST, ())

    with pytest.raises(ContractError, match="'wish' in an unexpected form"):
        ready.talk(work)


async def upsert(crm: Crm) -> RecordsOutcome:
    return await crm.upsert(REQUEST, [RecordWrite(key, {"title": key}) for key in ("a", "b")])


def test_a_receipt_that_cannot_be_read_leaves_the_write_unknown(ready: Harness) -> None:
    """It was accepted: it is read back, not given up."""
    answered(ready, "/rest/batch/wishes", {"data": {"createWishes": None}}, status=201)
    with pytest.raises(UnknownOutcomeError, match="read it back"):
        ready.talk(upsert)


def test_a_receipt_that_leaves_records_out_leaves_them_unaccounted(ready: Harness) -> None:
    """The answer is shorter than the batch when a key was in it twice, and may be for other reasons."""
    moment = "2026-11-29T10:00:00.000Z"
    rows = [{"id": "r1", "externalId": "b", "createdAt": moment, "updatedAt": moment}, {"id": 5, "externalId": "a"}]
    answered(ready, "/rest/batch/wishes", {"data": {"createWishes": rows}}, status=201)
    outcome = ready.talk(upsert)
    assert [(item.key, item.record_id, item.created) for item in outcome.written] == [("b", "r1", True)]
    assert (outcome.rejected, outcome.unaccounted) == ((), ("a",))


def test_a_missing_permission_says_what_to_do(ready: Harness) -> None:
    """A role decides what a key may do."""
    answered(ready, "/rest/companies", {"statusCode": 403, "messages": ["Forbidden"]}, status=403)
    with pytest.raises(CredentialError, match="give the role of the API key the permission"):
        ready.talk(companies)


def test_an_address_that_is_too_long_is_told(ready: Harness) -> None:
    """Twenty answers it without a word."""
    ready.lookalike.faults.append(Fault(matches=path_contains("/rest/companies"), status=431, body=b""))
    with pytest.raises(PermanentError, match="the address is too long"):
        ready.talk(companies)


def test_ids_that_are_none_are_never_asked_for(ready: Harness) -> None:
    """In a filter they would be an error of the database; in a write they are refused alone."""

    async def work(crm: Crm) -> object:
        pair = PairWrite("1", "company", "2", ("voted",))
        read = await crm.links(REQUEST, ["1"], "company"), (await crm.links_of_pairs(REQUEST, [pair])).links
        written = [await write(REQUEST, [pair]) for write in (crm.link, crm.unlink, crm.unlink_whole)]
        return read, [[refused for refused, _ in outcome.rejected] for outcome in written]

    pair = PairWrite("1", "company", "2", ("voted",))
    assert ready.talk(work) == (((), ()), [[pair]] * 3)
    assert {request.path for request in ready.lookalike.requests} == {"/rest/metadata/objects"}
