"""Read the names of the people whom companies belong to. A ranking does without; that they are missing is told."""

from __future__ import annotations

from integration_assets.connectors.crm.base import Crm
from integration_assets.errors import PermanentError
from integration_assets.ingest.context import IngestContext, size_of
from integration_assets.tenants.integrations import company_mapping

STAGE, TABLE = "raw_crm_companies", "raw.crm_owners"


async def read_owners(crm: Crm, context: IngestContext) -> None:
    """Load the names of owners, where a property with the owner is mapped and the CRM keeps names apart from it."""
    if crm.owners is None or company_mapping(context.inputs.settings).owner is None:
        return
    pages = 0
    try:
        async for page in crm.owners.names():
            context.take(STAGE, TABLE, page)
            pages += 1 if size_of(page) else 0
    except PermanentError as error:
        # A missing scope as a rule. Owners are then shown by their ids, which still tell them apart.
        context.connection.execute("DELETE FROM loading.crm_owners")
        context.inputs.notes.append(f"names of owners not read: {error.message}")
        return
    context.work.crm.owner_calls = max(2, pages)
