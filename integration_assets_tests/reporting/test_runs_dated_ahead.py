"""A run that a wrong clock dated ahead is the newest nowhere while others were recorded since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest

from integration_assets.config import Environment
from integration_assets.doctor.store import _last_good_run, _last_run
from integration_assets.errors import EndState
from integration_assets.reporting.insights import LastRun, read_first_runs, read_last_run, read_runs
from integration_assets.reporting.metrics import RunNumbers
from integration_assets.reporting.published import _has_ranked, read_currency
from integration_assets.reporting.result_files import result_path
from integration_assets.reporting.run_log import record_run
from integration_assets.reporting.run_summary import RunFacts, build_summary
from integration_assets.sql import read_sql

BEGIN = datetime(2020, 3, 1, tzinfo=UTC)
AHEAD = datetime(2999, 3, 1, tzinfo=UTC)


@pytest.fixture
def runs(store: duckdb.DuckDBPyConnection, facts: RunFacts) -> dict[str, RunFacts]:
    """Three runs that succeeded, the second of which a clock dated a thousand years ahead."""
    days = {"first": BEGIN, "ahead": AHEAD, "third": BEGIN + timedelta(days=1)}
    made = {
        run_id: msgspec.structs.replace(facts, run_id=run_id, state=EndState.SUCCEEDED, started_at=at)
        for run_id, at in days.items()
    }
    for one in made.values():
        record_run(store, build_summary(store, one), one)
    return made


def third_is_newest(store: duckdb.DuckDBPyConnection) -> LastRun:
    """Every query for the newest run finds the third; the run dated ahead is listed last."""
    last = read_last_run(store)
    assert last is not None
    assert last.run_id == "third"
    assert [one.run_id for one in read_runs(store, limit=9)] == ["third", "first", "ahead"]
    assert read_first_runs(store).newest == "third"
    assert store.execute(read_sql("reporting/runs"), [""]).fetchall()[0][0] == "third"
    assert _has_ranked(store, "third")
    return last


@pytest.mark.usefixtures("runs")
def test_the_newest_run_is_the_newest_of_those_dated_right(store: duckdb.DuckDBPyConnection) -> None:
    """On every page and in every command; the run dated ahead is listed last."""
    last = third_is_newest(store)
    assert read_currency(store) == last.currency
    ended = _last_run(store)
    assert ended is not None
    assert ended[0].year == BEGIN.year
    good = _last_good_run(store)
    assert good is not None
    assert good.year == BEGIN.year


@pytest.mark.usefixtures("runs")
def test_a_clock_that_is_minutes_ahead_is_not_wrong(store: duckdb.DuckDBPyConnection) -> None:
    """A run of another machine that has just ended is the newest at once where pages are served."""
    store.execute(
        """
        UPDATE ops.runs
        SET started_at = make_timestamp(epoch_us(now())) + INTERVAL 3 MINUTE
        WHERE run_id = 'third'
        """
    )
    store.execute("UPDATE ops.runs SET finished_at = started_at WHERE run_id = 'third'")
    last = third_is_newest(store)
    assert _last_good_run(store) == last.finished_at.replace(tzinfo=UTC)


def test_it_is_the_last_one_where_there_is_no_other(store: duckdb.DuckDBPyConnection, facts: RunFacts) -> None:
    """The figures are its own then, whatever its date."""
    one = msgspec.structs.replace(facts, run_id="ahead", started_at=AHEAD)
    record_run(store, build_summary(store, one), one)
    last = read_last_run(store)
    assert last is not None
    assert last.run_id == "ahead"


def test_monitoring_says_when_a_run_is_overdue_all_the_same(
    store: duckdb.DuckDBPyConnection, runs: dict[str, RunFacts], tmp_path: Path
) -> None:
    """The numbers of the newest run are those of the newest dated right; the others are counted among all."""
    for run_id, one in runs.items():
        path = result_path(tmp_path, Environment.SANDBOX, "default", run_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode({"summary": build_summary(store, one)}))
    said = RunNumbers(tmp_path).exposition(["default"], period=timedelta(hours=1), now=BEGIN + timedelta(days=2))
    lines = said.decode().splitlines()
    third = (BEGIN + timedelta(days=1)).timestamp()
    assert 'integration_assets_runs_total{environment="sandbox",state="SUCCEEDED"} 3.0' in lines
    assert "integration_assets_tenants_overdue 1.0" in lines
    [began] = [line for line in lines if line.startswith("integration_assets_last_run_timestamp_seconds{")]
    assert float(began.rpartition(" ")[2]) == third
