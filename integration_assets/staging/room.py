"""Room for a run: space on the disks, looked at before anything is written outside, and open files."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterable
from pathlib import Path

from integration_assets.errors import PermanentError

LEAST_BYTES = 8_000_000
"""Bytes that the first run of a small installation leaves: store, published file, report and Dagster's records."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_IN_WORDS = ("database or disk is full", "No space left on device", "Disk quota exceeded", "File too large")
"""Words of SQLite and DuckDB for those errors."""


def bytes_of(files: Iterable[Path]) -> int:
    """Bytes of those of the files that are there."""
    return sum(file.stat().st_size for file in files if file.is_file())


def check_room(folders: Iterable[Path], left_by_last_run: Iterable[Path]) -> None:
    """See that each folder's disk has room for what the last run left, written once more, and for 8 MB at least.

    Raises:
        PermanentError: one has not; names the folder and both numbers.
    """
    needed = max(LEAST_BYTES, bytes_of(left_by_last_run))
    for folder in folders:
        free = shutil.disk_usage(_existing(folder)).free
        if free < needed:
            raise PermanentError(
                f"the disk of {folder} is nearly full: {free / 1e6:,.1f} MB free, a run needs {needed / 1e6:,.1f} MB; "
                "nothing was sent: free some space there, then run again"
            )


def is_disk_full(error: BaseException | None) -> bool:
    """Tell whether an error comes from a disk, a quota or a file that can grow no more."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        # Databases wrap the number of the error into a sentence of their own.
        if any(words in str(error) for words in _FULL_IN_WORDS):
            return True
        # Up the chain: by the time it gets here it is wrapped by the store, by Dagster, or by both.
        error = error.__cause__ or error.__context__
    return False


def has_too_many_open_files(error: BaseException | None) -> bool:
    """Tell whether an error comes from the limit of files that a process, or the system, may hold open."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        error = error.__cause__ or error.__context__
    return False


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(level for level in (folder.absolute(), *folder.absolute().parents) if level.exists())
