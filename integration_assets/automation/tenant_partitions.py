"""The sensor that gives a Dagster instance one partition per tenant.

A project that loads our definitions serves its instance itself: without this nobody would add the partitions there.
"""

from __future__ import annotations

import dagster as dg

from integration_assets.assets.names import Names
from integration_assets.config import DEFAULT_TENANT, load_settings
from integration_assets.runs.partitions import PARTITIONS, TENANTS
from integration_assets.tenants.settings import registry_tenants


def missing_partitions(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for the partitions of the tenants that have none, `default` among them; none is ever deleted."""
    there = set(context.instance.get_dynamic_partitions(PARTITIONS))
    missing = sorted({DEFAULT_TENANT, *(registry_tenants(load_settings()) or ())} - there)
    if not missing:
        return dg.SkipReason("every tenant has its partition")
    return dg.SensorResult(dynamic_partitions_requests=[TENANTS.build_add_request(missing)])


def tenants_sensor(names: Names) -> dg.SensorDefinition:
    """The sensor, on from the start: it starts nothing."""
    return dg.sensor(
        name=names.of("tenants"),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Gives every tenant its partition.",
    )(missing_partitions)
