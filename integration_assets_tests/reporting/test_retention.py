"""What is kept of runs goes in time, and what other rules still ask for stays."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import msgspec

from integration_assets.config import Environment
from integration_assets.errors import EndState
from integration_assets.models import Rejected
from integration_assets.reporting.result_files import result_path
from integration_assets.reporting.retention import KEEP_RECORDS, remove_old_records
from integration_assets.reporting.run_log import record_run
from integration_assets.reporting.run_summary import RunFacts, build_summary
from integration_assets.runs import result
from integration_assets.staging.loading import quarantine
from integration_assets_tests.reporting.conftest import STARTED

DAY = timedelta(days=1)


def kept_runs(store: duckdb.DuckDBPyConnection) -> list[str]:
    return [run for (run,) in store.execute("SELECT run_id FROM ops.runs ORDER BY run_id").fetchall()]


def test_records_of_runs_go_after_a_year_but_for_the_last_good_one(
    empty_store: duckdb.DuckDBPyConnection, facts: RunFacts
) -> None:
    """With their calls and checks; a run that failed is no reason to forget when one last succeeded."""
    for number, state in enumerate((EndState.SUCCEEDED, EndState.SUCCEEDED, EndState.FAILED, EndState.HELD)):
        one = msgspec.structs.replace(facts, run_id=f"run{number}", state=state, started_at=STARTED + number * DAY)
        record_run(empty_store, build_summary(empty_store, one), one)
    remove_old_records(empty_store, STARTED + KEEP_RECORDS, 30)
    assert kept_runs(empty_store) == ["run0", "run1", "run2", "run3"]
    remove_old_records(empty_store, STARTED + KEEP_RECORDS + 2.5 * DAY, 30)
    assert kept_runs(empty_store) == ["run1", "run3"]
    for table in ("api_calls", "checks"):
        left = empty_store.execute(f"SELECT DISTINCT run_id FROM ops.{table} ORDER BY run_id").fetchall()
        assert left == [("run1",), ("run3",)]


def test_what_was_quarantined_goes_unless_the_last_read_met_it(empty_store: duckdb.DuckDBPyConnection) -> None:
    """A read that is itself old still counts: which requests it could not use decides whether they are gone."""
    quarantine(empty_store, "run1", "raw_feature_requests", [Rejected("feature_request", "f1", "no title")])
    now = datetime.now(UTC)

    def left() -> int:
        return len(empty_store.execute("SELECT key FROM sync.quarantine").fetchall())

    remove_old_records(empty_store, now + 29 * DAY, 30)
    assert left() == 1
    empty_store.execute(
        "INSERT INTO raw.reads VALUES ('feature_requests', ?, ?, 1)", [(now - DAY).replace(tzinfo=None)] * 2
    )
    remove_old_records(empty_store, now + 31 * DAY, 30)
    assert left() == 1
    empty_store.execute("UPDATE raw.reads SET as_of = ?", [(now + 30 * DAY).replace(tzinfo=None)])
    remove_old_records(empty_store, now + 31 * DAY, 30)
    assert left() == 0


def test_the_oldest_endings_go(tmp_path: Path, monkeypatch: Any, facts: RunFacts) -> None:
    """As many stay as there are reports."""
    monkeypatch.setattr(result, "KEPT", 2)
    monkeypatch.setattr(result, "_results", {})
    message = result.Message("", [], posted=False)
    summary = build_summary(None, facts)
    ended = result.RunResult(0, summary, None, None, (), None, None, message)
    for number in range(4):
        state = SimpleNamespace(
            settings=SimpleNamespace(home=tmp_path),
            environment=Environment.SANDBOX,
            tenant="default",
            run_id=f"run{number}",
        )
        result.keep_result(cast("Any", state), ended)
        os.utime(result_path(tmp_path, Environment.SANDBOX, "default", f"run{number}"), (number, number))
    folder = result_path(tmp_path, Environment.SANDBOX, "default", "").parent
    assert sorted(file.name for file in folder.iterdir()) == ["run2.json", "run3.json"]
