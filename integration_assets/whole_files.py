"""Files that are replaced in one step: a reader sees the old one or the new one, never half of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

Kept = TypeVar("Kept", bound=msgspec.Struct)
PRIVATE = 0o600
READABLE = 0o644


@contextmanager
def replacing_file(path: Path, *, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path`, with this mode, once the block ends without an error.

    Raises:
        OSError: it cannot be written, or not be put in its place; `path` is as it was.
    """
    # In the same folder: only within one file system a file is moved in one step. Of a name of its own, because two
    # processes may write at the same time; the last one wins, with a whole file.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        unfinished.chmod(mode)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Have a file or directory on disk before going on, so that a power cut leaves the old or the new file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_or_empty(path: Path, kind: type[Kept]) -> Kept:
    """The struct that a file holds as JSON; an empty one without a file, or with one that none of our versions wrote.

    Raises:
        OSError: there is a file and it cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.MsgspecError):
        return kind()


def remove_oldest(folder: Path, pattern: str, keep: int) -> None:
    """Remove files of a folder that fit a pattern, the oldest first, until so many are left."""
    with suppress(OSError):  # another run may be tidying up as well; what is left over now goes next time
        for old in sorted(folder.glob(pattern), key=lambda one: one.stat().st_mtime, reverse=True)[keep:]:
            old.unlink()


def write_whole(path: Path, content: bytes, *, mode: int = PRIVATE) -> None:
    """Replace a file by one with this content and mode, whole or not at all.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    with replacing_file(path, mode=mode) as file:
        file.write(content)
