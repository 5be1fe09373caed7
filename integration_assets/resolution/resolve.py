"""From the raw tables to the resolved ones: every vote with its company, or with the reason why it has none.

The steps, forward only: merges, hosts of companies, addresses, evidence per voter, ties, votes, revenue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, count
from typing import Any

import duckdb
import pyarrow as pa

from integration_assets.mail_addresses import PLAIN_ADDRESS, to_host
from integration_assets.resolution.addresses import parse_address
from integration_assets.resolution.deals import deal_amount
from integration_assets.resolution.domains import (
    Kind,
    MailDomains,
    clean_company_hosts,
    lineage,
    listed_pairs,
    plain_tops,
    registrable_domain,
    special_pairs,
)
from integration_assets.resolution.merges import survivors
from integration_assets.resolution.overrides import Override, company_id_of, normalised_match, override_problem
from integration_assets.resolution.revenue import RevenueFigure, company_revenues, parse_amount
from integration_assets.resolution.same_requests import SameRequests, same_requests_of
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.resolution.tables import (
    create_table,
    create_table_of_arrow,
    create_table_of_rows,
    create_view,
    drop_work_tables,
    text_schema,
    written_plain,
)

_WORK_TABLES = (
    "work_company_merges",
    "work_company_domains",
    "work_domain_texts",
    "work_texts",
    "work_plain_hosts",
    "work_plain_tops",
    "work_special_pairs",
    "work_host_companies",
    "work_text_companies",
    "work_personal_host_companies",
    "work_business_domains",
    "work_address_texts",
    "work_addresses",
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
    "work_request_ends",
    "work_repeated_votes",
    "work_revenue_figures",
    "work_company_revenues",
)
LEAST_KNOWN_ORGANISATIONS = 20
LEAST_ORGANISATIONS = 40
"""Organisations whose people write from one domain, from which on it is taken for a mail provider's, not a company's.

The first counts those that are known to be somebody else: they lead to another company of the CRM, or have another
domain. The second counts accounts as well of which only the id is known: at some companies each employee opens one.
Both ask for as many voters, for one organisation to every two of them at least, and for no more than a fifth of them in
an account of the domain's own company: people of one employer, however many subsidiaries and workspaces it has, share
theirs. A company suspected by mistake is told with its ARR and costs one line of configuration; a mail provider taken
for a company puts its revenue behind whatever any private person wants.
"""
_ADDRESS_HOSTS = pa.schema(
    (
        pa.field("host_no", pa.int32()),
        pa.field("text", pa.string()),
        pa.field("odd", pa.bool_()),
        pa.field("address", pa.string()),
        pa.field("host", pa.string()),
        pa.field("registrable_domain", pa.string()),
        pa.field("kind", pa.string()),
    )
)
"""Rows for each distinct host, and (`odd`) for each address that its host says too little of: one that is not plain, or
of own staff with mail elsewhere. `address` is set only on those."""
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

_DEALS = pa.schema(
    (
        pa.field("deal_no", pa.int32()),
        pa.field("deal_id", pa.string()),
        pa.field("deal_name", pa.string()),
        pa.field("company_ids", pa.list_(pa.string())),
        pa.field("stage", pa.string()),
        pa.field("close_date", pa.date32()),
        pa.field("amount", pa.decimal128(38, 2)),
        pa.field("amount_status", pa.string()),
        pa.field("own_amount", pa.decimal128(38, 2)),
        pa.field("currency", pa.string()),
    )
)
_LEFT_OUT = pa.schema(
    (
        pa.field("company_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("currency", pa.string()),
        pa.field("amount", pa.decimal128(38, 2)),
        pa.field("has_rate", pa.bool_()),
    )
)


def resolve_votes(connection: duckdb.DuckDBPyConnection, settings: ResolutionSettings) -> SameRequests:
    """Fill schema `resolved` from schema `raw`. The caller owns the transaction.

    Votes are kept by number of request, voter and company (`resolved.counted_votes`); `resolved.votes` and
    `resolved.addresses` are views that say the same in ids and texts. Returns which requests count as others.

    Raises:
        ConfigurationError: a configured personal or business domain is not a domain, or an own one neither a domain
            nor an address.
    """
    domains = settings.mail_domains()
    with written_plain(connection):
        # First, as every later step names companies and requests by the id they live on in.
        same = _follow_merges(connection, settings)
        _name_special_hosts(connection, domains)
        _clean_company_hosts(connection, domains)
        _understand_addresses(connection, domains)
        _gather_evidence(connection, settings, domains)
        # Before the revenue is joined, which uses the ancestor of a tie and never its winner.
        _settle_ties(connection)
        _number_voters(connection)
        _count_votes(connection)
        create_view(connection, "resolved.votes")
        create_table(connection, "resolved.lost_votes")
        _join_revenue(connection, settings)
        _join_deals(connection, settings)
        # The connection lives on after this step; the tables would hold memory to its end.
        drop_work_tables(connection, _WORK_TABLES)
    return same


def _follow_merges(connection: duckdb.DuckDBPyConnection, settings: ResolutionSettings) -> SameRequests:
    """Find the request, and the company, that every merged id lives on in."""
    requests = {row[0] for row in connection.execute("SELECT request_id FROM raw.feature_requests").fetchall()}
    aliases = connection.execute("SELECT merged_request_id, request_id FROM raw.merge_aliases").fetchall()
    same = _same_requests(settings, requests, [merged for merged, _ in aliases])
    aliases += same.pairs
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
    create_table(connection, "resolved.company_survivors")
    return same


def _same_requests(settings: ResolutionSettings, requests: Iterable[str], merged: Iterable[str]) -> SameRequests:
    # Nearly always: nobody has to name a hundred thousand requests for a file that is not there.
    if not settings.same_requests:
        return SameRequests()
    keys = {f"{settings.key_prefix}{one}".lower(): one for one in requests}
    merged_keys = {f"{settings.key_prefix}{one}".lower(): one for one in merged}
    return same_requests_of(settings.same_requests, keys, merged_keys)


def _clean_company_hosts(connection: duckdb.DuckDBPyConnection, domains: MailDomains) -> None:
    create_table(connection, "work_company_domains")
    _find_plain_hosts(
        connection,
        """
        SELECT domain_text AS text FROM work_company_domains
        UNION SELECT domain FROM raw.accounts WHERE domain IS NOT NULL
        UNION SELECT domain FROM raw.internal_accounts WHERE domain IS NOT NULL
        """,
    )
    # These lose their `www.`, which is for Python to decide: `www.com` keeps it.
    connection.execute("DELETE FROM work_plain_hosts WHERE starts_with(text, 'www.')")
    create_table_of_rows(
        connection,
        "work_domain_texts",
        text_schema("domain_text", "host", "registrable_domain", "problem", "problem_host"),
        (
            (text, company_host.host, company_host.registrable_domain, company_host.problem, company_host.problem_host)
            for text in _other_texts(connection)
            for company_host in clean_company_hosts(text, domains)
        ),
    )
    connection.execute("INSERT INTO work_domain_texts SELECT text, text, pair, NULL, NULL FROM work_plain_hosts")
    create_table(connection, "resolved.company_hosts")
    create_table(connection, "resolved.host_problems")
    create_table(connection, "work_host_companies")
    create_table(connection, "work_text_companies")
    create_table(connection, "work_personal_host_companies")


def _understand_addresses(connection: duckdb.DuckDBPyConnection, domains: MailDomains) -> None:
    """Every distinct host, and every address that is not plain, is understood once; SQL does the rest."""
    create_table(
        connection,
        "work_address_texts",
        parameters={"plain_address": PLAIN_ADDRESS, "own_addresses": sorted(domains.own_addresses)},
    )
    # Millions of addresses are plain; only what is not, or is one of own staff, goes through Python one by one.
    not_plain = connection.execute("SELECT DISTINCT text FROM work_address_texts WHERE odd").fetchall()
    _find_plain_hosts(connection, "SELECT DISTINCT text FROM work_address_texts WHERE NOT odd")
    [(plain,)] = connection.execute("SELECT count(*) FROM work_plain_hosts").fetchall()
    # The plain hosts take the numbers below, in the statement at the end.
    numbers = count(plain)
    hosts = (_host_row(next(numbers), text, domains) for text in _other_texts(connection))
    addresses = (_address_row(next(numbers), text, domains) for (text,) in not_plain)
    create_table_of_rows(connection, "resolved.address_hosts", _ADDRESS_HOSTS, chain(hosts, addresses))
    connection.execute(
        """
        INSERT INTO resolved.address_hosts
        SELECT (row_number() OVER () - 1)::INTEGER, text, FALSE, NULL, text, pair, $kind FROM work_plain_hosts
        """,
        {"kind": Kind.BUSINESS.value},
    )
    create_table(connection, "work_addresses")


def _name_special_hosts(connection: duckdb.DuckDBPyConnection, domains: MailDomains) -> None:
    """Make the tables of top-level domains and suffixes that decide whether a host is plain."""
    tops, listed = _listed_hosts()
    create_table_of_arrow(connection, "work_plain_tops", tops)
    own = pa.table([pa.array(sorted(special_pairs(domains)), pa.string())], schema=listed.schema)
    create_table_of_arrow(connection, "work_special_pairs", pa.concat_tables((listed, own)))


@cache
def _listed_hosts() -> tuple[pa.Table, pa.Table]:
    """The top-level domains, and the pairs of labels that are special for every tenant.

    They are kept: with a few votes, making them was a tenth of what a run costs.
    """
    tops, pairs = (pa.array(sorted(names), pa.string()) for names in (plain_tops(), listed_pairs()))
    return pa.table([tops], schema=text_schema("top")), pa.table([pairs], schema=text_schema("pair"))


def _find_plain_hosts(connection: duckdb.DuckDBPyConnection, texts_query: str) -> None:
    """Of the distinct texts a statement of ours selects, those that are a plain host, into `work_plain_hosts`."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE work_texts AS {texts_query}")
    create_table(connection, "work_plain_hosts")


def _other_texts(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """The texts `_find_plain_hosts` looked at that are none."""
    rows = connection.execute(
        "SELECT texts.text FROM work_texts AS texts ANTI JOIN work_plain_hosts AS plain ON texts.text = plain.text"
    ).fetchall()
    return (text for (text,) in rows)


HostRow = tuple[int, str, bool, str | None, str | None, str | None, Kind]


def _host_row(number: int, text: str, domains: MailDomains) -> HostRow:
    host = to_host(text)
    if host is None:
        return number, text, False, None, None, None, Kind.MALFORMED
    registrable = registrable_domain(host)
    return number, text, False, None, host, registrable, domains.kind(host, registrable)


def _address_row(number: int, text: str, domains: MailDomains) -> HostRow:
    parsed = parse_address(text, domains)
    return number, text, True, parsed.address, parsed.host, parsed.registrable_domain, parsed.kind


def _gather_evidence(connection: duckdb.DuckDBPyConnection, settings: ResolutionSettings, domains: MailDomains) -> None:
    # First: a person's word beats any evidence found below.
    _apply_overrides(connection, settings.overrides, domains)
    create_table(connection, "resolved.contact_addresses")
    create_table(connection, "work_contact_companies")
    create_table(
        connection,
        "work_account_companies",
        parameters={"account_id_is": settings.account_key(), "id_prefixes": list(settings.id_prefixes)},
    )
    create_table(connection, "work_internal_companies")
    create_table(connection, "work_voter_accounts")
    create_table(connection, "work_parents")
    create_table_of_rows(
        connection, "work_business_domains", text_schema("domain"), ((name,) for name in sorted(domains.business))
    )
    create_table(
        connection,
        "resolved.suspected_mail_providers",
        {"least_known": LEAST_KNOWN_ORGANISATIONS, "least": LEAST_ORGANISATIONS},
    )
    # After the suspects, which it must not count as evidence.
    create_table(connection, "work_host_evidence")
    create_table(connection, "work_evidence")


def _apply_overrides(
    connection: duckdb.DuckDBPyConnection, overrides: tuple[Override, ...], domains: MailDomains
) -> None:
    """Usable mappings by address, and for every host the closest mapping above it; the others are reported."""
    checked = [
        (normalised_match(each.match) or each.match, company_id_of(each.company_id)[0], override_problem(each, domains))
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
    create_table(connection, "resolved.override_problems")
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
    # Most tenants map no domain: their hosts need no look.
    if not mapped:
        return
    hosts = connection.execute("SELECT DISTINCT host FROM resolved.address_hosts WHERE kind = 'business'").fetchall()
    for (host,) in hosts:
        # A mapping of `eu.acme.com` beats that of `acme.com` for the people below it.
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
    for table in ("work_tie_sets", "work_tie_members", "work_ancestors", "work_ties"):
        create_table(connection, table)


def _number_voters(connection: duckdb.DuckDBPyConnection) -> None:
    create_table(connection, "work_voter_companies")
    create_table(connection, "resolved.voting_companies")
    create_table(connection, "resolved.voters")
    create_view(connection, "resolved.addresses")


def _count_votes(connection: duckdb.DuckDBPyConnection) -> None:
    # In this order: ends need the numbers, votes the ends, and repeats show among counted votes only.
    create_table(connection, "resolved.requests")
    create_table(connection, "work_request_ends")
    create_table(connection, "resolved.counted_votes")
    create_table(connection, "work_repeated_votes")
    connection.execute("DELETE FROM resolved.counted_votes WHERE rowid IN (FROM work_repeated_votes)")


def _is_above_zero(text: str) -> bool:
    amount = parse_amount(text)
    return not isinstance(amount, str) and amount > 0


def _join_revenue(connection: duckdb.DuckDBPyConnection, settings: ResolutionSettings) -> None:
    create_table(
        connection,
        "work_revenue_figures",
        parameters={
            "sources": list(settings.arr_sources),
            "id_prefixes": list(settings.accounts_currencies),
            "accounts_currencies": list(settings.accounts_currencies.values()),
            "accounts_currency": settings.accounts_currency,
        },
    )
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
        (
            (revenue.company_id, revenue.source, revenue.arr, revenue.currency, revenue.amount, revenue.problem)
            for revenue in revenues
        ),
    )
    create_table(connection, "resolved.company_arr")
    create_table_of_rows(
        connection,
        "resolved.arr_without_rate",
        _LEFT_OUT,
        (
            (figure.company_id, figure.source, figure.currency, figure.amount, figure.has_rate)
            for revenue in revenues
            for figure in revenue.left_out
        ),
    )
    create_table_of_rows(
        connection,
        "resolved.arr_problems",
        text_schema("source", "id", "reason"),
        sorted((problem.source, problem.figure_id, problem.reason) for problem in problems),
    )
    create_table(connection, "resolved.arr_unjoined")
    create_table(connection, "resolved.company_renewals")


def _join_deals(connection: duckdb.DuckDBPyConnection, settings: ResolutionSettings) -> None:
    """Find the open deals of companies that voted, with their amounts in the base currency."""
    deals = connection.execute(
        """
        SELECT deal_id, name, company_ids, stage, close_date, amount, currency, home_amount
        FROM raw.crm_deals ORDER BY deal_id
        """
    ).fetchall()
    create_table_of_rows(connection, "resolved.deals", _DEALS, _deal_rows(deals, settings))
    create_table(connection, "resolved.company_deals")


def _deal_rows(deals: list[tuple[Any, ...]], settings: ResolutionSettings) -> Iterator[tuple[Any, ...]]:
    for number, (*known, amount, currency, home_amount) in enumerate(deals):
        found = deal_amount(amount, currency, home_amount, settings)
        yield (number, *known, found.amount, found.status, found.own_amount, found.currency)
