"""Sensors: start a run on a change or at a named time, and tell people of runs that cannot tell it themselves.

A tick of a sensor costs next to nothing, a run some seconds of a process and a megabyte of history. So what is asked
every few minutes is asked by a tick, within a bounded time (`poll_tick`); what writes, or takes long, is a job.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import msgspec

from integration_assets.assets.jobs import Job
from integration_assets.assets.names import Names
from integration_assets.automation.announcements import Announcement, announce, cannot_begin
from integration_assets.automation.poll_tick import tick
from integration_assets.automation.polling import Runs
from integration_assets.automation.queue_tags import queue_tags
from integration_assets.automation.schedules import every, scheduled_tenants
from integration_assets.automation.turns import Turns
from integration_assets.config import Automation, Environment, Settings, load_automation, load_settings
from integration_assets.errors import EndState, IntegrationError
from integration_assets.reporting.alert_places import alerts_of
from integration_assets.reporting.alerts import RUNS
from integration_assets.runs.abandoned import PROCESS_TAG
from integration_assets.runs.alert_transition import RETRY_TAG, retries_so_far
from integration_assets.runs.appointments import appointments
from integration_assets.runs.launch import JOB_TAG, job_of, scope_of
from integration_assets.runs.partitions import PARTITION_TAG, TENANTS, tenant_of
from integration_assets.runs.result import RunResult, read_result
from integration_assets.runs.state import Mode
from integration_assets.tenants.settings import settings_for

log = logging.getLogger(__name__)
WATCHING = dg.DefaultSensorStatus.RUNNING
"""Default of sensors that only watch, or go on with what somebody began: on from the start."""
LONGEST_LATE = timedelta(days=2)
"""An appointment that nobody kept for so long, as while the daemon was off, is given up: the schedule takes over."""
MOST_REQUESTS = 100
"""Most runs one tick asks for: Dagster creates some eight a second. What is more follows with the next ticks."""
WILL_RETRY = "dagster/will_retry"
FOLLOWED = frozenset({Mode.SYNC.value, Mode.UNDO.value})
"""Jobs whose runs people follow."""


# ---------------------------------------------------------------------------------------------------------- on changes


class Cursor(msgspec.Struct, frozen=True):
    """Memory of a sensor between its ticks: the moment, UTC, up to which all turns have been taken.

    It is as long for a thousand tenants as for one: Dagster keeps a copy of it with each tick.
    """

    taken: datetime


def taken_until(cursor: str | None) -> datetime | None:
    """Read a cursor; None when there is none, or one that another version of the sensor wrote."""
    try:
        return msgspec.json.decode(cursor or "", type=Cursor).taken
    except msgspec.DecodeError:
        return None


def cursor_of(taken: datetime) -> str:
    """Write a cursor."""
    return msgspec.json.encode(Cursor(taken)).decode()


def sync_on_change(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Ask the feedback systems of the tenants that are due, and start a sync where something changed."""
    period = timedelta(minutes=load_automation().ask_minutes)
    tenants = scheduled_tenants(context.instance.get_dynamic_partitions(str(TENANTS.name)))
    now, taken = datetime.now(UTC), taken_until(context.cursor)
    found = tick(tenants, taken, now, period, load_settings(), Runs(context.instance))
    for line in (*found.notes, *(f"{tenant}: {reason}" for tenant, reason in sorted(found.failed.items()))):
        context.log.warning(line)
    context.log.info(found.line)
    tags = queue_tags() if found.changed else {}
    requests = [
        dg.RunRequest(run_key=key, partition_key=tenant, tags=tags.get(tenant, {}))
        for tenant, key in sorted(found.changed.items())
    ]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason(found.line),
        cursor=cursor_of(found.taken),
    )


# ------------------------------------------------------------------------------------------------------- at named times


def due_retries(instance: dg.DagsterInstance, home: Path, now: datetime) -> Iterator[dg.RunRequest]:
    """A new run for each tenant whose last sync could not finish and whose named time has come. `now` is UTC.

    At most `MOST_REQUESTS`, those that wait longest first. Appointments that are over are removed.
    """
    due: list[tuple[datetime, str, Path, str]] = []
    for path, appointment in appointments(home):
        # Without this an appointment nobody can keep would be looked at for ever.
        if appointment is None or appointment.at < now - LONGEST_LATE:
            log.warning("removed %s: it cannot be read, or nobody has kept it for days", path.name)
            path.unlink(missing_ok=True)
        elif appointment.at <= now:
            due.append((appointment.at, path.stem, path, appointment.run_id))
    asked_for, shared = 0, queue_tags() if due else {}
    for _, tenant, path, run_id in sorted(due):
        if asked_for == MOST_REQUESTS:
            return
        syncs = dg.RunsFilter(tags={JOB_TAG: Mode.SYNC.value, PARTITION_TAG: tenant})
        run = next(iter(instance.get_runs(syncs, limit=1)), None)  # the newest
        # A newer sync, good or bad, has taken over what this one left, and so has the retry itself.
        if run is None or run.run_id != run_id:
            path.unlink(missing_ok=True)
        # Its process has told its end and Dagster has not noticed yet: the next tick will find it.
        elif run.status is dg.DagsterRunStatus.FAILURE:
            asked_for += 1
            yield dg.RunRequest(
                # One retry per failed run, however often the sensor looks.
                run_key=f"retry of {run.run_id}",
                partition_key=tenant,
                # As it was launched: another environment or a full read is part of what has to be tried again.
                run_config=run.run_config,
                tags={RETRY_TAG: str(retries_so_far(run.tags) + 1), **shared.get(tenant, {})},
            )


def retry_later(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One new run per tenant, when the time has come and no other run has come in between."""
    due = list(due_retries(context.instance, load_settings().home, datetime.now(UTC)))
    yield from due
    if not due:
        yield dg.SkipReason("no time has come")


# -------------------------------------------------------------------------------------------------------- of dead runs


def result_of(home: Path, tenant: str, run_id: str) -> RunResult | None:
    """Read what a run of this machine left, of whichever environment; None when it left nothing that can be read."""
    for environment in Environment:
        try:
            ending = read_result(home, environment, tenant, run_id)
        # Told as a run without an ending: better than a run of which nobody is told.
        except (OSError, msgspec.DecodeError) as error:
            log.warning("the ending of run %s cannot be read: %s", run_id, type(error).__name__)
            continue
        if ending is not None:
            return ending
    return None


def is_followed(run: dg.DagsterRun, instance: dg.DagsterInstance) -> bool:
    """True if people follow runs of this kind: our syncs and undos, and whatever else runs stages of ours."""
    job = job_of(run)
    # Looks at credentials tell their own problems. A selection of assets, or a job of the project that loads ours,
    # counts as ours where a stage of ours is in it; what else the project runs is not ours to tell.
    return job in FOLLOWED if job else bool(scope_of(run, instance).stages)


def why_silent(run: dg.DagsterRun, ending: RunResult | None) -> str | None:
    """Return the reason for which nobody has to be told of this failed run of ours; None when somebody has."""
    if PROCESS_TAG in run.tags:
        return "whoever typed it has seen it"
    # Its next attempt tells how it ended; an alert now would be over a minute later.
    if run.tags.get(WILL_RETRY) == "true":
        return "Dagster tries it again"
    if ending is not None and not had_no_voice(ending):
        return "it has told it itself"
    return None


def _told_elsewhere(operator: Settings, tenant: str, run_id: str) -> str | None:
    """Return the reason for which a run that left nothing on this machine is not dead; None when it is."""
    known = (alerts_of(operator, environment.value, tenant).read().ended for environment in Environment)
    return "it has told it itself, on another machine" if any(run_id in ended for ended in known) else None


def had_no_voice(ending: RunResult) -> bool:
    """True if a run ended before it knew whose Slack to tell: the tenant's settings could not be opened."""
    return ending.stage == "start" and not ending.message.posted and ending.message.problem is None


def speak_for(run: dg.DagsterRun, operator: Settings, instance: dg.DagsterInstance) -> str:
    """Tell people of a failed run that could not tell it itself; returns what was done, one line.

    Where the tenant's settings do not open, whoever operates the installation is told, by the Slack of the environment.
    """
    if not is_followed(run, instance):
        return f"run {run.run_id}: a run of {run.job_name}"
    tenant = tenant_of(run)
    ending = result_of(operator.home, tenant, run.run_id)
    silent = why_silent(run, ending)
    if silent is None and ending is None:
        silent = _told_elsewhere(operator, tenant, run.run_id)
    if silent is not None:
        return f"run {run.run_id}: {silent}"
    try:
        settings = settings_for(operator, tenant, f"run {run.run_id}")
    # The tenant's settings are what is broken, so only the operator can be told.
    except IntegrationError:
        settings = operator
    news = _of_death(run)
    if ending is not None:
        news = cannot_begin(tenant, EndState(ending.summary.state), ending.error or "")
    _, problem = announce(settings, tenant, news, patient=False)
    return f"run {run.run_id}: {problem or 'told'}"


def _of_death(run: dg.DagsterRun) -> Announcement:
    return Announcement(
        subject=RUNS,
        problem=f"{EndState.FAILED} without a word",
        title="Feature requests: a run died",
        happened=f"run {run.run_id} ({run.job_name}) ended without a word: killed, out of memory, or never started.",
        advice="Look at it in the Dagster UI. The next run goes on where this one stood.",
    )


def dead_runs(context: dg.RunFailureSensorContext) -> dg.SkipReason:
    """Tell people of a run that left no ending of its own, or could not say it."""
    try:
        return dg.SkipReason(speak_for(context.dagster_run, load_settings(), context.instance))
    # Dagster goes on with the next run either way; of an error that is raised only the log of the dead run would tell.
    except IntegrationError as error:
        return dg.SkipReason(f"nobody could be told of run {context.dagster_run.run_id}: {error.message}")


# ------------------------------------------------------------------------------------------------------ of credentials


LOOKS = Turns(timedelta(hours=12))
"""Each credential is tried twice a day, each tenant's at a time of its own."""


def due_looks(
    instance: dg.DagsterInstance, taken: datetime | None, now: datetime
) -> tuple[list[dg.RunRequest], datetime]:
    """A look at the credentials of each tenant that is due at `now`, where turns were taken up to `taken`. UTC.

    Returns also up to when turns are taken then: at most `MOST_REQUESTS` are asked for.
    """
    tenants = scheduled_tenants(instance.get_dynamic_partitions(str(TENANTS.name)))
    due = LOOKS.between(tenants, LOOKS.resume(taken, now), now)
    # One key per turn: a tick that Dagster evaluates twice, as after a restart, starts one run.
    looks = [
        dg.RunRequest(run_key=f"{turn.tenant} {turn.at:%Y-%m-%dT%H:%M:%SZ}", partition_key=turn.tenant)
        for turn in due[:MOST_REQUESTS]
    ]
    return looks, due[MOST_REQUESTS - 1].at if len(due) > MOST_REQUESTS else now


def credentials(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """One look per tenant and half day."""
    load_automation()  # the one that always ticks says what is wrong there: definitions were built with the defaults
    looks, taken = due_looks(context.instance, taken_until(context.cursor), datetime.now(UTC))
    return dg.SensorResult(
        run_requests=looks,
        skip_reason=None if looks else dg.SkipReason("no credential is due for a look"),
        cursor=cursor_of(taken),
    )


# --------------------------------------------------------------------------------------------------------- all of them


def sensors(names: Names, automation: Automation, *, sync: Job, credentials_check: Job) -> list[dg.SensorDefinition]:
    """The sensors that watch and start these jobs of ours; `automation` switches on what writes by itself."""
    switched = dg.DefaultSensorStatus.RUNNING if automation.automation else dg.DefaultSensorStatus.STOPPED
    return [
        dg.sensor(
            name=names.of("sync_on_change"),
            job=sync,
            minimum_interval_seconds=30,
            default_status=switched,
            description=f"Asks each tenant's feedback system {every(automation.ask_minutes)} whether anything changed "
            "(INTEGRATION_ASSETS_ASK_MINUTES), and starts a sync where something has. Asking itself starts no run.",
        )(sync_on_change),
        dg.sensor(
            name=names.of("retry_later"),
            job=sync,
            minimum_interval_seconds=30,
            default_status=WATCHING,
            description="A new sync when one that could not finish said it can be tried again; three at most.",
        )(retry_later),
        dg.run_failure_sensor(
            name=names.of("dead_runs"),
            minimum_interval_seconds=15,
            default_status=WATCHING,
            description="Tells Slack of runs that died without a word: killed, out of memory, or never started. Once.",
        )(dead_runs),
        dg.sensor(
            name=names.of("credentials"),
            job=credentials_check,
            minimum_interval_seconds=600,
            default_status=WATCHING,
            description="Twice a day, each credential: does it work, and does it expire within 30, 14, 7 or 1 days.",
        )(credentials),
    ]
