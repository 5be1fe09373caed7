"""Opening the registry: SQLite under the home by default, PostgreSQL by URL; migrated, and only with the right key."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

from integration_assets.config import Settings, variable
from integration_assets.errors import ConfigurationError, PermanentError, TransientError
from integration_assets.staging.store import make_private_directory
from integration_assets.tenants.registry.keyring import Keyring
from integration_assets.tenants.registry.master import master_keys
from integration_assets.tenants.registry.place import FILE, has_registry

HEAD = "0007"
"""The newest migration."""
ADVISORY_LOCK = 7_420_118_093
"""Number of the PostgreSQL advisory lock that every transaction begins with: any, as long as it is ours."""
BUSY_SECONDS = 15.0
"""Longest wait of a transaction for another one: they take milliseconds."""
IDLE_SECONDS = 300
"""After so long without a statement PostgreSQL ends a transaction: a suspended process would keep all others waiting.
"""
CONNECT_SECONDS = 10
RETRIES = 5
"""Most times a transaction that the database broke off is tried again."""
RETRY_SECONDS = 0.05
_RETRIED_STATES = frozenset({"40001", "40P01"})
"""SQLSTATEs after which PostgreSQL asks for the whole transaction once more: serialization_failure, deadlock_detected.
"""
T = TypeVar("T")


class Registry:
    """An open registry. Its `session` is one transaction; the rooms around it give repositories on top."""

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        self.engine = engine
        self.keyring = keyring

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            TransientError: the database cannot be reached or is busy.
            PermanentError: it refuses what was asked of it.
        """
        # Beginning may be tried again; what the block has done by the time something fails cannot.
        with translated(), closing(retried(self._begun)) as session:
            yield session
            session.commit()

    def transact(self, work: Callable[[Session], T]) -> T:
        """Do work in one transaction, once more in a fresh one where the database asks for that; return its result.

        The work may be done several times, so it must touch nothing but its session.

        Raises:
            As `session`; what is asked for again `RETRIES` times is a `TransientError`.
        """

        def once() -> T:
            with closing(self._begun()) as session:
                result = work(session)
                session.commit()
                return result

        with translated():
            return retried(once)

    def is_current(self) -> bool:
        """True if the tables are of the version that this code knows: a newer one may have migrated them meanwhile.

        Raises:
            As `session`.
        """
        with self.session() as session:
            return _revision(session.connection()) == HEAD

    def _begun(self) -> Session:
        session = Session(self.engine)
        try:
            session.connection()
        except BaseException:
            session.close()
            raise
        return session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def registry(settings: Settings, *, create: bool = False) -> Iterator[Registry | None]:
    """The registry of this installation for the length of a block; None where there is none and `create` is False.

    Raises:
        ConfigurationError: no key, a wrong key, half of a rotation, a wrong URL, or a registry of a newer version.
        TransientError: the database cannot be reached.
    """
    opened = open_registry(settings, create=create)
    try:
        yield opened
    finally:
        if opened is not None:
            opened.close()


def open_registry(settings: Settings, *, create: bool = False) -> Registry | None:
    """As `registry`, to be closed by the caller."""
    # Looking must not create one: an installation without tenants needs no key.
    if not create and not has_registry(settings):
        return None
    # The key before the database: without it nothing in there is of use, and no empty registry is left behind.
    keyring = Keyring(master_keys(settings))
    engine = _engine(registry_url(settings))
    try:
        with translated():
            # Also this can meet others: SQLite refuses at once where a log is being recovered.
            retried(lambda: migrate(engine))
        opened = Registry(engine, keyring)
        # At every opening: a wrong key is found here, not at the first secret of a run.
        opened.transact(lambda session: _prepare_keys(keyring, session))
    except BaseException:
        engine.dispose()
        raise
    return opened


def _prepare_keys(keyring: Keyring, session: Session) -> None:
    keyring.initialise(session)
    keyring.check(session)


def registry_url(settings: Settings) -> URL:
    """Return the URL of the registry.

    Raises:
        ConfigurationError: no URL, or of a database that is not supported. The URL is not repeated: it may hold a
            password.
    """
    if settings.registry_url is None:
        return URL.create("sqlite", database=str((settings.home / FILE).absolute()))
    name = variable("registry_url")
    try:
        # The text of the error would quote the URL, and with it the password.
        url = make_url(settings.registry_url.get_secret_value())
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"{name} is no database URL: use postgresql://user@host/name") from None
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and url.database:
        return url.set(drivername="sqlite")
    raise ConfigurationError(f"{name}: only postgresql:// and sqlite:///file are supported")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        with translated():
            make_private_directory(path.parent)
            # Made with its mode before anything is in it; SQLite gives its side files the same. A file that is there is
            # never opened here: closing it would drop the locks that this process already holds on it through SQLite,
            # and another process would then remove a log that is still written to
            # (sqlite.org/howtocorrupt.html, section 2.2).
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediately)
        return engine
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        # Whatever the server's default is: a stricter level would see what was there before it had the lock.
        isolation_level="READ COMMITTED",
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )
    event.listen(engine, "begin", _begin_locked)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA journal_mode = WAL")
    # A rotated key that is lost with the power would take all secrets it sealed with it.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA secure_delete = ON")  # a replaced secret leaves no ciphertext behind in free pages
    cursor.close()


def _begin_immediately(connection: Connection) -> None:
    # A transaction that reads first and writes later could not wait for another writer: SQLite would refuse it.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_locked(connection: Connection) -> None:
    # One transaction at a time, as on SQLite. Taking rows in the order in which each piece of work comes to them made
    # rotation, runs and logins wait for each other in a circle; with one lock that all take first there is none.
    connection.exec_driver_sql(
        "SELECT set_config('lock_timeout', %s, true), set_config('idle_in_transaction_session_timeout', %s, true), "
        "pg_advisory_xact_lock(%s)",
        (f"{BUSY_SECONDS:.0f}s", f"{IDLE_SECONDS}s", ADVISORY_LOCK),
    )


def retried(work: Callable[[], T]) -> T:
    """Do what may be done several times, again where the database broke it off for another transaction's sake."""
    for attempt in range(RETRIES):
        try:
            return work()
        except OperationalError as error:
            # A statement that was refused for any other reason is refused again.
            if not is_retried(error):
                raise
            # Random, so that two that were in each other's way do not meet again.
            time.sleep(random.uniform(0, RETRY_SECONDS * 2**attempt))  # noqa: S311  # nosec B311
    # The last try, outside the loop: its error is the one to be seen.
    return work()


def is_retried(error: DBAPIError) -> bool:
    """True if the database broke a transaction off only because of another one, and asks for it once more."""
    if isinstance(error.orig, sqlite3.OperationalError):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
    return getattr(error.orig, "sqlstate", None) in _RETRIED_STATES


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest version, one process at a time; all of it or nothing.

    Raises:
        ConfigurationError: a newer version of the product made them.
    """
    with engine.begin() as connection:
        # Without importing alembic, which takes longer than most commands.
        if _revision(connection) == HEAD:
            return
        from integration_assets.tenants.registry.upgrade import upgrade  # noqa: PLC0415 - alembic is slow to import

        upgrade(connection, _revision(connection))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of the database into ours, without what they quote."""
    try:
        yield
    # `from None`: the chained error holds the statement and its parameters.
    except OperationalError as error:
        raise TransientError(
            f"the registry cannot be used now ({type(error.orig).__name__}): its database is down, busy, or refuses "
            "the connection; run it again"
        ) from None
    except DBAPIError as error:
        raise PermanentError(
            f"the registry refused a statement ({type(error.orig).__name__}): please report it with the log"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"the registry's file cannot be made: {error.strerror}; set {variable('home')} to a writable folder"
        ) from None
