"""Duplicates: ids, keys and unique values that must be there once, and companies that share a domain."""

from __future__ import annotations

from functools import partial

import duckdb

from integration_assets.checks.base import SAMPLE_ROWS, Check, CheckResult, GateSettings, query, sample
from integration_assets.examples import first_names
from integration_assets.staging.tables import has_table

_UNIQUE: dict[str, tuple[str, str, str, str]] = {
    "request_ids_unique": ("raw_feature_requests", "repeated_request_ids", "request ids", "Request ids are unique."),
    "record_keys_unique": (
        "raw_crm_feature_requests",  # not of the requests: what only their records lack never costs the ranking
        "repeated_record_keys",
        "request ids that differ in case only",
        "No two requests would have one key in the CRM, where keys are lower-case.",
    ),
    "vote_ids_unique": ("raw_votes", "repeated_vote_ids", "vote ids", "Vote ids are unique."),
    "company_ids_unique": ("raw_crm_companies", "repeated_company_ids", "company ids", "Company ids are unique."),
    "crm_keys_unique": (
        "raw_crm_feature_requests",
        "repeated_crm_keys",
        "keys of ours on several CRM records",
        "Each of our keys is on one live CRM record.",
    ),
}

_OF_RECORDS = frozenset({"record_keys_unique", "crm_keys_unique"})


def unique(
    connection: duckdb.DuckDBPyConnection, settings: GateSettings, *, name: str, asset: str, sql: str, what: str
) -> CheckResult:
    """Check that nothing is repeated that must be there once."""
    repeated = query(connection, sql)
    # A few are enough to find the cause; the line goes into messages of limited length.
    shown = first_names([str(value) for value, _ in repeated])
    detail = f"{len(repeated):,} repeated {what}: {shown}" if repeated else f"no repeated {what}"
    return CheckResult(name, asset, "ERROR", not repeated, detail, sample(("repeated", "times"), repeated))


def company_domains_unique(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn, with the list, when several companies claim one domain: their votes may end as ambiguous."""
    # Only a warning: evidence beyond the domain settles most of these, and the rest is told as ambiguous.
    name, asset = "company_domains_unique", "domain_resolved_votes"
    if not has_table(connection, "resolved", "company_hosts"):
        return CheckResult(name, asset, "WARN", passed=False, detail="domains have not been resolved yet")
    shared = query(connection, "shared_hosts")
    if not shared:
        return CheckResult(name, asset, "WARN", passed=True, detail="no domain is shared by companies")
    listed = ", ".join(f"{host} ({companies})" for host, companies, _ in shared[:SAMPLE_ROWS])
    more = ", …" if len(shared) > SAMPLE_ROWS else ""
    detail = f"{len(shared):,} domains are shared by several companies: {listed}{more}"
    rows = sample(("host", "companies", "company_ids"), shared)
    return CheckResult(name, asset, "WARN", passed=False, detail=detail, rows=rows)


CHECKS = (
    *(
        Check(
            name,
            asset,
            "ERROR",
            description,
            partial(unique, name=name, asset=asset, sql=sql, what=what),
            # Doubled records or keys in the CRM leave the ranking as it is; doubled inputs count twice in it.
            "write" if name in _OF_RECORDS else "ranking",
        )
        for name, (asset, sql, what, description) in _UNIQUE.items()
    ),
    Check(
        "company_domains_unique",
        "domain_resolved_votes",
        "WARN",
        "No two companies claim one domain.",
        company_domains_unique,
    ),
)
