"""Revenue that no rate converts is told with currencies, companies, sums and the remedy; a floor closes the gate."""

import duckdb
import msgspec
import pytest

from integration_assets.checks.base import CheckResult, GateSettings
from integration_assets.checks.gate import closed_by, run_gate

RATES, COVERAGE = "currency_rates_complete", "arr_coverage"


def result(store: duckdb.DuckDBPyConnection, settings: GateSettings, name: str) -> CheckResult:
    """The answer of one check of the gate."""
    [found] = [one for one in run_gate(store, settings) if one.name == name]
    return found


@pytest.fixture
def unconverted(store):
    """Two of three companies that voted earn in euro, one of them in dollars as well, and one that did not vote."""
    store.execute(
        """
        UPDATE resolved.company_arr SET arr = NULL, problem = 'no_rate' WHERE company_id IN ('c1', 'c2');
        INSERT INTO resolved.arr_without_rate VALUES
            ('c1', 'crm', 'EUR', 1000, FALSE), ('c2', 'accounts', 'EUR', 234.50, FALSE),
            ('c2', 'accounts', 'USD', 60, TRUE), ('c9', 'crm', '€', 7, FALSE);
        """
    )
    return store


def test_arr_without_a_rate_is_a_warning_with_all_that_is_needed_to_mend_it(unconverted, settings):
    """Currencies, companies, sums as the source has them, ids, and the variable with the rates that are missing."""
    found = result(unconverted, msgspec.structs.replace(settings, base_currency="USD"), RATES)
    assert (found.passed, found.severity) == (False, "WARN")
    assert found.detail == (
        "no rate for EUR, €: ARR of 3 companies (2 voted) is left out of every total: "
        "1,234 EUR of 2 (c1, c2), 7 € of 1 (c9), 60 USD of 1 (c2); "
        "set INTEGRATION_ASSETS_CURRENCY_RATES to EUR=<USD for 1 EUR> and correct the currency of these companies: "
        "'€' is no code"
    )
    assert found.rows[0] == {
        "currency": "EUR", "companies": "2", "arr_left_out": "1234.50", "company_ids": "c1, c2",
    }  # fmt: skip
    assert closed_by(run_gate(unconverted, settings)) == ()


def test_all_converted_is_no_warning(store, settings):
    """Nothing left out, nothing to say."""
    found = result(store, settings, RATES)
    assert (found.passed, found.detail) == (True, "all ARR is in USD or converted to it")


@pytest.mark.parametrize(("floor", "open_"), [(0.0, True), (0.33, True), (0.34, False), (1.0, False)])
def test_the_floor_of_arr_coverage_closes_the_gate(unconverted, settings, floor, open_):
    """One of three companies that voted has an ARR: 33 % holds, 34 % does not."""
    floored = msgspec.structs.replace(settings, arr_coverage_floor=floor)
    found = result(unconverted, floored, COVERAGE)
    assert found.passed is open_
    assert found.detail == (
        f"1 of 3 companies that voted have an ARR (33.3%, floor {floor:.0%}), 2 lack a currency rate, 0 a figure"
    )
    assert (closed_by(run_gate(unconverted, floored)) == ()) is open_


def test_companies_without_any_figure_are_told_from_those_without_a_rate(unconverted, settings):
    """Of four that voted one has an ARR, two lack a rate, and one has no figure at all."""
    unconverted.execute("INSERT INTO resolved.votes (vote_id, company_id) VALUES ('v30', 'c30')")
    detail = result(unconverted, settings, COVERAGE).detail
    assert detail.startswith("1 of 4 companies that voted have an ARR (25.0%, ")
    assert detail.endswith("), 2 lack a currency rate, 1 a figure")


def test_of_many_currencies_five_are_named(store, settings):
    """A text that is no currency is cut after twenty characters; the others are told by their number."""
    store.execute(
        """
        INSERT INTO resolved.arr_without_rate
        SELECT 'c' || i, 'crm', repeat(chr((65 + i)::INTEGER), 20 + i), 10, FALSE FROM range(7) AS t (i)
        """
    )
    detail = result(store, settings, RATES).detail
    assert detail.startswith(f"no rate for {'A' * 20}, {'B' * 19}…, {'C' * 19}…, {'D' * 19}…, {'E' * 19}…: ARR of 7 ")
    assert " and 2 more currencies; " in detail


def test_a_floor_counts_as_written(store, settings):
    """7 of 100 reach a floor of 0.07, and nobody reaches any floor where nobody voted."""
    store.execute("INSERT INTO resolved.votes (vote_id, company_id) SELECT 'x' || i, 'x' || i FROM range(97) AS t (i)")
    store.execute("INSERT INTO resolved.company_arr SELECT 'x' || i, 0, NULL FROM range(4) AS t (i)")
    assert result(store, msgspec.structs.replace(settings, arr_coverage_floor=0.07), COVERAGE).passed
    store.execute("DELETE FROM resolved.votes")
    assert result(store, msgspec.structs.replace(settings, arr_coverage_floor=1.0), COVERAGE).passed


def test_revenue_that_is_nobodys_is_a_warning(store, settings):
    """Rows and accounts above zero that lead to no company, or to several, with their sum and the first of them.

    Amounts of two currencies are told apart; without a currency one is in the base currency.
    """
    joined = result(store, settings, "revenue_joined")
    assert (joined.passed, joined.detail) == (True, "every revenue figure belongs to a company")
    store.execute(
        """
        INSERT INTO resolved.arr_unjoined VALUES
            ('internal', '7', '1200.50', NULL, 'unknown_company'), ('internal', '8', '99.50', ' ', 'unknown_company'),
            ('internal', '9', '0', NULL, 'unknown_company'), ('internal', '10', 'tbd', NULL, 'unknown_company'),
            ('accounts', 'a1', '50', 'USD', 'ambiguous_company'), ('accounts', 'b1', '7', 'EUR', 'ambiguous_company');
        """
    )
    found = result(store, settings, "revenue_joined")
    assert (found.passed, found.severity) == (False, "WARN")
    assert found.detail == (
        "1 account leading to several companies, 7 EUR in all (b1); 1 account leading to several companies, 50 USD in "
        f"all (a1); 2 internal rows leading to no company, 1,300 {settings.base_currency} in all (7, 8): not in any "
        "ARR; give each the id or a domain of its company in the CRM"
    )
    assert closed_by(run_gate(store, settings)) == ()


def test_deals_without_a_rate_are_told_as_arr_is(store, settings):
    """Per currency the sum, how many deals, three of them, and the remedy; a deal of nobody who voted is not told."""
    store.execute(
        """
        INSERT INTO resolved.deals
        SELECT i, 'd' || i, 'no_rate', 100, 'SEK' FROM range(4) AS t (i)
        UNION ALL SELECT 4, 'd4', 'no_rate', 7.50, '€'
        UNION ALL SELECT 5, 'd5', 'known', 1, 'USD'
        UNION ALL SELECT 6, 'd6', 'no_rate', 999, 'JPY';
        INSERT INTO resolved.company_deals SELECT 1, i FROM range(6) AS t (i) UNION ALL SELECT 2, 0;
        """
    )
    found = result(store, msgspec.structs.replace(settings, base_currency="USD"), "deal_rates_complete")
    assert (found.passed, found.severity) == (False, "WARN")
    assert found.detail == (
        "no rate for SEK, €: 5 open deals left out of every pipeline: 400 SEK of 4 (d0, d1, d2, …), 7.50 € of 1 (d4); "
        "set INTEGRATION_ASSETS_CURRENCY_RATES to SEK=<USD for 1 SEK> and correct the currency of these deals: "
        "'€' is no code"
    )
    assert found.rows[0] == {
        "currency": "SEK", "deals": "4", "amount_left_out": "400.00", "deal_ids": "d0, d1, d2, d3",
    }  # fmt: skip


def test_deals_that_are_all_converted_are_no_warning(store, settings):
    """Nothing left out, nothing to say."""
    found = result(store, settings, "deal_rates_complete")
    assert found.passed
    assert found.detail == "all open deals of companies that voted are in USD or converted to it"
