"""The gate as a whole: every check, and whether it is open. Asked after reading, and again before the first write.

An error is what makes the ranking or the write *wrong*; what one source merely lacks is a warning. `spoils` says which
of the two, and what spoils only the write is no error of a run that writes nothing (`sync --read-only`):

| check | at worst | spoils | because |
|---|---|---|---|
| `feature_requests_usable`, `votes_usable`, `companies_usable` | error | ranking | more than max(10, 1 %) missing |
| `contacts_usable` | error | ranking | only a stored row without id; contacts that cannot be read are absent |
| `crm_records_usable` | error | write | what is in the CRM and cannot be read would be written over |
| `internal_accounts_usable` | warning | nothing | a row that cannot be read is no ARR |
| `resolution_usable` | error | ranking | votes of requests that are gone; ARR and overrides only warn |
| `votes_with_email`, `companies_with_arr` | warning | nothing | the sources lack it |
| `request_ids_unique`, `vote_ids_unique`, `company_ids_unique` | error | ranking | counted twice |
| `record_keys_unique`, `crm_keys_unique` | error | write | two requests, or two records, of one key |
| `company_domains_unique` | warning | nothing | the votes are told as ambiguous |
| `company_domains_usable`, `mail_providers_known` | warning | nothing | what they cost is told with its ARR |
| `crm_schema_as_expected` | error | write | values would be refused, or not come back as written |
| `crm_schema_differs` | warning | nothing | it can still be written |
| `crm_link_limits` | warning | nothing | what does not fit is rejected and named |
| `environments_agree` | error | write | what was tried in the sandbox is not what production gets |
| `unknown_fields`, the `…_fresh` and `…_volume` checks | warning | nothing | the guard judges what is written |
| `unreadable_fields` | warning | nothing | records used without an optional field that cannot be read |
| `renewals_readable` | warning | nothing | a date that cannot be read is none, and told with its company |
| `tables_whole`, `tables_unrepeated`, `tables_unambiguous` | warning | nothing | a table that is wrong ends the read |
| `deals_usable` | warning | nothing | a deal that cannot be read is in no pipeline |
| `currency_rates_complete`, `revenue_joined` | warning | nothing | what is in no total is told with its amount |
| `deal_rates_complete` | warning | nothing | what is in no pipeline is told with its amount |
| `votes_matched`, `arr_coverage` | error | ranking | below the floor that was configured |
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from integration_assets.checks import (
    coverage,
    domains,
    duplicates,
    fields,
    freshness,
    nulls,
    own_tables,
    revenue,
    schema_drift,
    volume,
)
from integration_assets.checks.base import Check, CheckResult, GateSettings, asked_once

CHECKS: tuple[Check, ...] = (
    *nulls.CHECKS,
    *duplicates.CHECKS,
    *domains.CHECKS,
    *schema_drift.CHECKS,
    *fields.CHECKS,
    *own_tables.CHECKS,
    *coverage.CHECKS,
    *revenue.CHECKS,
    *freshness.CHECKS,
    *volume.CHECKS,
)


def run_gate(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> list[CheckResult]:
    """The results of all checks, in the order of `CHECKS`. Reads the staging store only, and all of it afresh."""
    with asked_once({}):
        return [check.ask(connection, settings) for check in CHECKS]


def closed_by(results: Iterable[CheckResult]) -> tuple[str, ...]:
    """List the reasons why the gate is closed, one line each; empty when it is open. Warnings do not close it."""
    return tuple(
        f"{result.asset}: {result.name}: {result.detail}"
        for result in results
        # By the severity of the result: a check that may fail as an error may also only warn.
        if not result.passed and result.severity == "ERROR"
    )
