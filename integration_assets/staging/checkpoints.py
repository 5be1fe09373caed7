"""Checkpoints of DuckDB files: what the log holds is moved into the file."""

from __future__ import annotations

import duckdb

from integration_assets.staging.threads import ROW_GROUP, rows_of_largest


def checkpoint(connection: duckdb.DuckDBPyConnection) -> None:
    """Move the log of the database in use into its file.

    Where no table has more rows than a row group, the tables are written as they are: to look for the best compression
    of each column takes four fifths of the time. For a file that stays where it is: its texts take more room.
    """
    [(here,)] = connection.execute("SELECT current_database()").fetchall()
    is_small = (rows_of_largest(connection, here) or 0) <= ROW_GROUP
    if is_small:
        connection.execute("SET force_compression = 'uncompressed'")
    connection.execute("CHECKPOINT")
    # Not after an error: a database that failed answers nothing more, and would hide why.
    if is_small:
        connection.execute("SET force_compression = 'auto'")
