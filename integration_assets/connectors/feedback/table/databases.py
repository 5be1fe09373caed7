"""One SELECT on a database of somebody's own: DuckDB or SQLite as a file, PostgreSQL by URL. Nothing is ever written.

Each is opened read-only by its own means, and each can do nothing but that SELECT: DuckDB without access to files or
network and with its configuration locked, SQLite under an authorizer, PostgreSQL in a read-only transaction through a
cursor, which takes no other statement.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import psycopg
import pyarrow as pa

from integration_assets.connectors.feedback.table.mapping import Database
from integration_assets.connectors.redaction import register
from integration_assets.errors import (
    ConfigurationError,
    ContractError,
    CredentialError,
    IntegrationError,
    PermanentError,
    TransientError,
)

BATCH = 10_000
"""Rows in memory at once."""
CONNECT_SECONDS = 10
STATEMENT_SECONDS = 600.0
"""Time within which a SELECT brings its last row."""
_READS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
TEXT = "VARCHAR"
_TIME_WITH_ZONE, _TIME, _DATE = 1184, 1114, 1082
"""PostgreSQL's numbers of these types (pg_type.dat)."""
_TYPES = {_TIME_WITH_ZONE: "TIMESTAMP WITH TIME ZONE", _TIME: "TIMESTAMP", _DATE: "DATE"}


class Selected(msgspec.Struct, frozen=True):
    """Result of a SELECT: names of its columns, their types as DuckDB calls them, and its rows in batches.

    `is_text`: the batches hold text already, whatever the types.
    """

    header: tuple[str, ...]
    types: tuple[str, ...]
    batches: Iterator[pa.Table]
    is_text: bool = True


class Stops:
    """Statements that run in threads for one read: a thread outlives the task that waits for it, unless it is told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[Callable[[], None]] = []

    @contextmanager
    def running(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have `stop` called by `stop_all`, from another thread, for the length of a block."""
        with self._lock:
            self._running.append(stop)
        try:
            yield
        finally:
            # Under the lock: what is stopped is not closed yet.
            with self._lock:
                self._running.remove(stop)

    def stop_all(self) -> None:
        """Stop everything that runs now."""
        with self._lock:
            for stop in self._running:
                stop()


@contextmanager
def selected(
    database: Database,
    file: Path | None,
    statement: str,
    environment: Mapping[str, str],
    *,
    named: str,
    stops: Stops,
    seconds: float = STATEMENT_SECONDS,
) -> Iterator[Selected]:
    """The rows of one SELECT, for the length of a block. `named` is what messages call it.

    It is stopped by `stops`, and after so many `seconds`.

    Raises:
        ConfigurationError: it is no single SELECT, the variable with the URL is not set, or names a host or a database
            that is not there.
        ContractError: the database refuses it, or it takes too long.
        CredentialError: user or password were rejected.
        TransientError: the database cannot be reached now, or another process keeps it.
    """
    if database.kind == "postgresql":
        url = environment.get(database.url_variable or "")
        if not url:
            raise ConfigurationError(f"{database.url_variable} must be set: [database] reads the URL from it")
        opening = _postgresql(url, statement, named, database.url_variable or "", stops)
    elif database.kind == "sqlite":
        opening = _sqlite(_there(file), statement, named, stops)
    else:
        opening = _duckdb(_there(file), statement, named, stops)
    is_late = threading.Event()

    def expire() -> None:
        is_late.set()
        stops.stop_all()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        with opening as result:
            yield result
    # Each library has its own error for a statement that was stopped.
    except Exception:
        if is_late.is_set():
            raise ContractError(
                f"{named} has not brought its last row within {seconds:g} s: it is stopped; narrow it, or keep its "
                "rows in a table"
            ) from None
        raise
    finally:
        timer.cancel()


def _there(file: Path | None) -> Path:
    if file is None:
        raise ConfigurationError("[database].file: names no file")
    return file


@contextmanager
def _duckdb(file: Path, statement: str, named: str, stops: Stops) -> Iterator[Selected]:
    try:
        statements = duckdb.extract_statements(statement)
    except duckdb.Error as error:
        raise ConfigurationError(f"{named} is no SQL that DuckDB reads: {_first_line(error)}") from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ConfigurationError(f"{named} must be one SELECT")
    try:
        connection = duckdb.connect(
            file,
            read_only=True,
            config={
                "enable_external_access": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "lock_configuration": "true",
                "memory_limit": "500MB",
            },
        )
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            raise TransientError(
                f"{file.name} is open for writing in another process: run again when it is not"
            ) from None
        raise ContractError(f"{file.name} is no DuckDB database that this version reads") from None
    except duckdb.Error:
        raise ContractError(f"{file.name} is no DuckDB database that this version reads") from None
    with closing(connection), stops.running(connection.interrupt):
        try:
            reader = connection.execute(statement).arrow(BATCH)
            types = tuple(_type_of(field.type) for field in reader.schema)
            batches = (_batch(batch, len(types)) for batch in reader)
            yield Selected(tuple(reader.schema.names), types, batches, is_text=False)
        except duckdb.Error as error:
            raise ContractError(f"{named} was refused by {file.name}: {_first_line(error)}") from None


def _type_of(of: pa.DataType) -> str:
    """DuckDB's name of an Arrow type, as far as it matters for turning a value into text."""
    if pa.types.is_timestamp(of):
        return "TIMESTAMP WITH TIME ZONE" if of.tz else "TIMESTAMP"
    if pa.types.is_date(of):
        return "DATE"
    if pa.types.is_list(of):
        return "VARCHAR[]"
    return "DOUBLE" if pa.types.is_floating(of) else TEXT


def _batch(batch: pa.RecordBatch, columns: int) -> pa.Table:
    return pa.Table.from_arrays(batch.columns, names=[f"c{place}" for place in range(columns)])


@contextmanager
def _sqlite(file: Path, statement: str, named: str, stops: Stops) -> Iterator[Selected]:
    try:
        connection = sqlite3.connect(
            f"{file.as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise PermanentError(f"{file.name} cannot be opened: {error}") from None
    with closing(connection), stops.running(connection.interrupt):
        # Not by the first word: WITH may begin a SELECT or a DELETE, and a pragma is a function as well.
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY)
        try:
            cursor = connection.execute(statement)
        except (sqlite3.Warning, sqlite3.ProgrammingError):
            raise ConfigurationError(f"{named} must be one SELECT") from None
        except sqlite3.DatabaseError as error:
            raise _of_sqlite(error, file, named) from None
        if cursor.description is None:
            raise ConfigurationError(f"{named} must be one SELECT")
        header = tuple(str(one[0]) for one in cursor.description)
        yield Selected(header, (TEXT,) * len(header), _sqlite_batches(cursor, len(header), file, named))


def _sqlite_batches(cursor: sqlite3.Cursor, columns: int, file: Path, named: str) -> Iterator[pa.Table]:
    while True:
        try:
            rows = cursor.fetchmany(BATCH)
        except sqlite3.DatabaseError as error:
            raise _of_sqlite(error, file, named) from None
        if not rows:
            return
        yield _text_table(rows, columns, named)


def _of_sqlite(error: sqlite3.DatabaseError, file: Path, named: str) -> Exception:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "locked" in said:
        return TransientError(f"{file.name} is locked by another process: run again when it is not")
    if "not authorized" in said or "prohibited" in said:
        return ConfigurationError(f"{named} must be one SELECT that only reads tables of {file.name}")
    if "not a database" in said or "malformed" in said:
        return ContractError(f"{file.name} is no SQLite database, or is damaged")
    return ContractError(f"{named} was refused by {file.name}: {said}")


def unconnected(said: str, variable: str) -> IntegrationError:
    """The error for a connection that PostgreSQL, or the way to it, did not let happen; `said` is the library's text.

    It is known by its words, as a failed connection has no code. Those of a server in another language than English are
    not among them: it counts as one that cannot be reached.
    """
    for words, kind, message in _UNCONNECTED:
        if words.search(said):
            return kind(message.format(variable=variable))
    return TransientError(f"the PostgreSQL of {variable} cannot be reached")


_UNCONNECTED: tuple[tuple[re.Pattern[str], type[IntegrationError], str], ...] = (
    # Before what a name may hold: the server repeats those of user and database.
    (
        re.compile(r"no password supplied|FATAL: +password authentication failed"),
        CredentialError,
        "PostgreSQL rejected the user or password of {variable}",
    ),
    (
        re.compile(r'FATAL: +role ".*" (does not exist|is not permitted to log in)', re.DOTALL),
        CredentialError,
        "the user of {variable} is none of that PostgreSQL's, or may not log in",
    ),
    (
        re.compile(r'FATAL: +database ".*" does not exist', re.DOTALL),
        ConfigurationError,
        "the PostgreSQL of {variable} has no database of that name: correct it at the end of the URL",
    ),
    (
        re.compile(r"pg_hba\.conf"),
        PermanentError,
        "the PostgreSQL of {variable} does not let this machine and user in: ask whoever runs it (pg_hba.conf)",
    ),
    # The name servers themselves were not reached: the name may well be right.
    (
        re.compile(r"failed to resolve host.*(Temporary failure|try again)", re.DOTALL | re.IGNORECASE),
        TransientError,
        "no name server answers for the host of {variable}",
    ),
    (
        re.compile(r"failed to resolve host.*Servname", re.DOTALL),
        ConfigurationError,
        "the port of {variable} is no number: correct it",
    ),
    (
        re.compile(r"failed to resolve host|could not translate host name"),
        ConfigurationError,
        "the host of {variable} is known to no name server: correct it",
    ),
    (
        re.compile(r"invalid .* value|does not support SSL|SSL negotiation|certificate"),
        ConfigurationError,
        "{variable} has a parameter that does not fit, or leads to another service: correct them or the port",
    ),
    (
        re.compile(r"Connection refused|No such file or directory"),
        TransientError,
        "nothing listens where {variable} leads: the PostgreSQL is not running, or its port is another one",
    ),
    (
        re.compile(r"too many connections|connection slots|starting up|shutting down|not (currently|yet) accepting"),
        TransientError,
        "the PostgreSQL of {variable} takes no connection now: it has too many, or is starting or stopping",
    ),
    (
        re.compile(r"timeout expired|timed out"),
        TransientError,
        f"the PostgreSQL of {{variable}} does not answer within {CONNECT_SECONDS} s",
    ),
)
"""What a failed connection says → which error it is, and its message. The first that fits."""


@contextmanager
def _postgresql(url: str, statement: str, named: str, variable: str, stops: Stops) -> Iterator[Selected]:
    # The library's messages may quote the URL.
    register(url)
    try:
        connection = psycopg.connect(
            url,
            connect_timeout=CONNECT_SECONDS,
            application_name="integration-assets",
            options="-c default_transaction_read_only=on -c timezone=UTC "
            f"-c statement_timeout={STATEMENT_SECONDS:.0f}s",
        )
    except psycopg.OperationalError as error:
        raise unconnected(str(error), variable) from None
    except (psycopg.Error, ValueError):
        raise ConfigurationError(
            f"{variable} is no URL of PostgreSQL: postgresql://user:password@host/database"
        ) from None
    with connection, stops.running(connection.cancel):
        connection.read_only = True
        # A named cursor: rows come as they are asked for, and DECLARE takes a query that only reads, and no second one.
        with connection.cursor(name="feedback", binary=False) as cursor:
            cursor.itersize = BATCH
            try:
                cursor.execute(statement.strip().rstrip(";").encode())
            except psycopg.errors.InsufficientPrivilege as error:
                raise CredentialError(
                    f"{named}: the user of {variable} may not read it ({_first_line(error)})"
                ) from None
            except psycopg.Error as error:
                raise ContractError(f"{named} was refused by PostgreSQL: {_first_line(error)}") from None
            described = cursor.description or []
            types = tuple(_TYPES.get(one.type_code, TEXT) for one in described)
            yield Selected(tuple(one.name for one in described), types, _postgresql_batches(cursor, types, named))


def _postgresql_batches(
    cursor: psycopg.ServerCursor[tuple[Any, ...]], types: Sequence[str], named: str
) -> Iterator[pa.Table]:
    while True:
        try:
            rows = cursor.fetchmany(BATCH)
        except psycopg.Error as error:
            raise ContractError(f"{named} broke off: {_first_line(error)}") from None
        if not rows:
            return
        yield _text_table(rows, len(types), named)


def _text_table(rows: Sequence[Sequence[Any]], columns: int, named: str) -> pa.Table:
    """Rows as an Arrow table of text."""
    cells = ([_text(row[place], named) for row in rows] for place in range(columns))
    try:
        arrays = [pa.array(column, pa.string()) for column in cells]
    # Half of a surrogate pair is no text that anything downstream can hold.
    except UnicodeEncodeError:
        raise ContractError(f"{named} brings text that is no Unicode") from None
    return pa.Table.from_arrays(arrays, names=[f"c{place}" for place in range(columns)])


def _text(value: object, named: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # 100.0 and 100 are one number, as every other reader gives it.
        return format(Decimal(str(value)).normalize(), "f") if value - value == 0 else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raise ContractError(f"{named} brings binary cells: cast them to text")
    return str(value)


def _first_line(error: Exception) -> str:
    # What is wrong with a value is said by quoting it, and values are people's data.
    if isinstance(error, duckdb.DataError | duckdb.InvalidInputException | psycopg.DataError):
        return f"{type(error).__name__}: a value does not fit the type that the statement converts it to"
    # The rest of a message quotes the statement.
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
