"""Companies' domains that lead nowhere: personal mail, no host, a page on a platform, a suspected mail provider."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import duckdb

from integration_assets.checks.base import Check, CheckResult, GateSettings, query, sample
from integration_assets.reporting.text import clean, clip, count, money
from integration_assets.staging.tables import has_table

ASSET = "domain_resolved_votes"
NAMED = 3
"""Companies, or domains, named per problem; the rows have more of them."""
_WORDS = {
    "personal_domain": "a personal mail domain",
    "not_a_host": "a text that is no domain",
    "platform_page": "a page on a platform",
    "public_suffix": "a public suffix",
}


def domains_usable(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn when companies have a domain that no vote is matched by: which, with their ARR, and how to mend it."""
    name = "company_domains_usable"
    if not has_table(connection, "resolved", "host_problems"):
        return CheckResult(name, ASSET, "WARN", passed=False, detail="domains have not been resolved yet")
    rows = query(connection, "domain_problems")
    if not rows:
        return CheckResult(name, ASSET, "WARN", passed=True, detail="every domain of a company can be matched")
    by_reason: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for reason, *rest in rows:
        by_reason[reason].append(tuple(rest))
    companies = len({company_id for _, company_id, *_ in rows})
    parts = [
        f"{len({company_id for company_id, *_ in found}):,} {_WORDS[reason]} ({_listed(found, settings)})"
        # In the order of `_WORDS`, so that the line reads the same in every run.
        for reason in _WORDS
        if (found := by_reason.get(reason))
    ]
    # Remedies come last, where no message cuts them off.
    parts += dict.fromkeys(_remedy(reason, by_reason[reason], settings) for reason in _WORDS if reason in by_reason)
    verb = "has a domain" if companies == 1 else "have domains"
    detail = f"{count(companies, 'company', 'companies')} {verb} that no vote is matched by: {'; '.join(parts)}"
    # what may be lost comes first: votes, then revenue
    shown = sorted(rows, key=lambda row: (-row[4], -(row[3] or Decimal(0)), str(row[1])))
    columns = ("reason", "company_id", "domain", "arr", "votes")
    return CheckResult(name, ASSET, "WARN", passed=False, detail=detail, rows=sample(columns, shown))


def _listed(found: list[tuple[Any, ...]], settings: GateSettings) -> str:
    shown = [
        f"{clip(clean(value), 40)!r} of {company_id}, {_arr(arr, settings)}"
        + (f", {count(votes, 'vote')}" if votes else "")
        for company_id, value, arr, votes in found[:NAMED]
    ]
    return "; ".join(shown) + (f"; and {len(found) - NAMED:,} more" if len(found) > NAMED else "")


def _arr(arr: Decimal | None, settings: GateSettings) -> str:
    return "no known ARR" if arr is None else f"ARR {money(arr, settings.base_currency)}"


def _remedy(reason: str, found: list[tuple[Any, ...]], settings: GateSettings) -> str:
    # No setting helps here; only for a personal domain is there a decision to take.
    if reason != "personal_domain":
        return "correct in the CRM what is no domain of the company alone"
    # Each once: several companies may have put the same provider into their domain.
    domains = ",".join(dict.fromkeys(value for _, value, *_ in found[:NAMED]))
    return (
        f"where a domain is a customer's own, add it to {settings.business_domains_setting} (={domains}), "
        "else map single addresses with `overrides add`"
    )


def mail_providers_known(connection: duckdb.DuckDBPyConnection, settings: GateSettings) -> CheckResult:
    """Warn of companies' domains that look like a mail provider, and count for nobody until a person decides."""
    name = "mail_providers_known"
    if not has_table(connection, "resolved", "suspected_mail_providers"):
        return CheckResult(name, ASSET, "WARN", passed=False, detail="domains have not been resolved yet")
    rows = query(connection, "suspected_mail_providers")
    if not rows:
        return CheckResult(name, ASSET, "WARN", passed=True, detail="no company's domain looks like a mail provider")
    shown = [
        f"{domain} (people of {organisations:,} organisations write from it; {count(votes, 'vote')} of "
        f"{', '.join(map(str, (company_ids or [])[:NAMED]))}, {_arr(arr, settings)})"
        for domain, _, organisations, company_ids, arr, votes in rows[:NAMED]
    ]
    more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
    detail = (
        f"{count(len(rows), 'domain')} of companies may be a mail provider's, and counted for nobody until somebody "
        f"decides: {', '.join(shown)}{more}; add each to {settings.personal_domains_setting} if it is one, to "
        f"{settings.business_domains_setting} if all mail there is the company's, or map it with `overrides add`"
    )
    columns = ("domain", "voters", "organisations", "company_ids", "arr", "votes")
    return CheckResult(name, ASSET, "WARN", passed=False, detail=detail, rows=sample(columns, rows))


CHECKS = (
    Check("company_domains_usable", ASSET, "WARN", "Every domain of a company can be matched.", domains_usable),
    Check(
        "mail_providers_known",
        ASSET,
        "WARN",
        "No company's domain looks like a mail provider's.",
        mail_providers_known,
    ),
)
