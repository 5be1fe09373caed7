"""A copy of everything that is kept, made while runs, pages and schedules go on.

Staging stores are copied as a power cut would leave them (`staging.copying`), lakes with a catalogue in a file as
`staging.lake_copying` says, SQLite files by SQLite's own backup, and
the rest are files that are always replaced as a whole.
"""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from integration_assets import __version__
from integration_assets.config import DEFAULT_TENANT, Environment, Settings
from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.housekeeping.archive import (
    BACKING_UP,
    DATA,
    FORMAT,
    MANIFEST,
    STAGING,
    ArchivedFile,
    Manifest,
    digest_of,
)
from integration_assets.housekeeping.sealing import SealingWriter, sealing_key
from integration_assets.runs.in_process import dagster_home
from integration_assets.staging.copying import copy_sqlite, copy_store
from integration_assets.staging.lake import Lake
from integration_assets.staging.lake_copying import copy_lake
from integration_assets.staging.store import TENANT_NAME, StorePlace, store_path, store_place
from integration_assets.tenants.registry.place import FILE as REGISTRY
from integration_assets.tenants.registry.vault import Key
from integration_assets.tenants.removal import PUT_AWAY
from integration_assets.whole_files import read_or_empty, replacing_file, write_whole

NOT_COPIED = frozenset({STAGING, PUT_AWAY, "limits", "sandbox", "demo"})
"""Folders of the home that are no plain files, or that nobody misses: what calls were made in the last minutes, what
removed tenants left, and the homes of the embedded stand-ins."""
PASSING = (".tar.gz", ".sealed", ".lock", ".fence", ".wal", "-wal", "-shm", "-journal", ".writing", ".rewriting")
"""Endings of files that belong to a process or to another file, and of earlier backups."""

LAKE = "ducklake:"
"""Beginning of a store URL that leads to a lake."""
LIST = "backups.json"
"""File of the home that says where backups were written to: whoever asks to be forgotten is in them as well."""


class KnownBackup(msgspec.Struct, frozen=True):
    """A backup that was written to `path`. `made_at` is UTC, `device` the number of the disk that its folder was on."""

    path: str
    made_at: datetime
    device: int | None = None

    @property
    def is_there(self) -> bool:
        """True if it lies where it was written to; False: it is deleted, or cannot be reached."""
        try:
            return Path(self.path).exists()
        except OSError:
            return False

    @property
    def is_deleted(self) -> bool:
        """True if its folder is there, on the disk of then, without it.

        Where a disk or a share is away, its folder is missing, or an empty one of another disk in its place.
        """
        folder = Path(self.path).parent
        try:
            if Path(self.path).exists() or not folder.is_dir():
                return False
            # Lists of before did not keep the disk: a folder that holds something else is no place of a missing one.
            return folder.stat().st_dev == self.device if self.device is not None else any(folder.iterdir())
        except OSError:
            return False


class _Backups(msgspec.Struct, frozen=True):
    backups: tuple[KnownBackup, ...] = ()


class BackUp(msgspec.Struct, frozen=True):
    """A backup that was made: its manifest, its bytes, and what is not in it, one line each."""

    manifest: Manifest
    bytes: int
    notes: tuple[str, ...]


def back_up(settings: Settings, target: Path, *, encrypt: bool = False) -> BackUp:
    """Write a copy of the home and of the staging stores into one file, readable by its owner only.

    `encrypt` seals it with the master key; the copies it is made of lie in the home meanwhile, not beside the target.

    Raises:
        ConfigurationError: there is nothing to copy, or no key to encrypt it with.
        LockError: a store could not be copied in between two writes.
        PermanentError: a file cannot be read, or the target not be written.
    """
    if not settings.home.is_dir():
        raise ConfigurationError(f"there is no {settings.home}: nothing to copy")
    key = sealing_key(settings) if encrypt else None
    try:
        # Beside the target: that is where there has to be room anyway, and nothing of it is left in a shared folder.
        # But where the copy is encrypted, its place is not to be trusted with what is in it.
        prefix, place = (f".{target.name}.", target.parent) if key is None else (BACKING_UP, settings.home)
        with tempfile.TemporaryDirectory(prefix=prefix, dir=place) as folder:
            files = [_archived(name, file) for name, file in _copies(settings, target, Path(folder))]
            listed = tuple(sorted((one for one, _ in files), key=lambda one: one.name))
            manifest = Manifest(FORMAT, __version__, datetime.now(UTC), listed)
            written = Path(folder) / MANIFEST
            written.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
            with replacing_file(target) as opened, _archive(opened, key) as archive:
                # First: a reader knows what it has to find before it takes anything.
                archive.add(written, MANIFEST, recursive=False)
                for one, file in files:
                    archive.add(file, one.name, recursive=False)
    except OSError as error:
        raise PermanentError(
            f"the backup cannot be made: {error.filename or target}: {error.strerror or error}; {target} is as it was"
        ) from error
    note_backups(settings, known_backup(target, manifest.made_at))
    return BackUp(manifest, target.stat().st_size, tuple(_left_out(settings)))


@contextmanager
def _archive(opened: BinaryIO, key: Key | None) -> Iterator[tarfile.TarFile]:
    if key is None:
        with tarfile.open(fileobj=opened, mode="w:gz") as archive:
            yield archive
        return
    sealing = SealingWriter(opened, key)
    with tarfile.open(fileobj=cast("BinaryIO", sealing), mode="w|gz") as archive:
        yield archive
    sealing.finish()


def known_backup(path: Path, made_at: datetime) -> KnownBackup:
    """A backup at a place that can be reached now."""
    return KnownBackup(str(path), made_at, path.parent.stat().st_dev)


def known_backups(settings: Settings) -> list[KnownBackup]:
    """Backups of this home, those that cannot be reached included, without those that were deleted."""
    listed = read_or_empty(settings.home / LIST, _Backups).backups
    return [one for one in listed if not one.is_deleted]


def note_backups(settings: Settings, *backups: KnownBackup) -> None:
    """Remember backups, beside those that are known."""
    new = {one.path for one in backups}
    others = [one for one in known_backups(settings) if one.path not in new]
    write_whole(settings.home / LIST, msgspec.json.encode(_Backups(backups=(*others, *backups))))


def strike_backup(settings: Settings, path: Path) -> None:
    """Take a backup off the list, by somebody who knows that it is deleted.

    Raises:
        ConfigurationError: it is there, or not on the list.
    """
    listed = known_backups(settings)
    found = next((one for one in listed if one.path == str(path)), None)
    if found is None:
        named = ", ".join(one.path for one in listed[:3]) or "none"
        raise ConfigurationError(f"{path} is not on the list of backups (on it: {named})")
    if found.is_there:
        raise ConfigurationError(f"{path} is there: delete it first")
    left = tuple(one for one in listed if one is not found)
    write_whole(settings.home / LIST, msgspec.json.encode(_Backups(backups=left)))


def _archived(name: str, file: Path) -> tuple[ArchivedFile, Path]:
    return ArchivedFile(name, file.stat().st_size, digest_of(file)), file


def _copies(settings: Settings, target: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Names in the archive, with files that nobody writes any more."""
    for environment in Environment:
        # Every tenant's, by its file: a tenant that was removed from the registry a moment ago has none any more.
        for store in sorted(stores_in(settings, environment)):
            name = f"{STAGING}/{environment.value}/{store.name}"
            yield name, _copied(folder, name, store)
        for lake, catalogue in lakes_in(settings, environment):
            yield from _copied_lake(folder, environment, lake, catalogue)
    lakes = lake_folders(settings)
    # Who finds the copy must not find the key of the secrets in it.
    left_out = {one.resolve() for one in (target, settings.key_file) if one is not None}
    for file in sorted(settings.home.rglob("*")):
        name = file.relative_to(settings.home).as_posix()
        if not _is_kept(file, name, left_out) or any(file.is_relative_to(one) for one in lakes):
            continue
        copy = _copied_sqlite if file.suffix in (".sqlite", ".db") else _copied_plain
        if copied := copy(folder, name, file):
            yield name, copied


def is_in_lake(settings: Settings) -> bool:
    """True if the staging stores are no files of their own."""
    return settings.store_url is not None and settings.store_url.startswith(LAKE)


def stores_folder(settings: Settings, environment: Environment) -> Path:
    """Folder of all tenants' staging stores of an environment. Where they lie in a lake, there are none in it."""
    url = None if is_in_lake(settings) else settings.store_url
    return store_path(settings.home, url, environment, DEFAULT_TENANT).parent


def stores_in(settings: Settings, environment: Environment) -> list[Path]:
    """Files of all tenants' staging stores of an environment."""
    return list(stores_folder(settings, environment).glob("*.duckdb"))


def lakes_in(settings: Settings, environment: Environment) -> list[tuple[Lake, Path]]:
    """All tenants' lakes of an environment whose catalogue is a file, with that; none where it is in PostgreSQL."""
    place = store_place(settings, environment, DEFAULT_TENANT)
    if place.lake is None or place.lake.file is None:
        return []
    files = sorted(place.path.parent.glob(f"*{place.path.suffix}"))
    places = [store_place(settings, environment, file.stem) for file in files if TENANT_NAME.fullmatch(file.stem)]
    return [(place.lake, place.path) for place in places if place.lake is not None]


def _default_places(settings: Settings) -> list[StorePlace]:
    return [store_place(settings, environment, DEFAULT_TENANT) for environment in Environment]


def lake_folders(settings: Settings) -> set[Path]:
    """Folders of lakes, which may lie in the home: they are copied in a way of their own, or not at all."""
    return {
        folder
        for lake in (place.lake for place in _default_places(settings))
        if lake is not None
        for folder in (file.parent for file in (lake.folder, lake.file) if file is not None)
    }


def _is_kept(file: Path, name: str, left_out: set[Path]) -> bool:
    top = name.split("/", 1)[0]
    # A hidden file at the top is an unfinished one; a link would lead out of the home.
    passing = top in NOT_COPIED or file.name.endswith(PASSING) or top.startswith(".")
    return file.is_file() and not file.is_symlink() and not passing and file.resolve() not in left_out


def _place(folder: Path, name: str) -> Path:
    place = folder / "files" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _copied(folder: Path, name: str, store: Path) -> Path:
    place = _place(folder, name)
    copy_store(store, place)
    return place


def _copied_lake(folder: Path, environment: Environment, lake: Lake, file: Path) -> Iterator[tuple[str, Path]]:
    name = f"{STAGING}/{environment.value}/{file.name}"
    catalogue = _place(folder, name)
    data = catalogue.with_suffix(DATA)
    copy_lake(lake, file, catalogue, data)
    yield name, catalogue
    for one in sorted(data.rglob("*.parquet")):
        yield f"{STAGING}/{environment.value}/{data.name}/{one.relative_to(data).as_posix()}", one


def _copied_sqlite(folder: Path, name: str, file: Path) -> Path | None:
    place = _place(folder, name)
    try:
        copy_sqlite(file, place)
    except PermanentError:
        if not file.exists():
            return None
        raise
    return place


def _copied_plain(folder: Path, name: str, file: Path) -> Path | None:
    place = _place(folder, name)
    try:
        place.write_bytes(file.read_bytes())
    # Old records go while runs do their work: this one did since it was listed.
    except FileNotFoundError:
        return None
    return place


def _left_out(settings: Settings) -> Iterator[str]:
    """List what an installation needs beside this copy."""
    yield "settings are not in it: environment variables, and with them all keys of the default tenant"
    if is_in_lake(settings) and not any(place.lake and place.lake.file for place in _default_places(settings)):
        yield (
            "staging stores are not in it: the lake's catalogue is in PostgreSQL. Copy that with pg_dump first, then "
            "the directory of its files"
        )
    if settings.registry_url is not None:
        yield "the registry is not in it: it lies in a database of your own, copy that one (PostgreSQL: pg_dump)"
    elif (settings.home / REGISTRY).exists():
        yield "the master key is not in it: without it nobody can open the tenants' secrets, keep it elsewhere"
    if not dagster_home(settings.home).is_relative_to(settings.home.resolve()):
        yield "Dagster's records are not in it: they lie in DAGSTER_HOME"
    for path in (settings.overrides_path, settings.same_requests_path):
        if path.exists() and not path.is_relative_to(settings.home):
            yield f"{path} is not in it: it lies outside the home"
