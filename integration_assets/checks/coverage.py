"""Coverage: what share of the votes was matched to a company."""

from __future__ import annotations

import duckdb

from integration_assets.checks.base import Check, CheckResult, GateSettings, query, reaches, sample
from integration_assets.reporting.text import percent
from integration_assets.staging.tables import has_table

NAME, ASSET = "votes_matched", "domain_resolved_votes"


def votes_matched(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Check that enough votes were matched. Votes of the tenant's own staff are left out of the share."""
    # An error, not a pass: a gate that is asked too early must not be open.
    if not has_table(connection, "resolved", "votes"):
        return CheckResult(NAME, ASSET, "ERROR", passed=False, detail="votes have not been resolved yet")
    [(votes, matched, own_staff)] = query(connection, "coverage")
    # Own staff are never matched: a tenant whose people vote a lot would never reach its floor.
    counted = votes - own_staff
    return CheckResult(
        NAME,
        ASSET,
        "ERROR",
        passed=reaches(matched, counted, settings.coverage_floor),
        detail=f"{matched:,} of {counted:,} votes matched ({percent(matched, counted)}, "
        f"floor {settings.coverage_floor:.0%}), {own_staff:,} of own staff left out",
        rows=sample(("reason", "votes"), query(connection, "unmatched_reasons")),
    )


CHECKS = (
    Check(
        NAME, ASSET, "ERROR", "The share of matched votes is not below the configured floor.", votes_matched, "ranking"
    ),
)
