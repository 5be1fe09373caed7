"""Every tenant once in a period, each at a time of its own, so that they do not all call at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import dagster as dg
import msgspec

from integration_assets.assets.jobs import Job
from integration_assets.assets.names import Names
from integration_assets.config import Automation, load_automation, load_settings
from integration_assets.runs.partitions import DEFAULT_TENANT, TENANTS
from integration_assets.tenants.integrations import missing_variables

SLOT_MINUTES = 5
"""Tenants whose turn falls into the same slot start together. Periods of another length have slots of a minute."""


class Period(msgspec.Struct, frozen=True):
    """A length of time in which every tenant has its turn once, and the slots it is divided into."""

    minutes: int

    @property
    def slot_minutes(self) -> int:
        """Length of a slot."""
        # A period of, say, 7 minutes would have a last slot shorter than the others, and cron could not express it.
        return 1 if self.minutes % SLOT_MINUTES else SLOT_MINUTES

    @property
    def slots(self) -> int:
        """Slots in the period."""
        return self.minutes // self.slot_minutes

    @property
    def cron(self) -> str:
        """Cron expression of the beginnings of the slots, at which it is looked whose turn it is."""
        return "* * * * *" if self.slot_minutes == 1 else f"*/{self.slot_minutes} * * * *"


def slot_of(tenant: str, period: Period) -> int:
    """Choose a tenant's slot in each period: always the same, and spread evenly over many tenants."""
    # A hash of the name, not its place in the list: a tenant that is added or removed must not move the others.
    return int.from_bytes(hashlib.sha256(tenant.encode()).digest()[:4]) % period.slots


def slot_start(moment: datetime, period: Period) -> datetime:
    """Return the beginning, UTC, of the slot in which a moment (with time zone) lies."""
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp(seconds - seconds % (period.slot_minutes * 60), UTC)


def due_tenants(tenants: Iterable[str], moment: datetime, period: Period) -> list[str]:
    """The tenants whose turn is in the slot of this moment (with time zone)."""
    # Counted from the epoch, so that it goes on over midnight and restarts; a period need not divide the day.
    slot = int(slot_start(moment, period).timestamp()) // (period.slot_minutes * 60) % period.slots
    return sorted(tenant for tenant in tenants if slot_of(tenant, period) == slot)


def scheduled_tenants(partitions: Iterable[str]) -> list[str]:
    """All tenants; the default one only if it is configured, or nobody else is: then its run says what is missing."""
    tenants = sorted(partitions)
    # An installation of tenants often has no environment of its own: the default one would fail at every turn.
    if tenants != [DEFAULT_TENANT] and missing_variables(load_settings()):
        return [tenant for tenant in tenants if tenant != DEFAULT_TENANT]
    return tenants


def schedules(names: Names, automation: Automation, *, sync: Job, asking: Job) -> list[dg.ScheduleDefinition]:
    """The schedules that start these jobs of ours; on from the start where `automation` says so."""
    status = dg.DefaultScheduleStatus.RUNNING if automation.automation else dg.DefaultScheduleStatus.STOPPED
    return [
        schedule_of_turns(
            names.of("sync_schedule"),
            sync,
            Period(automation.sync_minutes),
            status,
            f"A sync of every tenant once in {automation.sync_minutes} minutes, each at a time of its own.",
        ),
        schedule_of_turns(
            names.of("asking_schedule"),
            asking,
            Period(automation.ask_minutes),
            status,
            f"Once in {automation.ask_minutes} minutes, the feedback system of every tenant is asked for changes.",
        ),
    ]


def schedule_of_turns(
    name: str, job: Job, period: Period, status: dg.DefaultScheduleStatus, description: str
) -> dg.ScheduleDefinition:
    """A schedule that runs a job for each tenant once in a period, when it is its turn.

    A turn that was missed is made up by the next one, not twice.
    """

    @dg.schedule(
        name=name,
        job=job,
        cron_schedule=period.cron,
        execution_timezone="UTC",
        default_status=status,
        description=description,
    )
    def whose_turn(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        load_automation()  # what is wrong there is said by the tick: the definitions were built with the defaults
        moment = context.scheduled_execution_time.astimezone(UTC)
        tenants = scheduled_tenants(context.instance.get_dynamic_partitions(str(TENANTS.name)))
        due = due_tenants(tenants, moment, period)
        if not due:
            yield dg.SkipReason(f"nobody's turn: {len(tenants)} tenants have theirs at other times")
        for tenant in due:
            # One key per slot: a tick that Dagster evaluates twice, as after a restart, starts one run.
            yield dg.RunRequest(run_key=f"{tenant} {slot_start(moment, period):%Y-%m-%dT%H:%MZ}", partition_key=tenant)

    return whose_turn
