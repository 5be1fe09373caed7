"""The requests that matter most in each segment of companies, by the properties that are mapped."""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import Any

import duckdb
import msgspec

from integration_assets.errors import ConfigurationError
from integration_assets.reporting.insights import Ranking
from integration_assets.reporting.text import clean, clip, count
from integration_assets.staging.tables import has_macro

SEGMENTS = 8
"""Segments of a property that are shown, those with most ARR; how many more there are is told."""
REQUESTS = 3
_READ = """
    FROM ranked.segment_requests(
        property_is := $property, ranked_by := $by, everything := $everything, most_segments := $most_segments,
        most_requests := $most_requests
    )
"""


class SegmentRequest(msgspec.Struct, frozen=True):
    """A request within a segment; numbers and `place` count the companies of the segment alone."""

    place: int
    request_id: str
    title: str
    status: str | None
    companies: int
    arr: Decimal
    companies_without_rate: int
    votes: int
    url: str | None
    crm_url: str | None


class Segment(msgspec.Struct, frozen=True):
    """The companies that have one value of a property, and their first requests. `found`: how many there are in all."""

    value: str
    companies: int
    arr: Decimal
    found: int
    requests: list[SegmentRequest]


class SegmentedProperty(msgspec.Struct, frozen=True):
    """A mapped property with its segments, those with most ARR first.

    `found`: how many segments there are; `companies_without`: companies that voted and have no value of it.
    """

    name: str
    segments: list[Segment]
    found: int
    companies_without: int


def lacks_segments(connection: duckdb.DuckDBPyConnection) -> bool:
    """True where an earlier version published, without what reads the requests of segments."""
    return not has_macro(connection, "segment_requests")


def read_segments(
    connection: duckdb.DuckDBPyConnection,
    *,
    by: Ranking = "arr",
    everything: bool = False,
    only: str | None = None,
    most_segments: int = SEGMENTS,
    most_requests: int = REQUESTS,
) -> list[SegmentedProperty]:
    """The segments of each mapped property with their first open requests, from the published database.

    `everything`: requests that are shipped or closed as well; `only`: of this property. Empty where nothing is mapped,
    or where an earlier version published.
    """
    if lacks_segments(connection):
        return []
    values = {
        "property": only,
        "by": by,
        "everything": everything,
        "most_segments": most_segments,
        "most_requests": most_requests,
    }
    rows = connection.execute(_READ, values).fetchall()
    return [_property(name, list(group)) for name, group in groupby(rows, key=lambda row: str(row[0]))]


def check_segments(connection: duckdb.DuckDBPyConnection, only: str = "") -> int:
    """Count the mapped properties that companies which voted have a value of; with `only`, that one alone.

    Raises:
        ConfigurationError: an earlier version published, no property is mapped that companies have a value of, or none
            of the name `only`.
    """
    if lacks_segments(connection):
        raise ConfigurationError(
            "an earlier version published this, without the requests of each segment: run `sync --read-only`"
        )
    rows = connection.execute(
        "SELECT min(property) FROM ranked.company_segments GROUP BY lower(property) ORDER BY ALL"
    ).fetchall()
    names = [str(name) for [name] in rows]
    if not names:
        raise ConfigurationError(
            "no company that voted has a value of a mapped property: name properties of companies as segments, and run "
            "again"
        )
    if not only:
        return len(names)
    if only.lower() not in (name.lower() for name in names):
        known = ", ".join(clip(clean(name), 60) for name in names)
        raise ConfigurationError(f"companies have no segments by {clip(clean(only), 60)}: the properties are {known}")
    return 1


def _property(name: str, rows: list[tuple[Any, ...]]) -> SegmentedProperty:
    segments = []
    for _, group in groupby(rows, key=lambda row: row[1]):
        lines = list(group)
        _, value, companies, arr, _, _, found, *_ = lines[0]
        # A segment without an open request has one row, with its own numbers only.
        requests = [SegmentRequest(*row[7:]) for row in lines if row[8] is not None]
        segments.append(Segment(value, companies, arr, found, requests))
    return SegmentedProperty(name, segments, rows[0][4], rows[0][5])


def left_out_words(one: SegmentedProperty) -> str:
    """Say how many segments are not shown, and how many companies are in none; "" where all are."""
    more = one.found - len(one.segments)
    parts = [f"{count(more, 'more segment')} with less ARR"] if more else []
    if one.companies_without:
        parts.append(f"{count(one.companies_without, 'company', 'companies')} that voted without a value")
    return f"Not shown: {', '.join(parts)}" if parts else ""
