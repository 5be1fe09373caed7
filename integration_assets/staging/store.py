"""Place and opening of the staging store: exclusively, migrated, closed whatever happens.

Whoever opens the store holds its run lock: a run keeps it from beginning to end, and a second one is refused before it
has sent anything. DuckDB itself lets one process write a file and shuts every other out, readers included, which keeps
foreign programs away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import duckdb
import msgspec

from integration_assets.config import Environment, expanded, why_no_home
from integration_assets.coordination.run_lock import SharedLocks
from integration_assets.errors import ConfigurationError, IntegrationError, LockError, PermanentError
from integration_assets.staging.lock import RunLock, run_lock
from integration_assets.staging.migrations import migrate
from integration_assets.staging.room import is_disk_full
from integration_assets.staging.transactions import transaction

__all__ = [
    "RESERVED_TENANTS",
    "STORAGE_VERSION",
    "TENANT_NAME",
    "HeldStore",
    "check_tenant",
    "hold_store",
    "make_private_directory",
    "open_store",
    "store_path",
    "transaction",
]

STORAGE_VERSION = "v1.2.0"
"""File format of every database we write: DuckDB 1.2 and later can read it."""

TENANT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""Tenant names are partition keys, file names and labels at once, hence the narrow alphabet."""

RESERVED_TENANTS = frozenset(
    {"loading", "main", "memory", "ops", "ranked", "raw", "resolved", "sync", "system", "temp"}
)
"""DuckDB names a database after its file: one named like a schema would make `ranked.feature_requests` ambiguous."""

_URL_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_DUCKDB_SCHEME = "duckdb://"


def check_tenant(tenant: str) -> str:
    """The tenant's name, if it is one.

    Raises:
        ConfigurationError: it is not of the allowed form, or reserved.
    """
    if not TENANT_NAME.fullmatch(tenant):
        raise ConfigurationError(
            f"tenant name {tenant!r:.80} is not allowed: use 1 to 63 of a-z, 0-9 and -, not - first"
        )
    if tenant in RESERVED_TENANTS:
        raise ConfigurationError(f"tenant name {tenant!r} is reserved for the staging store: choose another")
    return tenant


def store_path(home: Path, store_url: str | None, environment: Environment | str, tenant: str) -> Path:
    """File of a tenant's staging store: `<base>/<environment>/<tenant>.duckdb`.

    The base is `<home>/staging`, or `store_url`: a directory, plain or as `duckdb:///directory` (absolute).

    Raises:
        ConfigurationError: `store_url` names anything but a directory of DuckDB files, or the tenant's name is wrong.
    """
    base = _base(home, store_url)
    if store_url is not None and (why := why_no_home(base)):
        raise ConfigurationError(f"INTEGRATION_ASSETS_STORE_URL: {why}")
    return base / Environment(environment).value / f"{check_tenant(tenant)}.duckdb"


def _base(home: Path, store_url: str | None) -> Path:
    if store_url is None:
        return home / "staging"
    if store_url.startswith(_DUCKDB_SCHEME):
        directory = store_url.removeprefix(_DUCKDB_SCHEME)
        # An empty path would mean the root of the file system: a slip rather than a choice.
        if not directory.startswith("/") or directory.strip("/") == "":
            raise ConfigurationError(
                "INTEGRATION_ASSETS_STORE_URL: duckdb:// takes an absolute directory, as in duckdb:///var/lib/staging"
            )
        return Path("/" + directory.strip("/"))
    # Two letters at least, so that no drive letter is taken for one.
    if _URL_SCHEME.match(store_url):
        scheme = store_url.partition(":")[0]
        raise ConfigurationError(
            f"INTEGRATION_ASSETS_STORE_URL: {scheme}: is not supported as staging store; "
            "give a directory, plain or as duckdb:///directory"
        )
    try:
        return expanded(Path(store_url))
    except ValueError as error:
        raise ConfigurationError(f"INTEGRATION_ASSETS_STORE_URL: {error}") from None


class HeldStore(msgspec.Struct, frozen=True):
    """An open staging store and the run lock that goes with it."""

    connection: duckdb.DuckDBPyConnection
    lock: RunLock


@contextmanager
def hold_store(path: Path, what: str, shared: SharedLocks | None = None) -> Iterator[HeldStore]:
    """The staging store, read-write and migrated; created with its directories (mode 0700) when there is none.

    `what` says who holds it to whoever is refused: a run or a command. The connection is closed at the end, whatever
    happened. It is in UTC and never loads an extension. Once the lock has passed on, nothing is written to the file
    any more: another process may have its own store there. With `shared` no other machine runs the tenant meanwhile.

    Raises:
        LockError: another process, another run of this one or another machine has it; the message says which.
        CoordinationError: the machines' lock cannot be asked for.
        ConfigurationError: it was written by a newer version of the product or of DuckDB.
        PermanentError: it cannot be created, read or written (permissions, disk full, damaged file).
    """
    with _locked(path, what, shared) as lock:
        connection = _connect(path)
        try:
            # Only DuckDB's errors are about the file here: the caller's own OSError may be about anything.
            with _clear_errors(path, duckdb.Error):
                # Before the first change of the file: from here on it must not be swapped under us.
                lock.guard_store()
                migrate(connection)
                yield HeldStore(connection, lock)
                # Another process may have its store at this place by now: a checkpoint would write into it.
                if not lock.passed_on():
                    _checkpoint(connection)
        finally:
            if lock.passed_on():
                with suppress(duckdb.Error):  # a broken database writes nothing either
                    connection.execute("PRAGMA disable_checkpoint_on_shutdown")
            connection.close()


def _checkpoint(connection: duckdb.DuckDBPyConnection) -> None:
    """Move what the log holds into the file, so that the next one opens it at once."""
    connection.execute("CHECKPOINT")


@contextmanager
def open_store(path: Path, what: str = "a command") -> Iterator[duckdb.DuckDBPyConnection]:
    """The connection of `hold_store` alone, for work on this machine's store that writes nothing to the CRM."""
    with hold_store(path, what) as store:
        yield store.connection


@contextmanager
def _locked(path: Path, what: str, shared: SharedLocks | None) -> Iterator[RunLock]:
    with ExitStack() as stack:
        # Around the taking alone: an error of the block inside is not about these files.
        with _clear_errors(path, OSError):
            make_private_directory(path.parent)
            lock = stack.enter_context(run_lock(path.absolute(), what, shared))
        yield lock


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    with _clear_errors(path, duckdb.Error, OSError):
        connection = duckdb.connect(
            path,
            config={
                # A run must not depend on the network, nor on what somebody installed beside DuckDB.
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "storage_compatibility_version": STORAGE_VERSION,
            },
        )
    # Whatever the machine's zone: days and ages must not depend on where a run is made.
    connection.execute("SET TimeZone = 'UTC'")
    # DuckDB draws a bar on stdout when a query takes two seconds, even into a pipe: that is where our results go.
    connection.execute("SET enable_progress_bar = false")
    path.chmod(0o600)
    return connection


def make_private_directory(directory: Path) -> None:
    """Create a directory and its missing parents, readable by the owner only."""
    missing = [directory, *directory.parents]
    # One by one: `parents=True` would make the levels above with the usual, wider mode.
    for level in reversed([level for level in missing if not level.exists()]):
        level.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def _clear_errors(path: Path, *kinds: type[duckdb.Error | OSError]) -> Iterator[None]:
    try:
        yield
    except kinds as error:
        clear = _translate(error, path)
        # An error of our own SQL is a bug, and keeps its own traceback.
        if clear is None:
            raise
        raise clear from error


def _translate(error: duckdb.Error | OSError, path: Path) -> IntegrationError | None:
    """Translate an error of the file into what a person can do; None for an error of the SQL."""
    text = str(error)
    if is_disk_full(error):
        return PermanentError(
            f"staging store {path} cannot be read or written: the disk is full; free some space and run again"
        )
    if isinstance(error, OSError):
        return PermanentError(
            f"staging store {path}: {error.strerror or text}; check the directory and its permissions"
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return PermanentError(f"staging store {path}: out of memory or temporary disk space; free some and run again")
    if not isinstance(error, duckdb.IOException | duckdb.SerializationException | duckdb.InvalidInputException):
        return None
    if "Could not set lock" in text:
        return LockError(f"another program has {path} open: close it there, then run again")
    if "database file with version" in text:
        return ConfigurationError(f"staging store {path} was written by a newer DuckDB; install that version again")
    if "not a valid DuckDB database file" in text or "Corrupt" in text or "checksum" in text:
        return PermanentError(
            f"staging store {path} is damaged or no DuckDB file; move it away: the next run rebuilds it"
        )
    # Last: the cases above are errors of this kind as well, with a better remedy.
    if isinstance(error, duckdb.IOException):
        return PermanentError(
            f"staging store {path} cannot be read or written: {_first_line(text)}; fix that and run again"
        )
    return None


def _first_line(text: str) -> str:
    return text.removeprefix("IO Error: ").splitlines()[0][:200]
