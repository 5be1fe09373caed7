"""Threads of DuckDB: as many as the tables of a database have work for."""

from __future__ import annotations

import duckdb

ROW_GROUP = 122_880
"""Rows that DuckDB scans in one piece: a table of fewer keeps one thread busy, however many there are."""


def rows_of_largest(connection: duckdb.DuckDBPyConnection, database: str) -> int | None:
    """Rows of the largest table of a database, about; None without tables, and where a lake does not say."""
    [(largest,)] = connection.execute(
        "SELECT max(estimated_size) FROM duckdb_tables() WHERE database_name = ?", [database]
    ).fetchall()
    return None if largest is None else int(largest)


def fit_threads(connection: duckdb.DuckDBPyConnection) -> None:
    """Have one thread work on the database in use if no table of it has more rows than a row group, else all.

    Threads without work cost a tenth of the processor time of a run, and pages read at once wait for each other's.
    """
    [(here,)] = connection.execute("SELECT current_database()").fetchall()
    largest = rows_of_largest(connection, here)
    # A lake may not say how large its tables are, and reads them from many files.
    if largest is not None:
        connection.execute("SET threads = 1" if largest <= ROW_GROUP else "RESET threads")
