"""Check of what starts runs: the schedule is on, its daemon alive, and the last run not long ago."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from integration_assets.config import load_automation
from integration_assets.doctor.context import DoctorContext, in_thread
from integration_assets.doctor.findings import CheckOutcome, ok, skipped, warn, worst_of
from integration_assets.doctor.machine import known_store

MISSED = 3
"""Runs that may be missing before it is worth a word: a held plan or a long outage takes one or two."""
LONG_BY_HAND = timedelta(days=7)
"""Longest time without a run, where nothing starts runs by itself: a week."""
DAEMON_SILENCE = timedelta(minutes=5)
"""Dagster's daemon says every half minute that it lives."""
SYNC_SCHEDULE = "sync_schedule"
"""Without this one nothing is synced, whatever else is on. A project may have put something before its name."""
SCHEDULES = Path("schedules", "schedules.db")


class Schedules(msgspec.Struct, frozen=True):
    """Names of schedules that somebody switched on or off, and when the daemon last looked at them."""

    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    looked_at: datetime | None = None


async def schedule(context: DoctorContext) -> CheckOutcome:
    """23: the schedule and the age of the last run."""
    # First of all: a wrong variable is met by the defaults where the definitions are built, and told here.
    period = timedelta(minutes=load_automation().sync_minutes)
    known = await in_thread(lambda: _schedules(context.operator.home))
    facts = await known_store(context)
    last = facts.last_run if facts else None
    looks = [_switched(known, context.now()), _age(last, context.now(), period if known.on else None)]
    worst = worst_of(looks)
    # Both looks fine: said in one line, since the age alone does not say whether anything starts runs.
    if worst.fix:
        return worst
    said = "; ".join(look.seen for look in looks)
    return ok(said) if known.on or last is not None else skipped(said)


def _switched(known: Schedules, now: datetime) -> CheckOutcome:
    if not known.on and not known.off:
        return ok("no schedule on this machine")
    # The other schedule only asks for changes: without a sync nothing comes of it.
    if not known.on or any(name.endswith(SYNC_SCHEDULE) for name in known.off):
        return warn(f"switched off: {', '.join(known.off)}", "Dagster UI → Automation: switch the schedule on")
    # A schedule that is on does nothing by itself: it is the daemon that starts runs.
    if known.looked_at is None or now - known.looked_at > DAEMON_SILENCE:
        since = f"since {known.looked_at:%Y-%m-%d %H:%M} UTC" if known.looked_at else "yet"
        return warn(f"{', '.join(known.on)} is on, but no daemon has looked at it {since}", "`integration-assets dev`")
    return ok(f"{', '.join(known.on)} is on")


def _age(last: tuple[datetime, str] | None, now: datetime, period: timedelta | None) -> CheckOutcome:
    if last is None:
        return ok("no run yet")
    ended, state = last
    age, longest = now - ended, LONG_BY_HAND if period is None else MISSED * period
    seen = f"the last run ended {_long(age)} ago ({state})"
    return ok(seen) if age <= longest else warn(seen, "`integration-assets sync`, and see why none was started")


def _long(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return (
        f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"
    )


def _schedules(home: Path) -> Schedules:
    """Read Dagster's own records, where there are any."""
    configured = os.environ.get("DAGSTER_HOME")
    folder = Path(configured) if configured else home / "dagster"
    # Opening an instance would create the files of one in an installation that never used Dagster's schedules.
    if not folder.is_dir() or not (configured or (folder / SCHEDULES).exists()):
        return Schedules()
    from dagster import DagsterInstance, DagsterInvariantViolationError  # noqa: PLC0415 - takes a second to import
    from dagster._core.definitions.run_request import InstigatorType  # noqa: PLC0415 - not among its public names
    from dagster._core.scheduler.instigation import InstigatorStatus  # noqa: PLC0415 - the same

    try:
        with DagsterInstance.from_config(str(folder.resolve())) as instance:
            if instance.schedule_storage is None:
                return Schedules()
            states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
            beat = instance.get_daemon_heartbeats().get("SCHEDULER")
    except DagsterInvariantViolationError:
        return Schedules()
    stopped = [state.instigator_name for state in states if state.status == InstigatorStatus.STOPPED]
    started = [state.instigator_name for state in states if state.status != InstigatorStatus.STOPPED]
    looked_at = datetime.fromtimestamp(beat.timestamp, UTC) if beat is not None else None
    return Schedules(tuple(sorted(set(started))), tuple(sorted(set(stopped))), looked_at)
