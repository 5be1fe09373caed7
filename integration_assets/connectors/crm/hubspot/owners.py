"""Owners of companies: a company holds the id of one, and their list the names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from integration_assets.connectors.crm.hubspot import endpoints, reads
from integration_assets.connectors.crm.hubspot.session import Session
from integration_assets.connectors.crm.hubspot.wire import OwnerEntry, decode_entry, entry_id
from integration_assets.models import Owner, Page, Rejected

SCOPE = "crm.objects.owners.read"


class HubSpotOwners:
    """See `connectors.crm.base.Owners` for what each method promises."""

    scopes = frozenset({SCOPE})

    def __init__(self, session: Session) -> None:
        self._session = session

    async def names(self) -> AsyncIterator[Page[Owner]]:
        """Read the owners of today and, after them, those who were deactivated: companies keep their ids."""
        for archived in ("false", "true"):
            async for entries in reads.pages(self._session, endpoints.owners(), {"archived": archived}):
                yield _page(entries)


def _page(entries: Sequence[Any]) -> Page[Owner]:
    owners: list[Owner] = []
    rejected: list[Rejected] = []
    for entry in entries:
        decoded = decode_entry(entry, OwnerEntry)
        if isinstance(decoded, OwnerEntry):
            parts = (decoded.first_name, decoded.last_name)
            owners.append(Owner(str(decoded.id), " ".join(part.strip() for part in parts if part) or None))
        else:
            rejected.append(Rejected("owner", entry_id(entry) or "without id", decoded))
    return Page(tuple(owners), tuple(rejected))
