"""New fields: what the systems send that nobody documented. It is kept out; the run that meets it first says so."""

from __future__ import annotations

import duckdb

from integration_assets.checks.base import Check, CheckResult, GateSettings, query, sample

NAME, ASSET = "unknown_fields", "raw_feature_requests"
MOST_NAMED = 10


def unknown_fields(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn of fields that this run was the first to see, with the number of records that carried them."""
    rows = query(connection, "unknown_fields")
    new = [(field, records) for field, records, run_id in rows if run_id == settings.run_id]
    if not new:
        known = f"; {len(rows):,} that earlier runs told of" if rows else ""
        return CheckResult(NAME, ASSET, "WARN", passed=True, detail=f"no new fields{known}")
    named = ", ".join(f"{field} ({records:,})" for field, records in new[:MOST_NAMED])
    more = f" and {len(new) - MOST_NAMED:,} more" if len(new) > MOST_NAMED else ""
    detail = f"new fields seen: {named}{more}; they are not used, and this is said once"
    return CheckResult(NAME, ASSET, "WARN", passed=False, detail=detail, rows=sample(("field", "records"), new))


CHECKS = (Check(NAME, ASSET, "WARN", "The systems send no field that nobody documented.", unknown_fields),)
