"""When a run is tried again, and when its end is news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integration_assets.config import Environment, load_settings
from integration_assets.errors import (
    CredentialError,
    DailyQuotaError,
    EndState,
    IntegrationError,
    PermanentError,
    QuotaError,
    RunCancelledError,
    RunStoppedError,
    TransientError,
)
from integration_assets.reporting.alert_places import FileAlerts, alerts_path, read_alerts
from integration_assets.reporting.alerts import Alert, AlertTransition
from integration_assets.runs.abandoned import PROCESS_TAG
from integration_assets.runs.alert_transition import (
    FIRST_PAUSE,
    MOST_RETRIES,
    RETRY_TAG,
    alert_transition_of,
    is_automatic,
    is_quiet,
    keep_alert_transition,
    named_time,
    retry_time,
)
from integration_assets.runs.launch import WRITE_STAGE, Scope
from integration_assets.runs.state import Mode, RunState

NIGHT = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
"""Half an hour before the night in which Berlin's clocks go forward."""
BY_SCHEDULE = {"dagster/schedule_name": "sync_schedule"}


@pytest.mark.parametrize(
    ("error", "retries", "zone", "after"),
    [
        (TransientError("away"), 0, None, FIRST_PAUSE),
        (TransientError("away"), 2, None, 4 * FIRST_PAUSE),
        (TransientError("moving", retry_after=86_400), 2, None, timedelta(days=1)),
        (QuotaError("throttled", retry_after=40), 0, None, timedelta(seconds=40)),
        (DailyQuotaError("spent"), 0, "US/Eastern", timedelta(hours=4, minutes=31)),
        (DailyQuotaError("spent"), 0, "Europe/Berlin", timedelta(hours=22, minutes=31)),
        (DailyQuotaError("spent"), 0, None, timedelta(minutes=31)),
        (DailyQuotaError("spent"), 0, "Nowhere/At_All", timedelta(minutes=31)),
        (DailyQuotaError("spent", retry_after=90), 0, "US/Eastern", timedelta(seconds=90)),
    ],
)
def test_the_time_of_the_next_try(error: IntegrationError, retries: int, zone: str | None, after: timedelta):
    """What the other side said; the next midnight of the portal for a spent day; else a pause that grows."""
    assert named_time(error, retries, NIGHT, zone) - NIGHT == after


def state(home: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> RunState:
    """A run that has been opened, of a home of its own."""
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(home))
    made = RunState(run_id="r", tenant="default", mode=Mode.SYNC, started_at=NIGHT, clock_start=0.0, tags=BY_SCHEDULE)
    made.job = "sync"
    made.settings, made.environment = load_settings(), Environment.SANDBOX
    for name, value in changes.items():
        setattr(made, name, value)
    return made


AWAY = TransientError("canny: no answer", system="canny")


@pytest.mark.parametrize(
    "changes",
    [
        {"tags": {**BY_SCHEDULE, RETRY_TAG: str(MOST_RETRIES)}},
        {"tags": {PROCESS_TAG: "host/1"}},
        {"mode": Mode.UNDO},
        {"scope": Scope(frozenset({WRITE_STAGE}))},
        {"job": "__ASSET_JOB"},
        {"approved_hash": "a" * 64},
        {"error": RunCancelledError("cancelled")},
        {"error": RunStoppedError("took too long")},
    ],
)
def test_who_is_not_tried_again(tmp_path, monkeypatch, changes):
    """What was tried three times, typed, approved, cancelled or stopped; an undo, a part of the graph, another job."""
    assert retry_time(state(tmp_path, monkeypatch, **{"error": AWAY, **changes}), EndState.RETRY_LATER) is None


def test_who_is_tried_again(tmp_path, monkeypatch):
    """A run of the schedule or of the UI that could not finish; one that failed for good is not."""
    for tags in (BY_SCHEDULE, {}, {**BY_SCHEDULE, RETRY_TAG: "2"}):
        assert retry_time(state(tmp_path, monkeypatch, error=AWAY, tags=tags), EndState.RETRY_LATER) is not None
        assert retry_time(state(tmp_path, monkeypatch, error=AWAY, tags=tags), EndState.FAILED) is None


def test_what_is_left_of_a_run_is_tried_again_as_a_whole_one(tmp_path, monkeypatch):
    """Dagster goes on with a run that died from where it stood: that one may meet an outage as well."""
    rest = {"scope": Scope(frozenset({WRITE_STAGE})), "tags": {"dagster/parent_run_id": "1"}}
    assert retry_time(state(tmp_path, monkeypatch, error=AWAY, **rest), EndState.RETRY_LATER) is not None


def ended(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    end_state: EndState,
    error: IntegrationError | None = None,
    **changes: Any,
) -> tuple[AlertTransition | None, bool]:
    """One run after the other: its standing, which is then kept."""
    run = state(home, monkeypatch, error=error, **changes)
    standing = alert_transition_of(run, end_state, error.message if error else None)
    keep_alert_transition(run, standing)
    return standing, is_quiet(run, standing)


def test_an_outage_is_told_once_and_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run of the schedule is quiet; one by hand is not; the first good one has recovered."""
    heard = [
        ended(tmp_path, monkeypatch, EndState.SUCCEEDED),
        ended(tmp_path, monkeypatch, EndState.RETRY_LATER, AWAY),
        ended(tmp_path, monkeypatch, EndState.RETRY_LATER, AWAY),
        ended(tmp_path, monkeypatch, EndState.RETRY_LATER, AWAY, tags={}),
        ended(tmp_path, monkeypatch, EndState.SUCCEEDED_WITH_REJECTS),
        ended(tmp_path, monkeypatch, EndState.SUCCEEDED),
    ]
    assert [(one.change if one else None, quiet) for one, quiet in heard] == [
        ("none", False),
        ("new", False),
        ("same", True),
        ("same", False),
        ("recovered", False),
        ("none", False),
    ]
    over = heard[4][0]
    assert over is not None
    assert over.before is not None
    assert over.before.times == 3


def test_a_key_that_a_look_found_refused_is_no_news_in_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was said already; the run that gets through ends both."""
    path = alerts_path(tmp_path, "sandbox", "default")
    with FileAlerts(path).held() as held:
        alerts = held.alerts
        alerts.open["credential hubspot"] = Alert(problem="credential hubspot", said="s", since=NIGHT)
    error = CredentialError("HubSpot rejected the token", system="hubspot")
    standing, quiet = ended(tmp_path, monkeypatch, EndState.FAILED, error)
    assert standing is not None
    assert (standing.change, quiet) == ("same", True)
    standing, _ = ended(tmp_path, monkeypatch, EndState.SUCCEEDED)
    assert standing is not None
    assert standing.change == "recovered"
    assert read_alerts(path).open == {}


def test_a_file_that_cannot_be_read_keeps_no_run_from_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is told as if nobody knew anything; that it could not be kept is an error of its own."""
    alerts_path(tmp_path, "sandbox", "default").mkdir(parents=True)
    run = state(tmp_path, monkeypatch, error=AWAY)
    standing = alert_transition_of(run, EndState.RETRY_LATER, AWAY.message)
    assert standing is not None
    assert standing.change == "new"
    with pytest.raises(PermanentError, match="cannot be read or written"):
        keep_alert_transition(run, standing)


def test_runs_nobody_follows_change_nothing(tmp_path, monkeypatch):
    """A dry run by hand says how it ended, and does not end the alarm; nor does a run that a person cancelled."""
    ended(tmp_path, monkeypatch, EndState.RETRY_LATER, AWAY)
    cancelled = {"error": RunCancelledError("cancelled")}
    for changes in ({"mode": Mode.DRY_RUN}, {"mode": Mode.UNDO}, cancelled):
        assert ended(tmp_path, monkeypatch, EndState.SUCCEEDED, **changes) == (None, False)
    assert read_alerts(alerts_path(tmp_path, "sandbox", "default")).open.keys() == {"runs"}


def test_a_part_of_the_graph_that_writes_ends_the_alarm(tmp_path, monkeypatch):
    """People follow what writes the CRM, however few stages were selected."""
    ended(tmp_path, monkeypatch, EndState.RETRY_LATER, AWAY)
    standing, _ = ended(tmp_path, monkeypatch, EndState.SUCCEEDED, scope=Scope(frozenset({WRITE_STAGE})))
    assert standing is not None
    assert standing.change == "recovered"


def test_who_waits_for_a_run():
    """Schedules and sensors do not."""
    assert [is_automatic(tags) for tags in (BY_SCHEDULE, {"dagster/sensor_name": "s"}, {}, {PROCESS_TAG: "h/1"})] == [
        True,
        True,
        False,
        False,
    ]
