"""Rows of a CRM, as the sample data has them, put into an org as accounts, contacts and opportunities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integration_assets.sandbox.salesforce.fields import Field
from integration_assets.sandbox.salesforce.org import Org

ARR_FIELD = "ARR__c"
CURRENCY_FIELD = "ARR_Currency__c"
ACCOUNT_ID_FIELD = "Canny_Account_Id__c"
DOMAINS_FIELD = "Other_Domains__c"
_ADDED = (
    (ARR_FIELD, "ARR"),
    (CURRENCY_FIELD, "ARR currency"),
    (ACCOUNT_ID_FIELD, "Canny account id"),
    (DOMAINS_FIELD, "Other domains"),
)
"""Name and label. All are text, as a number field would refuse the dirt that a real org has in such fields."""


@dataclass
class SeededOrg:
    """An org with the ids its copies of the companies and contacts got, in their order."""

    org: Org
    company_ids: list[str]
    contact_ids: list[str]


def seeded(
    org: Org,
    companies: Sequence[Mapping[str, str]],
    parents: Sequence[tuple[int, int]],
    contacts: Sequence[Mapping[str, str]],
    contact_company: Sequence[int | None],
    *,
    arr: str,
    currency: str,
    account_id: str,
) -> SeededOrg:
    """Fill an org. `arr`, `currency` and `account_id` name the values of a company row that hold them.

    Every company with revenue gets an open opportunity of a tenth of it, and every other of these a lost one besides.
    """
    for name, label in _ADDED:
        org.define_field("Account", Field(name, "string", label, 255))
    names = {
        "name": "Name",
        "domain": "Website",
        "hs_additional_domains": DOMAINS_FIELD,
        arr: ARR_FIELD,
        currency: CURRENCY_FIELD,
        account_id: ACCOUNT_ID_FIELD,
    }
    accounts = []
    for row in companies:
        values: dict[str, Any] = {names[name]: value for name, value in row.items() if name in names}
        stage = row.get("lifecyclestage")
        accounts.append({**values, "Type": "Customer" if stage == "customer" else "Prospect"})
    company_ids = org.seed("Account", accounts)
    for child, parent in parents:
        org.change("Account", company_ids[child], ParentId=company_ids[parent])
    contact_ids = org.seed(
        "Contact",
        [
            {
                "FirstName": row.get("firstname"),
                # A contact has no other required field, and some people have one name.
                "LastName": row.get("lastname") or "Unknown",
                "Email": row.get("email"),
                "AccountId": None if company is None else company_ids[company],
            }
            for row, company in zip(contacts, contact_company, strict=True)
        ],
    )
    _add_opportunities(org, companies, company_ids, arr)
    return SeededOrg(org, company_ids, contact_ids)


def _add_opportunities(org: Org, companies: Sequence[Mapping[str, str]], company_ids: Sequence[str], arr: str) -> None:
    rows: list[dict[str, Any]] = []
    for index, row in enumerate(companies):
        revenue = row.get(arr, "")
        if not revenue.replace(".", "", 1).isdigit() or float(revenue) <= 0:
            continue
        common = {"AccountId": company_ids[index], "CloseDate": "2026-12-31", "Amount": float(revenue) / 10}
        rows.append({**common, "Name": f"{row['name']} expansion", "StageName": "Negotiation", "IsClosed": False})
        if index % 2:
            rows.append({**common, "Name": f"{row['name']} pilot", "StageName": "Closed Lost", "IsClosed": True})
    org.seed("Opportunity", rows)
