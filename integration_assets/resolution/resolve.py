"""From the raw tables to the resolved ones: every vote with its company, or with the reason why it has none.

The steps, forward only: merges, hosts of companies, addresses, evidence per voter, ties, votes, revenue.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa

from integration_assets.resolution.addresses import PLAIN_ADDRESS, parse_address
from integration_assets.resolution.domains import (
    Kind,
    MailDomains,
    clean_company_host,
    lineage,
    registrable_domain,
    to_host,
)
from integration_assets.resolution.merges import survivors
from integration_assets.resolution.overrides import Override, normalised_match, override_problem
from integration_assets.resolution.revenue import RevenueFigure, company_revenues, parse_amount
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.resolution.tables import create_table, create_table_of_rows, drop_work_tables, text_schema

_WORK_TABLES = (
    "work_company_merges",
    "work_company_domains",
    "work_domain_texts",
    "work_host_companies",
    "work_address_texts",
    "work_hosts",
    "work_odd_addresses",
    "work_override_checks",
    "work_overrides",
    "work_override_companies",
    "work_override_hosts",
    "work_contact_companies",
    "work_account_companies",
    "work_internal_companies",
    "work_voter_accounts",
    "work_host_evidence",
    "work_evidence",
    "work_crm_arr",
    "work_tie_sets",
    "work_tie_members",
    "work_parents",
    "work_ancestors",
    "work_ties",
    "work_voter_companies",
    "work_suspects",
    "work_revenue_figures",
    "work_company_revenues",
)
_REVENUES = pa.schema(
    (
        pa.field("company_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("arr", pa.decimal128(38, 2)),
        pa.field("currency", pa.string()),
        pa.field("amount", pa.decimal128(38, 2)),
        pa.field("problem", pa.string()),
    )
)


def resolve_votes(connection: duckdb.DuckDBPyConnection, settings: ResolutionSettings) -> None:
    """Fill the tables of schema `resolved` from schema `raw`. The caller owns the transaction.

    Raises:
        ConfigurationError: a configured own, personal or business domain is not a domain.
    """
    domains = settings.mail_domains()
    _follow_merges(connection)
    _clean_company_hosts(connection, domains)
    _understand_addresses(connection, domains)
    _gather_evidence(connection, settings, domains)
    _settle_ties(connection)
    create_table(connection, "work_voter_companies")
    create_table(connection, "work_suspects")
    create_table(connection, "resolved.votes", "domain_resolved_votes")
    create_table(connection, "resolved.lost_votes", "resolved_lost_votes")
    _join_revenue(connection, settings)
    drop_work_tables(connection, _WORK_TABLES)


def _follow_merges(connection: duckdb.DuckDBPyConnection) -> None:
    """Which request, and which company, every merged id lives on in."""
    requests = {row[0] for row in connection.execute("SELECT request_id FROM raw.feature_requests").fetchall()}
    aliases = connection.execute("SELECT merged_request_id, request_id FROM raw.merge_aliases").fetchall()
    create_table_of_rows(
        connection,
        "resolved.request_survivors",
        text_schema("request_id", "survivor_id"),
        sorted(survivors(aliases, requests).items()),
    )
    merges = connection.execute(
        "SELECT DISTINCT unnest(merged_ids) AS merged_id, company_id FROM raw.crm_companies"
    ).fetchall()
    create_table_of_rows(
        connection, "work_company_merges", text_schema("merged_id", "survivor_id"), sorted(survivors(merges).items())
    )
    create_table(connection, "resolved.company_survivors", "resolved_company_survivors")


def _clean_company_hosts(connection: duckdb.DuckDBPyConnection, domains: MailDomains) -> None:
    create_table(connection, "work_company_domains")
    texts = connection.execute(
        """
        SELECT domain_text FROM work_company_domains
        UNION SELECT domain FROM raw.accounts WHERE domain IS NOT NULL
        UNION SELECT domain FROM raw.internal_accounts WHERE domain IS NOT NULL
        """
    ).fetchall()
    cleaned = ((text, clean_company_host(text, domains)) for (text,) in texts)
    create_table_of_rows(
        connection,
        "work_domain_texts",
        text_schema("domain_text", "host", "registrable_domain", "problem"),
        ((text, host.host, host.registrable_domain, host.problem) for text, host in cleaned),
    )
    create_table(connection, "resolved.company_hosts", "resolved_company_hosts")
    create_table(connection, "resolved.host_problems", "resolved_host_problems")
    create_table(connection, "work_host_companies")


def _understand_addresses(connection: duckdb.DuckDBPyConnection, domains: MailDomains) -> None:
    """Every distinct host, and every address that is not plain, is understood once; SQL does the rest."""
    create_table(connection, "work_address_texts", parameters={"plain_address": PLAIN_ADDRESS})
    hosts = connection.execute(
        "SELECT DISTINCT host_text FROM work_address_texts WHERE host_text IS NOT NULL"
    ).fetchall()
    create_table_of_rows(
        connection,
        "work_hosts",
        text_schema("host_text", "host", "registrable_domain", "kind"),
        (_host_row(text, domains) for (text,) in hosts),
    )
    odd = connection.execute("SELECT DISTINCT odd_email FROM work_address_texts WHERE odd_email IS NOT NULL").fetchall()
    parsed = ((email, parse_address(email, domains)) for (email,) in odd)
    create_table_of_rows(
        connection,
        "work_odd_addresses",
        text_schema("email", "address", "host", "registrable_domain", "kind"),
        ((email, one.address, one.host, one.registrable_domain, one.kind) for email, one in parsed),
    )
    create_table(connection, "resolved.addresses", "resolved_addresses")


def _host_row(text: str, domains: MailDomains) -> tuple[str, str | None, str | None, Kind]:
    host = to_host(text)
    if host is None:
        return text, None, None, Kind.MALFORMED
    registrable = registrable_domain(host)
    return text, host, registrable, domains.kind(host, registrable)


def _gather_evidence(connection: duckdb.DuckDBPyConnection, settings: ResolutionSettings, domains: MailDomains) -> None:
    _apply_overrides(connection, settings.overrides, domains)
    create_table(connection, "work_contact_companies")
    create_table(connection, "work_account_companies", parameters={"account_key": settings.account_key()})
    create_table(connection, "work_internal_companies")
    create_table(connection, "work_voter_accounts")
    create_table(connection, "work_host_evidence")
    create_table(connection, "work_evidence")


def _apply_overrides(
    connection: duckdb.DuckDBPyConnection, overrides: tuple[Override, ...], domains: MailDomains
) -> None:
    """Usable mappings by address, and for every host the closest mapping above it; the others are reported."""
    checked = [
        (normalised_match(each.match) or each.match, each.company_id.strip(), override_problem(each, domains))
        for each in overrides
    ]
    create_table_of_rows(connection, "work_override_checks", text_schema("match", "company_id", "problem"), checked)
    create_table_of_rows(
        connection,
        "work_overrides",
        text_schema("match", "company_id"),
        ((match, company_id) for match, company_id, problem in checked if problem is None),
    )
    create_table(connection, "work_override_companies")
    create_table(connection, "resolved.override_problems", "resolved_override_problems")
    create_table_of_rows(
        connection,
        "work_override_hosts",
        pa.schema((pa.field("host", pa.string()), pa.field("company_ids", pa.list_(pa.string())))),
        _mapped_hosts(connection),
    )


def _mapped_hosts(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, list[str]]]:
    mapped = dict(
        connection.execute(
            "SELECT match, company_ids FROM work_override_companies WHERE NOT contains(match, '@')"
        ).fetchall()
    )
    if not mapped:
        return
    hosts = connection.execute("SELECT DISTINCT host FROM resolved.addresses WHERE kind = 'business'").fetchall()
    for (host,) in hosts:
        closest = next((name for name in lineage(host) if name in mapped), None)
        if closest is not None:
            yield host, mapped[closest]


def _settle_ties(connection: duckdb.DuckDBPyConnection) -> None:
    figures = connection.execute(
        """
        SELECT survivors.survivor_id, companies.arr
        FROM raw.crm_companies AS companies
        INNER JOIN resolved.company_survivors AS survivors ON companies.company_id = survivors.company_id
        WHERE survivors.survivor_id = companies.company_id AND companies.arr IS NOT NULL
        """
    ).fetchall()
    earning = ((company_id,) for company_id, text in figures if _is_above_zero(text))
    create_table_of_rows(connection, "work_crm_arr", text_schema("company_id"), earning)
    for table in ("work_tie_sets", "work_tie_members", "work_parents", "work_ancestors", "work_ties"):
        create_table(connection, table)


def _is_above_zero(text: str) -> bool:
    amount = parse_amount(text)
    return not isinstance(amount, str) and amount > 0


def _join_revenue(connection: duckdb.DuckDBPyConnection, settings: ResolutionSettings) -> None:
    create_table(connection, "work_revenue_figures", parameters={"sources": list(settings.arr_sources)})
    figures = connection.execute(
        """
        SELECT source, figure_id, company_id, figure, currency
        FROM work_revenue_figures ORDER BY source, figure_id
        """
    ).fetchall()
    revenues, problems = company_revenues((RevenueFigure(*figure) for figure in figures), settings)
    create_table_of_rows(
        connection,
        "work_company_revenues",
        _REVENUES,
        ((one.company_id, one.source, one.arr, one.currency, one.amount, one.problem) for one in revenues),
    )
    create_table(connection, "resolved.company_arr", "resolved_company_arr")
    create_table_of_rows(
        connection,
        "resolved.arr_problems",
        text_schema("source", "id", "reason"),
        sorted((problem.source, problem.figure_id, problem.reason) for problem in problems),
    )
    create_table(connection, "resolved.arr_unjoined", "resolved_arr_unjoined")
