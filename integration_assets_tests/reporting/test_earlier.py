"""The ranking of an earlier moment: from a lake's snapshot or the daily history, or an error that says what is kept."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from integration_assets.cli import app
from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError
from integration_assets.reporting.earlier import earlier_files, parse_as_of, show_earlier
from integration_assets.reporting.insights import Filter
from integration_assets.resolution.rank import snapshot_history
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.store import open_store, store_place
from integration_assets_tests.resolution.worlds import World, company, request, resolved, vote

at = datetime.fromisoformat
"""A moment as the store keeps it: UTC without zone."""
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-11-01", at("2026-11-01 23:59:59.999999")),
        ("2026-11-30", at("2026-11-30 23:59:59.999999")),
        ("2026-11-01T10:00:00+02:00", at("2026-11-01 08:00")),
        ("30d", at("2026-10-31 12:00")),
    ],
)
def test_a_date_means_its_end(text: str, means: datetime) -> None:
    """Today's as well, though it has not ended; other forms mean the moment they name."""
    assert parse_as_of(text, NOW) == means


def test_a_moment_ahead_is_refused() -> None:
    """Nothing is known of it."""
    with pytest.raises(ConfigurationError, match="2026-12-01 lies ahead"):
        parse_as_of("2026-12-01", NOW)


def put_ranking(connection: duckdb.DuckDBPyConnection, world: World) -> None:
    """The ranking of a world, made elsewhere: statements on a lake are slow."""
    ranked = resolved(world)
    for table in ("feature_requests", "merged_requests", "companies", "company_segments"):
        _put(connection, f"ranked.{table}", ranked.execute(f"FROM ranked.{table}").to_arrow_table())
    # As in a store: views of what was resolved.
    for view in ("company_requests", "deals_at_stake"):
        _put(connection, f"resolved.made_{view}", ranked.execute(f"FROM ranked.{view}").to_arrow_table())
        connection.execute(f"CREATE OR REPLACE VIEW ranked.{view} AS FROM resolved.made_{view}")


def _put(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    connection.register("made", rows)
    connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM made")
    connection.unregister("made")


def rank_twice(settings: Settings) -> datetime:
    """Two rankings, of which the second turns the first round and lacks a request; the moment between them."""
    world: dict[str, Any] = {
        "feature_requests": [
            request("r1", title="Ask ann@acme.com", board="Web"),
            request("r2", board="App"),
            request("r3", status="complete"),
        ],
        "crm_companies": [
            company("1", "acme.com", arr="5000.00", segments={"plan": "Pro"}, renewal_date="2026-06-10"),
            company("2", "globex.io", arr="70", segments={"plan": "Free"}),
        ],
        "voters": [{"voter_id": "u1", "email": "ann@acme.com"}, {"voter_id": "u2", "email": "cy@globex.io"}],
        "votes": [vote("v1", "r1", "u1"), vote("v2", "r2", "u2"), vote("v3", "r3", "u2")],
    }
    place = store_place(settings, "sandbox", "default")
    with open_store(place) as connection:
        put_ranking(connection, world)
        snapshot_history(connection, at("2026-10-01 06:00"))
        moment = at("2026-10-05")
        if place.lake is not None:
            [(moment,)] = connection.execute(
                "SELECT max(snapshot_time)::TIMESTAMP FROM ducklake_snapshots('lake')"
            ).fetchall()
        later = {
            "feature_requests": [request("r2", title="Dark mode", board="Web"), request("r3", status="complete")],
            "crm_companies": [company("2", "globex.io", arr="70", segments={"plan": "Pro"})],
            "votes": world["votes"][1:],
        }
        put_ranking(connection, {**world, **later})
        snapshot_history(connection, at("2026-10-09 06:00"))
        publish(connection, published_path(settings.home, "sandbox", "default"))
    return moment


def settings_of(home: Path, url: str | None) -> Settings:
    return Settings.model_validate({"INTEGRATION_ASSETS_HOME": home, "INTEGRATION_ASSETS_STORE_URL": url})


def shown(settings: Settings, moment: datetime, wanted: Filter, limit: int = 20) -> str:
    text = StringIO()
    show_earlier(Console(file=text), settings, "default", moment, wanted, limit)
    return text.getvalue()


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["duckdb", "sqlite", "postgresql"])
def test_a_lake_has_the_whole_ranking_of_then(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Filters, all columns, masked texts; once the snapshot is forgotten, what the history has, or an error."""
    home = tmp_path / "home"
    url = f"ducklake:{'sqlite:' if kind == 'sqlite' else ''}{tmp_path}/lakes"
    if kind == "postgresql":
        url = f"ducklake:{request.getfixturevalue('postgresql')}&data={tmp_path}/data"
    settings = settings_of(home, url)
    moment = rank_twice(settings)
    text = shown(settings, moment, Filter())
    assert text.index("Ask [address]") < text.index("Request r2")
    assert "1 shipped or closed request is not shown: --all" in text
    assert "from the lake's snapshot of then" in text
    of_then = Filter(by="votes", board="App")
    files, said = earlier_files(settings, "default", moment, of_then, None, ["csv", "parquet"])
    [row] = csv.DictReader(files["csv"].decode().splitlines())
    with duckdb.connect(published_path(home, "sandbox", "default"), read_only=True) as published:
        columns = [name for name, *_ in published.execute("FROM ranked.feature_requests LIMIT 0").description or ()]
    assert (list(row), row["request_id"], row["arr"]) == (columns, "r2", "70.00")
    assert pq.read_table(BytesIO(files["parquet"])).num_rows == 1
    assert said[0] == "1 request"
    # which companies there were, and what the CRM said of them then
    of_pro = Filter(segments=("plan=pro",))
    text = shown(settings, moment, of_pro)
    assert "Only companies with plan=pro are counted: 1 of 2 companies that voted" in text
    assert "Ask [address]" in text
    assert "Request r2" not in text
    files, said = earlier_files(settings, "default", moment, of_pro, None, ["csv"])
    [row] = csv.DictReader(files["csv"].decode().splitlines())
    assert (row["request_id"], row["companies"], row["arr"]) == ("r1", "1", "5000.00")
    with pytest.raises(ConfigurationError, match="no company that voted has plan=gold"):
        shown(settings, moment, Filter(segments=("plan=gold",)))
    place = store_place(settings, "sandbox", "default")
    with open_store(place) as connection:
        connection.execute("CALL ducklake_expire_snapshots('lake', older_than => now())")
    with pytest.raises(ConfigurationError, match=r"not what --by votes, --board needs.*snapshots begin at 20"):
        shown(settings, moment, of_then)
    text = shown(settings, moment, Filter())
    assert "as ranked at 2026-10-09 06:00 UTC, from the daily history; the lake's snapshots begin at" in text


def test_plain_files_have_what_the_history_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places, ARR and companies of then, with what is known today; anything else is an error that says since when."""
    settings = settings_of(tmp_path, None)
    moment = rank_twice(settings)
    text = shown(settings, moment, Filter())
    assert [line.split()[:2] for line in text.splitlines()[2:5]] == [["1", "r1"], ["2", "Dark"], ["3", "Request"]]
    assert "as ranked at 2026-10-01 06:00 UTC, from the daily history; titles and statuses are today's" in text
    assert "and 2 more: --limit shows them" in shown(settings, moment, Filter(by="companies"), 1)
    files, said = earlier_files(settings, "default", moment, Filter(), 2, ["csv"])
    rows = list(csv.DictReader(files["csv"].decode().splitlines()))
    assert [(row["request_id"], row["title_now"], row["arr"]) for row in rows] == [
        ("r1", "", "5000.00"),
        ("r2", "Dark mode", "70.00"),
    ]
    assert said[:2] == ["2 requests", "and 1 more: without --limit they are in it"]
    with pytest.raises(ConfigurationError, match=r"only places by ARR .* not what --words needs"):
        shown(settings, moment, Filter(words="dark"))
    of_some = Filter(lifecycle="customer", segments=("plan=pro",), owner="Ann", renews_by=date(2026, 12, 31))
    with pytest.raises(
        ConfigurationError,
        match=r"not what --lifecycle, --segment, --owner, --renewing-within needs.*keep the store in a lake",
    ):
        shown(settings, moment, of_some)
    with pytest.raises(ConfigurationError, match="2026-09-30 00:00 UTC is not kept: the daily history begins at 2026-"):
        shown(settings, at("2026-09-30"), Filter())
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(tmp_path))
    ran = CliRunner().invoke(app, ["rankings", "--as-of", "2026-10-01", "--csv", "-"])
    assert [row["request_id"] for row in csv.DictReader(ran.stdout.splitlines())] == ["r1", "r2", "r3"]
    assert "-: 3 requests\nas ranked at 2026-10-01 06:00 UTC" in ran.stderr
    ran = CliRunner().invoke(app, ["rankings", "--as-of", "2026-10-01", "--json", "-", "--limit", "1"])
    document = json.loads(ran.stdout)
    assert document["note"].startswith("as ranked at 2026-10-01 06:00 UTC, from the daily history")
    assert (document["total"], [row["arr"] for row in document["requests"]]) == (3, ["5000.00"])
    both = CliRunner().invoke(app, ["rankings", "--as-of", "2026-10-01", "--since", "7d"])
    assert isinstance(both.exception, ConfigurationError)
