"""The companies with most ARR and what they asked for, for a report: planned, shipped lately, open beside that."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

import duckdb
import msgspec

from integration_assets.reporting.insights import Company, read_companies
from integration_assets.reporting.run_summary import iso_utc
from integration_assets.sql import read_sql

COMPANIES = 10
"""Companies that are shown, those with most ARR; the rest is counted."""
REQUESTS = 5
"""Requests of each part of a company, the highest of the ranking; the rest is counted."""
LATELY = timedelta(days=90)
"""Time before the read within which a request shipped lately."""


class SectionRequest(msgspec.Struct, frozen=True):
    """A request of a company. `found`: how many there are in the same part."""

    company_id: str
    part: str
    request_id: str
    title: str
    status: str
    status_changed_at: datetime | None
    votes: int
    last_vote_at: datetime | None
    rank_by_arr: int
    url: str | None
    crm_url: str | None
    found: int


class CompanySection(msgspec.Struct, frozen=True):
    """A company with its requests by part (`planned`, `shipped`, `open`), parts without any left out.

    `found` has the number of all requests of each part, and of those that shipped at an unknown time as `undated`.
    """

    company: Company
    parts: dict[str, list[SectionRequest]]
    found: dict[str, int]


class CompanySections(msgspec.Struct, frozen=True):
    """The companies with most ARR, of `companies` that voted. `since`: from when on a request shipped lately."""

    sections: list[CompanySection]
    companies: int
    since: str


def read_company_sections(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> CompanySections:
    """Read them from the published database; `as_of` is when its data was read, UTC without zone."""
    since = as_of - LATELY
    values = {"most_companies": COMPANIES, "most_rows": REQUESTS, "since": since}
    rows = [
        SectionRequest(*row) for row in connection.execute(read_sql("reporting/company_sections"), values).fetchall()
    ]
    parts: dict[str, dict[str, list[SectionRequest]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        parts[row.company_id][row.part].append(row)
    companies = read_companies(connection, "", limit=COMPANIES)
    return CompanySections(
        sections=[_section(one, parts[one.company_id]) for one in companies],
        companies=companies[0].found if companies else 0,
        since=iso_utc(since),
    )


def _section(company: Company, parts: dict[str, list[SectionRequest]]) -> CompanySection:
    found = {name: requests[0].found for name, requests in parts.items()}
    # When they shipped is not known, so they are counted and not listed: a list of years would pass for the latest.
    shown = {name: requests for name, requests in parts.items() if name != "undated"}
    return CompanySection(company, shown, found)
