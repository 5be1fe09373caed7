"""Walk of all that a search finds, page by page, in the order of record ids.

Each page is asked for by the last id of the one before: results beyond the 10,000th are never served, and records that
are modified meanwhile keep their place. The index lags behind by moments ("Search the CRM").
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

from integration_assets.connectors.crm.hubspot import endpoints
from integration_assets.connectors.crm.hubspot.session import Session
from integration_assets.connectors.crm.hubspot.wire import SYSTEM, Reference, SearchPage, decode
from integration_assets.errors import ContractError

RECORD_ID = "hs_object_id"


async def search_pages(
    session: Session, object_type: str, filters: Sequence[dict[str, str]], names: Sequence[str]
) -> AsyncIterator[SearchPage]:
    """Pages of the records that pass all filters, with the named properties; `total` counts this page and what follows.

    Raises:
        ContractError: the records do not come in the order of their ids.
    """
    endpoint = endpoints.object_search(object_type)
    last: str | None = None
    while True:
        # From the last id on, instead of by a cursor, which ends at the 10,000th result.
        beyond = [{"propertyName": RECORD_ID, "operator": "GT", "value": last}] if last is not None else []
        query: dict[str, Any] = {
            "filterGroups": [{"filters": [*filters, *beyond]}],
            "sorts": [{"propertyName": RECORD_ID, "direction": "ASCENDING"}],
            "properties": list(names),
            "limit": endpoints.RECORDS_PER_SEARCH,
        }
        page = await session.read("POST", endpoint, SearchPage, json=query, bucket=endpoints.SEARCH_BUCKET)
        ids = page_ids(page.results, endpoint.template)
        if not _ascending([*([last] if last is not None else []), *ids]):
            raise ContractError(
                "hubspot does not sort a search by record id", system=SYSTEM, endpoint=endpoint.template
            )
        yield page
        if page.after() is None:
            return
        # A page without records that says more follow would be asked for again and again.
        if not ids:
            raise ContractError("hubspot repeats an empty page of a search", system=SYSTEM, endpoint=endpoint.template)
        last = ids[-1]


def page_ids(entries: Sequence[Any], endpoint: str) -> list[str]:
    """Ids of the records of a page.

    Raises:
        ContractError: one has none.
    """
    return [str(decode(entry, Reference, endpoint=endpoint).id) for entry in entries]


def _ascending(ids: Sequence[str]) -> bool:
    # As numbers: as text 10 would come before 9.
    numbers = [int(one) if one.isdecimal() else -1 for one in ids]
    return all(number >= 0 for number in numbers) and all(one < other for one, other in pairwise(numbers))
