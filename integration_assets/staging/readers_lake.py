"""The lake that analysts read: what is published, as a lake of its own beside the one of the store.

Whoever attaches a lake reads its whole catalogue, and that of the store holds addresses: as the least and the greatest
value of columns, and as small tables that are rows of it. So grants on it cannot keep addresses from a reader, and this
lake is filled from the published file alone: schema `published_<environment>_<tenant>`, data below `published/`. A role
of PostgreSQL reads it that may read nothing of the store's.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.staging.bucket import bucket_error
from integration_assets.staging.extensions import NO_OTHERS
from integration_assets.staging.lake import (
    ALIAS,
    Lake,
    attach_readable,
    attach_writable,
    catalogue_error,
    drop_catalogue,
    is_catalogue_lost,
    lake_exists,
    readers_lake,
    server_of,
)
from integration_assets.staging.object_storage import remove_folder
from integration_assets.staging.quoting import identifier, literal

if TYPE_CHECKING:
    import psycopg

VARIABLE = "INTEGRATION_ASSETS_LAKE_READER"
_FILE = "published_file"
_TABLES = """
    SELECT schema_name, table_name, comment FROM duckdb_tables()
    WHERE database_name = $database AND NOT internal ORDER BY schema_name, table_name
"""
_COMMENTS = """
    SELECT column_name, comment FROM duckdb_columns()
    WHERE database_name = $database AND schema_name = $schema AND table_name = $table AND comment IS NOT NULL
"""


_CLOSED = """
    SELECT count(*)
    FROM pg_class
    INNER JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
    WHERE
        nspname = %(schema)s
        AND relkind IN ('r', 'p', 'v')
        AND NOT (
            has_schema_privilege(%(role)s, pg_namespace.oid, 'USAGE')
            AND has_table_privilege(%(role)s, pg_class.oid, 'SELECT')
        )
"""


def check_reader(lake: Lake | None) -> None:
    """See that a role can be given something to read.

    Raises:
        ConfigurationError: the store is no lake with its catalogue in PostgreSQL.
    """
    if lake is None or lake.file is not None:
        raise ConfigurationError(
            f"{VARIABLE} needs a lake whose catalogue is in PostgreSQL: set INTEGRATION_ASSETS_STORE_URL to "
            "ducklake:postgresql://user@host/name?data=/directory, or unset it"
        )


def publish_to_readers(lake: Lake, role: str, file: Path, keep_days: int) -> list[str]:
    """Put the published file's tables in the place of those in a store's readers' lake, and let the role read that.

    Earlier tables stay in snapshots for so many days. Gives notes for people, if the role may read more than this.

    Raises:
        ConfigurationError: there is no such role, PostgreSQL or the bucket refuses, or an extension is missing.
        PermanentError: the lake cannot be written.
        TransientError: PostgreSQL or the bucket cannot be reached.
    """
    readers = readers_lake(lake)
    with _clear_errors(readers), duckdb.connect(":memory:", config=dict(NO_OTHERS)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        # Nothing of it in rows of the catalogue: those are tables that come and go, and need grants of their own.
        attach_writable(connection, readers, inlined_rows=0)
        connection.execute(f"ATTACH {literal(str(file))} AS {_FILE} (READ_ONLY)")
        connection.execute("BEGIN")
        _copy(connection)
        connection.execute("COMMIT")
        connection.execute(
            f"CALL ducklake_expire_snapshots('{ALIAS}', older_than => now() - INTERVAL {int(keep_days)} DAY)"
        )
        # A day later than they were given up: whoever reads the lake may have them open.
        connection.execute(f"CALL ducklake_cleanup_old_files('{ALIAS}', older_than => now() - INTERVAL 1 DAY)")
    if readers.folder is not None:
        _let_everybody_read(readers.folder)
    return _grant(lake, readers, role)


class ReadersView(NamedTuple):
    """A readers' lake as its role would find it. `tables` is None where no run has made it.

    `closed`: tables of its catalogue that the role may not read; `notes`: what it may read besides.
    """

    may_log_in: bool
    tables: int | None
    closed: int
    notes: list[str]


def look_at_readers_lake(lake: Lake, role: str) -> ReadersView:
    """Look whether a role could attach the readers' lake of a store, with the account of the runs; writes nothing.

    Raises:
        ConfigurationError: there is no such role, PostgreSQL or the bucket refuses, or an extension is missing.
        PermanentError: the lake cannot be read.
        TransientError: PostgreSQL or the bucket cannot be reached.
    """
    import psycopg

    readers = readers_lake(lake)
    with server_of(readers, "doctor") as server:
        try:
            found = server.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            if found is None:
                raise _no_role(role)
            closed = server.execute(_CLOSED, {"schema": readers.schema, "role": role}).fetchone()
            notes = _notes(server, lake, role)
        except psycopg.Error as error:
            raise catalogue_error(readers, error) from error
    if not lake_exists(readers):
        return ReadersView(bool(found[0]), None, 0, notes)
    with _clear_errors(readers, "read"), duckdb.connect(":memory:", config=dict(NO_OTHERS)) as connection:
        attach_readable(connection, readers)
        tables = connection.execute(_TABLES, {"database": ALIAS}).fetchall()
        # One row of each: that the catalogue opens says nothing of the data.
        for schema, table, _ in tables:
            connection.execute(f"FROM {ALIAS}.{identifier(schema)}.{identifier(table)} LIMIT 1").fetchall()
    return ReadersView(bool(found[0]), len(tables), int(closed[0]) if closed else 0, notes)


def drop_readers_lake(lake: Lake) -> None:
    """Erase the readers' lake of a store with its earlier snapshots and its data, if there is one.

    Raises:
        ConfigurationError: PostgreSQL or the bucket refuses.
        PermanentError: a file cannot be erased.
        TransientError: PostgreSQL or the bucket cannot be reached.
    """
    readers = readers_lake(lake)
    if readers.bucket:
        remove_folder(readers.bucket)
    elif readers.data.is_dir():
        try:
            shutil.rmtree(readers.data)
        except OSError as error:
            raise PermanentError(f"{error.filename or readers.data} cannot be erased: {error.strerror}") from error
    drop_catalogue(readers)


def _copy(connection: duckdb.DuckDBPyConnection) -> None:
    tables = connection.execute(_TABLES, {"database": _FILE}).fetchall()
    present = {(schema, table) for schema, table, _ in connection.execute(_TABLES, {"database": ALIAS}).fetchall()}
    for schema, table, comment in tables:
        name = f"{identifier(schema)}.{identifier(table)}"
        statements = [
            f"CREATE SCHEMA IF NOT EXISTS {ALIAS}.{identifier(schema)}",
            f"CREATE OR REPLACE TABLE {ALIAS}.{name} AS FROM {_FILE}.{name}",
            *([f"COMMENT ON TABLE {ALIAS}.{name} IS {literal(comment)}"] if comment else []),
        ]
        columns = connection.execute(_COMMENTS, {"database": _FILE, "schema": schema, "table": table}).fetchall()
        statements += [
            f"COMMENT ON COLUMN {ALIAS}.{name}.{identifier(one)} IS {literal(text)}" for one, text in columns
        ]
        connection.execute(";".join(statements))
        present.discard((schema, table))
    for schema, table in present:
        connection.execute(f"DROP TABLE {ALIAS}.{identifier(schema)}.{identifier(table)}")


def _let_everybody_read(folder: Path) -> None:
    """Open the data to every account of the machines that share it: nothing of it is an address."""
    try:
        # With the two folders above it, `published` and that of the environment, which were made for it.
        for place in (folder.parent.parent, folder.parent, folder, *folder.rglob("*")):
            wanted = 0o755 if place.is_dir() else 0o644
            if stat.S_IMODE(place.stat().st_mode) & wanted != wanted:
                place.chmod(wanted)
    except OSError as error:
        raise PermanentError(
            f"{error.filename or folder} cannot be opened to readers: {error.strerror}; see who owns it"
        ) from error


def _grant(lake: Lake, readers: Lake, role: str) -> list[str]:
    import psycopg
    from psycopg.sql import SQL, Identifier

    schema, name = Identifier(readers.schema), Identifier(role)
    with server_of(readers, "publishing") as server:
        try:
            # All of it, each time: a later version of DuckLake may have made further tables.
            server.execute(SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, name))
            server.execute(SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(schema, name))
            return _notes(server, lake, role)
        except psycopg.errors.UndefinedObject:
            raise _no_role(role) from None
        except psycopg.Error as error:
            raise catalogue_error(readers, error) from error


def _notes(server: psycopg.Connection[Any], lake: Lake, role: str) -> list[str]:
    """Notes for people on what the role may read besides its own lake."""
    row = server.execute(
        "SELECT has_schema_privilege(%s, oid, 'USAGE') FROM pg_namespace WHERE nspname = %s", [role, lake.schema]
    ).fetchone()
    if row is None or not row[0]:
        return []
    schema_of_store = f"schema {lake.schema}, which holds e-mail addresses"
    return [f"role {role} may also read {schema_of_store}: REVOKE USAGE ON SCHEMA {lake.schema} FROM {role}"]


def _no_role(role: str) -> ConfigurationError:
    return ConfigurationError(f"{VARIABLE}: PostgreSQL has no role {role}: CREATE ROLE {role} LOGIN PASSWORD '…'")


@contextmanager
def _clear_errors(readers: Lake, done: str = "written") -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        if is_catalogue_lost(error):
            raise catalogue_error(readers, error) from error
        if (of_bucket := bucket_error(error)) is not None:
            raise of_bucket from error
        reason = str(error).splitlines()[0][:200]
        raise PermanentError(f"{readers} cannot be {done}: {reason}; check its directory and the disk") from error
    # Of the folder: `published` may be somebody else's than the store's.
    except OSError as error:
        raise PermanentError(
            f"{readers} cannot be {done}: {error.filename or readers.folder}: {error.strerror}; see who owns it"
        ) from error
