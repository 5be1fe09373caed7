"""ARR: what a figure is, which source decides, and in which currency."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.resolution.revenue import (
    CompanyRevenue,
    LeftOutFigure,
    RevenueFigure,
    company_revenues,
    parse_amount,
)
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets_tests.resolution.worlds import Row, company, resolved, rows

DOLLARS = ResolutionSettings(base_currency="USD", currency_rates={"EUR": Decimal("1.085")})


def revenue(*figures: tuple[str, ...], settings: ResolutionSettings = DOLLARS) -> tuple[Any, list[tuple[str, str]]]:
    """ARR of the one company these figures are for."""
    revenues, problems = company_revenues(
        [RevenueFigure(source, str(number), "c", *rest) for number, (source, *rest) in enumerate(figures)], settings
    )
    assert len(revenues) <= 1
    return (revenues[0] if revenues else None), [(one.source, one.reason) for one in problems]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0), ("-0", 0), ("12", 12), ("+1.50", "1.50"), ("1.", 1), (".5", "0.5"), ("1e3", 1000), ("2.5E-1", "0.25"),
        (" 7 ", 7), ("100000000000", 10**11), ("1e11", 10**11),
        ("-1", "negative"), ("-1e-9", "negative"), ("100000000000.01", "too_large"), ("1e999999", "too_large"),
        ("NaN", "not_a_number"), ("Infinity", "not_a_number"), ("-inf", "not_a_number"), ("1,000", "not_a_number"),
        ("1 000", "not_a_number"), ("$5", "not_a_number"), ("1_000", "not_a_number"), ("0x10", "not_a_number"),
        ("٣", "not_a_number"), ("e5", "not_a_number"), (".", "not_a_number"), ("1e", "not_a_number"),
    ],
)  # fmt: skip
def test_figures(text, amount):
    """Sign, digits, point and exponent make a number; negative ones and those above 10¹¹ are mistakes."""
    expected = amount if isinstance(amount, str) and amount.isidentifier() else Decimal(amount)
    assert parse_amount(text) == expected


@given(st.text(max_size=12), st.decimals())
def test_any_text_is_a_figure_or_a_reason(text, number):
    """Nothing escapes as an error, and what passes is between zero and the limit."""
    for candidate in (text, str(number)):
        amount = parse_amount(candidate)
        assert isinstance(amount, str) or 0 <= amount <= 10**11


def test_the_first_source_with_a_figure_decides_and_zero_is_a_figure():
    """The order is the tenant's; null is absent, zero is not."""
    crm, internal, accounts = ("crm", "0"), ("internal", "50"), ("accounts", "10")
    assert revenue(internal, crm, accounts)[0] == CompanyRevenue("c", "crm", Decimal("0.00"), Decimal("0.00"), "USD")
    assert revenue(("crm", " "), internal)[0].source == "internal"
    wanted = ResolutionSettings(arr_sources=("accounts", "crm"))
    assert revenue(internal, crm, accounts, settings=wanted)[0].arr == Decimal("120.00")
    assert revenue(internal, settings=wanted) == (None, [])


def test_a_wrong_figure_is_quarantined_and_the_next_source_asked():
    """One bad value costs that value, not the company."""
    found, problems = revenue(("crm", "-5"), ("internal", "abc"), ("internal", "7"))
    assert (found.source, found.arr) == ("internal", Decimal("7.00"))
    assert problems == [("crm", "negative"), ("internal", "not_a_number")]


def test_spend_of_accounts_is_monthly_and_adds_up():
    """The sum of the accounts' monthly spend, times twelve, exactly."""
    assert revenue(("accounts", "0.1"), ("accounts", "0.2"))[0].arr == Decimal("3.60")


def test_a_yearly_sum_above_the_limit_is_a_mistake():
    """Figures that pass one by one may not add up to what no company has."""
    found, problems = revenue(("accounts", "1e10"), ("crm", "-1"))
    assert found is None
    assert sorted(problems) == [("accounts", "too_large"), ("crm", "negative")]


def test_a_sum_over_currencies_above_the_limit_is_a_mistake():
    """No currency alone is above it, all of them together are: the next source decides."""
    found, problems = revenue(("internal", "9e10"), ("internal", "9e10", "EUR"), ("accounts", "1"))
    assert (found.source, problems) == ("accounts", [("internal", "too_large")])


def test_a_base_currency_of_small_units_makes_no_mistake_of_a_fair_sum():
    """Ten million dollars and euros are more than 10¹¹ rupiah; what counts is the sum in its own currencies."""
    rates = {"USD": Decimal(16_000), "EUR": Decimal(17_500)}
    rupiah = ResolutionSettings(base_currency="IDR", currency_rates=rates)
    found, problems = revenue(("internal", "5e6", "USD"), ("internal", "5e6", "EUR"), settings=rupiah)
    assert (found.arr, problems) == (Decimal("167500000000.00"), [])
    found, problems = revenue(("internal", "9e10", "USD"), ("internal", "9e10", "EUR"), settings=rupiah)
    assert (found, problems) == (None, [("internal", "too_large")])


def test_currencies():
    """Per source and by a company property; converted at configured rates only, two places at the end."""
    settings = ResolutionSettings(base_currency="USD", portal_currency="EUR", currency_rates={"EUR": Decimal("1.085")})
    assert revenue(("crm", "0.333"), settings=settings)[0].arr == Decimal("0.36")
    assert revenue(("crm", "100", "usd "), settings=settings)[0] == CompanyRevenue(
        "c", "crm", Decimal("100.00"), Decimal("100.00"), "USD"
    )
    assert revenue(("accounts", "100", "EUR"), settings=settings)[0].arr == Decimal("1302.00")
    assert revenue(("internal", "100"), settings=settings)[0].currency == "USD"
    mixed = revenue(("internal", "100"), ("internal", "100", "EUR"), settings=settings)[0]
    assert (mixed.arr, mixed.amount, mixed.currency) == (Decimal("208.50"), None, None)


def test_without_a_rate_nothing_is_guessed():
    """No rate: no ARR, the original figure kept, and no other source asked."""
    found, problems = revenue(("crm", "100", "JPY"), ("internal", "7"))
    left_out = LeftOutFigure("c", "crm", "JPY", Decimal("100.00"), has_rate=False)
    assert found == CompanyRevenue("c", "crm", None, Decimal("100.00"), "JPY", "no_rate", (left_out,))
    assert problems == []


def test_what_a_missing_rate_leaves_out_is_named_by_currency():
    """One figure without a rate leaves out the whole sum of the company, those with a rate included."""
    found, _ = revenue(("internal", "100", "EUR"), ("internal", "7", "JPY"), ("internal", "3", "JPY"))
    assert (found.arr, found.problem) == (None, "no_rate")
    assert [(one.currency, one.amount, one.has_rate) for one in found.left_out] == [
        ("EUR", Decimal("100.00"), True), ("JPY", Decimal("10.00"), False),
    ]  # fmt: skip


@pytest.mark.parametrize("figures", [[("crm", "0", "JPY")], [("accounts", "0"), ("accounts", "0.00")]])
def test_zero_needs_no_rate(figures):
    """Nothing is nothing in any currency: a figure of zero is known, and nobody is sent to look for a rate."""
    found, problems = revenue(*figures, settings=ResolutionSettings(base_currency="EUR"))
    assert (found.arr, found.problem, found.left_out, problems) == (Decimal("0.00"), None, (), [])
    beside, _ = revenue(("internal", "0", "JPY"), ("internal", "5", "EUR"))
    assert (beside.arr, beside.problem) == (Decimal("5.43"), None)


@pytest.mark.parametrize("source", ["accounts", "internal", "crm"])
def test_each_source_tells_what_has_no_rate(source):
    """Account spend (a year of it), internal rows and CRM values alike, with the source that decided."""
    tables: dict[str, list[Row]] = {
        "crm_companies": [company("A", "a.com", arr="5" if source == "crm" else None, currency="JPY")],
        "accounts": [{"account_id": "a", "domain": "a.com", "monthly_spend": "5"}] if source == "accounts" else [],
        "internal_accounts": [{"account_row": "1", "company_id": "A", "arr": "5", "currency": "jpy "}]
        if source == "internal"
        else [],
    }
    _, connection = joined(ResolutionSettings(base_currency="EUR", accounts_currency="JPY"), **tables)
    assert rows(connection, "FROM resolved.arr_without_rate") == [
        {"company_id": "A", "source": source, "currency": "JPY", "amount": 60 if source == "accounts" else 5,
         "has_rate": False}
    ]  # fmt: skip


@given(st.lists(st.decimals(min_value=0, max_value=10**6, places=4), min_size=1, max_size=20))
def test_sums_are_exact(amounts):
    """No figure is rounded before the sum is."""
    found, _ = revenue(*(("internal", str(amount)) for amount in amounts))
    exact = sum((int(amount.scaleb(4)) for amount in amounts), 0)
    assert abs(int(found.arr.scaleb(2)) * 100 - exact) <= 50


def joined(
    settings: ResolutionSettings = DOLLARS, **tables: Iterable[Row]
) -> tuple[dict[str, dict[str, Any]], duckdb.DuckDBPyConnection]:
    """`resolved.company_arr` by company, of a world with these tables."""
    connection = resolved(tables, settings)
    return {row["company_id"]: row for row in rows(connection, "FROM resolved.company_arr")}, connection


def test_accounts_are_joined_by_id_host_domain_and_ancestor_never_by_arr():
    """An account's spend goes to the company its id or domain leads to; of several, only to one above all others."""
    found, connection = joined(
        ResolutionSettings(account_id_mapped=True),
        accounts=[
            {"account_id": "a1", "domain": "b.com", "monthly_spend": "1"},
            {"account_id": "a2", "domain": "https://eu.b.com", "monthly_spend": "2"},
            {"account_id": "a3", "domain": "two.com", "monthly_spend": "3"},
            {"account_id": "a4", "domain": "family.com", "monthly_spend": "4"},
            {"account_id": "a5", "domain": "nobody.com", "monthly_spend": "5"},
            {"account_id": "a6", "domain": "gmail.com", "monthly_spend": "wrong"},
            {"account_id": "a7", "domain": "b.com"},
        ],
        crm_companies=[
            company("A", "a.com", account_id="a1"),
            company("B", "b.com"),
            company("C1", "two.com", arr=None),
            company("C2", "two.com", arr="9"),
            company("P", "family.com"),
            company("K", "family.com", parent_id="P", arr="9"),
        ],
    )
    arr = {company_id: row["arr"] for company_id, row in found.items()}
    assert arr == {"A": 12, "B": 24, "C1": None, "C2": 9, "P": 48, "K": 9}
    assert rows(connection, "SELECT id, reason, candidate_company_ids FROM resolved.arr_unjoined") == [
        {"id": "a3", "reason": "ambiguous_company", "candidate_company_ids": ["C1", "C2"]},
        {"id": "a5", "reason": "unknown_company", "candidate_company_ids": []},
        {"id": "a6", "reason": "unknown_company", "candidate_company_ids": []},
    ]
    assert rows(connection, "FROM resolved.arr_problems") == [
        {"source": "accounts", "id": "a6", "reason": "not_a_number"}
    ]


@pytest.mark.parametrize("rates", [{"EUR": Decimal(2)}, {}])
def test_each_feedback_system_has_its_currency(rates):
    """Spend of two systems adds up at the rate; without one the company has no ARR, and both amounts are told."""
    settings = ResolutionSettings(
        id_prefixes=("canny:", "calls:"),
        accounts_currencies={"canny:": "USD", "calls:": "EUR"},
        currency_rates=rates,
    )
    found, connection = joined(
        settings,
        accounts=[
            {"account_id": "canny:1", "domain": "a.com", "monthly_spend": "10"},
            {"account_id": "calls:1", "domain": "a.com", "monthly_spend": "1"},
            {"account_id": "calls:2", "domain": "nobody.com", "monthly_spend": "3"},
        ],
        crm_companies=[company("A", "a.com")],
    )
    assert found["A"]["arr"] == (144 if rates else None)
    left_out = connection.execute("SELECT currency, amount, has_rate FROM resolved.arr_without_rate").fetchall()
    assert left_out == ([] if rates else [("EUR", 12, False), ("USD", 120, True)])
    assert connection.execute("SELECT id, currency FROM resolved.arr_unjoined").fetchall() == [("calls:2", "EUR")]


def test_internal_rows_are_joined_by_company_id_then_domain():
    """A row names a live or merged company, or else a domain; rows of one company add up."""
    found, _ = joined(
        internal_accounts=[
            {"account_row": "1", "company_id": "old", "domain": "b.com", "arr": "1"},
            {"account_row": "2", "company_id": "gone", "domain": "b.com", "arr": "2"},
            {"account_row": "3", "domain": "eu.b.com", "arr": "3", "currency": "EUR"},
        ],
        crm_companies=[company("A", "a.com", merged_ids=["old"]), company("B", "b.com"), company("C")],
    )
    assert {company_id: row["arr"] for company_id, row in found.items()} == {
        "A": Decimal("1.00"), "B": Decimal("5.26"), "C": None,
    }  # fmt: skip


def test_every_live_company_has_one_row_of_the_agreed_types():
    """Companies without a figure are there too; money is DECIMAL(38,2)."""
    found, connection = joined(crm_companies=[company("A"), company("B", arr="5")])
    assert found["A"] == dict.fromkeys(found["A"]) | {"company_id": "A"}
    types = connection.execute("DESCRIBE resolved.company_arr").fetchall()
    assert [(name, kind) for name, kind, *_ in types] == [
        ("company_id", "VARCHAR"), ("arr", "DECIMAL(38,2)"), ("source", "VARCHAR"), ("currency", "VARCHAR"),
        ("amount", "DECIMAL(38,2)"), ("problem", "VARCHAR"),
    ]  # fmt: skip
