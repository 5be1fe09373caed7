"""The PostgreSQL that machines share, and how this process speaks to it.

The tables are made with the registry's (its migration 0003). All of it goes through psycopg and not through the
registry's sessions: those wait for one another, and a call to the outside must not wait for a page being saved.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, LiteralString

from integration_assets.config import Settings, variable
from integration_assets.errors import ConfigurationError, CoordinationError, IntegrationError, PermanentError

# Imported where it is used: most installations have no PostgreSQL, and loading the definitions must not wait for it.
if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 15
"""Longest wait for a lock or an answer. Transactions here take milliseconds."""
SILENCE_SECONDS = 25
"""After so long without a sign of life from the other machine, either side counts the connection as lost."""
SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg://")
Row = tuple[Any, ...]
Parameters = Mapping[str, object]

# The keep-alive is the lease: a machine that vanished without closing its connections is given up after the silence. A
# holder that was suspended within a transaction must not keep the others waiting for longer than a lock may. A stricter
# isolation, should it be the server's default, would see what was there before it had the row.
_SESSION: LiteralString = """
    SET lock_timeout = '15s'; SET statement_timeout = '15s'; SET idle_in_transaction_session_timeout = '10s';
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
    SET tcp_user_timeout = 25000; SET default_transaction_isolation = 'read committed';
    SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'
"""


_BEGIN: LiteralString = "BEGIN; SET LOCAL synchronous_commit = off"


class Database:
    """A PostgreSQL server as this process uses it. Safe to use from several threads, which wait for each other.

    `round_trips` and `seconds` say what the short transactions of this process have cost so far.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self.round_trips = 0
        self.seconds = 0.0

    def connect(self) -> Connection:
        """Open a connection that is the caller's own to close; each statement is a transaction unless it says else.

        Raises:
            CoordinationError: the server does not answer or refuses the connection.
        """
        import psycopg

        with translated():
            connection = psycopg.connect(
                self._conninfo,
                autocommit=True,
                # Parameters are bound here: only then may one request hold several statements, which saves round trips.
                cursor_factory=psycopg.ClientCursor,
                connect_timeout=CONNECT_SECONDS,
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=SILENCE_SECONDS * 1000,
                application_name="integration-assets",
            )
            try:
                connection.execute(_SESSION)
            except BaseException:
                connection.close()
                raise
            return connection

    @contextmanager
    def transaction(self, first: LiteralString, parameters: Parameters) -> Iterator[Transaction]:
        """One short transaction on the connection of this process, begun together with its `first` statement.

        Rolled back unless the block commits it. It does not wait for the disk: a server that loses its power forgets
        the last half second.

        Raises:
            CoordinationError: the server cannot be used now.
            ConfigurationError: its tables are of an older version.
        """
        # The caller's own errors pass through as they are.
        with self._lock:
            with translated():
                begun = self._begun(
                    f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off; {first}", parameters
                )
            try:
                yield begun
            finally:
                self._end(begun.connection)

    def execute(self, statement: LiteralString, parameters: Parameters) -> Row | None:
        """One statement as a transaction of its own; return the first row of its result.

        Raises:
            CoordinationError: the server cannot be used now.
            ConfigurationError: its tables are of an older version.
        """
        with self._lock, translated():
            return self._retried(statement, parameters)[1]

    def answer(self, connection: Connection, statement: LiteralString, parameters: Parameters) -> Row | None:
        """Send statements in one request; return the first row of the last one's result, if it has any."""
        started = time.monotonic()
        try:
            cursor = connection.execute(statement, parameters)
            while cursor.nextset():
                pass
            return cursor.fetchone() if cursor.description is not None else None
        finally:
            self.round_trips += 1
            self.seconds += time.monotonic() - started

    def close(self) -> None:
        """Close the connection of this process; it is opened again when it is needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _begun(self, first: LiteralString, parameters: Parameters) -> Transaction:
        connection, row = self._retried(first, parameters)
        return Transaction(self, connection, row)

    def _retried(self, statement: LiteralString, parameters: Parameters) -> tuple[Connection, Row | None]:
        """Send what begins a transaction, on a new connection where the one of before is dead."""
        import psycopg

        if self._connection is not None and not self._connection.closed:
            try:
                return self._connection, self.answer(self._connection, statement, parameters)
            except psycopg.OperationalError:
                # A server that restarted has closed it; what a living connection refuses is refused.
                if not self._connection.broken:
                    self._end(self._connection)
                    raise
            except psycopg.Error:
                self._end(self._connection)
                raise
        if self._connection is not None:
            self._connection.close()
        self._connection = self.connect()
        try:
            return self._connection, self.answer(self._connection, statement, parameters)
        except psycopg.Error:
            self._end(self._connection)
            raise

    def _end(self, connection: Connection) -> None:
        import psycopg

        # After a commit there is nothing to take back; on a broken connection the server has done so itself.
        with suppress(psycopg.Error):
            connection.rollback()


class Transaction:
    """A transaction that has begun. `row` is the first row of the statement it began with."""

    def __init__(self, database: Database, connection: Connection, row: Row | None) -> None:
        self._database = database
        self.connection = connection
        self.row = row

    def commit(self, last: LiteralString, parameters: Parameters) -> None:
        """Do a last statement and commit, in one request.

        Raises:
            CoordinationError: the server cannot be used now; whether it has committed is unknown.
        """
        with translated():
            self._database.answer(self.connection, f"{last}; COMMIT", parameters)


def shared_database(settings: Settings) -> Database | None:
    """The PostgreSQL of this installation; None where the registry is not kept in one: then it is one machine's."""
    url = settings.registry_url.get_secret_value() if settings.registry_url is not None else ""
    scheme = next((scheme for scheme in SCHEMES if url.startswith(scheme)), None)
    if scheme is None:
        return None
    conninfo = "postgresql://" + url.removeprefix(scheme)
    with _databases_lock:
        # By process: a connection must not be used on after a fork, where two would read each other's answers.
        return _databases.setdefault((os.getpid(), conninfo), Database(conninfo))


@atexit.register
def close_databases() -> None:
    """Close the connections of this process, as it ends: the server is told, and nothing is left to the collector."""
    with _databases_lock:
        # Those of the process that this one was forked from are that one's to close.
        mine = [key for key in _databases if key[0] == os.getpid()]
        for key in mine:
            _databases.pop(key).close()


_databases: dict[tuple[int, str], Database] = {}
_databases_lock = threading.Lock()


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of PostgreSQL into ours, without what they quote."""
    import psycopg

    try:
        yield
    except IntegrationError:
        raise
    # `from None`: the chained error may hold the address and a statement with its parameters.
    except psycopg.errors.UndefinedTable:
        raise ConfigurationError(
            f"the database of {variable('registry_url')} has tables of an older version: open the registry once with "
            "this one, as `integration-assets tenants list` does"
        ) from None
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise CoordinationError(
            f"the PostgreSQL of {variable('registry_url')}, through which machines share locks and limits, cannot be "
            f"used now ({reason(error)}); run it again when it answers"
        ) from None
    except psycopg.Error as error:
        raise PermanentError(
            f"the PostgreSQL of {variable('registry_url')} refused a statement ({type(error).__name__}): please "
            "report it with the log"
        ) from None


def reason(error: psycopg.Error) -> str:
    """Name what happened to a connection, without the server's words, which quote addresses and users."""
    import psycopg

    if isinstance(error, psycopg.errors.LockNotAvailable | psycopg.errors.QueryCanceled):
        return f"busy for {STATEMENT_SECONDS} s"
    return "no connection" if error.sqlstate is None else type(error).__name__
