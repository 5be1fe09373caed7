"""Open pipeline of requests, and the deals at stake behind it."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from integration_assets.resolution.settings import ResolutionSettings
from integration_assets_tests.resolution.worlds import Row, World, company, request, resolved, rows, vote


def deal(deal_id: str, *company_ids: str, amount: str | None = "100", **values: Any) -> Row:
    return {"deal_id": deal_id, "name": f"Deal {deal_id}", "company_ids": list(company_ids), "amount": amount, **values}


def world(*deals: Row, read: bool = True, **tables: Iterable[Row]) -> World:
    """Ann of company 1 votes for both requests, Bob of company 2 for the first; company 3 is nobody's."""
    return {
        "feature_requests": [request("r"), request("s"), request("t")],
        "voters": [{"voter_id": "ann", "email": "ann@a.com"}, {"voter_id": "bob", "email": "bob@b.com"}],
        "votes": [vote("1", "r", "ann"), vote("2", "r", "bob"), vote("3", "s", "ann")],
        "crm_companies": [company("1", "a.com", merged_ids=["9"]), company("2", "b.com"), company("3", "c.com")],
        "crm_deals": deals,
        "reads": [{"input": "deals"}] if read else [],
        **tables,
    }


def pipelines(*deals: Row, settings: ResolutionSettings | None = None, **choices: Any) -> dict[str, Decimal | None]:
    found = rows(resolved(world(*deals, **choices), settings), "FROM ranked.feature_requests")
    return {row["request_id"]: row["open_pipeline"] for row in found}


def test_a_deal_counts_once_for_each_request_of_its_companies():
    """Two companies of one deal that voted for one request add it once; a request nobody's deal is behind has zero."""
    shared, single, nobody = deal("x", "1", "2"), deal("y", "2", amount="5.50"), deal("z", "3", amount="1000")
    assert pipelines(shared, single, nobody) == {"r": Decimal("105.50"), "s": Decimal(100), "t": Decimal(0)}


def test_a_deal_of_a_merged_company_is_the_survivors():
    """The CRM may still name the company that went."""
    assert pipelines(deal("x", "9"))["r"] == 100


def test_deals_that_were_not_read_are_not_zero():
    """Without a read the column is null: nothing is known."""
    assert pipelines(deal("x", "1"), read=False) == {"r": None, "s": None, "t": None}


def test_deals_at_stake_tell_stage_close_date_and_whose_they_are():
    """One row per request and deal, with those companies of the deal that voted for that request."""
    values: dict[str, Any] = {
        "stage": "Contract Sent",
        "close_date": date(2026, 12, 7),
        "currency": "EUR",
        "home_amount": "108",
    }
    found = rows(
        resolved(world(deal("x", "2", "1", "3", **values), deal("y", "3"))),
        "FROM ranked.deals_at_stake ORDER BY request_id",
    )
    assert [(row["request_id"], row["company_ids"], row["company_names"]) for row in found] == [
        ("r", ["1", "2"], ["Company 1", "Company 2"]),
        ("s", ["1"], ["Company 1"]),
    ]
    first = found[0]
    assert (first["deal_name"], first["stage"], first["close_date"]) == ("Deal x", "Contract Sent", date(2026, 12, 7))
    assert (first["amount"], first["amount_status"], first["own_amount"], first["currency"]) == (
        Decimal("108.00"),
        "known",
        Decimal("100.00"),
        "EUR",
    )


RATES = {"EUR": Decimal("1.10"), "GBP": Decimal("1.30")}


@pytest.mark.parametrize(
    ("amount", "currency", "home_amount", "portal", "expected"),
    [
        ("100", None, None, None, ("100.00", "known", "USD")),
        ("100", " usd ", "999", "EUR", ("100.00", "known", "USD")),
        ("100", "EUR", "108", "USD", ("108.00", "known", "EUR")),
        ("100", "EUR", None, "USD", ("110.00", "known", "EUR")),
        ("100", "EUR", "90", "GBP", ("110.00", "known", "EUR")),
        ("100", "SEK", "90", "GBP", ("117.00", "known", "SEK")),
        ("100", None, None, "GBP", ("130.00", "known", "GBP")),
        ("100", "SEK", None, "USD", (None, "no_rate", "SEK")),
        ("0", "SEK", None, "USD", ("0.00", "known", "SEK")),
        (None, "SEK", None, "USD", (None, "no_amount", "SEK")),
        (None, "SEK", "12", "USD", ("12.00", "known", "SEK")),
        ("-1", "USD", None, "USD", (None, "negative", "USD")),
        ("1e12", "USD", None, "USD", (None, "too_large", "USD")),
    ],
)
def test_amounts_in_the_base_currency(amount, currency, home_amount, portal, expected):
    """No rate where none is needed, the CRM's own conversion next, then the tenant's rates."""
    settings = ResolutionSettings(base_currency="USD", portal_currency=portal, currency_rates=RATES)
    one = deal("x", "1", amount=amount, currency=currency, home_amount=home_amount)
    (found,) = rows(resolved(world(one), settings), "FROM resolved.deals")
    in_base = expected[0] and Decimal(expected[0])
    assert (found["amount"], found["amount_status"], found["currency"]) == (in_base, *expected[1:])
