"""Read companies that lie in tables beside the votes: in place of a CRM that is not there, or for their ARR."""

from __future__ import annotations

from integration_assets.config import ArrSource
from integration_assets.connectors.feedback.base import OwnTables
from integration_assets.ingest.context import IngestContext, read_pages
from integration_assets.models import Company, InternalAccount, Page, Rejected

NAME = "table"
"""Begins the ids of rows of ARR, beside the names of internal systems."""


async def read_companies_of_tables(tables: OwnTables, context: IngestContext, *, in_place_of_crm: bool) -> None:
    """Load the companies of the tables, if they have any: as those of a CRM, or as rows of ARR beside one."""
    if not tables.has_companies:
        return
    if in_place_of_crm:
        pages = tables.companies()
        await read_pages(pages, "companies", "raw_crm_companies", "raw.crm_companies", context, read="companies")
        context.inputs.notes.append("no CRM is configured: companies and their ARR come from the tables")
    elif ArrSource.INTERNAL in context.inputs.settings.arr_sources:
        async for page in tables.companies():
            context.take("raw_internal_accounts", "raw.internal_accounts", _as_accounts(page))
        context.load.note_read("internal_accounts", as_of=context.started_at)


def _as_accounts(page: Page[Company]) -> Page[InternalAccount]:
    rows = tuple(
        InternalAccount(
            f"{NAME}:{one.company_id}",
            # The table's ids are the CRM's only where nothing better leads to a company.
            company_id=None if one.domain else one.company_id,
            domain=one.domain,
            arr=one.arr,
            currency=one.currency,
        )
        for one in page.records
        if one.arr is not None
    )
    rejected = tuple(Rejected("internal_account", f"{NAME}:{one.key}", one.reason) for one in page.rejected)
    return Page(rows, rejected, unreadable_fields=page.unreadable_fields)
