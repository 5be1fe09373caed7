"""The gate's checks as Dagster asset checks, one per check, partitioned by tenant.

Dagster calls partition-aware checks a preview: `_partitioned` is the only place that knows, and the reason why dagster
is pinned below its next minor version.
"""

from __future__ import annotations

import warnings
from datetime import UTC, datetime

import dagster as dg

from integration_assets.assets.metadata import markdown_table
from integration_assets.assets.partitions import TENANTS
from integration_assets.assets.run_session import RunSession
from integration_assets.checks.base import Check, CheckResult, GateSettings
from integration_assets.checks.gate import CHECKS
from integration_assets.tenants.integrations import company_mapping

_SEVERITY = {"ERROR": dg.AssetCheckSeverity.ERROR, "WARN": dg.AssetCheckSeverity.WARN}


def gate_settings(session: RunSession) -> GateSettings:
    """What the gate needs to know of the run in progress."""
    return GateSettings(
        run_id=session.state.run_id,
        environment=session.target,
        now=datetime.now(UTC),
        coverage_floor=session.settings.coverage_floor,
        link_contacts=session.settings.link_contacts,
        company_properties=company_mapping(session.settings).names(),
    )


def _as_dagster(result: CheckResult) -> dg.AssetCheckResult:
    columns = list(result.rows[0]) if result.rows else []
    rows = [tuple(row.values()) for row in result.rows]
    return dg.AssetCheckResult(
        passed=result.passed,
        severity=_SEVERITY[result.severity],
        description=result.detail,
        metadata={"rows": dg.MetadataValue.md(markdown_table(columns, rows))} if rows else {},
    )


def _partitioned(check: Check) -> dg.AssetChecksDefinition:
    def run(session: RunSession) -> dg.AssetCheckResult:
        with session.stage(check.name) as state:
            result = check.run(session.connection, gate_settings(session))
            state.checks[check.name] = result
            return _as_dagster(result)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=dg.PreviewWarning)
        return dg.asset_check(
            asset=check.asset,
            name=check.name,
            description=check.description,
            blocking=check.blocking,
            partitions_def=TENANTS,
        )(run)


ASSET_CHECKS = [_partitioned(check) for check in CHECKS]
