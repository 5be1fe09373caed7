"""Null fields: rows without what they need, and how much had to be quarantined because of it."""

from __future__ import annotations

from functools import partial

import duckdb

from integration_assets.checks.base import Check, CheckResult, GateSettings, percent, query, sample
from integration_assets.resolution.domains import blank_pattern

MOST_QUARANTINED = 10
MOST_QUARANTINED_SHARE = 0.01
"""More than the greater of the two, of one kind of record, closes the gate."""

WITHOUT_EMAIL_WARNING = 0.10
"""Share of votes without an address from which on a person should know: they can only be matched by account."""
WITHOUT_ARR_WARNING = 0.50
"""Share of companies without ARR from which on rankings by revenue say little. Many CRMs hold prospects as well."""

_STAGES = {
    "feature_requests_usable": "raw_feature_requests",
    "votes_usable": "raw_votes",
    "companies_usable": "raw_crm_companies",
    "contacts_usable": "raw_crm_contacts",
    "crm_records_usable": "raw_crm_feature_requests",
    "resolution_usable": "domain_resolved_votes",
}


def usable(connection: duckdb.DuckDBPyConnection, settings: GateSettings, *, name: str, stage: str) -> CheckResult:
    """Whether an input is complete: no stored row lacks its key or title, and not too many were quarantined."""
    stored = {asset: (total, incomplete) for asset, total, incomplete in query(connection, "incomplete_rows")}
    total, incomplete = stored.get(stage, (0, 0))
    kinds = [
        (kind, count, count + usable, quarantine_limit(count + usable))
        for row_stage, kind, count, usable in query(connection, "quarantined", [settings.run_id])
        if row_stage == stage
    ]
    too_many = [(kind, count, seen, limit) for kind, count, seen, limit in kinds if count > limit]
    parts = [f"{incomplete:,} of {total:,} rows without key or title"] if stage in stored else []
    parts += [
        f"{count:,} of {seen:,} {kind} records quarantined, limit {limit:,}" for kind, count, seen, limit in kinds
    ]
    return CheckResult(
        name,
        stage,
        "ERROR",
        passed=not incomplete and not too_many,
        detail="; ".join(parts) or "nothing quarantined",
        rows=sample(("kind", "quarantined", "seen", "limit"), kinds),
    )


def quarantine_limit(seen: int) -> int:
    """Most records of `seen` that may be quarantined with the gate still open."""
    return max(MOST_QUARANTINED, int(seen * MOST_QUARANTINED_SHARE))


def votes_with_email(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn when many votes have no address."""
    [(total, without)] = query(connection, "votes_without_email", [blank_pattern()])
    few, detail = _share(total, without, "votes have no e-mail", WITHOUT_EMAIL_WARNING)
    return CheckResult("votes_with_email", "raw_votes", "WARN", few, detail)


def companies_with_arr(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn when many companies have no ARR in the CRM."""
    [(total, without)] = query(connection, "companies_without_arr")
    few, detail = _share(total, without, "companies have no ARR in the CRM", WITHOUT_ARR_WARNING)
    return CheckResult("companies_with_arr", "raw_crm_companies", "WARN", few, detail)


def _share(total: int, without: int, what: str, warning: float) -> tuple[bool, str]:
    """Whether few enough rows are without a value, and the share in words."""
    words = f"{without:,} of {total:,} {what} ({percent(without, total)}, warning above {warning:.0%})"
    return without <= total * warning, words


CHECKS = (
    *(
        Check(
            name,
            stage,
            "ERROR",
            "No row lacks its key or title, and at most max(10, 1 %) of a kind of record was quarantined.",
            partial(usable, name=name, stage=stage),
        )
        for name, stage in _STAGES.items()
    ),
    Check("votes_with_email", "raw_votes", "WARN", "At most 10 % of the votes have no e-mail.", votes_with_email),
    Check(
        "companies_with_arr",
        "raw_crm_companies",
        "WARN",
        "At most half of the companies have no ARR in the CRM.",
        companies_with_arr,
    ),
)
