"""The sample's companies, people and deals as an org can hold them: accounts, contacts and opportunities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integration_assets.sandbox.salesforce.fields import Field
from integration_assets.sandbox.salesforce.org import Org
from integration_assets.sandbox.sample.deals import CLOSED_STAGES
from integration_assets.sandbox.sample_data import ACCOUNT_ID_PROPERTY, ARR_PROPERTY, CURRENCY_PROPERTY, SampleData

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
_NAMES = {
    "name": "Name",
    "domain": "Website",
    "hs_additional_domains": DOMAINS_FIELD,
    ARR_PROPERTY: ARR_FIELD,
    CURRENCY_PROPERTY: CURRENCY_FIELD,
    ACCOUNT_ID_PROPERTY: ACCOUNT_ID_FIELD,
}
WON = "closedwon"


@dataclass
class SeededOrg:
    """An org with the ids its copies of the sample's companies and contacts got, in the sample's order."""

    org: Org
    company_ids: list[str]
    contact_ids: list[str]


def seeded(org: Org, sample: SampleData) -> SeededOrg:
    """Fill an org with what the sample's CRM holds."""
    for name, label in _ADDED:
        org.define_field("Account", Field(name, "string", label, 255))
    company_ids = org.seed("Account", [_account(row) for row in sample.companies])
    for child, parent in sample.parents:
        org.change("Account", company_ids[child], ParentId=company_ids[parent])
    contact_ids = org.seed("Contact", list(_contacts(sample, company_ids)))
    org.seed("Opportunity", list(_opportunities(org, sample, company_ids)))
    return SeededOrg(org, company_ids, contact_ids)


def _account(row: Mapping[str, str]) -> Mapping[str, Any]:
    values = {_NAMES[name]: value for name, value in row.items() if name in _NAMES}
    return {**values, "Type": "Customer" if row.get("lifecyclestage") == "customer" else "Prospect"}


def _contacts(sample: SampleData, company_ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    for row, company in zip(sample.contacts, sample.contact_company, strict=True):
        yield {
            "FirstName": row.get("firstname"),
            # A contact has no other required field, and some people have one name.
            "LastName": row.get("lastname") or "Unknown",
            "Email": row.get("email"),
            "AccountId": None if company is None else company_ids[company],
        }


def _opportunities(org: Org, sample: SampleData, company_ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The sample's deals; of several companies the first, as an opportunity has one account."""
    for row, companies in zip(sample.deals, sample.deal_companies, strict=True):
        # In an org with one currency an amount has been converted to it.
        column = "amount" if org.options.multi_currency else "amount_in_home_currency"
        amount, stage = row.get(column, ""), row["dealstage"]
        values = {
            "Name": row["dealname"][:120],
            "StageName": stage,
            "IsClosed": stage in CLOSED_STAGES,
            "IsWon": stage == WON,
            "Amount": float(amount) if amount.replace(".", "", 1).isdigit() else None,
            "CloseDate": row.get("closedate", "2026-12-31")[:10],
            "AccountId": company_ids[companies[0]] if companies else None,
        }
        if org.options.multi_currency:
            values["CurrencyIsoCode"] = row["deal_currency_code"]
        yield values
