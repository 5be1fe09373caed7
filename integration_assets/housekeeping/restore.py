"""Putting a backup back: everything is checked before anything in the home is touched, and nothing there is deleted."""

from __future__ import annotations

import resource
import secrets
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from integration_assets.config import DEFAULT_TENANT, Environment, Settings
from integration_assets.coordination.run_lock import shared_locks
from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.housekeeping.archive import (
    CATALOGUES,
    DATA,
    FORMAT,
    MANIFEST,
    RESTORING,
    STAGING,
    Manifest,
    digest_of,
    is_plain_name,
)
from integration_assets.housekeeping.backup import (
    known_backup,
    known_backups,
    lake_folders,
    lakes_in,
    note_backups,
    stores_folder,
    stores_in,
)
from integration_assets.housekeeping.sealing import OpeningReader, is_sealed
from integration_assets.staging.copying import check_version
from integration_assets.staging.lake import Lake
from integration_assets.staging.lake_copying import check_lake, move_lake
from integration_assets.staging.lock import run_lock
from integration_assets.staging.store import TENANT_NAME, make_private_directory, store_place
from integration_assets.tenants.registry.database import HEAD
from integration_assets.tenants.registry.place import FILE as REGISTRY
from integration_assets.tenants.removal import OF_LOCKS, PUT_AWAY

WHAT = "restore"
SEALED = ".sealed"
"""Ending of the names of encrypted backups, by our own advice."""
OTHER_FILES = 256
"""Files this process has open beside the locks, at most."""


class Restored(msgspec.Struct, frozen=True):
    """A home that was restored: from which manifest, and where what lay there before is now, None if nothing did."""

    manifest: Manifest
    put_away: Path | None


def occupants(settings: Settings) -> list[Path]:
    """Files and folders of the home, and stores outside it, that a restore would put away."""
    home = settings.home
    entries = sorted(home.iterdir()) if home.is_dir() else []
    inside = [entry for entry in entries if entry.name != PUT_AWAY and not entry.name.startswith(".")]
    outside = [path for path in _store_files(settings) if not path.is_relative_to(home)]
    return [*inside, *outside]


def restore(settings: Settings, archive: Path, *, unencrypted: bool = False) -> Restored:
    """Put the files of a backup into the home. What lies there is moved into `removed` below it.

    With a master key, or under the name of an encrypted backup, only an encrypted one is taken: whoever can write to
    where backups lie could put another home in its place. `unencrypted`: a plain one is meant.

    Raises:
        ConfigurationError: the file is no backup, or of a newer version; the key that encrypted it was not given; or it
            is plain where an encrypted one is expected.
        LockError: a run or a command is at work in one of the stores, or, on another machine, for one of their tenants.
        CoordinationError: machines share their locks, and PostgreSQL cannot be asked for them.
        PermanentError: the backup is damaged, or a file cannot be written.
    """
    home = settings.home
    with _clear_errors(archive), ExitStack() as stack:
        make_private_directory(home)
        unpacked = home / f"{RESTORING}{secrets.token_hex(4)}"
        make_private_directory(unpacked)
        stack.callback(shutil.rmtree, unpacked, ignore_errors=True)
        manifest = _unpack(settings, archive, unpacked, unencrypted=unencrypted)
        _check_versions(unpacked)
        _check_lakes(settings, unpacked)
        # Only now: a damaged backup must not cost a home that works.
        _keep_runs_out(settings, unpacked, stack)
        others = known_backups(settings)
        put_away = _put_away(settings)
        _move_in(settings, unpacked)
        _bring_back_key(settings, put_away)
        # The list that was put back is older than they are.
        note_backups(settings, *others, known_backup(archive, manifest.made_at))
    return Restored(manifest, put_away)


@contextmanager
def _opened(settings: Settings, archive: Path, *, unencrypted: bool) -> Iterator[tarfile.TarFile]:
    with archive.open("rb") as file:
        if is_sealed(file):
            opening = OpeningReader(file, settings, archive)
            with tarfile.open(fileobj=cast("BinaryIO", opening), mode="r|gz") as opened:
                yield opened
        else:
            if not unencrypted and (why := _why_sealed(settings, archive)):
                raise ConfigurationError(
                    f"{archive} is not encrypted, though {why}: somebody may have put it in the place of an encrypted "
                    "backup. If you made it without --encrypt, restore it with --unencrypted"
                )
            with tarfile.open(fileobj=file, mode="r:gz") as opened:
                yield opened


def _why_sealed(settings: Settings, archive: Path) -> str | None:
    """Say why an encrypted backup is expected; None where a plain one is as good."""
    if settings.key is not None or settings.key_file is not None:
        return "a master key is given"
    return "its name says so" if archive.suffix == SEALED else None


def _unpack(settings: Settings, archive: Path, unpacked: Path, *, unencrypted: bool) -> Manifest:
    """Take out what the manifest lists, and nothing else; each file has to be the one that was put in."""
    try:
        with _opened(settings, archive, unencrypted=unencrypted) as opened:
            members = iter(opened)
            manifest = _manifest(opened, next(members, None))
            wanted = {file.name: file for file in manifest.files}
            for member in members:
                if member.name not in wanted or not member.isreg() or not is_plain_name(member.name):
                    raise PermanentError(f"{archive} has a file that its manifest lacks: it is no backup of ours")
                place = unpacked / member.name
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                content = opened.extractfile(member)
                if content is not None:
                    with content, place.open("wb") as file:
                        shutil.copyfileobj(content, file)
                    place.chmod(0o600)
                if digest_of(place) != wanted.pop(member.name).sha256:
                    raise PermanentError(f"{archive} is damaged: {member.name} is not as it was; take another backup")
    except (tarfile.TarError, EOFError, msgspec.DecodeError) as error:
        raise PermanentError(f"{archive} is damaged, or no backup of ours: {error}; take another one") from None
    if wanted:
        raise PermanentError(f"{archive} is damaged: {min(wanted)} is missing; take another backup")
    return manifest


def _manifest(opened: tarfile.TarFile, member: tarfile.TarInfo | None) -> Manifest:
    content = opened.extractfile(member) if member is not None and member.name == MANIFEST else None
    if content is None:
        raise PermanentError("the archive does not begin with a manifest: it is no backup of ours")
    text = content.read()
    found = msgspec.json.decode(text, type=dict[str, object]).get("format")
    # Before the rest is understood: a later form may have other fields.
    if found != FORMAT:
        raise ConfigurationError(f"the backup has form {found}, this version reads form {FORMAT}: install a newer one")
    return msgspec.json.decode(text, type=Manifest)


def _keep_runs_out(settings: Settings, unpacked: Path, stack: ExitStack) -> None:
    """Hold the run locks of all stores that are there or come, on this machine and among machines."""
    stores = {catalogue for environment in Environment for _, catalogue in lakes_in(settings, environment)}
    # A first run may make a store that comes with the backup, while nothing lies in its place yet.
    stores |= {_lake_for(settings, environment, catalogue)[1] for environment, catalogue in _unpacked_lakes(unpacked)}
    for environment in Environment:
        coming = (unpacked / STAGING / environment.value).glob("*.duckdb")
        stores |= {*stores_in(settings, environment)}
        stores |= {stores_folder(settings, environment) / store.name for store in coming}
    _allow_open_files(len(stores))
    for store in sorted(stores):
        make_private_directory(store.parent)
        stack.enter_context(run_lock(store.absolute(), WHAT))
    if shared := shared_locks(settings):
        names = sorted({f"{store.parent.name}/{store.stem}" for store in stores})
        stack.enter_context(shared.held_together(names, WHAT))


def _allow_open_files(more: int) -> None:
    """Let this process hold so many more files open: of each lock one is, and there may be thousands of tenants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OTHER_FILES + more
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _check_versions(unpacked: Path) -> None:
    for store in sorted((unpacked / STAGING).glob("*/*.duckdb")):
        check_version(store)
    registry = unpacked / REGISTRY
    if registry.exists():
        with closing(sqlite3.connect(f"{registry.as_uri()}?mode=ro", uri=True)) as database:
            [(revision,)] = database.execute("SELECT version_num FROM alembic_version").fetchall()
        # Numbers with leading zeros: as texts they have the same order.
        if revision > HEAD:
            raise ConfigurationError(
                f"the registry of the backup has version {revision}, made by a newer integration-assets: install that"
            )


def _check_lakes(settings: Settings, unpacked: Path) -> None:
    """See that the lakes of the backup can be put where the settings have theirs, and that they can be read."""
    for environment, catalogue in _unpacked_lakes(unpacked):
        lake, _ = _lake_for(settings, environment, catalogue)
        check_lake(lake, catalogue, catalogue.with_suffix(DATA))


def _lake_for(settings: Settings, environment: Environment, catalogue: Path) -> tuple[Lake, Path]:
    """The lake of the settings that an unpacked catalogue is to be, with its file."""
    lake = store_place(settings, environment, catalogue.stem).lake
    if lake is None or lake.file is None or lake.file.suffix != catalogue.suffix:
        kind = "sqlite:" if catalogue.suffix == ".sqlite" else ""
        raise ConfigurationError(
            f"the backup has stores in a lake, {catalogue.name} among them, and INTEGRATION_ASSETS_STORE_URL leads "
            f"to none of that kind: set it to ducklake:{kind}/directory"
        )
    return lake, lake.file


def _unpacked_lakes(unpacked: Path) -> list[tuple[Environment, Path]]:
    """Catalogues of lakes in an unpacked backup."""
    return [
        (environment, file)
        for environment in Environment
        for ending in CATALOGUES
        for file in sorted((unpacked / STAGING / environment.value).glob(f"*{ending}"))
    ]


def _put_away(settings: Settings) -> Path | None:
    """Move what is there aside; locks of stores stay where they are, as they are held."""
    lakes = lake_folders(settings)
    found = [
        entry
        for entry in occupants(settings)
        # Folders of stores stay, for the locks in them.
        if entry.name != STAGING
        and entry.suffix not in OF_LOCKS
        and not any(lake.is_relative_to(entry) for lake in lakes)
    ]
    stores = [path for path in _store_files(settings) if path.suffix not in OF_LOCKS]
    if not found and not stores:
        return None
    target = settings.home / PUT_AWAY / f"before-restore.{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    for path in stores:
        # Of a lake, the folder of its files may lie elsewhere, as `<environment>/<tenant>` there.
        place = target / STAGING / path.parent.name
        make_private_directory(place)
        shutil.move(path, place / path.name)
    make_private_directory(target)
    for entry in found:
        if entry.exists():
            shutil.move(entry, target / entry.name)
    return target


def _move_in(settings: Settings, unpacked: Path) -> None:
    for environment, catalogue in _unpacked_lakes(unpacked):
        lake, file = _lake_for(settings, environment, catalogue)
        make_private_directory(file.parent)
        move_lake(lake, file, catalogue, catalogue.with_suffix(DATA))
    for environment in Environment:
        folder = stores_folder(settings, environment)
        for store in sorted((unpacked / STAGING / environment.value).glob("*.duckdb")):
            make_private_directory(folder)
            store.replace(folder / store.name) if folder.is_relative_to(settings.home) else shutil.move(
                store, folder / store.name
            )
    for entry in sorted(unpacked.iterdir()):
        if entry.name != STAGING:
            entry.replace(settings.home / entry.name)


def _bring_back_key(settings: Settings, put_away: Path | None) -> None:
    """Put the master key's file back if it lay in the home: no backup has it, and nothing would open without it."""
    home, key = settings.home.absolute(), settings.key_file and settings.key_file.absolute()
    if put_away is None or key is None or key.exists() or not key.is_relative_to(home):
        return
    kept = put_away / key.relative_to(home)
    if kept.exists():
        make_private_directory(key.parent)
        shutil.move(kept, key)


def _store_files(settings: Settings) -> Iterator[Path]:
    for environment in Environment:
        folder = stores_folder(settings, environment)
        yield from sorted(folder.glob("*.duckdb*"))
        for _, catalogue in lakes_in(settings, environment):
            yield from sorted(catalogue.parent.glob(f"{catalogue.name}*"))
        yield from _lake_data(settings, environment)


def _lake_data(settings: Settings, environment: Environment) -> Iterator[Path]:
    """Folders of the files of lakes, also of one that lost its catalogue: the files that come would go into it."""
    lake = store_place(settings, environment, DEFAULT_TENANT).lake
    if lake is None or lake.file is None:
        return
    for folder in sorted(lake.data.parent.glob(f"*{lake.data.suffix}")):
        if folder.is_dir() and TENANT_NAME.fullmatch(folder.stem):
            own = store_place(settings, environment, folder.stem).lake
            # In a folder for the files of all lakes anything else may lie beside.
            if own is not None and own.data == folder:
                yield folder


@contextmanager
def _clear_errors(archive: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if error.filename is not None and Path(str(error.filename)) == archive:
            raise ConfigurationError(f"there is no file {archive}") from None
        raise _unwritable(error) from error
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> PermanentError:
    return PermanentError(
        f"the backup cannot be restored: {error.filename or ''}: {error.strerror or error}; what was in the home is in "
        f"its folder `{PUT_AWAY}` if it is not in its place: put that right, then run it again"
    )
