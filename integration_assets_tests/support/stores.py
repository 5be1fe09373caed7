"""Staging stores for tests: DuckDB files, or lakes when `TESTED_STORE=lake` is set, which the proof of lakes does."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

import duckdb

from integration_assets.staging.lake import open_lake, parse_lake
from integration_assets.staging.store import StorePlace, make_private_directory, open_store
from integration_assets_tests.support.snapshots import IN_MEMORY

VARIABLE = "TESTED_STORE"
_folders: list[tempfile.TemporaryDirectory[str]] = []
"""Folders of the lakes of connections, and of the store that is copied; gone with the process."""


def on_lakes() -> bool:
    """Whether the tests of this process run on lakes."""
    return os.environ.get(VARIABLE) == "lake"


def open_tested_store(file: Path) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """A migrated store in this file, or in a lake beside it."""
    if not on_lakes():
        # Copied where none is yet: every migration, one after the other, takes longer than most tests do.
        if not file.exists():
            make_private_directory(file.parent)
            shutil.copyfile(_migrated(), file)
        return open_store(file)
    lake = parse_lake(f"ducklake:{file.parent}", "sandbox", file.stem)
    assert lake.file is not None
    return open_store(StorePlace(lake.file, lake))


@cache
def _migrated() -> Path:
    """An empty store, migrated once in this process."""
    file = _folder() / "migrated.duckdb"
    with open_store(file):
        pass
    return file


def _folder() -> Path:
    """A folder that is gone with the process."""
    made = tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None)
    _folders.append(made)
    return Path(made.name)


def in_lake(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """An empty connection with a migrated lake as its database."""
    lake = parse_lake(f"ducklake:{_folder()}", "sandbox", "default")
    lake.data.parent.mkdir(parents=True)
    open_lake(connection, lake)
    return connection
