"""The other direction: what a company asked for, and what shipped for whom."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import msgspec
from rich.console import Console
from rich.text import Text

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError
from integration_assets.reporting.exports import as_csv
from integration_assets.reporting.insights import Company, read_company, read_company_requests
from integration_assets.reporting.moves import parse_since
from integration_assets.reporting.published import open_published, read_currency
from integration_assets.reporting.run_summary import iso_utc
from integration_assets.reporting.terminal import Column, plain_or_boxed, print_wide, show_columns
from integration_assets.reporting.text import amount, arr_money, clean, clip, count, lacking_rate, moment, status_words
from integration_assets.sql import read_sql
from integration_assets.staging.store import open_store, store_place
from integration_assets.staging.tables import has_table

NAMED = 3
"""Companies of a request that are named, and companies an unclear name may mean."""


class Shipped(msgspec.Struct, frozen=True):
    """A request that shipped. `company_names` are of those that waited, most ARR first; ids where there is no name."""

    request_id: str
    title: str
    shipped_at: datetime
    company_names: list[str]
    companies: int
    arr: Decimal
    companies_without_rate: int
    voters: int
    url: str | None


def read_shipped(connection: duckdb.DuckDBPyConnection, since: datetime) -> tuple[list[Shipped], int]:
    """Requests that shipped since a moment (UTC without zone), and how many others shipped at no known time."""
    rows = connection.execute(read_sql("reporting/shipped_requests"), {"since": since}).fetchall()
    # Where none shipped there is one row, with the number only.
    return [Shipped(*row[:-1]) for row in rows if row[0] is not None], rows[0][-1]


def show_shipped(console: Console, settings: Settings, tenant: str, since: str) -> None:
    """Print what shipped since a moment, and for whom.

    Raises:
        ConfigurationError: no run has published a ranking yet, or `since` is no moment.
    """
    begin = parse_since(since, datetime.now(UTC))
    with open_published(settings, tenant) as connection:
        currency = read_currency(connection)
        shipped, undated = read_shipped(connection, begin)
    said = moment(iso_utc(begin))
    if shipped:
        table = plain_or_boxed(
            console,
            f"Shipped since {said}",
            ("shipped", "left"),
            ("request", "left"),
            ("companies", "right"),
            ("who waited", "left"),
            (f"ARR {currency}", "right"),
            ("voters", "right"),
        )
        for one in shipped:
            more = f" and {one.companies - NAMED:,} more" if one.companies > NAMED else ""
            table.add_row(
                f"{one.shipped_at:%Y-%m-%d}",
                Text(clip(clean(one.title), 60)),
                f"{one.companies:,}",
                Text(clean(", ".join(one.company_names[:NAMED])) + more),
                f"{amount(one.arr)}{lacking_rate(one.companies_without_rate)}",
                f"{one.voters:,}",
            )
        print_wide(console, table)
    else:
        print_wide(console, Text(f"nothing is known to have shipped since {said}"))
    # A feedback system that does not tell when would else look like one where nothing ships.
    if undated:
        line = f"{count(undated, 'request')} shipped at a time that the feedback system does not tell: "
        print_wide(console, Text(f"{line}`rankings --status complete` shows all that shipped", style="dim"))


VOTER_COLUMNS = ("request_id", "title", "url", "company_id", "company_name", "owner", "email")


def voters_file(settings: Settings, tenant: str, since: str) -> tuple[bytes, str]:
    """Addresses of who asked for what shipped since a moment, as CSV from the staging store; and what it holds.

    Raises:
        ConfigurationError: no run has ranked anything yet, or `since` is no moment.
        LockError: a run is at work.
    """
    begin = parse_since(since, datetime.now(UTC))
    place = store_place(settings, settings.environment, tenant)
    if not place.exists():
        raise ConfigurationError(f"nothing has been read for {tenant} in {settings.environment} yet: run a sync first")
    with open_store(place, "shipped") as connection:
        if not has_table(connection, "ranked", "feature_requests"):
            raise ConfigurationError(f"nothing has been ranked for {tenant} in {settings.environment} yet: run a sync")
        rows = connection.execute(read_sql("reporting/shipped_voters"), {"since": begin}).fetchall()
    reachable = [row[:-1] for row in rows if row[VOTER_COLUMNS.index("email")] is not None]
    requests = len({row[0] for row in reachable})
    told = f"addresses of {count(len({row[-1] for row in reachable}), 'person', 'persons')} who asked for "
    told += f"{count(requests, 'request')} that shipped"
    # Who has none cannot be told, which whoever writes to the others has to know.
    if lost := len(rows) - len(reachable):
        told += f"; {count(lost, 'vote')} more {'is' if lost == 1 else 'are'} of people without an address"
    return as_csv(VOTER_COLUMNS, reachable), told


def show_company(console: Console, settings: Settings, tenant: str, words: str) -> None:
    """Print the requests of a company, by id, domain or name: what is open first, then what shipped or was closed.

    Raises:
        ConfigurationError: no run has published a ranking yet, or the words mean no company that voted, or several.
    """
    with open_published(settings, tenant) as connection:
        currency = read_currency(connection)
        company = find_company(connection, words)
        requests, _ = read_company_requests(connection, company.company_id, limit=None)
    arr = f"ARR {arr_money(company.arr, currency, 0)}" if company.arr is not None else "ARR not known"
    facts = [company.company_name, company.domain, company.company_id, arr]
    print_wide(console, Text(" · ".join(clean(fact) for fact in facts if fact)))

    def day(moment: datetime | None) -> str:
        return f"{moment:%Y-%m-%d}" if moment else "-"

    show_columns(
        console,
        f"{company.open_requests:,} open of {count(company.requests, 'request')}, {company.shipped_requests:,} shipped",
        [
            Column("request", [Text(clip(clean(one.title), 60)) for one in requests], "left", wraps=True),
            Column("status", [status_words(one.status) for one in requests], "left", wraps=True),
            Column("status since", [day(one.status_changed_at) for one in requests], may_go=1),
            Column("voters", [f"{one.votes:,}" for one in requests]),
            Column("last vote", [day(one.last_vote_at) for one in requests], may_go=2),
            Column("# ARR", [f"{one.rank_by_arr:,}" for one in requests]),
        ],
    )


def find_company(connection: duckdb.DuckDBPyConnection, words: str) -> Company:
    """The company that voted and has this id, domain or name.

    Raises:
        ConfigurationError: there is none, or there are several.
    """
    ids = [row[0] for row in connection.execute(read_sql("reporting/companies_meant"), {"words": words}).fetchall()]
    found = [company for one in ids[:NAMED] if (company := read_company(connection, one)) is not None]
    if not found:
        raise ConfigurationError(f"no company that voted has the id, domain or name {clean(words)}")
    # Never the first of several: the numbers of another company would be told a customer.
    if len(ids) > 1:
        named = ", ".join(f"{clean(one.company_name or one.domain or '')} ({one.company_id})" for one in found)
        raise ConfigurationError(f"{len(ids):,} companies fit {clean(words)}: {named}; give the id")
    return found[0]
