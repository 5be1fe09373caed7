"""Giving up what a lake keeps beside its current rows: older snapshots, statistics, and the bytes of deleted rows.

DuckLake keeps every earlier row for its snapshots: in Parquet files, in inlined tables of the catalogue, and as the
least and greatest value of each column. The catalogue's own database keeps deleted rows in its file until it is written
anew. PostgreSQL also has them in its write-ahead log, which it recycles by itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from integration_assets.errors import PermanentError
from integration_assets.staging.lake import ALIAS, Lake, detach, server_of
from integration_assets.staging.quoting import identifier, literal
from integration_assets.staging.rewriting import rewrite_store

if TYPE_CHECKING:
    import psycopg

BUSY_SECONDS = 30
"""Longest wait for somebody who reads the catalogue."""
_CATALOGUE = "catalogue_itself"
_STATISTICS = frozenset({"ducklake_table_column_stats", "ducklake_file_column_stats"})
_STEPS = (
    # Rows of the catalogue into files, where those that were deleted can be left out.
    f"CALL ducklake_flush_inlined_data('{ALIAS}')",
    f"CALL ducklake_rewrite_data_files('{ALIAS}', delete_threshold => 0)",
    # Of whatever clock: the last one stays in any case.
    f"CALL ducklake_expire_snapshots('{ALIAS}', older_than => TIMESTAMPTZ '9999-01-01')",
    f"CALL ducklake_cleanup_old_files('{ALIAS}', cleanup_all => true)",
    # Left by runs that were killed before they committed.
    f"CALL ducklake_delete_orphaned_files('{ALIAS}', cleanup_all => true)",
)
_TEXTS = """
    SELECT schema_name, table_name, column_name FROM duckdb_columns()
    WHERE database_name = $database AND ($schema = '' OR schema_name = $schema) AND data_type IN ('VARCHAR', 'BLOB')
"""


def give_up_earlier_rows(
    connection: duckdb.DuckDBPyConnection, lake: Lake, needles: list[str], named_in: Callable[[str], bool]
) -> None:
    """Leave a lake with its current rows and nothing else. Call as the last thing inside `hold_store`.

    Afterwards the catalogue is searched for texts that name the person: `needles` are lower-case texts of which each of
    those holds one, and `named_in` tells for sure. All snapshots but the last are gone, and the lake is detached.

    Raises:
        PermanentError: the catalogue still names the person, or cannot be written anew.
    """
    for step in _STEPS:
        connection.execute(step)
    detach(connection)
    with _attached(connection, lake):
        _check(connection, lake, needles, named_in)
    try:
        _write_anew(connection, lake)
    except (OSError, sqlite3.Error, duckdb.IOException) as error:
        raise _not_anew(lake, error) from error


def _check(
    connection: duckdb.DuckDBPyConnection, lake: Lake, needles: list[str], named_in: Callable[[str], bool]
) -> None:
    """Take the person out of statistics; whatever else names them is more than is known of this catalogue."""
    columns = connection.execute(_TEXTS, {"database": _CATALOGUE, "schema": lake.schema}).fetchall()
    for schema, table, column in columns:
        place = f"{_CATALOGUE}.{identifier(schema)}.{identifier(table)}"
        text = f"{identifier(column)}::VARCHAR"
        rows = connection.execute(
            f"SELECT DISTINCT {text} FROM {place} WHERE "  # noqa: S608  # nosec B608  # names from the catalogue
            f"len(list_filter($needles, LAMBDA needle: contains(lower({text}), needle))) > 0",
            {"needles": needles},
        ).fetchall()
        found = [value for (value,) in rows if named_in(value)]
        if found and table not in _STATISTICS:
            raise PermanentError(
                f"{lake}: {table}.{column} of the catalogue still names the person: run it again, and report this"
            )
        for value in found:
            # Unknown is right for any column; another value could hide rows from a query.
            connection.execute(
                f"UPDATE {place} SET min_value = NULL, max_value = NULL WHERE {identifier(column)} = ?",  # noqa: S608  # nosec B608
                [value],
            )


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, lake: Lake) -> Iterator[None]:
    """The tables of the catalogue itself, as a database."""
    if lake.file is None:
        from psycopg.conninfo import make_conninfo

        others = {name: value for name, value in lake.server.items() if name not in ("host", "port", "dbname", "user")}
        named = f"{literal(make_conninfo(**others))} AS {_CATALOGUE} (TYPE postgres, SECRET lake_catalogue)"
    else:
        named = f"{literal(str(lake.file))} AS {_CATALOGUE} (TYPE {lake.kind})"
    connection.execute(f"ATTACH {named}")
    try:
        yield
    finally:
        connection.execute(f"DETACH {_CATALOGUE}")


def _write_anew(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    if lake.file is None:
        _vacuum_server(lake)
    elif lake.kind == "sqlite":
        with closing(sqlite3.connect(lake.file, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            database.execute("VACUUM")
    else:
        _rewrite_file(connection, lake.file)


def _rewrite_file(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    connection.execute(f"ATTACH {literal(str(file))} AS {_CATALOGUE}")
    connection.execute(f"USE {_CATALOGUE}")
    rewrite_store(connection, file)
    connection.execute("USE memory")
    connection.execute(f"DETACH {_CATALOGUE}")


def _vacuum_server(lake: Lake) -> None:
    import psycopg
    from psycopg.sql import SQL, Identifier

    refused: list[str] = []

    def take_warning(notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            refused.append(str(notice.message_primary))

    with server_of(lake, "forget") as server:
        # VACUUM passes over what the role may not write anew, and ends well.
        server.add_notice_handler(take_warning)
        server.execute(SQL("SET lock_timeout = '{}s'").format(SQL(str(BUSY_SECONDS))))
        tables = server.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [lake.schema]).fetchall()
        try:
            for (table,) in tables:
                # With new statistics: those of the planner hold values as well.
                server.execute(SQL("VACUUM (FULL, ANALYZE) {}").format(Identifier(lake.schema, table)))
            _drop_statistics_of_empty_tables(server, lake.schema)
            server.execute("VACUUM FULL pg_catalog.pg_statistic")
        except psycopg.Error as error:
            raise _not_anew(lake, error) from error
    if refused:
        raise PermanentError(
            f"{lake}: the catalogue cannot be written anew: {refused[0][:200]}; its rows are gone, their bytes may not "
            "be: make the role of the lake the owner of the database (ALTER DATABASE … OWNER TO …), then run it again"
        )


def _drop_statistics_of_empty_tables(server: psycopg.Connection[Any], schema: str) -> None:
    """ANALYZE leaves those of a table without rows as they were, and has no way to drop them."""
    from psycopg.sql import SQL, Identifier

    columns = server.execute(
        """
        SELECT stats.tablename, stats.attname, format_type(columns.atttypid, columns.atttypmod)
        FROM pg_stats AS stats
        JOIN pg_attribute AS columns
            ON columns.attrelid = format('%%I.%%I', stats.schemaname, stats.tablename)::regclass
            AND columns.attname = stats.attname
        WHERE stats.schemaname = %s
        """,
        [schema],
    ).fetchall()
    for table, column, kind in columns:
        place = Identifier(schema, table)
        if server.execute(SQL("SELECT 1 FROM {} LIMIT 1").format(place)).fetchone() is None:
            # A column that is given a type, be it the one it has, loses its statistics.
            change = SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {}").format(place, Identifier(column), SQL(kind))
            server.execute(change)


def _not_anew(lake: Lake, error: Exception) -> PermanentError:
    reason = " ".join(str(error).split())[:200]
    return PermanentError(
        f"{lake}: the catalogue cannot be written anew: {reason}; its rows are gone, their bytes may not be: see that "
        "nobody reads it and that there is space, then run it again"
    )
