"""Open deals: which are read, with whose companies, in which currency, and by which of the two ways."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import date
from decimal import Decimal

import pytest

from integration_assets.connectors.crm.base import Crm, DealPage
from integration_assets.errors import ContractError, CredentialError
from integration_assets.models import Deal
from integration_assets.sandbox.hubspot import ALL_SCOPES, PortalOptions
from integration_assets.sandbox.lookalike import Fault
from integration_assets_tests.connectors.crm.harness import Harness, hubspot_harness

pytestmark = pytest.mark.usefixtures("no_backoff")


@pytest.fixture
def portal() -> Iterator[Harness]:
    """A portal whose index is always up to date."""
    with hubspot_harness(PortalOptions(search_lag=0)) as harness:
        yield harness


def pages_of(portal: Harness, company_ids: Collection[str] | None = None) -> list[DealPage]:
    async def work(crm: Crm) -> list[DealPage]:
        assert crm.deals is not None
        return [page async for page in crm.deals.of(company_ids)]

    return portal.talk(work)


def deals_of(portal: Harness, company_ids: Collection[str] | None = None) -> list[Deal]:
    return [deal for page in pages_of(portal, company_ids) for deal in page.page.records]


def seed(portal: Harness, *rows: dict[str, str], company_id: str | None = None) -> list[str]:
    ids = list(portal.portal.seed("deals", [{"dealname": "Deal", "dealstage": "contractsent", **row} for row in rows]))
    for deal_id in ids if company_id else []:
        portal.portal.associate("deals", deal_id, "companies", company_id)
    return ids


def test_an_open_deal_comes_with_all_that_is_known_of_it(portal: Harness) -> None:
    """Its companies, the label of its stage, both amounts and the day it is to be closed."""
    acme, child = portal.seeds.company(name="Acme"), portal.seeds.company(name="Acme Japan")
    row = {
        "dealname": "Renewal",
        "amount": "1500.50",
        "deal_currency_code": "EUR",
        "amount_in_home_currency": "1620.54",
    }
    (deal_id,) = seed(portal, {**row, "closedate": "2026-12-07T16:50:06.678Z"}, company_id=acme)
    portal.portal.associate("deals", deal_id, "companies", child)
    assert deals_of(portal) == [
        Deal(
            deal_id,
            "Renewal",
            tuple(sorted((acme, child))),
            "Contract Sent",
            Decimal("1500.50"),
            "EUR",
            Decimal("1620.54"),
            date(2026, 12, 7),
        )
    ]


def test_closed_deals_are_left_out_by_both_ways(portal: Harness) -> None:
    """A deal that is won or lost is nothing at stake any more, whichever way was asked."""
    acme = portal.seeds.company(name="Acme")
    kept = seed(portal, {}, {"dealstage": "closedwon"}, {"dealstage": "closedlost"}, company_id=acme)[0]
    seed(portal, *[{} for _ in range(1_000)])
    whole, asked = deals_of(portal), deals_of(portal, [acme])
    assert [deal.deal_id for deal in whole if deal.company_ids] == [kept]
    assert [deal.deal_id for deal in asked] == [kept]


def test_the_way_with_fewer_calls_is_taken(portal: Harness) -> None:
    """For one company of very many deals its own are asked for; for all, or of few deals, the list is read."""
    acme = portal.seeds.company(name="Acme")
    seed(portal, *[{} for _ in range(1_000)])
    mine = seed(portal, {}, company_id=acme)

    def calls(company_ids: Collection[str] | None) -> tuple[int, int, list[str]]:
        portal.lookalike.requests.clear()
        pages = pages_of(portal, company_ids)
        paths = [request.path.rpartition("2026-09/")[2] for request in portal.lookalike.requests]
        return len(paths), sum(page.calls for page in pages), paths

    made, floor, paths = calls(None)
    assert (made, floor) == (9, 9)  # stages, six pages of 200, and the companies of 1,000 and of one
    made, floor, paths = calls([acme])
    assert (made, floor) == (4, 4)
    assert paths == ["0-3", "0-3/search", "0-2/0-3/batch/read", "0-3/batch/read"]
    assert [deal.deal_id for deal in deals_of(portal, [acme])] == mine


def test_few_open_deals_are_read_whole_whoever_is_asked_for(portal: Harness) -> None:
    """With the whole list in one page nothing is cheaper, and all of it is handed out."""
    acme, other = portal.seeds.company(name="Acme"), portal.seeds.company(name="Other")
    expected = [*seed(portal, {}, company_id=acme), *seed(portal, {}, company_id=other)]
    assert [deal.deal_id for deal in deals_of(portal, [acme])] == expected
    paths = [request.path for request in portal.lookalike.requests]
    assert len(paths) == 3


def test_a_company_of_too_many_old_deals_sends_back_to_the_list(portal: Harness) -> None:
    """The deals of a company turn out to be more than the open ones of all: the list is read after all."""
    acme = portal.seeds.company(name="Acme")
    seed(portal, *[{} for _ in range(700)])
    seed(portal, *[{"dealstage": "closedlost"} for _ in range(450)], company_id=acme)
    pages = pages_of(portal, [acme])
    assert sum(len(page.page.records) for page in pages) == 700
    assert sum(page.calls for page in pages) == len(portal.lookalike.requests)


def test_no_open_deals_are_an_empty_page(portal: Harness) -> None:
    """Nothing is found, and the two calls that it took are told."""
    seed(portal, {"dealstage": "closedwon"})
    (page,) = pages_of(portal)
    assert (page.page.records, page.calls) == ((), 2)


def test_an_amount_that_is_none_costs_only_itself(portal: Harness) -> None:
    """The deal is read without it, and the field is named with the deal's id."""
    (deal_id,) = seed(portal, {"amount": "12"})
    entry = {"id": deal_id, "properties": {"amount": "a lot", "closedate": "soon", "hs_is_closed": "false"}}
    body = json.dumps({"total": 1, "results": [entry]}).encode()
    portal.lookalike.faults.append(Fault(lambda request: request.path.endswith("/search"), status=200, body=body))
    (page,) = pages_of(portal)
    assert page.page.records[0].amount is None
    assert page.page.unreadable_fields == {
        "hubspot.deals.amount": ((deal_id, "not a number"),),
        "hubspot.deals.closedate": ((deal_id, "not a time"),),
    }


def test_a_search_without_end_is_a_broken_contract(portal: Harness) -> None:
    """A page without records that promises more would be asked for for ever."""
    body = json.dumps({"total": 1, "results": [], "paging": {"next": {"after": "200"}}}).encode()
    portal.lookalike.faults.append(Fault(lambda request: request.path.endswith("/search"), status=200, body=body))
    with pytest.raises(ContractError, match="empty page"):
        pages_of(portal)


def test_a_stage_nobody_tells_of_is_shown_by_its_id(portal: Harness) -> None:
    """Where pipelines may not be read the deals are, with the ids of their stages."""
    seed(portal, {})
    portal.lookalike.faults.append(Fault(lambda request: "/pipelines/" in request.path, status=403))
    assert [deal.stage for deal in deals_of(portal)] == ["contractsent"]


def test_a_missing_scope_is_named(portal: Harness) -> None:
    """The error names the scope, which is the one the connector says it needs."""
    portal.portal.scopes = set(ALL_SCOPES - {"crm.objects.deals.read"})
    with pytest.raises(CredentialError, match=r"crm\.objects\.deals\.read"):
        pages_of(portal)

    async def scopes(crm: Crm) -> frozenset[str]:
        assert crm.deals is not None
        return crm.deals.scopes

    assert portal.talk(scopes) == {"crm.objects.deals.read"}
