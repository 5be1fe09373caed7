"""The gate as a whole: every check, and whether it is open. Asked after reading, and again before the first write."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from integration_assets.checks import coverage, duplicates, fields, freshness, nulls, revenue, schema_drift, volume
from integration_assets.checks.base import Check, CheckResult, GateSettings

CHECKS: tuple[Check, ...] = (
    *nulls.CHECKS,
    *duplicates.CHECKS,
    *schema_drift.CHECKS,
    *fields.CHECKS,
    *coverage.CHECKS,
    *revenue.CHECKS,
    *freshness.CHECKS,
    *volume.CHECKS,
)


def run_gate(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> list[CheckResult]:
    """The results of all checks, in the order of `CHECKS`. Reads the staging store only, and all of it afresh."""
    return [check.run(connection, settings) for check in CHECKS]


def closed_by(results: Iterable[CheckResult]) -> tuple[str, ...]:
    """Why the gate is closed, one line each; empty when it is open. Warnings do not close it."""
    return tuple(
        f"{result.asset}: {result.name}: {result.detail}"
        for result in results
        if not result.passed and result.severity == "ERROR"
    )
