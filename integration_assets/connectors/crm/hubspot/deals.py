"""Open deals of a portal, by whichever of two ways takes fewer calls.

All of them: the search for open deals brings 200 a call, and tells with its first page how many there are; their
companies are read from associations, 1,000 deals a call. Or those of some companies: associations tell the deals of
1,000 companies a call, closed ones included, and the deals are read 100 a call. The search index lags behind by
moments, which an amount that is read once a run can bear.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from integration_assets.connectors.crm.base import DealPage
from integration_assets.connectors.crm.hubspot import endpoints, reads, translate
from integration_assets.connectors.crm.hubspot.searching import page_ids, search_pages
from integration_assets.connectors.crm.hubspot.session import Session
from integration_assets.connectors.crm.hubspot.wire import SYSTEM, Listing, Pipeline, Record, decode_entry
from integration_assets.models import Deal, Page

IS_CLOSED = "hs_is_closed"
AMOUNT, CURRENCY, HOME_AMOUNT, CLOSE_DATE = "amount", "deal_currency_code", "amount_in_home_currency", "closedate"
PROPERTIES = ("dealname", "dealstage", AMOUNT, CURRENCY, HOME_AMOUNT, CLOSE_DATE, IS_CLOSED)
"""Properties read of every deal. One that a portal does not have is silently left out of the answer."""
OPEN = [{"propertyName": IS_CLOSED, "operator": "EQ", "value": "false"}]
PAGES_PER_BLOCK = endpoints.IDS_PER_ASSOCIATION_READ // endpoints.RECORDS_PER_SEARCH
"""Search pages whose companies one association read can ask for."""
COMPANY_WAY_SAVES = 2
"""Factor by which asking for the deals of companies has to be cheaper than the list before it is tried: how many deals
those are, closed ones included, is known only afterwards."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")


class HubSpotDeals:
    """See `connectors.crm.base.OpenDeals` for what each method promises."""

    scopes = frozenset({"crm.objects.deals.read"})

    def __init__(self, session: Session) -> None:
        self._session = session

    async def of(self, company_ids: Collection[str] | None) -> AsyncIterator[DealPage]:
        """Read the open deals of these companies, or of the whole portal where that takes fewer calls."""
        stages = await self._stages()
        # The call for the stages is part of the first page, whichever way is taken.
        calls = 1
        pages = search_pages(self._session, endpoints.DEALS, OPEN, PROPERTIES)
        waiting: list[Any] = []
        read = 0
        async for page in pages:
            calls, read = calls + 1, read + 1
            if read == 1 and company_ids is not None:
                found, asked = await self._deals_of(company_ids, _calls_for_all(page.total) - 1)
                calls += asked
                if found is not None:
                    async for one in self._by_id(found, stages, calls):
                        yield one
                    return
            waiting += page.results
            if read % PAGES_PER_BLOCK == 0 or page.after() is None:
                yield await self._with_companies(waiting, stages, calls)
                waiting, calls = [], 0

    async def _stages(self) -> Mapping[str, str]:
        """Labels of the stages of all pipelines, by id; empty where the credential may not read them."""
        listing = await self._session.read_where_told("GET", endpoints.pipelines(endpoints.DEALS), Listing)
        decoded = (decode_entry(entry, Pipeline) for entry in (listing.results if listing else ()))
        # A pipeline of another form costs its labels only: its deals are shown with the id of their stage.
        return {
            str(stage.id): stage.label
            for pipeline in decoded
            if isinstance(pipeline, Pipeline)
            for stage in pipeline.stages
        }

    async def _deals_of(self, company_ids: Collection[str], most_calls: int) -> tuple[dict[str, list[str]] | None, int]:
        """Companies by deal, closed deals included, and the calls made.

        No deals where going on from here takes as many as `most_calls`.
        """
        ids = sorted(company_ids)
        asking = _calls(len(ids), _PAIRS)
        if asking * COMPANY_WAY_SAVES > most_calls:
            return None, 0
        companies: defaultdict[str, list[str]] = defaultdict(list)
        for batch in _cut(ids, _PAIRS):
            found = await reads.associated_ids(self._session, endpoints.COMPANIES, endpoints.DEALS, batch)
            for company_id, deal_ids in found.items():
                for deal_id in deal_ids:
                    companies[deal_id].append(company_id)
        # The calls made are spent either way: only what is left to do is compared.
        pays = _calls(len(companies), endpoints.RECORDS_PER_CALL) < most_calls
        return (dict(companies) if pays else None), asking

    async def _by_id(
        self, companies: Mapping[str, list[str]], stages: Mapping[str, str], calls: int
    ) -> AsyncIterator[DealPage]:
        """The open ones of these deals, read 100 a call; `calls` were made before."""
        # A page even where there is none: the calls so far are to be counted.
        for batch in [*_cut(sorted(companies), endpoints.RECORDS_PER_CALL)] or [[]]:
            entries: list[Any] = []
            if batch:
                answer = await reads.records_by_id(self._session, endpoints.DEALS, PROPERTIES, batch)
                entries, calls = [entry for entry in answer.results if not _is_closed(entry)], calls + 1
            yield DealPage(_translated(entries, companies, stages), calls)
            calls = 0

    async def _with_companies(self, entries: Sequence[Any], stages: Mapping[str, str], calls: int) -> DealPage:
        """Deals of the search with their companies, at most 1,000; `calls` were made before."""
        endpoint = endpoints.object_search(endpoints.DEALS).template
        ids = page_ids(entries, endpoint)
        companies = await reads.associated_ids(self._session, endpoints.DEALS, endpoints.COMPANIES, ids) if ids else {}
        return DealPage(_translated(entries, companies, stages), calls + int(bool(ids)))


_PAIRS = endpoints.IDS_PER_ASSOCIATION_READ


def _calls(items: int, per_call: int) -> int:
    return -(-items // per_call)


def _calls_for_all(deals: int) -> int:
    """Calls that reading so many open deals of the whole portal takes."""
    return max(1, _calls(deals, endpoints.RECORDS_PER_SEARCH)) + _calls(deals, _PAIRS)


def _cut(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _is_closed(entry: Any) -> bool:
    """True if a deal is closed, as far as it can be read; the others are rejected by name afterwards."""
    record = decode_entry(entry, Record)
    # As in the search: what does not say that it is open does not count as open.
    return isinstance(record, Record) and record.value(IS_CLOSED) != "false"


def _translated(
    entries: Sequence[Any], companies: Mapping[str, Sequence[str]], stages: Mapping[str, str]
) -> Page[Deal]:
    unreadable: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)

    def deal(record: Record) -> Deal:
        deal_id, stage = str(record.id), record.value("dealstage")

        def number(name: str) -> Decimal | None:
            text = (record.value(name) or "").strip()
            if text and not _NUMBER.fullmatch(text):
                unreadable[f"{SYSTEM}.deals.{name}"].append((deal_id, "not a number"))
                return None
            return Decimal(text) if text else None

        closing = record.value(CLOSE_DATE)
        close_date = _date(closing) if closing else None
        if closing and close_date is None:
            unreadable[f"{SYSTEM}.deals.{CLOSE_DATE}"].append((deal_id, "not a time"))
        return Deal(
            deal_id=deal_id,
            name=record.value("dealname"),
            company_ids=tuple(sorted(companies.get(deal_id, ()))),
            # The id where the label is not known: it tells more than nothing.
            stage=stages.get(stage, stage) if stage else None,
            amount=number(AMOUNT),
            currency=record.value(CURRENCY),
            home_amount=number(HOME_AMOUNT),
            close_date=close_date,
        )

    page = translate.translate(entries, "deal", deal)
    return msgspec.structs.replace(page, unreadable_fields={name: tuple(found) for name, found in unreadable.items()})


def _date(text: str) -> date | None:
    """The day of a time in UTC, or None where it is no time."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
    # Years 1 and 9999 may leave the calendar on the way to UTC.
    except (ValueError, OverflowError):
        return None
