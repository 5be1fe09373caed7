"""Every tenant every four hours, each at a time of its own, so that they do not all call at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from integration_assets.assets.partitions import DEFAULT_TENANT, TENANTS
from integration_assets.assets.run_session import Mode
from integration_assets.config import load_settings
from integration_assets.tenants.integrations import missing_variables

PERIOD = timedelta(hours=4)
SLOT = timedelta(minutes=5)
"""Tenants whose turn falls into the same five minutes start together."""
SLOTS = PERIOD // SLOT


def slot_of(tenant: str) -> int:
    """Which of the `SLOTS` of each period is a tenant's: always the same, and spread evenly over many tenants."""
    return int.from_bytes(hashlib.sha256(tenant.encode()).digest()[:4]) % SLOTS


def slot_start(moment: datetime) -> datetime:
    """When the slot a moment (with time zone) lies in began, UTC."""
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp(seconds - seconds % int(SLOT.total_seconds()), UTC)


def due_tenants(tenants: Iterable[str], moment: datetime) -> list[str]:
    """The tenants whose turn is in the slot of this moment (with time zone)."""
    slot = int(slot_start(moment).timestamp()) // int(SLOT.total_seconds()) % SLOTS
    return sorted(tenant for tenant in tenants if slot_of(tenant) == slot)


def scheduled_tenants(partitions: Iterable[str]) -> list[str]:
    """All tenants; the default one only if it is configured, or nobody else is: then its run says what is missing."""
    tenants = sorted(partitions)
    if tenants != [DEFAULT_TENANT] and missing_variables(load_settings()):
        return [tenant for tenant in tenants if tenant != DEFAULT_TENANT]
    return tenants


@dg.schedule(
    name="sync_every_four_hours",
    job_name=Mode.SYNC.value,
    cron_schedule="*/5 * * * *",
    execution_timezone="UTC",
    description="Every tenant every four hours. It looks every five minutes whose turn it is; switch it on once.",
)
def sync_every_four_hours(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run for each tenant whose turn it is. A turn that was missed is made up by the next one, not twice."""
    moment = context.scheduled_execution_time.astimezone(UTC)
    tenants = scheduled_tenants(context.instance.get_dynamic_partitions(str(TENANTS.name)))
    due = due_tenants(tenants, moment)
    if not due:
        yield dg.SkipReason(f"nobody's turn: {len(tenants)} tenants have theirs at other times")
    for tenant in due:
        yield dg.RunRequest(run_key=f"{tenant} {slot_start(moment):%Y-%m-%dT%H:%MZ}", partition_key=tenant)
