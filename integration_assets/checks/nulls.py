"""Null fields: rows without what they need, and how much had to be quarantined because of it."""

from __future__ import annotations

from functools import partial

import duckdb

from integration_assets.checks.base import Check, CheckResult, GateSettings, Spoils, query, sample
from integration_assets.models import REQUEST_WITHOUT_ID
from integration_assets.reporting.quarantine import NOUNS, keeps_out, read_quarantine
from integration_assets.reporting.text import percent
from integration_assets.resolution.domains import blank_pattern

MOST_QUARANTINED = 10
MOST_QUARANTINED_SHARE = 0.01
"""More than the greater of the two, of one of `COUNTED`, closes the gate."""
COUNTED = frozenset({"feature_request", "vote", "company", "crm_feature_request"})
"""Kinds of which so many must not be missing: without requests, votes or companies the ranking is wrong, and what is in
the CRM and cannot be read would be written over. Of all other kinds a record that cannot be used is one that is absent:
an unreadable ARR is no ARR, and a warning."""
MOST_NAMED = 5
"""Reasons named by a warning; the summary of the run has the others."""

WITHOUT_EMAIL_WARNING = 0.10
"""Share of votes without an address from which on a person should know: they can only be matched by account."""
WITHOUT_ARR_WARNING = 0.50
"""Share of companies without ARR from which on rankings by revenue say little. Many CRMs hold prospects as well."""

STAGES: dict[str, tuple[str, Spoils]] = {
    "feature_requests_usable": ("raw_feature_requests", "ranking"),
    "votes_usable": ("raw_votes", "ranking"),
    "companies_usable": ("raw_crm_companies", "ranking"),
    "contacts_usable": ("raw_crm_contacts", "ranking"),
    "crm_records_usable": ("raw_crm_feature_requests", "write"),
    "deals_usable": ("raw_crm_deals", "nothing"),
    "internal_accounts_usable": ("raw_internal_accounts", "nothing"),
    "resolution_usable": ("domain_resolved_votes", "ranking"),
}
"""By check: the stage whose records it is about, and what too many unusable ones spoil."""
STORED = frozenset(
    {"raw_feature_requests", "raw_votes", "raw_crm_companies", "raw_crm_contacts", "raw_crm_feature_requests"}
)
"""Stages whose rows `sql/checks/incomplete_rows.sql` counts."""


def usable(connection: duckdb.DuckDBPyConnection, settings: GateSettings, *, name: str, stage: str) -> CheckResult:
    """Check that an input is complete: no stored row lacks its key or title, and not too much was quarantined.

    A failure that closes the gate names what closed it and nothing else; anything else quarantined is a warning.
    """
    # DuckDB takes longer to prepare these two than to count: most inputs keep nothing out, and not all are stored.
    stored = {}
    if stage in STORED:
        stored = {asset: (rows, lacking) for asset, rows, lacking in query(connection, "incomplete_rows")}
    total, incomplete = stored.get(stage, (0, 0))
    quarantined = []
    if keeps_out(connection, settings.run_id, stage):
        quarantined = query(connection, "quarantined", [settings.run_id, REQUEST_WITHOUT_ID])
    # A kind whose total is unknown has no limit: a share of it cannot be told.
    kinds = [
        (kind, number, seen, quarantine_limit(seen) if kind in COUNTED and seen is not None else None)
        for row_stage, kind, number, seen in quarantined
        if row_stage == stage
    ]
    too_many = [(kind, number, seen, limit) for kind, number, seen, limit in kinds if limit and number > limit]
    lines = read_quarantine(connection, settings.run_id, arr_property=settings.arr_property, stage=stage)
    if incomplete or too_many:
        # Only what closed it: a person in a hurry must not have to guess which of many lines is the error.
        spoilt = {kind for kind, *_ in too_many}
        parts = [f"{incomplete:,} of {total:,} rows without key or title"] if incomplete else []
        parts += [
            f"{_counted(kind, number, seen)} quarantined, limit {limit:,}" for kind, number, seen, limit in too_many
        ]
        parts += [line.text for line in lines if line.kind in spoilt][:MOST_NAMED]
        rows = sample(("kind", "quarantined", "seen", "limit"), too_many)
        return CheckResult(name, stage, "ERROR", passed=False, detail="; ".join(parts), rows=rows)
    if not lines:
        detail = f"{total:,} rows, all with key and title" if stage in stored else "nothing quarantined"
        return CheckResult(name, stage, "WARN", passed=True, detail=detail)
    parts = [line.text for line in lines[:MOST_NAMED]]
    # Said, as a line that merely ended would look like all there is.
    parts += [f"and {len(lines) - MOST_NAMED:,} more reasons"] if len(lines) > MOST_NAMED else []
    rows = sample(
        ("kind", "reason", "records", "examples", "remedy"),
        ((line.kind, line.reason, line.records, ", ".join(line.examples), line.remedy) for line in lines),
    )
    return CheckResult(name, stage, "WARN", passed=False, detail="; ".join(parts), rows=rows)


def _counted(kind: str, number: int, seen: int | None) -> str:
    plural = NOUNS.get(kind, ("", kind))[1]
    return f"{number:,} {plural}" if seen is None else f"{number:,} of {seen:,} {plural}"


def quarantine_limit(seen: int) -> int:
    """Most records of `seen` that may be quarantined with the gate still open."""
    # With the share alone, one bad record would close the gate of a tenant with fewer than a hundred.
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
    """Tell whether few enough rows are without a value, and give the share in words."""
    words = f"{without:,} of {total:,} {what} ({percent(without, total)}, warning above {warning:.0%})"
    return without <= total * warning, words


CHECKS = (
    *(
        Check(
            name,
            stage,
            # At worst: most failures of the others are warnings as well.
            "WARN" if spoils == "nothing" else "ERROR",
            "No row lacks its key or title, and at most max(10, 1 %) of requests, votes or companies are quarantined.",
            partial(usable, name=name, stage=stage),
            spoils,
        )
        for name, (stage, spoils) in STAGES.items()
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
