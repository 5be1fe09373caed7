"""CRM companies with every kind of dirt that their domains, revenues and families come with."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from integration_assets.sandbox.sample.words import COMPANY_FIRST, COMPANY_KIND, COMPANY_SECOND, SUFFIXES

ARR_PROPERTY = "annual_recurring_revenue"
CURRENCY_PROPERTY = "arr_currency"
ACCOUNT_ID_PROPERTY = "canny_account_id"
COMPANY_PROPERTIES = (
    (ARR_PROPERTY, "Annual recurring revenue"),
    (CURRENCY_PROPERTY, "ARR currency"),
    (ACCOUNT_ID_PROPERTY, "Canny account id"),
)
"""Name and label. All are text, as a number property would refuse the dirt that a real portal has in such fields."""
RATES = {"EUR": "1.08", "GBP": "1.27"}
"""What one unit is worth in US dollars; the sample has a further currency, SEK, without a rate."""

TIER_ARR = {"enterprise": (180_000, 900_000), "mid": (20_000, 120_000), "small": (1_200, 18_000)}
"""Lowest and highest usual ARR of a company by size."""


@dataclass
class SampleCompany:
    """One CRM company. `mail_hosts` are where its people have their addresses; `row` are its CRM property values."""

    name: str
    host: str
    tier: str
    row: dict[str, str]
    mail_hosts: list[str]
    parent: int | None = None


@dataclass
class Companies:
    """All companies, and under each name of a kind of dirt the indices of the companies that have it."""

    all: list[SampleCompany]
    dirt: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def parents(self) -> list[tuple[int, int]]:
        """Pairs of child and parent index."""
        return [(index, one.parent) for index, one in enumerate(self.all) if one.parent is not None]


def make_companies(draw: random.Random, count: int) -> Companies:
    """About `count` companies, at least 60."""
    companies = Companies([])
    families = max(1, count // 200)
    singles = max(60, count - families * _FAMILY_SIZE)
    names = _names(draw)
    for _ in range(singles):
        companies.all.append(_clean(draw, next(names)))
    free = _Free(draw, companies)
    _dirty_domains(draw, companies, free, max(1, singles // 150))
    _dirty_revenues(companies, free, max(1, singles // 100))
    for number in range(families):
        _add_families(draw, companies, names, number)
    return companies


class _Free:
    """Hands out each company that is still clean once; big ones stay clean, so that the rankings stay plausible."""

    def __init__(self, draw: random.Random, companies: Companies) -> None:
        self._left = [index for index, one in enumerate(companies.all) if one.tier != "enterprise"]
        draw.shuffle(self._left)

    def next(self) -> int:
        return self._left.pop()


def _names(draw: random.Random) -> Iterator[str]:
    """Names without end, none of them twice: of one word first, then of two."""
    pairs = [first + second for first in COMPANY_FIRST for second in COMPANY_SECOND]
    draw.shuffle(pairs)
    yield from pairs
    for more in itertools.product(COMPANY_SECOND, pairs):
        yield f"{more[1]} {more[0].title()}"


def _clean(draw: random.Random, name: str) -> SampleCompany:
    tier = draw.choices(("enterprise", "mid", "small"), (5, 25, 70))[0]
    full = f"{name} {draw.choice(COMPANY_KIND)}"
    host = f"{full.lower().replace(' ', '-')}.{draw.choice(SUFFIXES)}"
    row = {"name": full, "domain": host}
    customer = draw.random() < 0.8
    row["lifecyclestage"] = "customer" if customer else draw.choice(("lead", "opportunity", "marketingqualifiedlead"))
    if customer:
        low, high = TIER_ARR[tier]
        row[ARR_PROPERTY] = str(round(low * (high / low) ** draw.random(), -2))
    if draw.random() < 0.12:
        row[CURRENCY_PROPERTY] = draw.choice(("USD", "EUR", "GBP"))
    return SampleCompany(full, host, tier, row, [host])


# -- domains


def _idn(one: SampleCompany) -> None:
    one.host = "bücher-" + one.host
    one.row["domain"] = one.host
    one.mail_hosts = [one.host, one.host.encode("idna").decode()]


def _additional(one: SampleCompany) -> None:
    other = one.host.partition(".")[0] + "-group.com"
    one.row["hs_additional_domains"] = f"{other};HTTPS://www.{one.host.partition('.')[0]}.eu/;;n/a"
    one.mail_hosts.append(other)


def _regional(one: SampleCompany) -> None:
    one.row["domain"] = f"eu.{one.host}"


def _private_suffix(one: SampleCompany) -> None:
    one.host = one.host.partition(".")[0] + ".myshopify.com"
    one.row["domain"] = one.host
    one.mail_hosts = [one.host]


def _set_domain(shape: str) -> Callable[[SampleCompany], None]:
    def change(one: SampleCompany) -> None:
        one.row["domain"] = shape.format(host=one.host, upper=one.host.upper())

    return change


_DOMAIN_DIRT: dict[str, Callable[[SampleCompany], None]] = {
    "domain.upper": _set_domain("{upper}"),
    "domain.url": _set_domain("https://www.{host}/about?ref=crm"),
    "domain.www": _set_domain("www.{host}"),
    "domain.port": _set_domain("{host}:8080"),
    "domain.final_dot": _set_domain("{host}."),
    "domain.address": _set_domain("info@{host}"),
    "domain.spaces": _set_domain("  {host} "),
    "domain.junk": _set_domain("n/a"),
    "domain.localhost": _set_domain("localhost"),
    "domain.personal": _set_domain("gmail.com"),
    "domain.missing": _set_domain(""),
    "domain.idn": _idn,
    "domain.additional": _additional,
    "domain.regional_only": _regional,
    "domain.private_suffix": _private_suffix,
}


def _dirty_domains(draw: random.Random, companies: Companies, free: _Free, share: int) -> None:
    for kind, change in _DOMAIN_DIRT.items():
        for _ in range(share):
            index = free.next()
            change(companies.all[index])
            companies.dirt[kind].append(index)
    for _ in range(share * 8):  # plenty of companies have one more domain and nothing wrong with it
        one = companies.all[draw.randrange(len(companies.all))]
        if "hs_additional_domains" not in one.row and one.row["domain"] == one.host:
            extra = one.host.partition(".")[0] + ".app"
            one.row["hs_additional_domains"] = extra
            one.mail_hosts.append(extra)


# -- revenues

_ARR_UNUSUAL = {"arr.missing": "", "arr.zero": "0", "arr.exponent": "2.5e4", "arr.decimals": "12345.678"}
_ARR_UNUSABLE = {
    "arr.negative": "-1200",
    "arr.nan": "NaN",
    "arr.thousands": "1,200",
    "arr.symbol": "$4,000",
    "arr.words": "tbd",
    "arr.huge": "999999999999",
}


def _dirty_revenues(companies: Companies, free: _Free, share: int) -> None:
    """Unusable figures stay below one in a hundred companies: more than that is a broken input, not a dirty one."""
    for kind, value in (_ARR_UNUSUAL | _ARR_UNUSABLE).items():
        for _ in range(max(1, share // 6) if kind in _ARR_UNUSABLE else share):
            index = free.next()
            companies.all[index].row[ARR_PROPERTY] = value
            companies.dirt[kind].append(index)
    for _ in range(share):
        index = free.next()
        companies.all[index].row |= {ARR_PROPERTY: "96000", CURRENCY_PROPERTY: "SEK"}
        companies.dirt["arr.no_rate"].append(index)


# -- companies that share a domain, and families

# One line for each way the rules about several companies on one domain can end: the revenues of the companies, and for
# each the place of its parent among them.
_FAMILIES: dict[str, tuple[tuple[str, int | None], ...]] = {
    "shared.account_decides": (("30000", None), ("45000", None)),
    "shared.ancestor_with_arr": (("250000", None), ("20000", 0), ("8000", 0)),
    "shared.ancestor_nobody_has_arr": (("", None), ("", 0)),
    "shared.only_one_with_arr": (("", None), ("52000", None), ("0", None)),
    "shared.only_one_with_arr_below_ancestor": (("0", None), ("64000", 0)),
    "shared.ancestor_without_arr": (("", None), ("30000", 0), ("35000", 0)),
    "shared.grandchild": (("90000", None), ("12000", 0), ("3000", 1)),
    "shared.ambiguous": (("40000", None), ("41000", None)),
    "shared.ambiguous_nobody_has_arr": (("", None), ("", None)),
    "family.own_domains": (("400000", None), ("60000", 0), ("15000", 0)),
}
_FAMILY_SIZE = sum(len(members) for members in _FAMILIES.values())


def _add_families(draw: random.Random, companies: Companies, names: Iterator[str], number: int) -> None:
    for kind, members in _FAMILIES.items():
        base = _clean(draw, next(names))
        first = len(companies.all)
        for place, (arr, parent) in enumerate(members):
            host = (
                base.host if place == 0 or kind.startswith("shared.") else f"{base.host.partition('.')[0]}-{place}.com"
            )
            name = base.name if place == 0 else f"{base.name} {('EMEA', 'Holding', 'Japan')[(place + number) % 3]}"
            row = {"name": name, "domain": host, "lifecyclestage": "customer" if arr else "lead"}
            if arr:
                row[ARR_PROPERTY] = arr
            made = SampleCompany(name, host, "mid", row, [host], None if parent is None else first + parent)
            companies.dirt[kind].append(len(companies.all))
            companies.all.append(made)
