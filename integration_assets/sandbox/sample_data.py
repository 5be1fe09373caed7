"""Sample data: one made-up company's Canny and CRM, with every kind of dirt that real ones have.

The same arguments give the same data, ids included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integration_assets.sandbox.canny.records import milliseconds
from integration_assets.sandbox.canny.workspace import Workspace
from integration_assets.sandbox.made_up import repeatable
from integration_assets.sandbox.sample.companies import (
    ACCOUNT_ID_PROPERTY,
    ARR_PROPERTY,
    COMPANY_PROPERTIES,
    CURRENCY_PROPERTY,
    RATES,
    Companies,
    make_companies,
)
from integration_assets.sandbox.sample.deals import make_deals
from integration_assets.sandbox.sample.people import OWN_DOMAINS, Making, make_accounts, make_contacts, make_people
from integration_assets.sandbox.sample.requests import make_requests

__all__ = ["ACCOUNT_ID_PROPERTY", "ARR_PROPERTY", "CURRENCY_PROPERTY", "RATES", "SampleData", "build_sample"]

SAMPLE_PRESENT = datetime(2026, 11, 2, tzinfo=UTC)
"""The moment the sample's newest votes lead up to, unless told otherwise."""


@dataclass
class SampleData:
    """A filled Canny workspace and the CRM's rows.

    `companies`, `contacts` and `deals` are CRM property values by name; `parents` are (child, parent) indices of
    companies, `contact_company` is the index of each contact's primary company, `deal_companies` are those of each
    deal. `overrides` are (address or domain, company index, note). `dirt` names the kinds of dirt: indices of companies
    under `domain.*`, `arr.*`, `shared.*` and `family.*`, of deals under `deal.*`, ids of people under `email.*`,
    `user.*` and `contact.*`, ids of posts or votes under the rest.
    """

    workspace: Workspace
    companies: list[dict[str, str]]
    parents: list[tuple[int, int]]
    contacts: list[dict[str, str]]
    contact_company: list[int | None]
    own_domains: tuple[str, ...]
    overrides: list[tuple[str, int, str]]
    company_properties: list[dict[str, Any]]
    rates: Mapping[str, str]
    dirt: Mapping[str, list[Any]]
    deals: list[dict[str, str]] = field(default_factory=list)
    deal_companies: list[list[int]] = field(default_factory=list)


def build_sample(
    seed: int = 7,
    requests: int = 500,
    votes: int = 20_000,
    companies: int = 2_000,
    *,
    until: datetime = SAMPLE_PRESENT,
) -> SampleData:
    """Make sample data of about these sizes, with a quarter as many people as votes, and at least 60 companies.

    Raises:
        ValueError: fewer than 30 requests have no room for every kind of dirt.
    """
    if requests < 30:
        raise ValueError("ask for at least 30 requests")
    draw = repeatable(f"{seed}/{requests}/{votes}/{companies}")
    workspace = Workspace(seed=draw.getrandbits(32))
    crm = make_companies(draw, companies)
    making = Making(draw, workspace, crm, milliseconds(until))
    make_accounts(making)
    make_people(making, max(90, votes // 4))
    make_contacts(making)
    made = make_requests(making, requests, votes)
    # Last, so that what was drawn before them is what it was without.
    deals = make_deals(making)
    return SampleData(
        workspace=workspace,
        companies=[one.row for one in crm.all],
        parents=crm.parents(),
        contacts=making.people.contacts,
        contact_company=making.people.contact_company,
        own_domains=OWN_DOMAINS,
        overrides=_overrides(making, crm),
        company_properties=[_text_property(name, label) for name, label in COMPANY_PROPERTIES],
        rates=RATES,
        dirt={**crm.dirt, **making.people.dirt, **made.dirt, **deals.dirt},
        deals=deals.rows,
        deal_companies=deals.companies,
    )


def _overrides(making: Making, companies: Companies) -> list[tuple[str, int, str]]:
    """An analyst's mappings: what the rules leave open, and one address that no rule could know."""
    regional = companies.dirt["domain.regional_only"][0]
    ambiguous = companies.dirt["shared.ambiguous"][0]
    users, dirt = making.workspace.users, making.people.dirt
    unknown = users[dirt["email.unknown"][0]].email or ""
    personal = users[dirt["email.personal"][0]].email or ""
    return [
        (companies.all[regional].host, regional, "known in the CRM only by its European host"),
        (companies.all[ambiguous].host, ambiguous, "the billing entity"),
        (unknown.partition("@")[2], 0, "consultants who work for this customer"),
        (personal, 1, "the founder votes from a private address"),
    ]


def _text_property(name: str, label: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "string",
        "fieldType": "text",
        "groupName": "companyinformation",
    }
