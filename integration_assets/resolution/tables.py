"""Making tables of the connection: from a SQL file, or from rows Python made. All of it in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from integration_assets.sql import read_sql

_VIEW = "work_arrow_rows"
_RECURSIVE = "WITH RECURSIVE"


def create_table(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Replace `table` by the rows of its SQL file, which lies in the folder of its room under the table's name.

    A table without schema is temporary: it lives as long as the connection, outside the store.
    """
    query = _query_of(table)
    with _breaking_off(connection, query):
        connection.execute(f"CREATE OR REPLACE {_kind(table)} {table} AS\n{query}", parameters or {})


@contextmanager
def _breaking_off(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[None]:
    """Have one thread work on a recursive query, so that a signal ends it.

    DuckDB 1.5 never comes back from one that is interrupted while several threads work on it: it waits, at full speed,
    for work that it has cancelled.
    """
    if _RECURSIVE not in query:
        yield
        return
    [(threads,)] = connection.execute("SELECT current_setting('threads')").fetchall()
    connection.execute("SET threads = 1")
    try:
        yield
    finally:
        connection.execute(f"SET threads = {threads}")


def create_view(connection: duckdb.DuckDBPyConnection, view: str) -> None:
    """Replace `view` by its SQL file, which may have no parameters."""
    connection.execute(f"CREATE OR REPLACE VIEW {view} AS\n{_query_of(view)}")


def create_table_of_rows(
    connection: duckdb.DuckDBPyConnection, table: str, schema: pa.Schema, rows: Iterable[Sequence[Any]]
) -> None:
    """Replace `table` by rows in the order of the schema's fields."""
    # Without rows `zip` gives no columns either; the table is needed all the same.
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = {field.name: pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)}
    create_table_of_arrow(connection, table, pa.table(arrays, schema=schema))


def create_table_of_arrow(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    """Replace `table` by rows that are in memory as Arrow keeps them."""
    connection.register(_VIEW, rows)
    try:
        connection.execute(f"CREATE OR REPLACE {_kind(table)} {table} AS FROM {_VIEW}")
    finally:
        connection.unregister(_VIEW)


@contextmanager
def written_plain(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Write the tables of a block without compression.

    They are made anew by every run, and finding out how to compress them best takes a third of the time of making them.
    """
    connection.execute("SET force_compression = 'uncompressed'")
    try:
        yield
    finally:
        connection.execute("SET force_compression = 'auto'")


def drop_work_tables(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
    """Drop temporary tables that are no longer needed."""
    for table in tables:
        # Named `temp.`, so that no table of the store can be dropped by this.
        connection.execute(f"DROP TABLE IF EXISTS temp.{table}")


def text_schema(*names: str) -> pa.Schema:
    """A schema of text columns."""
    return pa.schema([(name, pa.string()) for name in names])


def _query_of(table: str) -> str:
    schema, _, name = table.rpartition(".")
    return read_sql(f"{'ranked' if schema == 'ranked' else 'resolution'}/{name}")


def _kind(table: str) -> str:
    return "TABLE" if "." in table else "TEMP TABLE"
