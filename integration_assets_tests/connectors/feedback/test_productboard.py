"""Productboard's connector, beyond what every feedback system must do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import pytest
from pydantic import SecretStr

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.feedback.plain_text import plain_text
from integration_assets.connectors.feedback.productboard.connector import ProductboardFeedback
from integration_assets.connectors.feedback.productboard.records import KEPT_FROM_US, REDACTED
from integration_assets.errors import ContractError, PermanentError
from integration_assets.models import Account, FeatureRequest, Page, Vote, Voter
from integration_assets.sandbox.lookalike import Fault, Lookalike
from integration_assets.sandbox.productboard import SPEND_FIELD, Options, Workspace, productboard_lookalike
from integration_assets_tests.connectors.serving import served

pytestmark = pytest.mark.usefixtures("no_backoff")

T = TypeVar("T")


def talk(
    workspace: Workspace,
    story: Callable[[ProductboardFeedback], Awaitable[T]],
    *,
    app: Lookalike | None = None,
    calls: CallCounter | None = None,
) -> T:
    """Run `story` with a connector on a workspace."""

    async def session() -> T:
        async with served(app or productboard_lookalike(workspace)) as url:
            opened = ProductboardFeedback(
                base_url=url,
                token=SecretStr(workspace.token),
                calls=calls or CallCounter(),
                spend_field=SPEND_FIELD,
            )
            async with opened as feedback:
                return await story(feedback)

    return asyncio.run(session())


async def pages(read: AsyncIterator[Page[T]]) -> list[Page[T]]:
    return [page async for page in read]


def test_a_redacted_address_is_none_and_is_told() -> None:
    """Without its scope a token gets a text in place of every address: no person may be matched by that."""
    workspace = Workspace(options=Options(sees_people=False))
    user = workspace.add("user", "Ada", 0, fields={"email": "ada@customer.example"})
    [page] = talk(workspace, lambda feedback: pages(feedback.voters()))
    assert page.records == (Voter(user.id),)
    reason = "redacted: the token lacks the scope that shows personal data"
    assert page.unreadable_fields == {"productboard.users.email": ((user.id, reason),)}


def test_what_else_is_redacted_is_told_and_is_no_title() -> None:
    """A company is found by no such domain; as a title the text would be written to the CRM."""
    workspace = Workspace()
    company = workspace.add("company", REDACTED, 0, fields={"domain": REDACTED})
    feature = workspace.add("feature", REDACTED, 0)
    [accounts] = talk(workspace, lambda feedback: pages(feedback.accounts()))
    assert accounts.records == (Account(company.id),)
    assert accounts.unreadable_fields == {
        f"productboard.companies.{name}": ((company.id, KEPT_FROM_US),) for name in ("domain", "name")
    }
    requests = talk(workspace, lambda feedback: pages(feedback.feature_requests(statuses=())))
    assert [(one.key, one.reason) for page in requests for one in page.rejected] == [(feature.id, KEPT_FROM_US)]
    assert not any(page.records for page in requests)


@pytest.mark.parametrize("options", [Options(), Options(bare=True), Options(embedded=1)])
def test_a_note_votes_once_for_each_request_it_is_linked_to(options: Options) -> None:
    """However its relationships come, and not for the component; a company without a person votes itself."""
    workspace = Workspace(options=options)
    component = workspace.add("component", "Reports", 0)
    wanted = [workspace.add("feature", name, 0, parent=component.id).id for name in ("Export", "Import")]
    company = workspace.add("company", "Acme", 0)
    note = workspace.add_note(1_000, customer=company.id, linked=[component.id, *wanted])
    [page] = talk(workspace, lambda feedback: pages(feedback.votes()))
    voter = Voter(company.id, None, (company.id,))
    found = {vote.vote_id: (vote.request_id, vote.voter) for vote in page.records}
    assert found == {f"{note.id}:{one}": (one, voter) for one in wanted}
    assert talk(workspace, lambda feedback: feedback.voter(company.id)) == voter


def test_votes_of_one_request_are_picked_from_the_list() -> None:
    """There is no filter for it: the answer is right all the same."""
    workspace = Workspace()
    one, other = (workspace.add("feature", name, 0).id for name in ("Export", "Import"))
    workspace.add_note(0, customer=None, linked=[other])
    note = workspace.add_note(0, customer=None, linked=[one, other])
    [page] = talk(workspace, lambda feedback: pages(feedback.votes(request_id=one)))
    assert [(vote.vote_id, vote.voter) for vote in page.records] == [(f"{note.id}:{one}", None)]


def test_a_subfeature_asked_for_alone_is_on_the_board_of_its_feature() -> None:
    """It costs a look at the feature, once."""
    workspace, calls = Workspace(), CallCounter()
    product = workspace.add("product", "Platform", 0)
    feature = workspace.add("feature", "Export", 0, parent=product.id)
    subs = [workspace.add("subfeature", name, 0, parent=feature.id).id for name in ("To CSV", "To PDF")]

    async def story(feedback: ProductboardFeedback) -> list[Any]:
        return [await feedback.feature_request(one) for one in subs]

    found = talk(workspace, story, calls=calls)
    assert [(one.board_id, one.board) for one in found if isinstance(one, FeatureRequest)] == [
        (product.id, "Platform"),
        (product.id, "Platform"),
    ]
    # Products, components, the feature, and the two themselves.
    assert calls.totals("productboard").total == 5


def test_what_is_no_request_is_none_when_it_is_asked_for_as_one() -> None:
    """An id of a company names no request, and one of a feature no person."""
    workspace = Workspace()
    company, feature = workspace.add("company", "Acme", 0), workspace.add("feature", "Export", 0)
    assert talk(workspace, lambda feedback: feedback.feature_request(company.id)) is None
    assert talk(workspace, lambda feedback: feedback.voter(feature.id)) is None


def test_a_404_of_another_server_is_no_record_that_is_gone() -> None:
    """Only Productboard's own word for a missing resource is believed: everything would be retired otherwise."""
    workspace = Workspace()
    for body in (b'{"errors":[{"code":"route.notFound"}]}', b'{"message":"no Route matched"}', b"<html>"):
        app = productboard_lookalike(workspace)
        app.faults.append(Fault(lambda request: True, status=404, body=body))
        with pytest.raises(PermanentError, match="check the base URL"):
            talk(workspace, lambda feedback: feedback.feature_request(workspace.new_id()), app=app)


def test_a_spend_that_is_no_number_costs_only_that_field() -> None:
    """The company is read without it, and the field is told by its id."""
    workspace = Workspace()
    paying = workspace.add("company", "Acme", 0, fields={SPEND_FIELD: 12.5, "domain": "acme.example"})
    broken = workspace.add("company", "Beta", 0, fields={SPEND_FIELD: {"amount": 1}})
    [page] = talk(workspace, lambda feedback: pages(feedback.accounts()))
    assert set(page.records) == {Account(paying.id, "Acme", "acme.example", "12.5"), Account(broken.id, "Beta")}
    assert page.unreadable_fields == {
        f"productboard.companies.{SPEND_FIELD}": ((broken.id, "expected a number, got dict"),)
    }


def test_a_note_whose_relationships_cannot_be_read_is_told() -> None:
    """It may hold votes: in silence they would be lost."""
    workspace, app = Workspace(), productboard_lookalike(Workspace())
    body = {"data": [{"id": "n1", "relationships": {"data": "none"}}], "links": {"next": None}}
    app.faults.append(Fault(lambda request: True, status=200, body=msgspec.json.encode(body)))
    [page] = talk(workspace, lambda feedback: pages(feedback.votes()), app=app)
    assert [(one.kind, one.key) for one in page.rejected] == [("vote", "n1")]


@pytest.mark.parametrize(
    ("links", "wrong"),
    [
        (b"null", r"\$\.links is missing"),
        (b'{"next":"https://elsewhere.example/v2/notes"}', "holds no pageCursor"),
        (b'{"next":7}', "holds no pageCursor"),
        (b'{"next":"https://elsewhere.example/?pageCursor=again"}', "repeats an earlier one"),
    ],
)
def test_a_list_without_a_way_on_is_a_broken_contract(links: bytes, wrong: str) -> None:
    """Never the end of the list, never a circle, and never an address to go to."""
    workspace = Workspace()
    app = productboard_lookalike(workspace)
    app.faults.append(Fault(lambda request: True, times=None, status=200, body=b'{"data":[],"links":' + links + b"}"))

    async def story(feedback: ProductboardFeedback) -> list[Page[Vote]]:
        return await pages(feedback.votes())

    with pytest.raises(ContractError, match=wrong):
        talk(workspace, story, app=app)
    assert len(app.requests) <= 2


def test_descriptions_are_read_as_plain_text() -> None:
    """HTML is for its own pages: what a CRM shows are words, a line for each paragraph."""
    html = "<p>Fast &amp; <b>small</b></p><ul><li>one</li><li>two</li></ul>"
    assert plain_text(html) == "Fast & small\none\ntwo"
