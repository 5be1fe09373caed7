"""Fields nobody documented, which are kept out, and optional values that cannot be read, which cost only themselves."""

from __future__ import annotations

import duckdb

from integration_assets.checks.base import Check, CheckResult, GateSettings, query, sample
from integration_assets.examples import first_names
from integration_assets.reporting.text import clean, clip, count
from integration_assets.staging.tables import has_table

NAME, UNREADABLE, ASSET = "unknown_fields", "unreadable_fields", "raw_feature_requests"
RENEWALS, RESOLVED = "renewals_readable", "domain_resolved_votes"
MOST_NAMED = 10


def unknown_fields(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn of fields that this run was the first to see, with the number of records that carried them."""
    rows = query(connection, "unknown_fields")
    # Told once, by the run that met the field first: said in every run, nobody would read it any more.
    new = [(field, records) for field, records, run_id in rows if run_id == settings.run_id]
    if not new:
        earlier = f"; {len(rows):,} that earlier runs told of" if rows else ""
        return CheckResult(NAME, ASSET, "WARN", passed=True, detail=f"no new fields{earlier}")
    named = ", ".join(f"{field} ({records:,})" for field, records in new[:MOST_NAMED])
    more = f" and {len(new) - MOST_NAMED:,} more" if len(new) > MOST_NAMED else ""
    detail = f"new fields seen: {named}{more}; they are not used, and this is said once"
    return CheckResult(NAME, ASSET, "WARN", passed=False, detail=detail, rows=sample(("field", "records"), new))


def unreadable_fields(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn of records that are used without an optional field, with how many, three ids and what was wrong."""
    rows = query(connection, "unreadable_fields", [settings.run_id])
    if not rows:
        return CheckResult(UNREADABLE, ASSET, "WARN", passed=True, detail="every field could be read")
    named = "; ".join(
        f"{field} of {records:,} records ({', '.join(examples)}{', …' if records > len(examples) else ''}): {reason}"
        for field, records, examples, reason in rows[:MOST_NAMED]
    )
    more = f"; and {len(rows) - MOST_NAMED:,} more fields" if len(rows) > MOST_NAMED else ""
    detail = f"used without what could not be read: {named}{more}. Correct it in the feedback system, or report it"
    shown = sample(("field", "records", "examples", "reason"), rows)
    return CheckResult(UNREADABLE, ASSET, "WARN", passed=False, detail=detail, rows=shown)


def renewals_readable(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn of companies whose renewal date is no date, with how many, three of them and what would be one."""
    if not has_table(connection, "resolved", "company_renewals"):
        return CheckResult(RENEWALS, RESOLVED, "WARN", passed=False, detail="renewals have not been resolved yet")
    rows = query(connection, "unreadable_renewals")
    if not rows:
        return CheckResult(RENEWALS, RESOLVED, "WARN", passed=True, detail="every renewal date can be read")
    # Cleaned and cut: the property may hold any text.
    shown = [(company_id, clip(clean(given), 40)) for company_id, given in rows]
    named = first_names([f"{given!r} of {company_id}" for company_id, given in shown])
    companies = count(len(rows), "company", "companies")
    detail = (
        f"{companies} without a renewal date that can be read: {named}; they are "
        f"in no ranking of renewals. Let {settings.renewal_property or 'the property'} hold a date as 2027-01-31, "
        "2027-01-31T00:00:00Z or milliseconds since 1970"
    )
    sampled = sample(("company_id", "renewal_date"), shown)
    return CheckResult(RENEWALS, RESOLVED, "WARN", passed=False, detail=detail, rows=sampled)


CHECKS = (
    Check(NAME, ASSET, "WARN", "The systems send no field that nobody documented.", unknown_fields),
    Check(UNREADABLE, ASSET, "WARN", "Every field of the feedback system's records can be read.", unreadable_fields),
    Check(RENEWALS, RESOLVED, "WARN", "Every renewal date of a company can be read.", renewals_readable),
)
