"""The sample's companies, people and opportunities as a workspace of Twenty can hold them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from integration_assets.sandbox.sample.deals import CLOSED_STAGES, OPEN_STAGES
from integration_assets.sandbox.sample_data import ACCOUNT_ID_PROPERTY, ARR_PROPERTY, CURRENCY_PROPERTY, SampleData
from integration_assets.sandbox.twenty.options import TwentyOptions
from integration_assets.sandbox.twenty.values import normal_url
from integration_assets.sandbox.twenty.workspace import LOST, STAGES, WON, Workspace

ACCOUNT_ID_FIELD = "cannyAccountId"
_AMOUNT = re.compile(r"-?\d{1,9}(\.\d+)?")
_OPEN = [stage for stage in STAGES if stage not in (WON, LOST)]
_STAGES = {
    **{stage: _OPEN[min(place, len(_OPEN) - 1)] for place, stage in enumerate(OPEN_STAGES)},
    **dict(zip(CLOSED_STAGES, (WON, LOST), strict=True)),
}
"""Stage of an opportunity by that of the sample's deal."""
_SPELLINGS = ("https://{host}", "https://www.{host}", "{host}", "http://{host}", "http://www.{host}", "www.{host}")
"""Twenty keeps domains apart by their text: companies that share one have different spellings of it."""


@dataclass
class SeededWorkspace:
    """A workspace with the ids its copies of the sample's companies and people got, in the sample's order."""

    workspace: Workspace
    company_ids: list[str]
    person_ids: list[str]


def seeded_workspace(sample: SampleData, workspace_id: str, options: TwentyOptions | None = None) -> SeededWorkspace:
    """A workspace that holds what the sample's CRM holds, as far as the types of Twenty allow."""
    workspace = Workspace(workspace_id, options=options)
    workspace.add_field(workspace.objects["companies"], "TEXT", ACCOUNT_ID_FIELD, label="Canny account id")
    company_ids = workspace.seed("companies", _companies(sample, workspace.options.revenue_field))
    owners = [None if place is None else company_ids[place] for place in sample.contact_company]
    person_ids = workspace.seed("people", _people(sample, owners))
    workspace.seed("opportunities", _opportunities(sample, company_ids))
    return SeededWorkspace(workspace, company_ids, person_ids)


def _companies(sample: SampleData, revenue_field: str) -> Iterator[Mapping[str, Any]]:
    taken: set[str] = set()
    for row in sample.companies:
        # What is empty is no unique value, and the `n/a` of several companies is one only.
        domain = _free_spelling(row.get("domain", ""), taken)
        taken.add(domain)
        more = [part.strip() for part in row.get("hs_additional_domains", "").split(";")]
        yield {
            "name": row["name"],
            "domainName": {
                "primaryLinkUrl": domain,
                "primaryLinkLabel": "",
                "secondaryLinks": [{"url": normal_url(part), "label": ""} for part in more if part],
            },
            revenue_field: _money(row.get(ARR_PROPERTY, ""), row.get(CURRENCY_PROPERTY) or "USD"),
            ACCOUNT_ID_FIELD: row.get(ACCOUNT_ID_PROPERTY, ""),
        }


def _free_spelling(domain: str, taken: set[str]) -> str:
    text = normal_url(domain.strip())
    if not text or text not in taken:
        return text
    spelled = (spelling.format(host=text.rpartition("//")[2].removeprefix("www.")) for spelling in _SPELLINGS)
    return next((one for one in spelled if one not in taken), "")


def _money(amount: str, currency: str) -> dict[str, Any]:
    """An amount of money; none where the sample has a text that no field of the type could hold."""
    if not _AMOUNT.fullmatch(amount):
        return {"amountMicros": None, "currencyCode": None}
    return {"amountMicros": round(float(amount) * 1_000_000), "currencyCode": currency}


def _people(sample: SampleData, owners: Iterable[str | None]) -> Iterator[Mapping[str, Any]]:
    taken: set[str] = set()
    for row, company_id in zip(sample.contacts, owners, strict=True):
        address = row.get("email", "").strip().lower()
        more = [part.strip().lower() for part in row.get("hs_additional_emails", "").split(";") if part.strip()]
        yield {
            "name": {"firstName": row.get("firstname", ""), "lastName": row.get("lastname", "")},
            "emails": {"primaryEmail": "" if address in taken else address, "additionalEmails": more},
            "companyId": company_id,
        }
        taken.add(address)


def _opportunities(sample: SampleData, company_ids: list[str]) -> Iterator[Mapping[str, Any]]:
    """The sample's deals; of several companies the first, as an opportunity has one."""
    for row, companies in zip(sample.deals, sample.deal_companies, strict=True):
        yield {
            "name": row["dealname"],
            "amount": _money(row.get("amount", ""), row["deal_currency_code"]),
            "closeDate": row["closedate"].replace("Z", ".000Z") if "closedate" in row else None,
            "stage": _STAGES[row["dealstage"]],
            "companyId": company_ids[companies[0]] if companies else None,
        }
