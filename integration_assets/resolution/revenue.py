"""ARR of a company: which source decides, which figures are not figures, and the conversion to the base currency."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

import msgspec

from integration_assets.invisible import strip
from integration_assets.resolution.settings import ResolutionSettings

_PLAIN_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
LARGEST_ARR = Decimal(10) ** 11
"""A figure above this is a mistake in any currency, and so is a sum that is above it in each of its currencies."""
MONTHS = {"accounts": Decimal(12)}
"""Periods in a year of the sources whose figures are not annual."""
_EXACT = Context(prec=400)
"""Wide enough that no sum or product of accepted figures is rounded before the end."""
_CENT = Decimal("0.01")

NO_RATE = "no_rate"


class RevenueFigure(msgspec.Struct, frozen=True):
    """Figure as a source gives it. `figure_id` is the row of the source: company, internal row, or account.

    `company_id` is None where the row leads to no company: the figure is checked, and belongs to nobody.
    """

    source: str
    figure_id: str
    company_id: str | None
    text: str
    currency: str | None = None


class RevenueProblem(msgspec.Struct, frozen=True):
    """A figure that was not used. Reasons: `not_a_number`, `negative`, `too_large`."""

    source: str
    figure_id: str
    reason: str


class LeftOutFigure(msgspec.Struct, frozen=True):
    """Revenue of a company in one currency, in a source whose figures of that company were left out for lack of a rate.

    `has_rate`: this currency has one, another of the same company has none.
    """

    company_id: str
    source: str
    currency: str
    amount: Decimal
    has_rate: bool


class CompanyRevenue(msgspec.Struct, frozen=True):
    """ARR of a company, two places. `arr` is in the base currency; None with `problem` `no_rate`.

    `amount` and `currency` are as the source has them; None when its figures are in several currencies. `left_out` are
    the figures that add nothing because a rate is missing.
    """

    company_id: str
    source: str
    arr: Decimal | None
    amount: Decimal | None
    currency: str | None
    problem: str | None = None
    left_out: tuple[LeftOutFigure, ...] = ()


def parse_amount(text: str) -> Decimal | str:
    """The figure, exact, or the reason it is none. White space around it does not count."""
    bare = strip(text)
    # Not what `Decimal` takes: it also reads `NaN`, `Infinity`, underscores and digits of other scripts.
    if not _PLAIN_NUMBER.fullmatch(bare):
        return "not_a_number"
    try:
        amount = Decimal(bare)
    except InvalidOperation:  # an exponent beyond what decimals can hold
        return "not_a_number"
    if amount < 0:
        return "negative"
    # `-0` is no negative amount, and would be shown with its sign.
    return "too_large" if amount > LARGEST_ARR else abs(amount)


def company_revenues(
    figures: Iterable[RevenueFigure], settings: ResolutionSettings
) -> tuple[list[CompanyRevenue], list[RevenueProblem]]:
    """ARR of every company that has a figure in a source the tenant wants, and the figures that cannot be used.

    The first source in the tenant's order with a usable figure decides, zero included; figures of one source add up.
    Blank figures are absent.
    """
    usable: dict[str, dict[str, dict[str, Decimal]]] = defaultdict(dict)
    problems: list[RevenueProblem] = []
    for figure in figures:
        text = strip(figure.text)
        if not text:
            continue
        amount = parse_amount(text)
        if isinstance(amount, str):
            problems.append(RevenueProblem(figure.source, figure.figure_id, amount))
            continue
        # After the check of the figure: a wrong one is reported even where it belongs to nobody.
        if figure.company_id is None or figure.source not in settings.arr_sources:
            continue
        by_currency = usable[figure.company_id].setdefault(figure.source, {})
        currency = _currency(figure, settings)
        annual = _EXACT.multiply(amount, MONTHS[figure.source]) if figure.source in MONTHS else amount
        by_currency[currency] = _EXACT.add(by_currency[currency], annual) if currency in by_currency else annual
    revenues = []
    for company_id, by_source in usable.items():
        for source in settings.arr_sources:
            if source not in by_source:
                continue
            revenue = _converted(company_id, source, by_source[source], settings)
            # Single figures were fine and their sum is not: the next source may have a figure to believe.
            if revenue.problem == "too_large":
                problems.append(RevenueProblem(source, company_id, "too_large"))
                continue
            revenues.append(revenue)
            break
    return revenues, problems


def _currency(figure: RevenueFigure, settings: ResolutionSettings) -> str:
    stated = strip(figure.currency or "").upper()
    # What the row says beats any default.
    if stated:
        return stated
    return (settings.portal_currency if figure.source == "crm" else None) or settings.base_currency


def _converted(
    company_id: str, source: str, by_currency: Mapping[str, Decimal], settings: ResolutionSettings
) -> CompanyRevenue:
    if any(amount > LARGEST_ARR for amount in by_currency.values()):
        return CompanyRevenue(company_id, source, None, None, None, "too_large")
    single = next(iter(by_currency.items())) if len(by_currency) == 1 else None
    amount = _rounded(single[1]) if single else None
    if single and single[0] == settings.base_currency:
        return CompanyRevenue(company_id, source, amount, amount, single[0])
    currency = single[0] if single else None
    rates = {**settings.currency_rates, settings.base_currency: Decimal(1)}
    # Nothing is nothing at any rate: a zero needs none.
    if any(code not in rates and sum_in_currency for code, sum_in_currency in by_currency.items()):
        left_out = tuple(
            LeftOutFigure(company_id, source, code, _rounded(sum_in_currency), code in rates)
            for code, sum_in_currency in sorted(by_currency.items())
            if sum_in_currency
        )
        return CompanyRevenue(company_id, source, None, amount, currency, NO_RATE, left_out)
    total = Decimal(0)
    for code, sum_in_currency in by_currency.items():
        # Rounded once, at the end: cents lost per currency would not add up to the source's total.
        total = _EXACT.add(total, _EXACT.multiply(sum_in_currency, rates.get(code, Decimal(0))))
    # Judged in the strongest of its currencies: a base currency of small units makes no mistake of a fair sum.
    strongest = max(
        (rates[code] for code, sum_in_currency in by_currency.items() if sum_in_currency), default=Decimal(1)
    )
    if total > _EXACT.multiply(LARGEST_ARR, strongest):
        return CompanyRevenue(company_id, source, None, None, None, "too_large")
    return CompanyRevenue(company_id, source, _rounded(total), amount, currency)


def convert(amount: Decimal, rate: Decimal) -> Decimal:
    """An amount at a rate, rounded half up to two places."""
    return _rounded(_EXACT.multiply(amount, rate))


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, rounding=ROUND_HALF_UP, context=_EXACT)
