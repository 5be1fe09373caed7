"""Form of a backup: a compressed tar archive of the home, with a manifest that has the checksum of every file."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path, PurePosixPath

import msgspec

MANIFEST = "manifest.json"
FORMAT = 1
"""Version of this form. A reader refuses a later one."""
STAGING = "staging"
"""Folder of the archive for staging stores, wherever an installation keeps them."""
CATALOGUES = (".ducklake", ".sqlite")
"""Endings of the catalogues of lakes in that folder: DuckDB's and SQLite's files."""
BACKING_UP, RESTORING = ".backing-up-", ".restoring-"
UNFINISHED = (BACKING_UP, RESTORING)
"""Beginnings of folders of the home with copies, while an encrypted backup is made or any is restored."""
DATA = ".data"
"""Ending of the folder beside a lake's catalogue that has its files."""


class ArchivedFile(msgspec.Struct, frozen=True):
    """A file of the archive: its name with `/`, bytes, and SHA-256."""

    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """Contents of an archive. `made_at` is UTC, `version` that of the product that made it."""

    format: int
    version: str
    made_at: datetime
    files: tuple[ArchivedFile, ...]


def digest_of(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def is_plain_name(name: str) -> bool:
    """Tell whether a name leads to a place below the folder it is taken from, in whatever archive it stands."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name
