"""Changes among the companies of a portal since a moment, in fewer calls than reading all of them takes.

Three sources, none of which is enough alone. The search index names what was modified; it lags behind ("Search the
CRM"), so only ids are taken from it, and the records are read by id, which is consistent. It shows neither archived nor
merged records: the list of archived ones does, and what a survivor says it swallowed. Nor does a new parent have to
move the modification date: parents are read from associations.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta

from integration_assets.connectors.crm.base import ChangeCosts, CompanyMapping
from integration_assets.connectors.crm.hubspot import endpoints, reads, translate
from integration_assets.connectors.crm.hubspot.searching import RECORD_ID, page_ids, search_pages
from integration_assets.connectors.crm.hubspot.session import Session
from integration_assets.connectors.crm.hubspot.wire import Reference, decode
from integration_assets.models import Company, Page

MODIFIED = "hs_lastmodifieddate"
"""Modification date of companies and custom objects."""


class HubSpotCompanyChanges:
    """See `connectors.crm.base.CompanyChanges` for what each method promises."""

    lag = timedelta(minutes=5)
    """HubSpot says new and changed records take "a few moments" to be found; seconds were seen."""
    costs = ChangeCosts(
        ids_per_page=endpoints.RECORDS_PER_SEARCH,
        records_per_read=endpoints.RECORDS_PER_CALL,
        archived_per_page=endpoints.RECORDS_PER_CALL,
        parents_per_call=endpoints.IDS_PER_ASSOCIATION_READ,
    )

    def __init__(self, session: Session) -> None:
        self._session = session

    async def modified(self, since: datetime, *, most: int) -> tuple[str, ...] | None:
        """Ids of the live companies modified since, by ascending id."""
        filters = [{"propertyName": MODIFIED, "operator": "GTE", "value": str(int(since.timestamp() * 1000))}]
        endpoint = endpoints.object_search(endpoints.COMPANIES).template
        found: list[str] = []
        async for page in search_pages(self._session, endpoints.COMPANIES, filters, (RECORD_ID,)):
            if len(found) + page.total > most:  # each page tells it: no second one is read for nothing
                return None
            found += page_ids(page.results, endpoint)
        return tuple(found)

    async def read(self, mapping: CompanyMapping, ids: Sequence[str]) -> Page[Company]:
        """These companies as they are now, at most 100 of them, without their parents."""
        # Each once: a mapped property may be one of those that are read anyway.
        names = tuple(dict.fromkeys((*translate.COMPANY_PROPERTIES, *mapping.names(), *mapping.rollups)))
        # By id and not from the search page: the index lags behind, a read by id does not.
        answer = await reads.records_by_id(self._session, endpoints.COMPANIES, names, ids)
        return translate.translate(answer.results, "company", lambda record: translate.company(record, mapping))

    async def archived(self) -> AsyncIterator[tuple[str, ...]]:
        """Ids of all archived companies, page by page."""
        endpoint = endpoints.objects(endpoints.COMPANIES).template
        async for entries in reads.record_pages(self._session, endpoints.COMPANIES, (RECORD_ID,), archived=True):
            yield tuple(str(decode(entry, Reference, endpoint=endpoint).id) for entry in entries)

    async def parents(self, ids: Sequence[str]) -> Mapping[str, str]:
        """The parent of each of these companies that has one, at most 1,000 companies."""
        return await reads.parents_of(self._session, ids)
