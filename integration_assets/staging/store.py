"""Place and opening of the staging store: exclusively, migrated, closed whatever happens.

Whoever opens the store holds its run lock: a run keeps it from beginning to end, and a second one is refused before it
has sent anything. DuckDB itself lets one process write a file and shuts every other out, readers included, which keeps
foreign programs away.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import duckdb
import msgspec

from integration_assets.coordination.run_lock import SharedLocks
from integration_assets.errors import ConfigurationError, IntegrationError, LockError, PermanentError
from integration_assets.staging.bucket import bucket_error
from integration_assets.staging.checkpoints import checkpoint
from integration_assets.staging.extensions import NO_OTHERS
from integration_assets.staging.lake import catalogue_error, catalogue_lock, is_catalogue_lost, open_lake
from integration_assets.staging.lock import RunLock, run_lock
from integration_assets.staging.migrations import migrate
from integration_assets.staging.place import (
    RESERVED_TENANTS,
    TENANT_NAME,
    StorePlace,
    check_tenant,
    store_path,
    store_place,
)
from integration_assets.staging.room import is_disk_full
from integration_assets.staging.threads import fit_threads
from integration_assets.staging.transactions import transaction

__all__ = [
    "RESERVED_TENANTS",
    "STORAGE_VERSION",
    "TENANT_NAME",
    "HeldStore",
    "StorePlace",
    "check_tenant",
    "clear_store_errors",
    "hold_store",
    "make_private_directory",
    "open_store",
    "store_path",
    "store_place",
    "transaction",
]

STORAGE_VERSION = "v1.2.0"
"""File format of every database we write: DuckDB 1.2 and later can read it."""


class HeldStore(msgspec.Struct, frozen=True):
    """An open staging store and the run lock that goes with it."""

    connection: duckdb.DuckDBPyConnection
    lock: RunLock


@contextmanager
def hold_store(place: StorePlace | Path, what: str, shared: SharedLocks | None = None) -> Iterator[HeldStore]:
    """The staging store, read-write and migrated; created with its directories (mode 0700) when there is none.

    A plain path is that of a DuckDB file. `what` says who holds it to whoever is refused: a run or a command. The
    connection is closed at the end, whatever happened. It is in UTC and loads no extension but those of a lake. Once
    the lock has passed on, nothing is written to the file any more: another process may have its own store there. With
    `shared` no other machine runs the tenant meanwhile; a lake in PostgreSQL has a lock of that kind of its own.

    Raises:
        LockError: another process, another run of this one or another machine has it; the message says which.
        CoordinationError: the machines' lock cannot be asked for.
        ConfigurationError: it was written by a newer version of the product or of DuckDB, or an extension is missing.
        PermanentError: it cannot be created, read or written (permissions, disk full, damaged file).
        TransientError: the catalogue of a lake cannot be reached.
    """
    place = place if isinstance(place, StorePlace) else StorePlace(place)
    with _locked(place, what, shared) as lock:
        _remove_spilled(place)
        connection = _connect(place)
        try:
            # Only DuckDB's errors are about the file here: the caller's own OSError may be about anything.
            with clear_store_errors(place, duckdb.Error):
                if place.lake is None:
                    # Before the first change of the file: from here on it must not be swapped under us.
                    lock.guard_store()
                    migrate(connection)
                    fit_threads(connection)
                else:
                    open_lake(connection, place.lake)
                    if place.lake.file is not None:
                        place.path.chmod(0o600)
                        lock.guard_store()
                yield HeldStore(connection, lock)
                # Another process may have its store at this place by now: a checkpoint would write into it. That of a
                # lake rewrites its files: `lake.maintain` does, once a day.
                if place.lake is None and not lock.passed_on():
                    _checkpoint(connection)
        finally:
            if lock.passed_on():
                with suppress(duckdb.Error):  # a broken database writes nothing either
                    connection.execute("PRAGMA disable_checkpoint_on_shutdown")
            connection.close()


def _spilled(place: StorePlace) -> Path:
    """Folder of what does not fit into memory; of a DuckDB file DuckDB names it so itself."""
    return Path(f"{place.path}.tmp")


def _remove_spilled(place: StorePlace) -> None:
    """Remove what a run that was killed had in that folder: rows as they are, which DuckDB leaves there for good."""
    with clear_store_errors(place, OSError):
        # Nobody else's: only the holder of the lock comes here.
        if _spilled(place).is_dir():
            shutil.rmtree(_spilled(place))


def _checkpoint(connection: duckdb.DuckDBPyConnection) -> None:
    """Move what the log holds into the file, so that the next one opens it at once."""
    checkpoint(connection)


@contextmanager
def open_store(place: StorePlace | Path, what: str = "a command") -> Iterator[duckdb.DuckDBPyConnection]:
    """The connection of `hold_store` alone, for work on this machine's store that writes nothing to the CRM."""
    with hold_store(place, what) as store:
        yield store.connection


@contextmanager
def _locked(place: StorePlace, what: str, shared: SharedLocks | None) -> Iterator[RunLock]:
    with ExitStack() as stack:
        # Around the taking alone: an error of the block inside is not about these files.
        with clear_store_errors(place, OSError):
            make_private_directory(place.path.parent)
            lock = stack.enter_context(run_lock(place.path.absolute(), what, shared))
        if place.lake is not None:
            lock.guard_by(stack.enter_context(catalogue_lock(place.lake, what)))
        yield lock


def _connect(place: StorePlace) -> duckdb.DuckDBPyConnection:
    config = {**NO_OTHERS, "storage_compatibility_version": STORAGE_VERSION}
    if place.lake is not None:
        # What does not fit into memory would go into the folder the run was started in.
        config["temp_directory"] = str(_spilled(place))
    with clear_store_errors(place, duckdb.Error, OSError):
        connection = duckdb.connect(place.path if place.lake is None else ":memory:", config=config)
    # Whatever the machine's zone: days and ages must not depend on where a run is made.
    connection.execute("SET TimeZone = 'UTC'")
    # DuckDB draws a bar on stdout when a query takes two seconds, even into a pipe: that is where our results go.
    connection.execute("SET enable_progress_bar = false")
    if place.lake is None:
        place.path.chmod(0o600)
    return connection


def make_private_directory(directory: Path) -> None:
    """Create a directory and its missing parents, readable by the owner only."""
    missing = [directory, *directory.parents]
    # One by one: `parents=True` would make the levels above with the usual, wider mode.
    for level in reversed([level for level in missing if not level.exists()]):
        level.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def clear_store_errors(place: StorePlace, *kinds: type[duckdb.Error | OSError]) -> Iterator[None]:
    """Translate errors of these kinds that a block raises into what a person can do; those of our own SQL stay."""
    try:
        yield
    except kinds as error:
        clear = _translate(error, place)
        # An error of our own SQL is a bug, and keeps its own traceback.
        if clear is None:
            raise
        raise clear from error


def _translate(error: duckdb.Error | OSError, place: StorePlace) -> IntegrationError | None:
    """Translate an error of the file into what a person can do; None for an error of the SQL."""
    text = str(error)
    if place.lake is not None and is_catalogue_lost(error):
        return catalogue_error(place.lake, error)
    if (of_bucket := bucket_error(error)) is not None:
        return of_bucket
    if "does not match existing data path" in text:
        return ConfigurationError(
            f"staging store {place}: INTEGRATION_ASSETS_STORE_URL names other data: {_first_line(text)}"
        )
    if is_disk_full(error):
        return PermanentError(
            f"staging store {place} cannot be read or written: the disk is full; free some space and run again"
        )
    if isinstance(error, OSError):
        return PermanentError(
            f"staging store {place}: {error.strerror or text}; check the directory and its permissions"
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return PermanentError(f"staging store {place}: out of memory or temporary disk space; free some and run again")
    if not isinstance(error, duckdb.IOException | duckdb.SerializationException | duckdb.InvalidInputException):
        return None
    if "Could not set lock" in text:
        return LockError(f"another program has {place} open: close it there, then run again")
    if "database file with version" in text:
        return ConfigurationError(f"staging store {place} was written by a newer DuckDB; install that version again")
    if "not a valid DuckDB database file" in text or "Corrupt" in text or "checksum" in text:
        return PermanentError(
            f"staging store {place} is damaged or no DuckDB file; move it away: the next run rebuilds it"
        )
    # Last: the cases above are errors of this kind as well, with a better remedy.
    if isinstance(error, duckdb.IOException):
        return PermanentError(
            f"staging store {place} cannot be read or written: {_first_line(text)}; fix that and run again"
        )
    return None


def _first_line(text: str) -> str:
    return text.removeprefix("IO Error: ").splitlines()[0][:200]
