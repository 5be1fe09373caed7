"""Charts as Dagster metadata: pictures in Markdown, small enough to be kept with every materialization."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
import duckdb

from integration_assets.reporting.charts import as_image
from integration_assets.reporting.markdown import safe
from integration_assets.reporting.run_charts import (
    arr_chart,
    arr_trend,
    companies_chart,
    coverage_chart,
    votes_against_arr,
)
from integration_assets.reporting.run_summary import VoteNumbers

BARS = 8
PLACES = 60
"""Fewer than in the report: Dagster keeps every picture of every run in its database."""
SNAPSHOTS = 30


def ranking_charts(connection: duckdb.DuckDBPyConnection, currency: str) -> dict[str, dg.MetadataValue[str]]:
    """Draw the ranking: `arr`, `companies`, and votes against ARR."""
    places = votes_against_arr(connection, places=PLACES)
    # Titles are people's words: unescaped they could draw a picture from another host into Dagster's page.
    named = [f"{safe(one.title)}: {one.by_votes:,} by votes, {one.by_arr:,} by ARR" for one in places.gaps]
    return {
        "chart_arr": picture("ARR by request", arr_chart(connection, currency, bars=BARS)),
        "chart_companies": picture("Companies by request", companies_chart(connection, bars=BARS)),
        "chart_votes_against_arr": picture("Place by votes against place by ARR", places.chart, named),
    }


def trend_charts(connection: duckdb.DuckDBPyConnection) -> dict[str, dg.MetadataValue[str]]:
    """Draw how the first requests came to their ranks; nothing before the second day."""
    chart = arr_trend(connection, snapshots=SNAPSHOTS)
    return {"chart_trend": picture("Place by ARR over time", chart)} if chart else {}


def coverage_charts(votes: VoteNumbers) -> dict[str, dg.MetadataValue[str]]:
    """Draw how votes were matched; nothing without votes."""
    chart = coverage_chart(votes)
    return {"chart_coverage": picture("Votes by how they were matched", chart)} if chart else {}


def picture(name: str, chart: str, named: Sequence[str] = ()) -> dg.MetadataValue[str]:
    """A chart as Dagster shows it: an image in Markdown, whose address holds the drawing, and what its numbers mean."""
    # Numbered as the chart marks them: there is no room for words beside its points.
    lines = [f"{number}. {words}" for number, words in enumerate(named, start=1)]
    return dg.MetadataValue.md("\n".join([f"![{name}]({as_image(chart)})", "", *lines]))
