"""Publish the rankings for analysts: a DuckDB file of their own, replaced as a whole.

A reader that has the old file open goes on reading it; one that opens next gets the new one. Nobody is locked out,
nobody sees half a run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from integration_assets.config import Environment
from integration_assets.errors import PermanentError
from integration_assets.staging.store import STORAGE_VERSION, check_tenant, make_private_directory

PUBLISHED_SCHEMAS = ("ranked", "ops")

_COPY = "publication_copy"
"""Name of the new file while it is attached: a tenant's name has no underscore, so it cannot be the same."""

_ADDRESS = r"[A-Za-z0-9._%+''-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
_MASK = "[address]"
"""People write addresses into titles; what looks like one is published as this."""

_RELATIONS = """
    SELECT schema_name, table_name FROM duckdb_tables()
    WHERE database_name = current_database() AND schema_name IN ('ranked', 'ops')
    UNION ALL
    SELECT schema_name, view_name FROM duckdb_views()
    WHERE database_name = current_database() AND schema_name IN ('ranked', 'ops')
    ORDER BY schema_name, table_name
"""
_COLUMNS = """
    SELECT column_name, data_type FROM duckdb_columns()
    WHERE database_name = current_database() AND schema_name = ? AND table_name = ?
    ORDER BY column_index
"""


def published_path(home: Path, environment: Environment | str, tenant: str) -> Path:
    """File analysts open: `<home>/published/<environment>/<tenant>.duckdb`."""
    return home / "published" / Environment(environment).value / f"{check_tenant(tenant)}.duckdb"


def publish(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Write every table and view of the schemas `ranked` and `ops` into a new file and put it in `target`'s place.

    Views become tables, what looks like an e-mail address in a text becomes `[address]`. The file is read-only and of a
    format DuckDB 1.2 and later can read. Not to be called inside a transaction.

    Raises:
        PermanentError: the file cannot be written; the one published before is still there.
    """
    try:
        make_private_directory(target.parent)
        # One run per tenant: whatever lies here is of a run that was killed.
        unfinished = target.with_name(target.name + ".writing")
        _remove(unfinished)
        with _attached(connection, unfinished):
            _copy(connection)
        unfinished.chmod(0o444)
        _flush(unfinished)
        unfinished.replace(target)
        _flush(target.parent)
    except (OSError, duckdb.IOException) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).removeprefix("IO Error: ").splitlines()[0]
        raise PermanentError(f"cannot publish {target}: {reason}; check the directory and the disk") from error


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, file: Path) -> Iterator[None]:
    connection.execute(f"ATTACH {_text(str(file))} AS {_COPY} (STORAGE_VERSION {_text(STORAGE_VERSION)})")
    try:
        yield
        connection.execute(f"CHECKPOINT {_COPY}")
    finally:
        connection.execute(f"DETACH {_COPY}")


def _copy(connection: duckdb.DuckDBPyConnection) -> None:
    for schema in PUBLISHED_SCHEMAS:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_COPY}.{schema}")
    for schema, name in connection.execute(_RELATIONS).fetchall():
        columns = connection.execute(_COLUMNS, [schema, name]).fetchall()
        projection = ", ".join(_masked(column, data_type) for column, data_type in columns)
        relation = f"{_identifier(schema)}.{_identifier(name)}"
        copied = f"AS SELECT {projection} FROM {relation}"  # noqa: S608  # nosec B608  # quoted names
        connection.execute(f"CREATE TABLE {_COPY}.{relation} {copied}")


def _masked(column: str, data_type: str) -> str:
    """The column, with addresses masked where it is text."""
    name = _identifier(column)
    if data_type not in {"VARCHAR", "JSON", "VARCHAR[]"}:
        return name
    if data_type == "VARCHAR[]":
        replaced = f"list_transform({name}, lambda text: regexp_replace(text, '{_ADDRESS}', '{_MASK}', 'g'))"
    else:
        replaced = f"regexp_replace({name}, '{_ADDRESS}', '{_MASK}', 'g')"
    return f"({replaced})::{data_type} AS {name}"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _remove(file: Path) -> None:
    for leftover in (file, file.with_name(file.name + ".wal")):
        leftover.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Have a file or directory on disk before going on, so that a power cut leaves the old or the new file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
