"""Every run leaves a report: one page beside what it published, found again by its command."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import duckdb
import pytest

from integration_assets.assets.charts import coverage_charts, ranking_charts, trend_charts
from integration_assets.reporting.run_summary import VoteNumbers
from integration_assets_tests.support.harness import World

pytestmark = pytest.mark.usefixtures("dagster_in_memory")


def the_report(world: World, run_id: str, environment: str = "sandbox") -> Path:
    return world.home / "reports" / environment / "default" / f"{run_id}.html"


def test_a_sync_leaves_a_report_and_says_where(synced: World, tmp_path: Path):
    """It holds the run and the ranking, no address, and can be had again as a file of one's own."""
    ran = synced.sync()
    path = the_report(synced, ran.summary["run_id"])
    assert f"report: {path}" in ran.out
    html = path.read_text(encoding="utf-8")
    assert ran.summary["run_id"] in html
    assert all(one["title"] in html for one in ran.summary["top"]["by_arr"][:3])
    assert html.count("<svg") >= 4
    assert "@" not in html.replace("@media", "").replace("@page", "").replace("\\@", "")

    copy = tmp_path / "report.html"
    told = synced.run("report", "--html", str(copy))
    assert told.code == 0
    assert f"report: {copy}" in told.out
    assert copy.read_text(encoding="utf-8") == html

    path.unlink()
    assert synced.run("report", "--html", str(copy)).code == 0
    drawn_again = copy.read_text(encoding="utf-8")
    assert ran.summary["run_id"] in drawn_again
    assert "ranking of another run" not in drawn_again


def test_a_run_that_failed_leaves_a_report_too(synced: World):
    """With what happened and what to do, and the ranking of before, called so."""
    synced.sandbox.sample.workspace.api_key = "another"
    ran = synced.run("sync", json_file=True)
    assert ran.code == 1
    html = the_report(synced, ran.summary["run_id"]).read_text(encoding="utf-8")
    assert "What to do" in html
    assert "CANNY_API_KEY" in html
    assert "ranking of another run" in html


def test_a_report_that_cannot_be_written_costs_no_run(synced: World):
    """It is a note; the run ends as it did."""
    reports = synced.home / "reports"
    for one in sorted(reports.rglob("*"), reverse=True):
        one.unlink() if one.is_file() else one.rmdir()
    reports.rmdir()
    reports.touch()
    ran = synced.sync()
    assert ran.summary["state"] == "SUCCEEDED"
    assert "no report was written" in ran.out


def test_dagster_gets_the_charts_as_pictures(synced: World):
    """Each is an image that stands by itself and is small; the trend waits for a second day."""
    published = synced.home / "published" / "sandbox" / "default.duckdb"
    with duckdb.connect(published, read_only=True) as connection:
        charts = ranking_charts(connection, "USD")
        assert trend_charts(connection) == {}
    charts |= coverage_charts(VoteNumbers(3, 2, {"host": 2}, {"no_email": 1}))
    assert coverage_charts(VoteNumbers()) == {}
    assert charts.keys() == {"chart_arr", "chart_companies", "chart_votes_against_arr", "chart_coverage"}
    for value in charts.values():
        text = str(value.value)
        image = re.match(r"!\[[^\]]+\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", text)
        assert image
        assert ET.fromstring(base64.b64decode(image[1])).tag.endswith("svg")
        assert len(text) < 30_000
        assert "@" not in text


def test_what_moved_is_told_by_date_and_by_how_long_ago(synced: World):
    """The first day has no history; the second shows who climbed since, in both rankings."""
    assert "shows from the second" in synced.run("rankings", "--since", "7d").out
    published = synced.home / "published" / "sandbox" / "default.duckdb"
    published.chmod(0o600)
    with duckdb.connect(published) as connection:
        connection.execute("""
            INSERT INTO ranked.rank_history
            SELECT as_of - INTERVAL 1 DAY, request_id, (SELECT count(*) FROM ranked.feature_requests) + 1 - rank_by_arr,
                rank_by_companies, companies, arr, companies_without_rate
            FROM ranked.rank_history
        """)
    moved = synced.run("rankings", "--since", "7d", "--limit", "3")
    assert moved.code == 0
    assert "Movers by ARR" in moved.out
    assert "the history begins at" in moved.out
    assert "up " in moved.out
    assert "no place by companies has changed" in synced.run("rankings", "--since", "7d", "--by", "companies").out
    wrong = synced.run("rankings", "--since", "yesterday")
    assert wrong.code == 2
    assert "7d" in wrong.err
