"""A run whose end cannot be recorded as it was concluded leaves no message of the other end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from integration_assets.config import Environment, load_settings
from integration_assets.errors import PermanentError
from integration_assets.reporting.outbox import StoreOutbox
from integration_assets.runs import finish
from integration_assets.runs.alert_transition import keep_alert_transition
from integration_assets.runs.state import Mode, RunState
from integration_assets.staging.store import open_store

SCHEDULED = {"dagster/schedule_name": "sync_schedule"}


def disk_full(*_arguments: object) -> None:
    raise duckdb.IOException("disk full")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, with Slack configured; nothing is sent."""
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(tmp_path))
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-of-a-test")
    monkeypatch.setenv("SLACK_CHANNEL", "C1")
    return tmp_path


def state_of(run_id: str, connection: duckdb.DuckDBPyConnection) -> RunState:
    """A run of a schedule that ended well."""
    state = RunState(run_id, "default", Mode.SYNC, datetime(2026, 3, 1, tzinfo=UTC), 0.0, tags=SCHEDULED)
    state.settings, state.environment, state.connection = load_settings(), Environment.SANDBOX, connection
    return state


def test_a_run_that_could_not_tidy_up_is_told_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is recorded, and replaced by the failure: a success that waited would be told by the next run."""
    monkeypatch.setattr(finish, "remove_old_records", disk_full)
    with open_store(home / "default.duckdb") as connection:
        state = state_of("run1", connection)
        recorded, problem = finish._record(state, finish._conclude(state))
        assert recorded
        assert problem is not None
        assert problem.message.startswith("staging store: old records could not be removed: disk full")
        state.error = problem
        finish._record(state, finish._conclude(state))
        [message] = StoreOutbox(connection).messages()
        assert "could not be removed" in str(message)
        assert connection.execute("SELECT state FROM ops.runs").fetchall() == [("FAILED",)]


def test_an_end_that_people_know_leaves_no_message_of_another(home: Path) -> None:
    """Recorded as a success, then as the failure they were told of: nothing waits any more."""
    with open_store(home / "default.duckdb") as connection:
        state = state_of("run1", connection)
        finish._record(state, finish._conclude(state))
        assert len(StoreOutbox(connection).messages()) == 1
        state.error = PermanentError("the file cannot be written")
        keep_alert_transition(state, finish._conclude(state).transition)
        assert finish._record(state, finish._conclude(state)) == (True, None)
        assert StoreOutbox(connection).messages() == []
