"""Room for a run: space on the disks, looked at before anything is written outside, and open files."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from integration_assets.errors import PermanentError

LEAST_BYTES = 8_000_000
"""Bytes that the first run of a small installation leaves: store, published file, report and Dagster's records."""


class _Shortage(msgspec.Struct, frozen=True):
    """Something a machine has run out of: the system's numbers for it, and the words of SQLite and DuckDB."""

    numbers: frozenset[int]
    words: tuple[str, ...]

    def is_behind(self, error: BaseException | None) -> bool:
        """Tell whether an error, or one it was raised from, says so."""
        while error is not None:
            if isinstance(error, OSError) and error.errno in self.numbers:
                return True
            # Databases wrap the number of the error into a sentence of their own.
            if any(words in str(error) for words in self.words):
                return True
            # Up the chain: by the time it gets here it is wrapped by the store, by Dagster, or by both.
            error = error.__cause__ or error.__context__
        return False


_DISK = _Shortage(
    frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG}),
    ("database or disk is full", "No space left on device", "Disk quota exceeded", "File too large"),
)
_OPEN_FILES = _Shortage(frozenset({errno.EMFILE, errno.ENFILE}), ("Too many open files",))


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
    return _DISK.is_behind(error)


def has_too_many_open_files(error: BaseException | None) -> bool:
    """Tell whether an error comes from the limit of files that a process, or the system, may hold open."""
    return _OPEN_FILES.is_behind(error)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(level for level in (folder.absolute(), *folder.absolute().parents) if level.exists())
