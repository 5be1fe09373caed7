"""From pages of canonical records to raw tables: page by page into the side, then all tables at once.

    with replacing(connection, ["raw.votes", "raw.voters"]) as load:
        async for page in feedback.votes():
            rejected += page.rejected + load.append("raw.votes", page.records)
        load.note_read("votes", as_of=started)

Pages go into tables of a database `loading` beside the store: DuckDB keeps it in memory and moves it to disk when that
runs short, and a page costs no flush of the store's file. At the end every named table gets its new rows in one
transaction; after an error yesterday's rows are still there.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from string import Template

import duckdb
import pyarrow as pa

from integration_assets.models import Rejected
from integration_assets.staging.rows import SATELLITES, TABLE_KEYS, Row, rows_of, utc
from integration_assets.staging.transactions import transaction

log = logging.getLogger(__name__)

_PREPARE = Template("""
CREATE OR REPLACE TABLE loading.$name AS
SELECT *, FALSE AS _own, 0::BIGINT AS _position FROM raw.$name LIMIT 0
""")
_APPEND = Template("INSERT INTO loading.$name SELECT * FROM _page")
# The thing's own record beats a mention of it; among equals the one read last wins. Which rows stay is decided by their
# keys alone: to sort whole rows of a million votes takes a third more memory.
_SWAP = Template("""
DELETE FROM raw.$name;
INSERT INTO raw.$name
SELECT * EXCLUDE (_own, _position) FROM loading.$name
WHERE rowid IN (
    SELECT rowid FROM loading.$name
    QUALIFY row_number() OVER (PARTITION BY $key ORDER BY _own DESC, _position DESC) = 1
);
""")
# Older than anything appended, so that a row read again replaces it.
_CARRY = Template(
    "INSERT INTO loading.$name SELECT *, TRUE AS _own, -1 AS _position FROM raw.$name WHERE starts_with($first, ?)"
)
_COUNT = Template("SELECT count(*) FROM raw.$name")
_DROP = Template("DROP TABLE IF EXISTS loading.$name")

NAMED_REASONS = 5
"""Most reasons for which records were kept out that one line of the log names, the most frequent ones."""
_CANNOT_STORE = (UnicodeEncodeError, OverflowError, ValueError, TypeError)
"""Errors that pyarrow raises for a value that no table can hold (its own are ValueErrors and TypeErrors)."""


class Loader:
    """Takes pages for the tables of one `replacing` block. `loaded` has the rows of each table once the block ended."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> None:
        self._connection = connection
        self._tables = tuple(tables)
        self._schemas: dict[str, pa.Schema] = {}
        self._position = 0
        self._seen: Counter[str] = Counter()
        self._reported: set[tuple[str, str]] = set()
        self._reads: list[tuple[str, datetime | None, datetime | None, int]] = []
        self._unread: list[str] = []
        self.loaded: dict[str, int] = {}

    def append(self, table: str, records: Sequence[object]) -> tuple[Rejected, ...]:
        """Add a page of records of `table`; return those that cannot be stored, each named once per block.

        Rows the records make of other tables (voters of votes, memberships of voters, merge aliases) go with them.

        Raises:
            ValueError: `table` is not among those being replaced.
            TypeError: a record belongs to another table.
        """
        self._check(table)
        rejected: list[Rejected] = []
        by_table: defaultdict[str, list[Row]] = defaultdict(list)
        for record in records:
            rows = self._rows(table, record, rejected)
            for row in rows:
                # A row without its key cannot be told from another one, and would replace it.
                if row.blank:
                    rejected.append(_reject(row, row.blank))
                else:
                    by_table[row.table].append(row)
        for name, rows_of_table in by_table.items():
            # By table, not by record: one statement for each record would take most of the time of a read.
            rejected += self._insert(name, rows_of_table)
        self._seen[table] += len(records)
        return self._first_reports(rejected)

    def carry_over(self, table: str, prefix: str = "") -> None:
        """Keep the rows `table` has now beside what is appended; of two rows with one key the appended one stays.

        Those alone whose key begins with `prefix`.

        Raises:
            ValueError: `table` is not among those being replaced.
        """
        self._check(table)
        self._connection.execute(_CARRY.substitute(name=_name(table), first=TABLE_KEYS[table][0]), [prefix])

    def note_read(
        self, read: str, *, as_of: datetime, finished_at: datetime | None = None, rows_read: int | None = None
    ) -> None:
        """Record in `raw.reads`, together with the rows, how fresh an input is.

        `as_of` is the start of the read. `rows_read` defaults to the records appended for the table of that name
        (`votes` → `raw.votes`, `companies` → `raw.crm_companies`).
        """
        if rows_read is None:
            rows_read = self._seen.get(f"raw.{read}", self._seen.get(f"raw.crm_{read}", 0))
        self._reads.append((read, utc(as_of), utc(finished_at or datetime.now(UTC)), rows_read))

    def forget_read(self, read: str) -> None:
        """Take an input out of `raw.reads` together with its rows: it could not be read, and nothing is known of it."""
        self._unread.append(read)

    def _check(self, table: str) -> None:
        if table not in self._tables:
            raise ValueError(f"{table} is not being replaced here")

    def _rows(self, table: str, record: object, rejected: list[Rejected]) -> list[Row]:
        try:
            rows = list(rows_of(record))
        # A time that has no moment in UTC costs its record only.
        except OverflowError:
            kind, key = type(record).__name__.lower(), str(getattr(record, _first_field(record)))
            rejected.append(Rejected(kind, _storable(key), "a time outside the years 1 to 9999"))
            return []
        if rows[0].table != table:
            raise TypeError(f"{type(record).__name__} is a record of {rows[0].table}, not of {table}")
        # Without its own row, what hangs on it has nothing to hang on.
        return rows[:1] if rows[0].blank else rows

    def _insert(self, table: str, rows: list[Row]) -> list[Rejected]:
        schema = self._schemas[table]
        rejected: list[Rejected] = []
        try:
            batch = self._batch(schema, rows)
        except _CANNOT_STORE:
            # Row by row only now: nearly every page is fine, and looking at each row takes many times as long.
            batch, rejected = self._salvage(schema, rows)
        self._connection.register("_page", batch)
        try:
            self._connection.execute(_APPEND.substitute(name=_name(table)))
        finally:
            self._connection.unregister("_page")
        return rejected

    def _salvage(self, schema: pa.Schema, rows: list[Row]) -> tuple[pa.Table, list[Rejected]]:
        good: list[pa.Table] = []
        rejected: list[Rejected] = []
        for row in rows:
            try:
                good.append(self._batch(schema, [row]))
            except _CANNOT_STORE:
                rejected.append(_reject(row, f"text or number that cannot be stored in {_culprit(schema, row)}"))
        return (pa.concat_tables(good) if good else schema.empty_table()), rejected

    def _batch(self, schema: pa.Schema, rows: list[Row]) -> pa.Table:
        columns: list[Sequence[object]] = list(zip(*(row.values for row in rows), strict=True))
        columns += [[row.own for row in rows], range(self._position, self._position + len(rows))]
        arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
        batch = pa.Table.from_arrays(arrays, schema=schema)
        # Across all pages and tables: it says which of two rows with one key was read last.
        self._position += len(rows)
        return batch

    def _first_reports(self, rejected: list[Rejected]) -> tuple[Rejected, ...]:
        fresh = {(record.kind, record.key): record for record in rejected}
        new = [record for name, record in fresh.items() if name not in self._reported]
        self._reported.update(fresh)
        return tuple(new)

    def prepare(self) -> None:
        """Make the empty side tables. Called by `replacing`."""
        # Attached once per connection: a second read of the same run uses it again.
        self._connection.execute("ATTACH IF NOT EXISTS ':memory:' AS loading")
        for table in self._tables:
            self._connection.execute(_PREPARE.substitute(name=_name(table)))
            self._schemas[table] = self._connection.table(f"loading.{_name(table)}").to_arrow_table().schema

    def swap(self) -> None:
        """Give every table its new rows, at once. Called by `replacing`."""
        with transaction(self._connection):
            for table in self._tables:
                name, key = _name(table), ", ".join(TABLE_KEYS[table])
                self._connection.execute(_SWAP.substitute(name=name, key=key))
                [(count,)] = self._connection.execute(_COUNT.substitute(name=name)).fetchall()
                self.loaded[table] = count
            for unread in self._unread:
                self._connection.execute("DELETE FROM raw.reads WHERE input = ?", [unread])
            for read in self._reads:
                self._connection.execute("DELETE FROM raw.reads WHERE input = ?", [read[0]])
                self._connection.execute("INSERT INTO raw.reads VALUES (?, ?, ?, ?)", list(read))

    def discard(self) -> None:
        """Drop the side tables. Called by `replacing`."""
        for table in self._tables:
            self._connection.execute(_DROP.substitute(name=_name(table)))


@contextmanager
def replacing(connection: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> Iterator[Loader]:
    """Replace raw tables, and those filled with them (`rows.SATELLITES`), by what is appended inside.

    All of them change in one transaction when the block ends, none when it ends with an error. Rows with the same key
    are one row: the last appended. Appending is synchronous; several readers of one event loop may share a Loader, and
    must when they fill the same table (votes and voters both know voters).
    """
    named = dict.fromkeys(tables)
    named.update(dict.fromkeys(satellite for table in tables for satellite in SATELLITES.get(table, ())))
    unknown = [table for table in named if table not in TABLE_KEYS]
    if unknown:
        raise ValueError(f"not a raw table: {', '.join(unknown)}")
    loader = Loader(connection, tuple(named))
    loader.prepare()
    try:
        yield loader
        # Only when the block ended well: after an error yesterday's rows stay.
        loader.swap()
    finally:
        loader.discard()


def quarantine(connection: duckdb.DuckDBPyConnection, run_id: str, stage: str, rejected: Sequence[Rejected]) -> int:
    """Keep rejected records with their reasons in `sync.quarantine`; return how many rows are new.

    `stage` is the asset that met them. The same rejection of the same stage and run is kept once, so that a step that
    is tried again does not count twice.
    """
    # Without rows there are no columns to make.
    if not rejected:
        return 0
    rows = {(record.kind, _storable(record.key), _storable(record.reason)): record.url for record in rejected}
    kinds, keys, reasons = zip(*rows, strict=True)
    urls = pa.array([_storable(url) if url else None for url in rows.values()], type=pa.string())
    connection.register("_rejected", pa.table({"kind": kinds, "key": keys, "reason": reasons, "url": urls}))
    try:
        [(count,)] = connection.execute(
            """
            INSERT INTO sync.quarantine (run_id, stage, kind, key, reason, seen_at, url)
            SELECT ?, ?, new.kind, new.key, new.reason, ?, new.url
            FROM _rejected AS new
            ANTI JOIN (SELECT kind, key, reason FROM sync.quarantine WHERE run_id = ? AND stage = ?) AS kept
                USING (kind, key, reason)
            """,
            [run_id, stage, utc(datetime.now(UTC)), run_id, stage],
        ).fetchall()
    finally:
        connection.unregister("_rejected")
    _log_quarantine(stage, Counter(reason for _, _, reason in rows))
    return int(count)


def _log_quarantine(stage: str, reasons: Counter[str]) -> None:
    named = [f"{number:,} {reason}" for reason, number in reasons.most_common(NAMED_REASONS)]
    # Without the records: a key of a contact is made of an address, and the summary and the report name them all.
    log.warning(
        "%s: %s kept out: %s%s",
        stage,
        f"{reasons.total():,} records",
        "; ".join(named),
        f"; {len(reasons) - len(named):,} more reasons" if len(reasons) > len(named) else "",
        extra={"stage": stage, "records": reasons.total(), "reasons": dict(reasons.most_common(NAMED_REASONS))},
    )


def _name(table: str) -> str:
    """Name within the schema; only names of `TABLE_KEYS` get here, so no text from outside reaches a statement."""
    return table.removeprefix("raw.")


def _reject(row: Row, reason: str) -> Rejected:
    return Rejected(row.kind, _storable(row.key), reason)


def _storable(text: str) -> str:
    """The text with what UTF-8 cannot express replaced by question marks, at most 500 characters."""
    return text[:500].encode("utf-8", "replace").decode()


def _culprit(schema: pa.Schema, row: Row) -> str:
    for value, field in zip(row.values, schema, strict=False):
        try:
            pa.array([value], type=field.type)
        except _CANNOT_STORE:
            return str(field.name)
    return "one of its columns"


def _first_field(record: object) -> str:
    return str(getattr(type(record), "__struct_fields__")[0])  # noqa: B009 - not an attribute every object has
