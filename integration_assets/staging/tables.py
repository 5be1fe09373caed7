"""Existence of tables in a store, asked so that it costs little in a lake as well, and of the ranking's macros."""

from __future__ import annotations

import duckdb


def has_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Tell whether a table or view exists in the store: those of later stages do not before their first run."""
    try:
        # By name, not from a list of all: for that a lake asks its catalogue for the statistics of every table.
        connection.execute("SELECT 1 FROM query_table(?) LIMIT 0", [f"{schema}.{table}"]).fetchall()
    except duckdb.CatalogException:
        return False
    return True


def has_macro(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """True if a published database has a macro of schema `ranked`: an earlier version may have published it without."""
    return bool(
        connection.execute(
            "SELECT 1 FROM duckdb_functions() WHERE schema_name = 'ranked' AND function_name = $name", {"name": name}
        ).fetchall()
    )
