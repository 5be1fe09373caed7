"""The sensor that gives a Dagster instance one partition per tenant, and says the numbers of what it serves.

A project that loads our definitions serves its instance itself: without this nobody would add the partitions there.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import dagster as dg

from integration_assets.assets.names import Names
from integration_assets.config import (
    DEFAULT_TENANT,
    Settings,
    automation_or_defaults,
    load_metrics_settings,
    load_settings,
)
from integration_assets.errors import IntegrationError
from integration_assets.reporting.metrics import RunQueue, exposition, keep_run_queue, write_metrics
from integration_assets.runs.launch import JOB_TAG
from integration_assets.runs.partitions import PARTITIONS, TENANTS
from integration_assets.runs.state import Mode
from integration_assets.tenants.settings import registry_tenants

_WAITING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]
_AT_WORK = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def missing_partitions(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for the partitions of the tenants that have none, `default` among them; none is ever deleted."""
    settings = load_settings()
    tenants = registry_tenants(settings)
    _say_numbers(context, settings, tenants)
    there = set(context.instance.get_dynamic_partitions(PARTITIONS))
    missing = sorted({DEFAULT_TENANT, *(tenants or ())} - there)
    if not missing:
        return dg.SkipReason("every tenant has its partition")
    return dg.SensorResult(dynamic_partitions_requests=[TENANTS.build_add_request(missing)])


def _say_numbers(context: dg.SensorEvaluationContext, settings: Settings, tenants: Collection[str] | None) -> None:
    """Leave the length of the queue in the home, and replace the file of numbers where one is wanted."""
    try:
        keep_run_queue(settings.home, run_queue(context.instance, datetime.now(UTC)))
        if (file := load_metrics_settings().file) is not None:
            period = timedelta(minutes=automation_or_defaults().sync_minutes)
            write_metrics(file, exposition(settings.home, tenants, period=period))
    # Tenants get their partitions all the same; whoever watches the numbers sees that they are old.
    except (OSError, IntegrationError) as error:
        context.log.warning(f"the numbers for monitoring were not written: {error}")


def run_queue(instance: dg.DagsterInstance, now: datetime) -> RunQueue:
    """Count the runs of our jobs that have not ended."""

    def count(statuses: list[dg.DagsterRunStatus]) -> int:
        # By the tag: in another project there are jobs of theirs as well.
        jobs = [mode.value for mode in Mode]
        return instance.get_runs_count(dg.RunsFilter(statuses=statuses, tags={JOB_TAG: jobs}))

    return RunQueue(queued=count(_WAITING), started=count(_AT_WORK), at=now)


def tenants_sensor(names: Names) -> dg.SensorDefinition:
    """The sensor, on from the start: it starts nothing."""
    return dg.sensor(
        name=names.of("tenants"),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Gives every tenant its partition, and counts the runs that wait, for monitoring.",
    )(missing_partitions)
