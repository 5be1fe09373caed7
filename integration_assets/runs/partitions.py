"""Partitions of the graph: one per tenant, `default` always present."""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg

from integration_assets.config import DEFAULT_TENANT

PARTITION_TAG = "dagster/partition"
PARTITIONS = "integration_assets_tenants"
"""Name of the partitions in a Dagster instance, which keeps those of all projects in one place."""
TENANTS = dg.DynamicPartitionsDefinition(name=PARTITIONS)


def tenant_of(run: dg.DagsterRun | None) -> str:
    """The tenant a run is for; a run without a partition is for the default one."""
    return (run.tags.get(PARTITION_TAG) if run else None) or DEFAULT_TENANT


def align_partitions(instance: dg.DagsterInstance, tenants: Collection[str] | None) -> None:
    """Give an instance one partition per tenant, and `default`. None: no registry, so what else is there stays."""
    wanted = {DEFAULT_TENANT, *(tenants or ())}
    there = set(instance.get_dynamic_partitions(PARTITIONS))
    if missing := sorted(wanted - there):
        instance.add_dynamic_partitions(PARTITIONS, missing)
    # Only when the registry could say who is there: an installation without one may have partitions made by hand.
    for tenant in sorted(there - wanted) if tenants is not None else ():
        instance.delete_dynamic_partition(PARTITIONS, tenant)
