"""Freshness: how old each input is."""

from __future__ import annotations

from datetime import UTC, timedelta
from functools import partial

import duckdb

from integration_assets.checks.base import Check, CheckResult, GateSettings, query

OLDEST_INPUT = timedelta(hours=24)
"""Older than this, an input is worth a warning: runs are scheduled every four hours."""

_INPUTS = {
    "feature_requests_fresh": ("raw_feature_requests", "feature_requests"),
    "votes_fresh": ("raw_votes", "votes"),
    "companies_fresh": ("raw_crm_companies", "companies"),
    "contacts_fresh": ("raw_crm_contacts", "contacts"),
    "crm_records_fresh": ("raw_crm_feature_requests", "crm_feature_requests"),
    "crm_schema_fresh": ("raw_crm_schema", "crm_schema"),
}


def fresh(
    connection: duckdb.DuckDBPyConnection, settings: GateSettings, *, name: str, asset: str, read: str
) -> CheckResult:
    """Warn when an input was last read too long ago, or never."""
    reads = query(connection, "last_read", [read])
    # A read-only run may go without an input altogether.
    if not reads or reads[0][0] is None:
        return CheckResult(name, asset, "WARN", passed=False, detail=f"{read} have never been read")
    as_of = reads[0][0].replace(tzinfo=UTC)
    # A clock that was set back must not give a negative age.
    age = max(settings.now - as_of, timedelta())
    detail = f"read {as_of:%Y-%m-%d %H:%M} UTC, {_words(age)} ago; warning after {_words(OLDEST_INPUT)}"
    return CheckResult(name, asset, "WARN", age <= OLDEST_INPUT, detail)


def _words(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    # One unit only, changed where the smaller one gets hard to read.
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 72 * 60 else f"{minutes // (24 * 60)} days"


CHECKS = tuple(
    Check(
        name,
        asset,
        "WARN",
        "The input was read within the last 24 hours.",
        partial(fresh, name=name, asset=asset, read=read),
    )
    for name, (asset, read) in _INPUTS.items()
)
