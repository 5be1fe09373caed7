"""The charts of a ranking and of a run, drawn from the staging store or the published database."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import duckdb
import msgspec

from integration_assets.reporting.charts import MOST_LINES, Bar, Line, Point, bar_chart, place_chart, trend_chart
from integration_assets.reporting.rankings import RankedRequest, read_rankings
from integration_assets.reporting.run_summary import VoteNumbers
from integration_assets.reporting.text import amount, lacking_rate, percent, status_words
from integration_assets.sql import read_sql

MOST_PLACES = 300
"""Places of either ranking that are drawn against each other: more is a cloud, and a heavy file."""
MARKED = 5
"""Requests that are named beside that chart."""
WORTH_A_LOOK = 20
"""A request is named only if one of its places is as good as this: far down, gaps are large and mean little."""
MOST_SNAPSHOTS = 60
"""Snapshots of a trend; there is one per day."""


class Gap(msgspec.Struct, frozen=True):
    """A request whose places by votes and by ARR are far apart."""

    title: str
    by_votes: int
    by_arr: int


class Places(msgspec.Struct, frozen=True):
    """Votes against ARR: the chart, and what its numbers mean, in their order."""

    chart: str
    gaps: tuple[Gap, ...]


def arr_chart(connection: duckdb.DuckDBPyConnection, currency: str, *, bars: int = 10) -> str:
    """The ARR behind the open requests that have most of it."""
    requests = read_rankings(connection, by="arr", limit=bars)
    return bar_chart(
        f"ARR by request, {currency}",
        [
            Bar(_named(one), Decimal(one.arr), f"{amount(one.arr)}{lacking_rate(one.companies_without_rate)}")
            for one in requests
        ],
    )


def _named(request: RankedRequest) -> str:
    """A title with the status; where a chart has little room the end gives way, and its tooltip has both."""
    return f"{request.title} ({status_words(request.status)})"


def companies_chart(connection: duckdb.DuckDBPyConnection, *, bars: int = 10) -> str:
    """Draw the open requests with most companies as bars."""
    requests = read_rankings(connection, by="companies", limit=bars)
    return bar_chart(
        "Companies by request", [Bar(_named(one), one.companies, f"{one.companies:,}") for one in requests]
    )


def votes_chart(connection: duckdb.DuckDBPyConnection, *, bars: int = 10) -> str:
    """Draw the open requests with most votes as bars."""
    requests = read_rankings(connection, by="votes", limit=bars)
    return bar_chart("Votes by request", [Bar(_named(one), one.votes, f"{one.votes:,}") for one in requests])


def votes_against_arr(connection: duckdb.DuckDBPyConnection, *, places: int = MOST_PLACES) -> Places:
    """Draw each open request's rank by votes against its rank by ARR: it shows where counting votes misleads."""
    rows = connection.execute(read_sql("reporting/chart_places"), {"most": places}).fetchall()
    gaps = sorted(
        (Gap(title or "", by_votes, by_arr) for _, title, by_votes, by_arr in rows if by_votes != by_arr),
        # Only requests near the top of either ranking: far below, a gap of hundreds of places means a vote or two.
        key=lambda one: (min(one.by_votes, one.by_arr) > WORTH_A_LOOK, -abs(one.by_votes - one.by_arr), one.by_arr),
    )
    named = tuple(one for one in gaps[:MARKED] if min(one.by_votes, one.by_arr) <= WORTH_A_LOOK)
    marks = {one.by_arr: number for number, one in enumerate(named, start=1)}  # no two requests share a place
    points = [Point(title or "", by_votes, by_arr, marks.get(by_arr)) for _, title, by_votes, by_arr in rows]
    chart = place_chart("Place by votes against place by ARR", points, across="place by votes", down="place by ARR")
    return Places(chart, named)


def arr_trend(connection: duckdb.DuckDBPyConnection, *, snapshots: int = MOST_SNAPSHOTS) -> str | None:
    """Draw the history of the ranks of the open requests that are first by ARR; None until there are two snapshots."""
    rows = connection.execute(
        read_sql("reporting/chart_trend"), {"lines": MOST_LINES, "snapshots": snapshots}
    ).fetchall()
    # A trend of one point is no trend.
    if len({as_of for _, _, as_of, _ in rows}) < 2:
        return None
    lines: dict[str, tuple[str, list[tuple[datetime, int]]]] = {}
    for request_id, title, as_of, place in rows:
        # By id: a request that was renamed is still one line.
        lines.setdefault(request_id, (title or "", []))[1].append((as_of, place))
    return trend_chart("Place by ARR over time", [Line(title, tuple(places)) for title, places in lines.values()])


def coverage_chart(votes: VoteNumbers) -> str | None:
    """Draw how votes were matched to a company, and why others were not; None without votes."""
    # An undo reads none: bars of nothing would look like lost coverage.
    if not votes.total:
        return None
    outcomes = [(name, number, False) for name, number in votes.by_method.items()]
    outcomes += [(name, number, True) for name, number in votes.unmatched.items()]
    return bar_chart(
        "Votes by how they were matched",
        [
            Bar(
                f"{'not matched' if lost else 'matched'}: {name.replace('_', ' ')}",
                number,
                f"{number:,} ({percent(number, votes.total)})",
                lost,
            )
            for name, number, lost in outcomes
        ],
    )
