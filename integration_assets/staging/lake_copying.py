"""Copying a lake whose catalogue is a file, while a run may be writing it, and putting it at another place.

Parquet files never change once they are written, and whatever the catalogue gives up stays for a day. So the catalogue
is copied first, then the files it leads to.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import duckdb

from integration_assets.errors import ConfigurationError, LockError
from integration_assets.staging.copying import copy_sqlite, copy_store
from integration_assets.staging.extensions import NO_OTHERS, load_extension
from integration_assets.staging.lake import ALIAS, SCHEME, Lake
from integration_assets.staging.migrations import check_known
from integration_assets.staging.quoting import literal

TRIES = 3
_CATALOGUE = "catalogue_itself"
_FILES = """
    SELECT path FROM catalogue_itself.ducklake_data_file
    UNION ALL SELECT path FROM catalogue_itself.ducklake_delete_file
"""


def copy_lake(lake: Lake, file: Path, catalogue: Path, data: Path) -> None:
    """Copy the catalogue `file` into a new file, and the Parquet files of all its snapshots into a new folder.

    Where the file system can, the copies are further names of the same files. No lock is taken.

    Raises:
        LockError: files went away at every try, as `forget` removes them.
        PermanentError: the lake cannot be read, or the copy not be written.
    """
    for _ in range(TRIES):
        shutil.rmtree(data, ignore_errors=True)
        _copy_catalogue(lake, file, catalogue)
        if _copy_files(lake, _files_of(lake, catalogue), data):
            return
    raise LockError(f"files of {lake} were removed while they were copied: run it again when nothing else is at work")


def move_lake(lake: Lake, file: Path, catalogue: Path, data: Path) -> None:
    """Put a copied catalogue and its files at the place of a lake whose catalogue is to be `file`.

    Raises:
        OSError: one of them cannot be moved.
    """
    if data.is_dir():
        lake.data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(data, lake.data)
    with _attached(lake, catalogue) as connection:
        # The catalogue knows the folder by its whole path, and refuses another one.
        connection.execute(
            f"UPDATE {_CATALOGUE}.ducklake_metadata SET value = ? WHERE key = 'data_path'",  # noqa: S608  # nosec B608
            [f"{lake.data}/"],
        )
    shutil.move(catalogue, file)


def check_lake(lake: Lake, catalogue: Path, data: Path) -> None:
    """See that this version knows the tables of a copied lake. `lake` says of which kind it is.

    Raises:
        ConfigurationError: a newer or a different version of the product, or of DuckLake, wrote it.
    """
    scheme = f"{SCHEME}{'sqlite:' if lake.kind == 'sqlite' else ''}"
    options = f"READ_ONLY, DATA_PATH {literal(f'{data}/')}, OVERRIDE_DATA_PATH TRUE"
    with duckdb.connect(":memory:", config=dict(NO_OTHERS)) as connection:
        _load(connection, lake)
        load_extension(connection, "ducklake")
        try:
            connection.execute(f"ATTACH {literal(f'{scheme}{catalogue}')} AS {ALIAS} ({options})")
            connection.execute(f"USE {ALIAS}")
            check_known(connection)
        except duckdb.Error as error:
            raise ConfigurationError(
                f"{catalogue.name} cannot be read by this version: {str(error).splitlines()[0][:200]}"
            ) from None


def _copy_catalogue(lake: Lake, file: Path, target: Path) -> None:
    if lake.kind == "duckdb":
        copy_store(file, target)
        return
    target.unlink(missing_ok=True)
    copy_sqlite(file, target)


def _files_of(lake: Lake, catalogue: Path) -> set[str]:
    with _attached(lake, catalogue) as connection:
        # Every file has a name of its own, wherever it lies.
        return {PurePosixPath(path).name for (path,) in connection.execute(_FILES).fetchall()}


def _copy_files(lake: Lake, names: set[str], data: Path) -> bool:
    """Copy the files with these names; False if one is missing."""
    found = {file.name: file for file in lake.data.rglob("*") if file.name in names}
    try:
        for file in found.values():
            target = data / file.relative_to(lake.data)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _link_or_copy(file, target)
    except FileNotFoundError:
        return False
    return found.keys() == names


def _link_or_copy(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        shutil.copyfile(file, target)


@contextmanager
def _attached(lake: Lake, catalogue: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:", config=dict(NO_OTHERS)) as connection:
        _load(connection, lake)
        connection.execute(f"ATTACH {literal(str(catalogue))} AS {_CATALOGUE} (TYPE {lake.kind})")
        yield connection


def _load(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    if lake.kind == "sqlite":
        load_extension(connection, "sqlite_scanner")
