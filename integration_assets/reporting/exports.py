"""Tables as files for other programs: CSV, Parquet, XLSX and JSON, with the names of the published columns.

A text that a spreadsheet would take for a formula stays text: titles come from people outside, and a formula can send
what stands beside it to a stranger.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import duckdb
import msgspec

from integration_assets.errors import ConfigurationError
from integration_assets.reporting.insights import Filter, requests_statement

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["csv", "parquet", "xlsx"]
FileKind = Literal[Format, "json"]
"""Files of a ranking: a table, or with `json` the document that the API answers with."""
MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
SHEET_ROWS = 1_048_575
"""Rows of one sheet below its heading ("Excel specifications and limits")."""
CELL_TEXT = 32_767
"""Characters of one cell, from the same page."""
SHEET_LINKS = 65_000
"""Links up to which addresses are links: a sheet holds 65,530 of them."""
LINK_COLUMNS = frozenset({"url", "crm_url"})
LONGEST_LINK = 2_079
_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Beginnings that spreadsheets read as a formula ("CSV Injection", owasp.org), the full-width signs included."""


class Export(msgspec.Struct, frozen=True):
    """A ranking with every published column.

    `found`: how many requests fit; `closed`: how many more do that are shipped or closed.
    """

    table: pa.Table
    found: int
    closed: int


def read_export(connection: duckdb.DuckDBPyConnection, wanted: Filter, *, limit: int | None = None) -> Export:
    """The requests of a ranking that fit, in its order; all of them without a `limit`."""
    rows = connection.execute(*requests_statement(wanted, limit=limit)).to_arrow_table()
    found, closed = (rows.column(name)[0].as_py() for name in ("found", "closed"))
    # Where no request is shown, one row has the numbers only.
    shown = rows.num_rows - rows.column("request_id").null_count
    return Export(rows.drop_columns(["found", "closed"]).slice(0, shown), found, closed)


def as_document(ranking: Export, currency: str, **notes: str) -> dict[str, Any]:
    """The ranking as values for `msgspec.json.encode`: sums become texts with every digit, times UTC without zone.

    `notes` are lines on what is counted, or on when; one without a text is left out.
    """
    return {
        "currency": currency,
        "total": ranking.found,
        "shown": ranking.table.num_rows,
        "shipped_or_closed_left_out": ranking.closed,
        **{name: text for name, text in notes.items() if text},
        "requests": ranking.table.to_pylist(),
    }


def as_contents(ranking: Export, kinds: Collection[FileKind], currency: str, **notes: str) -> dict[FileKind, bytes]:
    """The ranking as the contents of files of these kinds; `currency` and `notes` are for JSON alone.

    Raises:
        ConfigurationError: as `as_file`.
    """
    return {
        kind: msgspec.json.encode(as_document(ranking, currency, **notes))
        if kind == "json"
        else as_file(ranking.table, kind)
        for kind in kinds
    }


def as_file(table: pa.Table, kind: Format) -> bytes:
    """The table as a file of this kind.

    Raises:
        ConfigurationError: it has more rows than a sheet of XLSX.
    """
    if kind == "parquet":
        return as_parquet(table)
    names, rows = table.column_names, list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return as_csv(names, rows) if kind == "csv" else as_xlsx(names, rows)


def as_parquet(table: pa.Table) -> bytes:
    """The table as Parquet, with its types."""
    import pyarrow.parquet as pq

    target = BytesIO()
    pq.write_table(table, target)
    return target.getvalue()


def as_csv(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows as CSV in UTF-8 (RFC 4180): times in ISO 8601, lists with `; ` between, an apostrophe before a formula."""
    target = StringIO(newline="")
    writer = csv.writer(target)
    writer.writerow(names)
    writer.writerows([_plain(value) for value in row] for row in rows)
    return target.getvalue().encode()


def as_xlsx(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows as one sheet of XLSX: numbers, times and yes or no as such, addresses of pages as links, all else as text.

    Raises:
        ConfigurationError: there are more rows than a sheet holds.
    """
    import xlsxwriter

    if len(rows) > SHEET_ROWS:
        raise ConfigurationError(f"a sheet holds {SHEET_ROWS:,} rows, these are {len(rows):,}: use CSV or Parquet")
    target = BytesIO()
    # Nothing is guessed from a text: what begins with = stays one.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(target, options) as book:
        sheet = book.add_worksheet("ranking")
        moment, day = (book.add_format({"num_format": form}) for form in ("yyyy-mm-dd hh:mm", "yyyy-mm-dd"))
        sheet.write_row(0, 0, names, book.add_format({"bold": True}))
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(names) - 1, 16)
        links_fit = len(rows) * len(LINK_COLUMNS.intersection(names)) <= SHEET_LINKS
        for number, row in enumerate(rows, start=1):
            for place, value in enumerate(row):
                # Before its base classes: a bool is an int, a datetime a date.
                if isinstance(value, bool):
                    sheet.write_boolean(number, place, value)
                elif isinstance(value, int | float | Decimal):
                    sheet.write_number(number, place, float(value))
                elif isinstance(value, datetime):
                    sheet.write_datetime(number, place, value, moment)
                elif isinstance(value, date):
                    sheet.write_datetime(number, place, value, day)
                elif names[place] in LINK_COLUMNS and links_fit and is_web_address(value):
                    sheet.write_url(number, place, value)
                elif value is not None:
                    sheet.write_string(number, place, _cell(value))
    return target.getvalue()


def is_web_address(url: str | None) -> bool:
    """True for an http or https address that may lead somewhere.

    A link comes from outside: `javascript:` and its like are text. So is a host below `.invalid`, which is nobody's, as
    those of the sandbox are.
    """
    if not url or len(url) > LONGEST_LINK:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("https", "http") and not (parts.hostname or "").endswith(".invalid")
    except ValueError:
        return False


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "; ".join(map(str, value)) if isinstance(value, list) else value
    # Numbers are left alone: a negative one is no formula.
    return f"'{text}" if isinstance(text, str) and text.startswith(_BEGIN_FORMULAS) else text


def _cell(value: Any) -> str:
    """A text or a list as a cell: what does not fit is counted, so that no list looks whole that is not."""
    if not isinstance(value, list):
        text = str(value)
        return text if len(text) <= CELL_TEXT else text[: CELL_TEXT - 1] + "…"
    kept = [str(one) for one in value]
    room = CELL_TEXT - len(f"; and {len(kept):,} more")
    whole = "; ".join(kept)
    if len(whole) <= CELL_TEXT:
        return whole
    # To the last whole entry that fits.
    shown = whole[:room].rsplit("; ", 1)[0]
    return f"{shown}; and {len(kept) - shown.count('; ') - 1:,} more"
