"""Deals of the CRM: open ones and closed ones, in several currencies, some without what most have."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from integration_assets.sandbox.sample.companies import RATES, TIER_ARR, SampleCompany
from integration_assets.sandbox.sample.people import Making

OPEN_STAGES = (
    "appointmentscheduled",
    "qualifiedtobuy",
    "presentationscheduled",
    "decisionmakerboughtin",
    "contractsent",
)
CLOSED_STAGES = ("closedwon", "closedlost")
KINDS = ("Renewal", "Expansion", "More seats", "New region", "Pilot")
SHARE_WITH_DEALS = 0.15
"""Share of companies that have deals."""
DAYS_AHEAD = 180


@dataclass
class SampleDeals:
    """CRM property values of each deal, the indices of its companies, and the kinds of dirt by index of deal."""

    rows: list[dict[str, str]] = field(default_factory=list)
    companies: list[list[int]] = field(default_factory=list)
    dirt: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, row: dict[str, str], companies: list[int], kind: str | None = None) -> None:
        """Add a deal."""
        if kind is not None:
            self.dirt[kind].append(len(self.rows))
        self.rows.append(row)
        self.companies.append(companies)


def make_deals(making: Making) -> SampleDeals:
    """One or two deals for some of the companies, a third of them closed, and one of each kind of dirt."""
    deals, draw = SampleDeals(), making.draw
    companies = making.companies.all
    for index, company in enumerate(companies):
        if draw.random() >= SHARE_WITH_DEALS:
            continue
        for _ in range(draw.choice((1, 1, 2))):
            row = _row(making, company)
            if draw.random() < 0.33:
                row["dealstage"] = draw.choice(CLOSED_STAGES)
            deals.add(row, [index])
    child, parent = making.companies.parents()[0]
    deals.add(_row(making, companies[parent]), [parent, child], "deal.two_companies")
    deals.add(_row(making, companies[0]), [], "deal.no_company")
    deals.add(_without(_row(making, companies[0]), "amount", "amount_in_home_currency"), [0], "deal.no_amount")
    deals.add(_without(_row(making, companies[1]), "closedate"), [1], "deal.no_close_date")
    deals.add({**_row(making, companies[2]), "amount": "-500", "amount_in_home_currency": "-500"}, [2], "deal.negative")
    # The account has no rate for it either, so there is no amount in its own currency.
    foreign = _without(_row(making, companies[3]), "amount_in_home_currency")
    deals.add({**foreign, "amount": "480000", "deal_currency_code": "SEK"}, [3], "deal.no_rate")
    return deals


def _row(making: Making, company: SampleCompany) -> dict[str, str]:
    draw = making.draw
    low, high = TIER_ARR[company.tier]
    amount = Decimal(round(low * (high / low) ** draw.random() / 2, -2))
    closing = datetime.fromtimestamp(making.until / 1000, UTC) + timedelta(days=draw.randrange(1, DAYS_AHEAD))
    currency = draw.choices(("USD", *RATES), (8, 1, 1))[0]
    # What the account converts it to, by rates of its own that need not be ours.
    home = amount * Decimal(RATES.get(currency, "1"))
    return {
        "dealname": f"{company.name}: {draw.choice(KINDS)}",
        "dealstage": draw.choice(OPEN_STAGES),
        "pipeline": "default",
        "amount": str(amount),
        "deal_currency_code": currency,
        "amount_in_home_currency": f"{home:.2f}",
        "closedate": closing.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _without(row: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in row.items() if name not in names}
