"""The ranking of an earlier moment: whole from a snapshot of a lake, else what the daily history keeps of it.

The history, `ranked.rank_history`, is in the published database, and is kept as long as the store is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import msgspec
from rich.console import Console
from rich.text import Text

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError
from integration_assets.reporting.exports import Export, FileKind, as_contents
from integration_assets.reporting.insights import Filter, read_requests
from integration_assets.reporting.moves import parse_since
from integration_assets.reporting.published import check_chosen, lacks_columns, open_published, request_files
from integration_assets.reporting.terminal import plain_or_boxed, print_wide, show_rankings
from integration_assets.reporting.text import amount, clean, clip, count, lacking_rate, status_words
from integration_assets.sql import read_sql
from integration_assets.staging.earlier import open_earlier
from integration_assets.staging.store import store_place
from integration_assets.staging.tables import has_macro

if TYPE_CHECKING:
    import pyarrow as pa

_DATE = re.compile(r"\d{4}-?\d\d-?\d\d")
_CURRENCY = "SELECT currency FROM ops.runs WHERE started_at <= $moment ORDER BY started_at DESC LIMIT 1"


def parse_as_of(text: str, now: datetime) -> datetime:
    """The moment `7d`, `12h`, `2w`, an ISO time or a date means, as UTC without zone. A date means its end.

    Raises:
        ConfigurationError: it is none of these, or lies ahead.
    """
    moment = parse_since(text, now)
    if moment > now.replace(tzinfo=None):
        raise ConfigurationError(f"--as-of {text.strip()} lies ahead: nothing is known of it yet")
    # The ranking of a day is the one it ended with, as in the history.
    return moment + timedelta(days=1, microseconds=-1) if _DATE.fullmatch(text.strip()) else moment


class _Ranking(msgspec.Struct, frozen=True):
    """A ranking that was found. `whole`: with every column, else only what the history keeps. `as_of` is UTC."""

    connection: duckdb.DuckDBPyConnection
    as_of: datetime
    currency: str
    whole: bool
    note: str


class _KeptRequest(msgspec.Struct, frozen=True):
    """A request as the history has it. What it has today is None when it is gone by now."""

    as_of: datetime
    request_id: str
    title_now: str | None
    status_now: str | None
    url: str | None
    rank_by_arr: int
    rank_by_companies: int
    companies: int
    arr: Decimal
    companies_without_rate: int | None


def show_earlier(
    console: Console, settings: Settings, tenant: str, moment: datetime, wanted: Filter, limit: int
) -> None:
    """Print the requests that fit, as they ranked at a moment (UTC without zone), and what that is taken from.

    Raises:
        ConfigurationError: it is not kept, or not all that is asked for; the message says what is, and since when.
        LockError: a run has the catalogue of the lake open, which is a DuckDB file.
        TransientError: the catalogue of the lake cannot be reached.
    """
    with _ranking_of(settings, tenant, moment, wanted) as ranking:
        if ranking.whole:
            if (chosen := check_chosen(ranking.connection, wanted)) is not None:
                print_wide(console, Text(chosen))
            page = read_requests(ranking.connection, wanted, limit=limit)
            show_rankings(console, page.requests, by=wanted.by, currency=ranking.currency, closed=page.closed)
            shown, found = len(page.requests), page.found
        else:
            table = _kept(ranking, wanted)
            _show_kept(console, table.slice(0, limit), wanted, ranking.currency)
            shown, found = min(limit, table.num_rows), table.num_rows
    if left := found - shown:
        print_wide(console, Text(f"and {left:,} more: --limit shows them", style="dim"))
    print_wide(console, Text(ranking.note, style="dim"))


def earlier_files(
    settings: Settings, tenant: str, moment: datetime, wanted: Filter, limit: int | None, kinds: Collection[FileKind]
) -> tuple[dict[FileKind, bytes], list[str]]:
    """The requests that fit, as they ranked at a moment (UTC without zone), as files; and what is to be said of them.

    A file from a lake's snapshot has every published column of then; one from the history has those that it keeps.

    Raises:
        ConfigurationError: it is not kept, or not all that is asked for, or a sheet does not hold as many rows.
        LockError: a run has the catalogue of the lake open, which is a DuckDB file.
        TransientError: the catalogue of the lake cannot be reached.
    """
    with _ranking_of(settings, tenant, moment, wanted) as ranking:
        if ranking.whole:
            files, said = request_files(
                ranking.connection, wanted, limit, kinds, currency=ranking.currency, note=ranking.note
            )
            return files, [*said, ranking.note]
        every = _kept(ranking, wanted)
        table = every if limit is None else every.slice(0, limit)
        left = every.num_rows - table.num_rows
        more = [f"and {left:,} more: without --limit they are in it"] if left else []
        contents = as_contents(Export(table, every.num_rows, closed=0), kinds, ranking.currency, note=ranking.note)
        return contents, [count(table.num_rows, "request"), *more, ranking.note]


@contextmanager
def _ranking_of(settings: Settings, tenant: str, moment: datetime, wanted: Filter) -> Iterator[_Ranking]:
    place = store_place(settings, settings.environment, tenant)
    with open_earlier(place, moment, with_companies=wanted.chooses_companies) as earlier:
        connection = earlier.connection
        if connection is not None and (as_of := _ranked_at(connection)) is not None:
            # Made only where its tables have all columns.
            if wanted.chooses_companies and not has_macro(connection, "requests_of"):
                raise ConfigurationError(
                    f"the lake's snapshot of {_said(as_of)} was ranked by an earlier version, which did not keep what "
                    f"{', '.join(_of_companies(wanted))} needs: leave it out"
                )
            note = f"as ranked at {_said(as_of)}, from the lake's snapshot of then"
            yield _Ranking(connection, as_of, _currency(connection, moment), whole=True, note=note)
            return
    lake = "" if earlier.kept_since is None else f"; the lake's snapshots begin at {_said(earlier.kept_since)}"
    with open_published(settings, tenant) as published:
        kept = [one for (one,) in published.execute(read_sql("reporting/snapshots")).fetchall()]
        if not kept:
            raise ConfigurationError(f"no ranking has been kept yet: the daily history begins with the next run{lake}")
        since = f"the daily history begins at {_said(kept[0])}{lake}"
        older = [one for one in kept if one <= moment]
        if not older:
            raise ConfigurationError(f"the ranking of {_said(moment)} is not kept: {since}")
        if lacking := _not_in_history(wanted):
            raise ConfigurationError(
                f"of {_said(moment)} only places by ARR and by companies, ARR and the number of companies are kept, "
                f"not what {lacking} needs: leave it out ({since}), or keep the store in a lake, whose snapshots have "
                "it"
            )
        note = (
            f"as ranked at {_said(older[-1])}, from the daily history{lake}; titles and statuses are today's, and what "
            "has shipped or is closed is among them"
        )
        yield _Ranking(published, older[-1], _currency(published, older[-1]), whole=False, note=note)


def _ranked_at(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """Start of the read a snapshot's ranking was made of; None where it has no ranking that can be shown."""
    tables = connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'feature_requests'").fetchall()
    # A snapshot of before an upgrade: the history has it as well.
    if not tables or lacks_columns(connection):
        return None
    [(as_of,)] = connection.execute("SELECT max(as_of) FROM ranked.feature_requests").fetchall()
    return as_of if isinstance(as_of, datetime) else None


def _currency(connection: duckdb.DuckDBPyConnection, moment: datetime) -> str:
    rows = connection.execute(_CURRENCY, {"moment": moment}).fetchall()
    return rows[0][0] if rows else ""


def _not_in_history(wanted: Filter) -> str:
    """Options that ask for what the history does not keep."""
    narrowed = ("status", "board", "category", "tag", "words", "created_since", "voted_since")
    options = [f"--{name.replace('_', '-')}" for name in narrowed if getattr(wanted, name)]
    return ", ".join([*(["--by votes"] if wanted.by == "votes" else []), *options, *_of_companies(wanted)])


def _of_companies(wanted: Filter) -> list[str]:
    """Options that count some companies alone."""
    options = {
        "lifecycle": "--lifecycle",
        "segments": "--segment",
        "owner": "--owner",
        "renews_by": "--renewing-within",
    }
    return [option for name, option in options.items() if getattr(wanted, name)]


def _kept(ranking: _Ranking, wanted: Filter) -> pa.Table:
    values = {"as_of": ranking.as_of, "by": wanted.by}
    return ranking.connection.execute(read_sql("reporting/kept_ranking"), values).to_arrow_table()


def _show_kept(console: Console, kept: pa.Table, wanted: Filter, currency: str) -> None:
    by_arr = wanted.by == "arr"
    table = plain_or_boxed(
        console,
        f"Requests by {'ARR' if by_arr else 'companies'}",
        ("#", "right"),
        ("request", "left"),
        ("status now", "left"),
        (f"ARR {currency}", "right"),
        ("companies", "right"),
        ("# comp." if by_arr else "# ARR", "right"),
    )
    for one in (_KeptRequest(**row) for row in kept.to_pylist()):
        places = (one.rank_by_arr, one.rank_by_companies)
        first, other = places if by_arr else places[::-1]
        table.add_row(
            f"{first:,}",
            # Of a request that is gone only the id is left: titles are not part of the history.
            Text(clip(clean(one.title_now or f"{one.request_id} (gone)"), 60)),
            status_words(one.status_now) if one.title_now else "-",
            f"{amount(one.arr)}{lacking_rate(one.companies_without_rate or 0)}",
            f"{one.companies:,}",
            f"{other:,}",
        )
    print_wide(console, table)


def _said(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=UTC):%Y-%m-%d %H:%M} UTC"
