"""Copying a staging store while a run may be writing it: a state that a power cut could have left, and no other.

DuckDB keeps what is committed in a log beside the file until a checkpoint moves it into the file. Between two
checkpoints the header of the file stays the same, blocks it leads to are not written again, and the log only grows. So
the log is copied first, then the file; if neither header nor log was replaced meanwhile, both belong together. The
ledger has every write of the CRM before it is sent: a run that goes on from the copy looks what became of it.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

import duckdb

from integration_assets.errors import ConfigurationError, LockError, PermanentError
from integration_assets.staging.extensions import NO_OTHERS
from integration_assets.staging.migrations import check_known
from integration_assets.staging.store import STORAGE_VERSION

BUSY_SECONDS = 30.0
"""How long the backup of an SQLite file waits for who writes it."""
HEADER_BYTES = 3 * 4096
"""Main header and the two that checkpoints write in turn (DuckDB's storage format)."""
TRIES = 40
PAUSE_SECONDS = 0.25
"""Tries, and the pause between two: a checkpoint that is under way takes moments."""


def copy_store(store: Path, target: Path) -> None:
    """Copy a store into one new file, with what its log holds; no lock is taken, and no run is disturbed.

    Not to be called in a process that has the store open itself: closing the file would give its lock away.

    Raises:
        LockError: the store was replaced or checkpointed at every try.
        PermanentError: it cannot be read, or the copy not be written.
    """
    unreadable: duckdb.Error | None = None
    for _ in range(TRIES):
        try:
            if _copy_both(store, target):
                _settle(target)
                # What DuckDB leaves after that belongs to a checkpoint before: the header of the store was written, and
                # its log not yet removed. All of it is in the file.
                _log(target).unlink(missing_ok=True)
                return
        except OSError as error:
            raise PermanentError(
                f"{store} cannot be copied: {error.strerror}; see permissions and space, then run again"
            ) from error
        # Once more: a copy that belongs together can be read, unless the store itself cannot.
        except duckdb.Error as error:
            unreadable = error
        time.sleep(PAUSE_SECONDS)
    if unreadable is not None:
        reason = str(unreadable).splitlines()[0][:200]
        raise PermanentError(f"a copy of {store} cannot be read: {reason}; see `integration-assets doctor`")
    raise LockError(f"{store} was written at every moment it was looked at: run it again when the run has ended")


def copy_sqlite(file: Path, target: Path) -> None:
    """Copy an SQLite file into a new one by SQLite's own backup, while others go on using it.

    Raises:
        PermanentError: there is none, it cannot be read, or the copy not be written.
    """
    try:
        with (
            # Not made anew where it is gone.
            closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
    except sqlite3.Error as error:
        raise PermanentError(f"{file} cannot be copied: {error}; stop what uses it, then run it again") from None


def _copy_both(store: Path, target: Path) -> bool:
    """Copy log and file; True if they belong together."""
    for leftover in (target, _log(target)):
        leftover.unlink(missing_ok=True)
    header = _header(store)
    with suppress(FileNotFoundError):
        shutil.copyfile(_log(store), _log(target))
    copied = _log(target).stat().st_size if _log(target).exists() else 0
    shutil.copyfile(store, target)
    # A log that was begun anew means a checkpoint, even where it has the length of the old one: the header tells.
    now = _log(store).stat().st_size if _log(store).exists() else 0
    return _header(store) == header and now >= copied


def _settle(target: Path) -> None:
    """Move what the log holds into the copy, and see that it can be read."""
    target.chmod(0o600)
    config = {**NO_OTHERS, "storage_compatibility_version": STORAGE_VERSION}
    with duckdb.connect(target, config=config) as connection:
        connection.execute("CHECKPOINT")
        # Made a moment ago, and still without tables.
        if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'ledger'").fetchall():
            return
        # Hashing whole rows reads every block, and DuckDB compares the checksum of each block it reads.
        connection.execute("SELECT count(*), bit_xor(hash(ledger)) FROM sync.ledger AS ledger").fetchall()


def check_version(store: Path) -> None:
    """See that this version knows the tables of a store that lies still.

    Raises:
        ConfigurationError: a newer or a different version of the product, or of DuckDB, wrote it.
    """
    try:
        with duckdb.connect(store, read_only=True) as connection:
            check_known(connection)
    except duckdb.CatalogException:
        return  # made a moment before the backup, and still without tables
    except duckdb.Error as error:
        raise ConfigurationError(
            f"{store.name} cannot be read by this version of DuckDB: {str(error).splitlines()[0][:200]}"
        ) from None


def _header(store: Path) -> bytes:
    with store.open("rb") as file:
        return file.read(HEADER_BYTES)


def _log(store: Path) -> Path:
    return store.with_name(f"{store.name}.wal")
