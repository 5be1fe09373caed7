"""Partitions of the graph: one per tenant, `default` always present."""

from __future__ import annotations

import dagster as dg

DEFAULT_TENANT = "default"
TENANTS = dg.DynamicPartitionsDefinition(name="tenants")


def ensure_default_tenant(instance: dg.DagsterInstance) -> None:
    """Add the `default` partition to an instance that does not have it yet."""
    if not instance.has_dynamic_partition("tenants", DEFAULT_TENANT):
        instance.add_dynamic_partitions("tenants", [DEFAULT_TENANT])
