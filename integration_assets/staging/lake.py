"""DuckLake as staging store: the catalogue in PostgreSQL or in a file, the data in Parquet files of a folder or bucket.

Every tenant and environment has a catalogue of its own: in PostgreSQL a schema `<environment>_<tenant>`. Small writes,
such as the ledger's, are rows of the catalogue until `maintain` moves them into files: as durable as PostgreSQL is.
The run lock is an advisory lock of PostgreSQL beside that of the file system, so that it also keeps out other machines.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import duckdb
import msgspec
from pydantic import SecretStr

from integration_assets.config import expanded, why_no_home
from integration_assets.connectors.redaction import register
from integration_assets.coordination.advisory_lock import holder, let_go, lock_key, take
from integration_assets.errors import ConfigurationError, IntegrationError, LockError, TransientError
from integration_assets.staging.bucket import BUCKET_URL, open_bucket
from integration_assets.staging.extensions import load_extension
from integration_assets.staging.migrations import migrate, pending_migrations
from integration_assets.staging.quoting import literal

# Imported where it is used: most stores are files, and loading the definitions must not wait for it.
if TYPE_CHECKING:
    import psycopg

SCHEME = "ducklake:"
ALIAS = "lake"
"""Name of the store's database in a connection."""
INLINED_ROWS = 1_000
"""Most rows of one insert that stay in the catalogue: a batch of the ledger does, a read of votes does not."""
_WRITING = [f"DATA_INLINING_ROW_LIMIT {INLINED_ROWS}"]
CONNECT_SECONDS = 10
PUBLISHED = "published"
"""Beginning of the schema, and folder of the data, of a lake that analysts read."""
_POSTGRES = re.compile(r"postgres(ql)?://")
_S3 = re.compile(r"s3:", re.IGNORECASE)
_VARIABLE = "INTEGRATION_ASSETS_STORE_URL"
_EXAMPLE = f"{_VARIABLE}: use ducklake:postgresql://user:password@host/name?data=/directory, or ducklake:/directory"
_LONGEST_SCHEMA = 63
"""Bytes of a name in PostgreSQL."""


class Lake(msgspec.Struct, frozen=True):
    """A catalogue and its data. `str()` names it in messages, without a password.

    The Parquet files lie in the directory `folder`, or below `bucket`, a URL. `file` is the catalogue's file where that
    is not in PostgreSQL; where it is, `place` is `<environment>/<tenant>` and `server` libpq's keywords but for the
    password.
    """

    kind: Literal["postgres", "sqlite", "duckdb"]
    folder: Path | None
    file: Path | None = None
    schema: str = ""
    server: dict[str, str] = {}
    password: SecretStr | None = None
    bucket: str = ""
    place: str = ""

    @property
    def data(self) -> Path:
        """Directory of the Parquet files; there is none where they lie in a bucket.

        Raises:
            ConfigurationError: they do.
        """
        if self.folder is None:
            raise ConfigurationError(f"{self}: its data lies in {self.bucket}, and this works with directories alone")
        return self.folder

    @property
    def data_path(self) -> str:
        """Address of the data as the catalogue keeps it."""
        return f"{self.folder or self.bucket}/"

    def __str__(self) -> str:
        if self.file is not None:
            return str(self.file)
        where = self.server.get("host", "")
        return f"ducklake:postgresql://{where}/{self.server.get('dbname', '')}, schema {self.schema}"


def parse_lake(url: str, environment: str, tenant: str) -> Lake:
    """The lake of a tenant in an environment, by the URL of all lakes. Its password is redacted from here on.

    Raises:
        ConfigurationError: no URL of a lake. The URL is not repeated: it may hold a password.
    """
    place = url.removeprefix(SCHEME)
    if _POSTGRES.match(place):
        return _postgres_lake(place, environment, tenant)
    kind: Literal["sqlite", "duckdb"] = "sqlite" if place.startswith("sqlite:") else "duckdb"
    directory, _, query = place.removeprefix("sqlite:").partition("?")
    named = dict(parse_qsl(query))
    # A slip of the pen in a URL of PostgreSQL must not become a directory that holds the password.
    if not directory or "//" in directory or "@" in directory or named.keys() - {"data"}:
        raise ConfigurationError(_EXAMPLE)
    folder = _directory(directory) / environment
    data = _directory(named["data"]) / environment / tenant if "data" in named else folder / f"{tenant}.data"
    return Lake(kind, data, folder / f"{tenant}.{'sqlite' if kind == 'sqlite' else 'ducklake'}")


def _postgres_lake(place: str, environment: str, tenant: str) -> Lake:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = urlsplit(place)
        query = parse_qsl(parts.query, keep_blank_values=True)
        data = dict(query).get("data", "")
        others = urlencode([(name, value) for name, value in query if name != "data"])
        # The text of the error would quote the URL, and with it the password.
        found = conninfo_to_dict(urlunsplit(parts._replace(query=others)), connect_timeout=CONNECT_SECONDS)
    except (psycopg.ProgrammingError, ValueError):
        raise ConfigurationError(_EXAMPLE) from None
    if not data or not found.get("dbname"):
        raise ConfigurationError(f"{_EXAMPLE}; a database and `data`, the directory of the Parquet files, are needed")
    server = {name: str(value) for name, value in found.items() if name != "password"}
    password = found.get("password")
    if password:
        register(str(password))
    bucket = _bucket(data) if _S3.match(data) else ""
    return Lake(
        "postgres",
        None if bucket else _directory(unquote(data)) / environment / tenant,
        schema=_schema(environment, tenant),
        server=server,
        password=SecretStr(str(password)) if password else None,
        bucket=f"{bucket}/{environment}/{tenant}" if bucket else "",
        place=f"{environment}/{tenant}",
    )


def _bucket(url: str) -> str:
    if not BUCKET_URL.fullmatch(url):
        raise ConfigurationError(
            f"{_VARIABLE}: data on object storage is data=s3://bucket/folder, without credentials: those come from "
            "AWS_ACCESS_KEY_ID and the like"
        )
    return url.rstrip("/")


def _directory(text: str) -> Path:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text):
        raise ConfigurationError(
            f"{_VARIABLE}: data has to lie in a directory that all machines with runs share, or, with a catalogue in "
            f"PostgreSQL, in a bucket, s3://bucket/folder; {text.partition(':')[0]}: is not supported here"
        )
    try:
        directory = expanded(Path(text))
    except ValueError as error:
        raise ConfigurationError(f"{_VARIABLE}: {error}") from None
    if why := why_no_home(directory):
        raise ConfigurationError(f"{_VARIABLE}: {why}")
    # DuckLake keeps the path: another working directory must not lead elsewhere.
    return directory.absolute()


def _schema(environment: str, tenant: str) -> str:
    # Names of tenants have no underscore, so that no two become one.
    name = f"{environment}_{tenant.replace('-', '_')}"
    if len(name) <= _LONGEST_SCHEMA:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_SCHEMA - 9]}_{digest}"


def readers_lake(lake: Lake) -> Lake:
    """The lake beside that of a store which analysts read; its catalogue is in PostgreSQL as well."""
    # No environment has that name, so that neither schema nor folder can be those of a store.
    environment, _, tenant = lake.place.partition("/")
    return msgspec.structs.replace(
        lake,
        schema=_schema(f"{PUBLISHED}_{environment}", tenant),
        folder=lake.folder.parents[1] / PUBLISHED / lake.place if lake.folder is not None else None,
        bucket=f"{lake.bucket.removesuffix(lake.place)}{PUBLISHED}/{lake.place}" if lake.bucket else "",
    )


@contextmanager
def server_of(lake: Lake, what: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the PostgreSQL of a lake, which shows there as `what`.

    Raises:
        ConfigurationError: PostgreSQL refuses the login.
        TransientError: it cannot be reached.
    """
    import psycopg
    from psycopg.conninfo import make_conninfo

    try:
        connection = psycopg.connect(
            make_conninfo(**lake.server),
            password=lake.password.get_secret_value() if lake.password else None,
            autocommit=True,
            application_name=what[:_LONGEST_SCHEMA],
            # A run holds its lock for hours without a word in between.
            keepalives_idle=60,
        )
    except psycopg.OperationalError as error:
        raise catalogue_error(lake, error) from error
    with connection:
        yield connection


def catalogue_error(lake: object, error: Exception) -> IntegrationError:
    """Translate an error of the connection to the catalogue into what a person can do."""
    reason = " ".join(str(error).split())[:300]
    if "authentication failed" in reason or "does not exist" in reason:
        return ConfigurationError(f"staging store {lake}: PostgreSQL refuses: {reason}; see {_VARIABLE}")
    return TransientError(f"staging store {lake}: PostgreSQL cannot be reached: {reason}; run again")


def is_catalogue_lost(error: BaseException) -> bool:
    """Tell whether an error of DuckDB comes from a catalogue that cannot be reached any more."""
    text = str(error)
    return "connect to Postgres" in text or "connection to server" in text or "server closed the connection" in text


def lake_exists(lake: Lake) -> bool:
    """Tell whether the lake's catalogue has been made.

    Raises:
        ConfigurationError: PostgreSQL refuses the login.
        TransientError: PostgreSQL cannot be reached.
    """
    if lake.file is not None:
        return lake.file.exists()
    with server_of(lake, "integration-assets") as server:
        made = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = %s AND tablename = 'ducklake_metadata'"
        return server.execute(made, [lake.schema]).fetchone() is not None


def drop_catalogue(lake: Lake) -> None:
    """Erase a catalogue in PostgreSQL; that of a file goes with the file, and so does the data.

    Raises:
        ConfigurationError: PostgreSQL refuses the login.
        TransientError: PostgreSQL cannot be reached.
    """
    if lake.file is None:
        from psycopg.sql import SQL, Identifier

        with server_of(lake, "tenants remove") as server:
            server.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(lake.schema)))


@contextmanager
def catalogue_lock(lake: Lake, what: str) -> Iterator[Callable[[], str | None]]:
    """Hold PostgreSQL's advisory lock of a lake; gives a function that tells why it is no longer held, or None.

    PostgreSQL lets it go when the connection ends, and a connection that has ended never comes back: while it
    answers, the lock is ours. Catalogues in files have the run lock of the file system alone.

    Raises:
        LockError: another process, perhaps on another machine, holds it; the message says which.
        ConfigurationError: PostgreSQL refuses the login.
        TransientError: PostgreSQL cannot be reached.
    """
    if lake.file is not None:
        yield lambda: None
        return
    import psycopg

    key = lock_key(lake.schema)
    with server_of(lake, what) as server:
        if not take(server, key):
            who = holder(server, key)
            raise LockError(
                f"another run is using {lake} ({who or 'it does not say which'}); wait until it has finished, then "
                "run again",
                holder=who,
            )

        def lost() -> str | None:
            try:
                server.execute("SELECT 1")
            except psycopg.Error as error:
                return f"the connection to its catalogue ended: {' '.join(str(error).split())[:100]}"
            return None

        try:
            yield lost
        finally:
            let_go(server, key)


def attach_writable(connection: duckdb.DuckDBPyConnection, lake: Lake, *, inlined_rows: int = INLINED_ROWS) -> None:
    """Attach a lake, made if there is none, to an empty connection as the database in use, without our tables.

    Raises:
        ConfigurationError: an extension or the key of a bucket is missing.
    """
    _load(connection, lake)
    _attach(connection, lake, options=[f"DATA_INLINING_ROW_LIMIT {int(inlined_rows)}"])


def open_lake(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Attach a lake to an empty connection, as the database in use, migrated.

    Raises:
        ConfigurationError: an extension is missing, or a newer version wrote the lake.
    """
    _load(connection, lake)
    _attach(connection, lake, options=_WRITING)
    if not pending_migrations(connection):
        return
    # The first migrations name a column as DuckLake does one of its own: it refuses that where it inlines. All in one
    # transaction: each one makes a snapshot, and costs PostgreSQL a commit.
    detach(connection)
    _attach(connection, lake, options=["DATA_INLINING_ROW_LIMIT 0"])
    migrate(connection, at_once=True)
    detach(connection)
    _attach(connection, lake, options=_WRITING)


def attach_readable(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Attach a lake that has been made to an empty connection, read-only, as the database in use.

    Raises:
        ConfigurationError: an extension or the key of a bucket is missing.
    """
    _load(connection, lake)
    _attach(connection, lake, options=["READ_ONLY"])


def snapshot_of(
    connection: duckdb.DuckDBPyConnection, lake: Lake, moment: datetime
) -> tuple[int | None, datetime | None]:
    """The last snapshot at or before a moment (UTC), and when the oldest one was made; None where there is none.

    The connection is an empty one in UTC, and has nothing attached afterwards.
    """
    attach_readable(connection, lake)
    [(version, oldest)] = connection.execute(
        f"""
        SELECT
            max(snapshot_id) FILTER (WHERE snapshot_time <= $moment),
            min(snapshot_time)::TIMESTAMP
        FROM ducklake_snapshots('{ALIAS}')
        """,  # noqa: S608  # nosec B608  # a name of ours
        {"moment": moment},
    ).fetchall()
    detach(connection)
    return version, oldest


def attach_snapshot(connection: duckdb.DuckDBPyConnection, lake: Lake, version: int) -> None:
    """Attach a lake read-only as one of its snapshots has it, as the database in use. After `snapshot_of`."""
    _attach(connection, lake, options=["READ_ONLY", f"SNAPSHOT_VERSION {int(version)}"])


def maintain(connection: duckdb.DuckDBPyConnection, keep_days: int) -> None:
    """Move inlined rows into files, forget snapshots older than so many days, merge small files, remove unused ones."""
    connection.execute(f"CALL ducklake_flush_inlined_data('{ALIAS}')")
    connection.execute(
        f"CALL ducklake_expire_snapshots('{ALIAS}', older_than => now() - INTERVAL {int(keep_days)} DAY)"
    )
    connection.execute(f"CALL ducklake_merge_adjacent_files('{ALIAS}')")
    # A day later than they were given up: whoever reads the lake may have them open.
    connection.execute(f"CALL ducklake_cleanup_old_files('{ALIAS}', older_than => now() - INTERVAL 1 DAY)")


def _load(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    if lake.kind != "duckdb":
        load_extension(connection, f"{lake.kind}_scanner")
    load_extension(connection, "ducklake")
    if lake.bucket:
        open_bucket(connection, lake.bucket)
    if lake.kind == "postgres":
        # As a secret of DuckDB, which never shows it: what stands in ATTACH is repeated by its errors.
        parts = {
            "HOST": lake.server.get("host"),
            "PORT": lake.server.get("port"),
            "DATABASE": lake.server.get("dbname"),
            "USER": lake.server.get("user"),
            "PASSWORD": lake.password.get_secret_value() if lake.password else None,
        }
        given = ", ".join(f"{name} {literal(value)}" for name, value in parts.items() if value)
        connection.execute(f"CREATE SECRET lake_catalogue (TYPE postgres, {given})")


def _attach(connection: duckdb.DuckDBPyConnection, lake: Lake, *, options: list[str]) -> None:
    if "READ_ONLY" not in options and lake.folder is not None:
        lake.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    named = [f"DATA_PATH {literal(lake.data_path)}", *options]
    if lake.file is not None:
        place = f"{'sqlite:' if lake.kind == 'sqlite' else ''}{lake.file}"
    else:
        from psycopg.conninfo import make_conninfo

        others = {name: value for name, value in lake.server.items() if name not in ("host", "port", "dbname", "user")}
        place = f"postgres:{make_conninfo(**others)}"
        named += [f"METADATA_SCHEMA {literal(lake.schema)}", "META_SECRET 'lake_catalogue'"]
    connection.execute(f"ATTACH {literal(SCHEME + place)} AS {ALIAS} ({', '.join(named)})")
    connection.execute(f"USE {ALIAS}")


def detach(connection: duckdb.DuckDBPyConnection) -> None:
    """Leave the lake that is attached; the empty database of the connection is in use afterwards."""
    connection.execute("USE memory")
    connection.execute(f"DETACH {ALIAS}")
