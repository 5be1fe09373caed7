"""Every tenant once in a period, each at a time of its own, so that they do not all call at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, timedelta

import dagster as dg

from integration_assets.assets.jobs import Job
from integration_assets.assets.names import Names
from integration_assets.automation.queue_tags import queue_tags
from integration_assets.automation.turns import Turns
from integration_assets.config import DEFAULT_TENANT, Automation, load_automation, load_settings
from integration_assets.runs.partitions import TENANTS
from integration_assets.tenants.integrations import missing_variables

SLOT_MINUTES = 5
"""Longest time between two looks at whose turn it is: a sync starts at most so much later than its turn."""


def slot_minutes(period_minutes: int) -> int:
    """Minutes between two looks at whose turn it is, in a period of so many minutes."""
    # A short period is its own slot: then cron says what a person set. One that five does not divide is looked at every
    # minute, or the times between two turns of a tenant would differ.
    if period_minutes <= SLOT_MINUTES:
        return period_minutes
    return 1 if period_minutes % SLOT_MINUTES else SLOT_MINUTES


def every(minutes: int) -> str:
    """A period as people say it: "every 4 hours", "every 90 minutes", "every day"."""
    for unit, length in (("day", 1440), ("hour", 60)):
        if minutes % length == 0:
            return f"every {unit}" if minutes == length else f"every {minutes // length} {unit}s"
    return "every minute" if minutes == 1 else f"every {minutes} minutes"


def scheduled_tenants(partitions: Iterable[str]) -> list[str]:
    """All tenants; the default one only if it is configured, or nobody else is: then its run says what is missing."""
    tenants = sorted(partitions)
    # An installation of tenants often has no environment of its own: the default one would fail at every turn.
    if tenants != [DEFAULT_TENANT] and missing_variables(load_settings()):
        return [tenant for tenant in tenants if tenant != DEFAULT_TENANT]
    return tenants


def schedules(names: Names, automation: Automation, *, sync: Job) -> list[dg.ScheduleDefinition]:
    """The schedules that start this job of ours; on from the start where `automation` says so."""
    status = dg.DefaultScheduleStatus.RUNNING if automation.automation else dg.DefaultScheduleStatus.STOPPED
    return [turns_schedule(names.of("sync_schedule"), sync, automation.sync_minutes, status)]


def turns_schedule(name: str, job: Job, minutes: int, status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    """A schedule that runs a sync of each tenant once in so many minutes, when it is its turn.

    A turn that was missed is made up by the next one, not twice.
    """
    slot = slot_minutes(minutes)
    description = f"A sync of each tenant {every(minutes)} (INTEGRATION_ASSETS_SYNC_MINUTES), each at its own time."
    # The period itself cannot be the cron schedule: all tenants would start at the same minute.
    if slot != minutes:
        description += f" The cron schedule is how often Dagster looks whose turn it is: {every(slot)}."

    @dg.schedule(
        name=name,
        job=job,
        cron_schedule="* * * * *" if slot == 1 else f"*/{slot} * * * *",
        execution_timezone="UTC",
        default_status=status,
        description=description,
    )
    def whose_turn(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        load_automation()  # what is wrong there is said by the tick: the definitions were built with the defaults
        turns, moment = Turns(timedelta(minutes=minutes)), context.scheduled_execution_time.astimezone(UTC)
        tenants = scheduled_tenants(context.instance.get_dynamic_partitions(str(TENANTS.name)))
        due = turns.between(tenants, moment - timedelta(minutes=slot), moment)
        if not due and (coming := turns.next(tenants, moment)) is not None:
            yield dg.SkipReason(
                f"nobody's turn among {len(tenants)} tenants; next is {coming.tenant} at {coming.at:%Y-%m-%d %H:%M} UTC"
            )
        tags = queue_tags() if due else {}
        for turn in due:
            yield dg.RunRequest(
                # One key per turn: a tick that Dagster evaluates twice, as after a restart, starts one run.
                run_key=f"{turn.tenant} {turn.at:%Y-%m-%dT%H:%M:%SZ}",
                partition_key=turn.tenant,
                tags=tags.get(turn.tenant, {}),
            )

    return whose_turn
