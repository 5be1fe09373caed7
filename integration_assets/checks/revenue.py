"""Revenue: ARR and open deals that no rate converts, and what share of the companies that voted has an ARR at all."""

from __future__ import annotations

import re

import duckdb

from integration_assets.checks.base import Check, CheckResult, GateSettings, query, reaches, sample
from integration_assets.reporting.text import clean, clip, count, money, percent
from integration_assets.staging.tables import has_table

ASSET = "domain_resolved_votes"
_CURRENCY_CODE = re.compile(r"[A-Z]{3}")
NAMED = 3
"""Companies named per currency; the rows have more of them."""
_FIGURES = {"internal": "internal row", "accounts": "account"}
_UNJOINED = {"unknown_company": "no company", "ambiguous_company": "several companies"}
MOST_CURRENCIES = 5
"""Currencies named in the line; a property that holds anything but currencies may have hundreds."""


def rates_complete(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn when ARR is left out because its currency has no rate: how much, whose, and how to mend it."""
    name = "currency_rates_complete"
    if not has_table(connection, "resolved", "arr_without_rate"):
        return CheckResult(name, ASSET, "WARN", passed=False, detail="ARR has not been resolved yet")
    rows = query(connection, "arr_without_rate")
    if not rows:
        detail = f"all ARR is in {settings.base_currency} or converted to it"
        return CheckResult(name, ASSET, "WARN", passed=True, detail=detail)
    # Cleaned and cut: the property may hold any text, and this line goes into logs and chat.
    currencies = [clip(clean(currency), 20) for currency, has_rate, *_ in rows if not has_rate]
    companies = {company_id for *_, company_ids in rows for company_id in company_ids}
    [(_, _, voting)] = query(connection, "arr_coverage")
    parts = [
        f"{money(amount, clip(clean(currency), 20))} of {number:,} ({', '.join(map(str, ids[:NAMED]))}"
        f"{', …' if number > NAMED else ''})"
        # Those with a rate too: their amount is lost because of another currency of the same company.
        for currency, _, number, amount, ids in rows[:MOST_CURRENCIES]
    ]
    more = f" and {len(rows) - MOST_CURRENCIES:,} more currencies" if len(rows) > MOST_CURRENCIES else ""
    detail = (
        f"no rate for {', '.join(currencies[:MOST_CURRENCIES])}: ARR of "
        f"{count(len(companies), 'company', 'companies')} ({voting:,} voted) is left out of every total: "
        f"{', '.join(parts)}{more}; {_remedy(currencies, settings)}"
    )
    shown = [(currency, companies, amount, ids) for currency, _, companies, amount, ids in rows]
    columns = ("currency", "companies", "arr_left_out", "company_ids")
    return CheckResult(name, ASSET, "WARN", passed=False, detail=detail, rows=sample(columns, shown))


def deal_rates_complete(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn when open deals are left out of the pipeline because their currency has no rate."""
    name = "deal_rates_complete"
    if not has_table(connection, "resolved", "deals"):
        return CheckResult(name, ASSET, "WARN", passed=False, detail="deals have not been resolved yet")
    rows = query(connection, "deals_without_rate")
    if not rows:
        detail = f"all open deals of companies that voted are in {settings.base_currency} or converted to it"
        return CheckResult(name, ASSET, "WARN", passed=True, detail=detail)
    currencies = [clip(clean(currency), 20) for currency, *_ in rows]
    parts = [
        f"{money(amount, clip(clean(currency), 20))} of {number:,} ({', '.join(map(str, ids[:NAMED]))}"
        f"{', …' if number > NAMED else ''})"
        for currency, number, amount, ids in rows[:MOST_CURRENCIES]
    ]
    more = f" and {len(rows) - MOST_CURRENCIES:,} more currencies" if len(rows) > MOST_CURRENCIES else ""
    detail = (
        f"no rate for {', '.join(currencies[:MOST_CURRENCIES])}: "
        f"{count(sum(number for _, number, *_ in rows), 'open deal')} left out of every pipeline: "
        f"{', '.join(parts)}{more}; {_remedy(currencies, settings, of_what='deals')}"
    )
    columns = ("currency", "deals", "amount_left_out", "deal_ids")
    return CheckResult(name, ASSET, "WARN", passed=False, detail=detail, rows=sample(columns, rows))


def _remedy(currencies: list[str], settings: GateSettings, *, of_what: str = "companies") -> str:
    codes = [currency for currency in currencies if _CURRENCY_CODE.fullmatch(currency)]
    not_codes = [repr(currency) for currency in currencies if currency not in codes]
    remedies = []
    if codes:
        rates = ",".join(
            f"{currency}=<{settings.base_currency} for 1 {currency}>" for currency in codes[:MOST_CURRENCIES]
        )
        remedies.append(f"set {settings.rates_setting} to {rates}")
    # No rate mends what is no currency: the value itself is wrong.
    if not_codes:
        remedies.append(f"correct the currency of these {of_what}: {', '.join(not_codes[:MOST_CURRENCIES])} is no code")
    return " and ".join(remedies)


def figures_joined(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn of revenue that is nobody's: rows of an internal system, or accounts, that lead to no company of the CRM."""
    name = "revenue_joined"
    if not has_table(connection, "resolved", "arr_unjoined"):
        return CheckResult(name, ASSET, "WARN", passed=False, detail="ARR has not been resolved yet")
    rows = query(connection, "arr_unjoined")
    if not rows:
        return CheckResult(name, ASSET, "WARN", passed=True, detail="every revenue figure belongs to a company")
    parts = [
        f"{count(figures, _FIGURES[source])} leading to {_UNJOINED[reason]}, "
        f"{money(amount, clip(clean(currency or settings.base_currency), 20))} in all "
        f"({', '.join(map(str, ids[:NAMED]))}{', …' if figures > NAMED else ''})"
        for source, reason, currency, figures, amount, ids in rows
    ]
    detail = f"{'; '.join(parts)}: not in any ARR; give each the id or a domain of its company in the CRM"
    columns = ("source", "reason", "currency", "figures", "amount", "ids")
    return CheckResult(name, ASSET, "WARN", passed=False, detail=detail, rows=sample(columns, rows))


def arr_coverage(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Check that enough of the companies that voted have an ARR in the base currency. Zero is an ARR."""
    name = "arr_coverage"
    if not has_table(connection, "resolved", "company_arr"):
        return CheckResult(name, ASSET, "ERROR", passed=False, detail="ARR has not been resolved yet")
    [(companies, with_arr, without_rate)] = query(connection, "arr_coverage")
    return CheckResult(
        name,
        ASSET,
        "ERROR",
        passed=reaches(with_arr, companies, settings.arr_coverage_floor),
        detail=f"{with_arr:,} of {companies:,} companies that voted have an ARR ({percent(with_arr, companies)}, "
        f"floor {settings.arr_coverage_floor:.0%}), {without_rate:,} lack a currency rate, "
        f"{companies - with_arr - without_rate:,} a figure",
    )


CHECKS = (
    Check("currency_rates_complete", ASSET, "WARN", "No ARR is left out for lack of a currency rate.", rates_complete),
    Check(
        "deal_rates_complete",
        ASSET,
        "WARN",
        "No open deal is left out for lack of a currency rate.",
        deal_rates_complete,
    ),
    Check("revenue_joined", ASSET, "WARN", "Every figure of revenue leads to a company.", figures_joined),
    Check(
        "arr_coverage",
        ASSET,
        "ERROR",
        "The share of companies that voted and have an ARR is not below the configured floor.",
        arr_coverage,
        "ranking",
    ),
)
