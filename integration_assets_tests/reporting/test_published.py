"""Rankings and reports come from the published database."""

import csv
import json
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from integration_assets.cli import app
from integration_assets.config import Settings, load_settings
from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.reporting.insights import Filter, read_requests
from integration_assets.reporting.published import open_published, ranking_files, show_rankings, show_report
from integration_assets.reporting.run_log import record_run
from integration_assets.reporting.run_summary import build_summary
from integration_assets.staging.publishing import publish, published_path


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home")


@pytest.fixture
def settings(store, facts, home: Settings) -> Settings:
    """Two runs are published, of which `run1` is the last."""
    first = msgspec.structs.replace(facts, run_id="run0", started_at=facts.started_at.replace(hour=1), error="no luck")
    for one in (first, facts):
        record_run(store, build_summary(store, one), one)
    publish(store, published_path(home.home, home.environment, "default"))
    return home


@pytest.fixture
def console() -> Console:
    return Console(file=StringIO(), width=100, force_terminal=True, color_system=None)


def test_slow_queries_draw_nothing_among_the_results(settings: Settings) -> None:
    """DuckDB's own progress bar, which goes to stdout even into a pipe, is off."""
    with open_published(settings, "default") as connection:
        assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(False,)]


def test_what_is_published_meanwhile_is_read_by_whoever_opens_it_then(store, settings: Settings) -> None:
    """However many still read what was published before."""
    path = published_path(settings.home, settings.environment, "default")
    count = "SELECT count(*) FROM ranked.feature_requests"
    with open_published(settings, "default") as before:
        [(many,)] = before.execute(count).fetchall()
        store.execute("DELETE FROM ranked.feature_requests")
        publish(store, path)
        with open_published(settings, "default") as after:
            assert after.execute(count).fetchall() == [(0,)]
        assert many > 0
        assert before.execute(count).fetchall() == [(many,)]


def shown(console: Console) -> str:
    file: Any = console.file
    return str(file.getvalue())


@pytest.mark.parametrize(("by", "first"), [("arr", "Title 1"), ("companies", "Title 6"), ("votes", "Title 6")])
def test_rankings(settings, console, by, first):
    """Open requests are in the order asked for, with the currency of the last run, and what is left out is counted."""
    show_rankings(console, settings, "default", Filter(by=by), 1)
    assert "1 shipped or closed request is not shown: --all" in shown(console)
    assert first in shown(console)
    assert "ARR USD" in shown(console)
    assert f"Requests by {by}".lower() in shown(console).lower()


def test_merged_requests_are_named_below_the_ranking(settings, console):
    """Those of the file of same requests: most votes first, three of them, and how many more."""
    show_rankings(console, settings, "default", Filter(), 5)
    said = (
        "Title 1 has the votes of Sign-in (calls, 4 votes), Rfp <b> (calls, 1 vote), Log on (calls, 1 vote) and 1 more"
    )
    assert said in shown(console).splitlines()
    assert "Title 2 has the votes" not in shown(console)


def test_rankings_of_all_requests(settings, console):
    """`--all` has the closed ones as well, with their status, and nothing is left out."""
    show_rankings(console, settings, "default", Filter(by="votes", everything=True), 1)
    assert "Title 7" in shown(console)
    assert "closed" in shown(console)
    assert "not shown" not in shown(console)
    assert "and 6 more: --limit shows them" in shown(console)


def test_report_of_the_last_run(settings, console, tmp_path):
    """Without an id the last run is reported, with calls, checks and unresolved votes, and its JSON is written."""
    show_report(console, settings, "default", None, tmp_path / "out.json")
    for part in ("6 identified", "/v1/votes/list", "votes_usable", "gmail.com"):
        assert part in shown(console)
    assert json.loads((tmp_path / "out.json").read_text())["run_id"] == "run1"


def test_report_of_a_named_run(settings, console):
    """A run is found by its id; the line that ended it is shown."""
    show_report(console, settings, "default", "run0", None)
    assert "no luck" in shown(console)


def test_an_older_run_is_not_shown_the_unresolved_votes_of_a_later_one(settings, console):
    """Only the last ranking is kept: the votes it lost are shown with the run that made it, and no other."""
    show_report(console, settings, "default", "run0", None)
    assert "gmail.com" not in shown(console)
    assert "were replaced by those of a later run" in shown(console)


def test_a_run_that_ranks_nothing_leaves_the_ranking_to_the_run_that_made_it(settings, store, facts, console, tmp_path):
    """An undo is newer than the ranking: its report says whose it is, and the run before it still has its own."""
    undo = msgspec.structs.replace(
        facts, run_id="undo", mode="undo", ranked=False, started_at=facts.started_at.replace(hour=20)
    )
    record_run(store, build_summary(store, undo), undo)
    store.execute("ALTER TABLE ranked.feature_requests ADD COLUMN as_of TIMESTAMP DEFAULT TIMESTAMP '2026-03-01'")
    publish(store, published_path(settings.home, settings.environment, "default"))
    show_report(console, settings, "default", "undo", None)
    assert "this run published no ranking" in shown(console)
    assert "gmail.com" not in shown(console)
    show_report(console, settings, "default", "run1", None)
    assert "gmail.com" in shown(console)


@pytest.mark.parametrize(("run", "problem"), [("x", "there is no run x"), ("run", "several runs begin with run")])
def test_unknown_and_ambiguous_runs(settings, console, run, problem):
    """An id that names no run, or several, is a mistake of the caller."""
    with pytest.raises(ConfigurationError, match=problem):
        show_report(console, settings, "default", run, None)


def test_nothing_published_yet(home, console):
    """Before the first run the person is told what to do."""
    with pytest.raises(ConfigurationError, match="nothing has been published for default in sandbox yet"):
        show_rankings(console, home, "default", Filter(by="arr"), 5)


@pytest.mark.parametrize("lacking", ["crm_url", "merged_requests"])
def test_what_an_earlier_version_published_is_said_to_be_that(settings, store, console, lacking):
    """Columns are missing that are shown now: the next run publishes them, and says so instead of an error of SQL."""
    store.execute(f"ALTER TABLE ranked.feature_requests DROP COLUMN {lacking}")
    publish(store, published_path(settings.home, settings.environment, "default"))
    with pytest.raises(ConfigurationError, match=r"published by an earlier version.*run `sync --read-only`"):
        show_rankings(console, settings, "default", Filter(by="arr"), 5)


def test_damaged_file_is_reported(home, console):
    """A damaged published file is named."""
    path = published_path(home.home, home.environment, "default")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged" * 1000)
    with pytest.raises(PermanentError, match="the next run replaces it"):
        show_rankings(console, home, "default", Filter(by="arr"), 5)


@pytest.mark.parametrize(
    ("wanted", "found", "closed"),
    [
        (Filter(), ["r1", "r2", "r3", "r4", "r5", "r6"], 1),
        (Filter(by="votes", everything=True), ["r7", "r6", "r5", "r4", "r3", "r2", "r1"], 0),
        (Filter(status="closed"), ["r7"], 0),
        (Filter(board="Web"), ["r1", "r2", "r3"], 0),
        (Filter(tag="big"), ["r3"], 0),
        (Filter(category="Look", words="title 2"), ["r2"], 0),
        (Filter(words="sign-in"), ["r1"], 0),
        (Filter(created_since=datetime(2026, 2, 6)), ["r5", "r6"], 1),  # noqa: DTZ001 - as the store keeps it
        (Filter(voted_since=datetime(2026, 2, 27)), [], 1),  # noqa: DTZ001
        (Filter(board="'; DROP TABLE ranked.feature_requests; --"), [], 0),
    ],
)
def test_requests_are_narrowed_down(settings, wanted, found, closed):
    """By each filter; what is left out as closed is counted among those that fit, also where no request is shown."""
    with open_published(settings, "default") as connection:
        page = read_requests(connection, wanted, limit=None)
    assert [one.request_id for one in page.requests] == found
    assert (page.found, page.closed) == (len(found), closed)


def test_analysts_have_the_filters_as_a_macro(settings, store):
    """The published file narrows the ranking down by itself, with the same rule for closed requests."""
    store.execute("""
        ALTER TABLE ranked.companies ADD COLUMN is_customer BOOLEAN;
        CREATE OR REPLACE TABLE ranked.company_segments (company_id VARCHAR, property VARCHAR, value VARCHAR);
        CREATE OR REPLACE TABLE ranked.company_requests (
            company_id VARCHAR, request_id VARCHAR, votes BIGINT, first_vote_at TIMESTAMP, last_vote_at TIMESTAMP
        );
        CREATE OR REPLACE TABLE ranked.deals_at_stake (
            request_id VARCHAR, deal_id VARCHAR, company_ids VARCHAR [], amount DECIMAL(38, 2)
        );
        CREATE OR REPLACE TABLE ranked.feature_requests AS
        SELECT
            *, 0 AS voters, 0 AS companies_without_lifecycle, 0 AS companies_without_arr, 0 AS votes_30d,
            0 AS companies_30d, NULL::TIMESTAMP AS first_vote_at, []::VARCHAR [] AS voter_domains, 0.0 AS arr_share,
            TIMESTAMP '2026-03-01' AS as_of
        FROM ranked.feature_requests;
    """)
    publish(store, published_path(settings.home, settings.environment, "default"))
    with open_published(settings, "default") as connection:
        for arguments, found in (
            ("", ["r1", "r2", "r3", "r4", "r5", "r6"]),
            ("board_is := 'Web', created_since := DATE '2026-02-03'", ["r2", "r3"]),
            ("tag_is := 'big', category_is := 'Look'", ["r3"]),
            ("status_is := 'closed'", ["r7"]),
            ("everything := true, voted_since := '2026-02-26'", ["r6", "r7"]),
        ):
            rows = connection.execute(f"SELECT request_id FROM ranked.requests_where({arguments})").fetchall()
            assert [one for (one,) in rows] == found, arguments


def test_a_file_has_every_published_column(settings):
    """All requests that fit, not only the twenty of a terminal, named as in the published table."""
    files, said = ranking_files(settings, "default", Filter(board="App"), None, ["csv"])
    rows = list(csv.DictReader(files["csv"].decode().splitlines()))
    assert [row["request_id"] for row in rows] == ["r4", "r5", "r6"]
    assert (rows[0]["arr"], rows[0]["url"]) == ("4002.00", "https://feedback.example/r4")
    assert said == ["3 requests", "1 shipped or closed request is not shown: --all"]
    with open_published(settings, "default") as connection:
        published = connection.execute("FROM ranked.feature_requests LIMIT 0").description
    assert list(rows[0]) == [column[0] for column in published]


def test_the_command_writes_files(settings, tmp_path, monkeypatch):
    """CSV alone on stdout, other kinds into files; what is left out is told on stderr; a wrong status is named."""
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(settings.home))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["rankings", *arguments])

    written = run("--csv", "-", "--by", "votes", "--limit", "2")
    assert [row["request_id"] for row in csv.DictReader(written.stdout.splitlines())] == ["r6", "r5"]
    assert "1 shipped or closed request is not shown: --all" in written.stderr
    assert "and 4 more: without --limit they are in it" in written.stderr
    assert run("--xlsx", str(tmp_path / "a.xlsx"), "--parquet", str(tmp_path / "a.parquet"), "--all").exit_code == 0
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 7
    assert (tmp_path / "a.xlsx").read_bytes().startswith(b"PK")
    document = json.loads(run("--json", "-", "--by", "votes", "--limit", "2").stdout)
    assert [(row["request_id"], row["arr"]) for row in document["requests"]] == [("r6", "2001.00"), ("r5", "3001.50")]
    assert (document["total"], document["shown"], document["shipped_or_closed_left_out"]) == (6, 2, 1)
    for arguments, problem in (
        (["--xlsx", "-"], "only --csv and --json write to stdout"),
        (["--company", "c", "--csv", "-"], "no file but --json"),
        (["--status", "shiped"], "there is no status shiped: open, under_review"),
        (["--since", "7d", "--board", "Web"], "--since shows what moved"),
    ):
        assert problem in str(run(*arguments).exception)
