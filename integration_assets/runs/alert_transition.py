"""Alert transition of a run's end: news, the same again, or over; and when the run is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb

from integration_assets.errors import (
    DailyQuotaError,
    EndState,
    IntegrationError,
    LaunchError,
    RunCancelledError,
    RunStoppedError,
)
from integration_assets.reporting.alert_places import alerts_of
from integration_assets.reporting.alerts import (
    RUNS,
    START,
    Alerts,
    AlertTransition,
    compare,
    record_transition,
    run_problem,
)
from integration_assets.runs.abandoned import PROCESS_TAG
from integration_assets.runs.resolution_settings import portal_time_zone
from integration_assets.runs.state import Mode, RunState

RETRY_TAG = "integration_assets/retry"
"""Tag of a run that tries another one again: 1 for the first time."""
MOST_RETRIES = 3
FIRST_PAUSE = timedelta(minutes=15)
"""Before the first retry where nobody named a time; each next pause is twice as long."""
PARENT_TAG = "dagster/parent_run_id"
"""Tag of a run that executes what is left of another one."""
AUTOMATIC_TAGS = ("dagster/schedule_name", "dagster/sensor_name")
AFTER_MIDNIGHT = timedelta(minutes=1)


def is_automatic(tags: Mapping[str, str]) -> bool:
    """True if nobody waits for this run: a schedule or a sensor started it."""
    return any(tag in tags for tag in AUTOMATIC_TAGS)


def alert_transition_of(state: RunState, end_state: EndState, line: str | None) -> AlertTransition | None:
    """Compare this end with the one people know; None for a run that is not one of those people follow.

    They follow what writes the CRM, whole runs or not. A run that a person cancelled is neither a problem nor the end
    of one.
    """
    if state.mode is not Mode.SYNC or state.settings is None or state.environment is None:
        return None
    # A launch that was refused and a cancelled run say nothing about whether syncs work: an open alert stays open.
    if isinstance(state.error, LaunchError | RunCancelledError):
        return None
    try:
        alerts = alerts_of(state.settings, state.environment.value, state.tenant).read()
    except IntegrationError:
        alerts = Alerts()  # a machine that opens no file any more must not keep the run from ending
    problem = run_problem(end_state, line, state.error)
    transition = compare(alerts.open.get(RUNS), problem, line or "", datetime.now(UTC))
    if transition.change == "new" and problem is not None and problem in alerts.open:
        # A look at the credential has said it already, and that no run gets through with it.
        return AlertTransition(change="same", alert=transition.alert, before=alerts.open[problem])
    return transition


def keep_alert_transition(state: RunState, transition: AlertTransition | None) -> None:
    """Keep how the runs stand.

    Raises:
        IntegrationError: it cannot be kept.
    """
    if transition is None or state.settings is None or state.environment is None:
        return
    if transition.change == "none":
        return
    with alerts_of(state.settings, state.environment.value, state.tenant).held() as held:
        record_end(held.alerts, transition)


def record_end(alerts: Alerts, transition: AlertTransition | None) -> None:
    """Change the alerts by the end of a run. What works again by a run needs no look of its own any more."""
    if transition is None or transition.change == "none":
        return
    record_transition(alerts, RUNS, transition)
    # A good run proves that runs can start and that the credential works, so those alerts close with it; otherwise the
    # next check of credentials would announce a second recovery.
    if transition.alert is None:
        before = transition.before.problem if transition.before else ""
        alerts.open.pop(before, None)
        alerts.open.pop(START, None)


def is_quiet(state: RunState, transition: AlertTransition | None) -> bool:
    """True if people need not hear of this end: they were told before, and nobody waits for the run."""
    return transition is not None and transition.change == "same" and is_automatic(state.tags)


def retry_time(state: RunState, end_state: EndState) -> datetime | None:
    """Return when this run is to be tried again, UTC; None when it is over, was typed, or was tried often enough.

    Only runs of the job `sync` are, whole ones and what is left of one: a whole one is what the sensor starts. What
    Dagster ended is up to Dagster: it tries again itself what took too long, and nobody what a person cancelled.
    """
    # Somebody who typed a command, or applies an approved plan, is there to repeat it: a retry behind their back could
    # write what they have changed their mind about.
    attempt = retries_so_far(state.tags)
    typed = PROCESS_TAG in state.tags or state.plan_file is not None or state.approved_hash is not None
    whole = state.scope.is_whole or PARENT_TAG in state.tags
    if end_state is not EndState.RETRY_LATER or typed or state.mode is not Mode.SYNC:
        return None
    # The sensor starts a whole sync. After a run of some stages that would do more than was asked for.
    if state.job != Mode.SYNC.value or not whole:
        return None
    # Without this bound a system that is down for days would get a new run every few minutes for as long.
    if attempt >= MOST_RETRIES or state.error is None or isinstance(state.error, RunStoppedError):
        return None
    zone = None
    if state.connection is not None and isinstance(state.error, DailyQuotaError):
        try:
            zone = portal_time_zone(state.connection)
        except duckdb.Error:
            zone = None  # the store is what failed: midnight in UTC is as good a guess as any
    return named_time(state.error, attempt, datetime.now(UTC), zone)


def retries_so_far(tags: Mapping[str, str]) -> int:
    """Read how often the run these tags belong to has been tried again before."""
    # Tags can be edited by hand in the Dagster UI: what is no number counts as the first try and must not stop the run.
    number = tags.get(RETRY_TAG, "")
    return int(number) if number.isascii() and number.isdigit() else 0


def named_time(error: IntegrationError, retries: int, now: datetime, time_zone: str | None) -> datetime:
    """Return when the other side said it may be asked again, else after a pause that grows with the retries. UTC.

    A day's calls are renewed at midnight in the `time_zone` of the portal; unknown, in UTC.
    """
    # A pause of minutes would only burn the retries: until midnight every call is refused.
    if isinstance(error, DailyQuotaError) and error.retry_after is None:
        here = now.astimezone(_zone(time_zone))
        midnight = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        # A little later than midnight: the clocks of the two machines need not agree to the second.
        return midnight.astimezone(UTC) + AFTER_MIDNIGHT
    pause = FIRST_PAUSE * 2**retries if error.retry_after is None else timedelta(seconds=error.retry_after)
    return now + pause


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    # The name comes from the portal; a machine without time zone data, or an unknown name, must not cost the retry.
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
