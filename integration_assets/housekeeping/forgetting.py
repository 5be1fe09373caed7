"""Taking one person out of what a tenant has left: stores, published files, reports, overrides, Dagster's records.

The outside systems are not touched. While it works it holds the run locks of both environments, among machines as well,
so that no run reads the person in again meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import msgspec

from integration_assets.config import Environment, Settings, automation_or_defaults
from integration_assets.coordination.alert_record import AlertRecord
from integration_assets.coordination.database import shared_database
from integration_assets.coordination.run_lock import shared_locks
from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.housekeeping.archive import UNFINISHED
from integration_assets.housekeeping.backup import known_backups
from integration_assets.housekeeping.person import Person
from integration_assets.housekeeping.store_places import Erased, Kind, erase_in_store, ids_in_store
from integration_assets.mail_addresses import split_address
from integration_assets.resolution.overrides import normalised_match, read_overrides, write_overrides
from integration_assets.runs.in_process import INSTANCE_CONFIG, dagster_home
from integration_assets.staging.erasing import give_up_earlier_rows
from integration_assets.staging.lake import Lake, lake_exists, readers_lake
from integration_assets.staging.object_storage import upload_published
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.readers_lake import drop_readers_lake, publish_to_readers
from integration_assets.staging.rewriting import rewrite_store
from integration_assets.staging.store import HeldStore, StorePlace, hold_store, store_path, store_place
from integration_assets.staging.transactions import transaction
from integration_assets.tenants.integrations import TENANTS_FILES, folder_of_tenant
from integration_assets.tenants.removal import PUT_AWAY, files_of
from integration_assets.whole_files import write_whole

WHAT = "forget"
BUSY_SECONDS = 30.0
"""Longest wait for Dagster to end what it writes into one of its files."""
_OWN_WAY = frozenset({"staging", "published", "overrides", "same_requests", TENANTS_FILES})
"""Folders of the home whose files are no texts, are gone through by themselves, or are what the tenant keeps itself."""


class Place(msgspec.Struct, frozen=True):
    """A place the person was found in: rows of a table, mappings, texts of files."""

    where: str
    what: str
    count: int


class Forgotten(msgspec.Struct, frozen=True):
    """Places the person was found in, and what an operator has to know besides, one line each."""

    places: tuple[Place, ...]
    notes: tuple[str, ...]


class _UndoneError(Exception):
    """Rolls a dry run's transaction back."""


def forget_person(
    settings: Settings,
    tenant: str,
    address: str,
    *,
    ids: tuple[str, ...] = (),
    environments: tuple[Environment, ...],
    apply: bool,
) -> Forgotten:
    """Take a person out of what this installation keeps of a tenant; without `apply` only say where there is one.

    `settings` are the tenant's, without secrets. `ids` are ids of the person in the outside systems that no store knows
    any more. Doing it twice finds nothing the second time.

    Raises:
        ConfigurationError: the address is none.
        LockError: a run or a command is at work in one of the stores, or another machine runs the tenant.
        CoordinationError: machines share locks and alerts, and PostgreSQL cannot be used now.
        PermanentError: a store or file cannot be read or written; what was done up to there stays done.
        TransientError: object storage or the readers' lake cannot be reached. All stores and files are done by then.
    """
    if split_address(address) is None:
        raise ConfigurationError("that is no e-mail address: nothing was looked for")
    stores = [(environment, store_place(settings, environment, tenant)) for environment in environments]
    person = Person(address, ids)
    places: list[Place] = []
    notes: list[str] = []
    with ExitStack() as stack:
        # All locks before the first change: half of it done and the other half refused would look like all of it.
        shared = shared_locks(settings)
        held = [
            (environment, place, stack.enter_context(hold_store(place, WHAT, shared)))
            for environment, place in stores
            if place.exists()
        ]
        # What has no store on this machine may be run by another one, which would read the person in again.
        if shared is not None:
            names = [f"{environment.value}/{tenant}" for environment, place in stores if not place.exists()]
            stack.enter_context(shared.held_together(names, WHAT))
        known = {environment: ids_in_store(store.connection, person) for environment, _, store in held}
        found = {one for each in known.values() for of_kind in each.values() for one in of_kind}
        everywhere = person.with_ids(person.ids | found)
        # Files first: what identifies the person in them are the ids that the stores know until they forget them.
        places += _in_files(settings, tenant, _folders_of(settings, tenant), everywhere, apply=apply)
        places += _in_shared_alerts(settings, tenant, environments, everywhere, apply=apply)
        places += _in_dagster(dagster_home(settings.home), everywhere, apply=apply)
        places += _in_overrides(settings.overrides_path, person, settings, apply=apply)
        places += _in_same_requests(settings.same_requests_path, everywhere, apply=apply)
        voters = {one for each in known.values() for one in each["voter"]}
        for environment, place, store in held:
            mine: dict[Kind, set[str]] = {
                "voter": voters | person.ids,
                "contact": known[environment]["contact"] | person.ids,
            }
            erased = _in_store(store, person, mine, apply=apply)
            places += [Place(str(place), f"rows of {table}", rows) for table, rows in sorted(erased.rows.items())]
            notes += [
                f"plan {old[:12]} lost its changes of the person's links: it is plan {new[:12]} now, and has to be "
                "approved under that name"
                for old, new in erased.plans
            ]
            if apply:
                _finish(settings, tenant, environment, place, store, everywhere)
        if apply:
            # Last: a storage that is away must not keep any store from being written anew.
            for environment, place, _ in held:
                _pass_on(settings, tenant, environment, place.lake)
        notes += _of_lakes([place.lake for _, place, _ in held if place.lake is not None])
        notes += _of_buckets(settings, [place.lake for _, place, _ in held])
    return Forgotten(tuple(places), (*notes, *_what_stays(settings, tenant, person)))


def _in_store(store: HeldStore, person: Person, ids: dict[Kind, set[str]], *, apply: bool) -> Erased:
    erased = Erased()
    with suppress(_UndoneError), transaction(store.connection):
        erased = erase_in_store(store.connection, person, ids)
        # Done for real and taken back: a dry run that counted by other statements could promise what is not so.
        if not apply:
            raise _UndoneError
    return erased


def _finish(
    settings: Settings, tenant: str, environment: Environment, place: StorePlace, store: HeldStore, person: Person
) -> None:
    """Publish what is left, and write the store anew, even where nothing was found: blocks of old rows go with it."""
    published = published_path(settings.home, environment, tenant)
    if published.exists():
        publish(store.connection, published)
    if place.lake is not None:
        give_up_earlier_rows(store.connection, place.lake, person.needles, person.named_in)
        return
    try:
        rewrite_store(store.connection, place.path)
    except OSError as error:
        raise PermanentError(
            f"{place} cannot be written anew: {error.strerror or error}; its rows are gone, their bytes may not be: "
            "free some space, then run it again"
        ) from error


def _pass_on(settings: Settings, tenant: str, environment: Environment, lake: Lake | None) -> None:
    """Put what is published now in the place of what object storage and the readers' lake have."""
    published = published_path(settings.home, environment, tenant)
    if settings.publish_url is not None and published.exists():
        upload_published(settings.publish_url, published, environment, tenant)
    if lake is None or lake.file is not None:
        return
    # Made anew: its earlier snapshots have ids of the person's contacts in changes of plans. Also where no role reads
    # it any more.
    if lake_exists(readers_lake(lake)):
        drop_readers_lake(lake)
    if settings.lake_reader is not None and published.exists():
        publish_to_readers(lake, settings.lake_reader, published, automation_or_defaults().keep_runs_days)


def _of_lakes(lakes: list[Lake]) -> Iterator[str]:
    if lakes:
        yield (
            "only the newest snapshot of the lake is left once it is done: `rankings --as-of` has the daily history of "
            "earlier days"
        )
    if any(lake.file is None for lake in lakes):
        yield (
            "PostgreSQL has earlier rows in its write-ahead log until it is recycled, and in archives and backups that "
            "were made of it: delete those, or forget the person once more after one is restored"
        )


def _of_buckets(settings: Settings, lakes: list[Lake | None]) -> Iterator[str]:
    if settings.publish_url is not None or any(lake is not None and lake.bucket for lake in lakes):
        yield "a bucket that keeps versions of objects has earlier files until it removes them: see its lifecycle rules"


def _folders_of(settings: Settings, tenant: str) -> set[Path]:
    """Folders of stores, wherever they lie: a database that is changed as a text is a damaged one."""
    stores = [store_place(settings, environment, tenant) for environment in Environment]
    lakes = [place.lake.folder.parent for place in stores if place.lake is not None and place.lake.folder is not None]
    return {*(place.path.parent for place in stores), *lakes}


def _in_files(settings: Settings, tenant: str, stores: set[Path], person: Person, *, apply: bool) -> Iterator[Place]:
    """Texts of the tenant: endings of runs, reports, alerts, what was asked last."""
    for found in files_of(settings, tenant):
        # By the folder of the home alone: a home below a folder of such a name has texts as well.
        if found.folder in stores or found.folder.relative_to(settings.home).parts[0] in _OWN_WAY:
            continue
        files = [file for path in found.paths for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
        changed = sum(_scrub_file(file, person, apply=apply) for file in files if file.is_file())
        if changed:
            yield Place(str(found.folder), "files", changed)


def _in_shared_alerts(
    settings: Settings, tenant: str, environments: tuple[Environment, ...], person: Person, *, apply: bool
) -> Iterator[Place]:
    """Alerts and unsent messages that machines share, in the database of the registry."""
    database = shared_database(settings)
    if database is None:
        return
    for environment in environments:
        record = AlertRecord(database, f"{environment.value}/{tenant}")
        with record.held() as held:
            scrubbed = person.scrubbed_json(held.content or "")
            if scrubbed == (held.content or ""):
                continue
            if apply:
                held.keep(scrubbed)
        yield Place(f"alerts of {record.name}, in PostgreSQL", "texts", 1)


def _scrub_file(file: Path, person: Person, *, apply: bool) -> bool:
    try:
        text = file.read_bytes().decode("utf-8", "surrogateescape")
        scrubbed = person.scrubbed_json(text) if file.suffix == ".json" else person.scrubbed(text)
        if apply and scrubbed != text:
            write_whole(file, scrubbed.encode("utf-8", "surrogateescape"), mode=file.stat().st_mode & 0o777)
    # A running Dagster removes old files of its own; what is gone names nobody.
    except FileNotFoundError:
        return False
    except OSError as error:
        raise PermanentError(
            f"{file} cannot be read or written: {error.strerror}; put that right, run it again"
        ) from error
    return scrubbed != text


def _in_dagster(folder: Path, person: Person, *, apply: bool) -> Iterator[Place]:
    """Dagster's own files: samples of rows in what its assets tell, with ids and without addresses."""
    for file in sorted(folder.glob("**/*.db")):
        if changed := _scrub_database(file, person, apply=apply):
            yield Place(str(file), "rows", changed)
    printed = sorted(file for file in folder.glob("storage/**/compute_logs/*") if file.is_file())
    if changed := sum(_scrub_file(file, person, apply=apply) for file in printed):
        yield Place(str(folder / "storage"), "files", changed)


def _scrub_database(file: Path, person: Person, *, apply: bool) -> int:
    changed = 0
    with _clear_errors(file), closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as database:
        # What is replaced is overwritten with zeros, in pages that are freed as well.
        database.execute("PRAGMA secure_delete = ON")
        database.execute("BEGIN IMMEDIATE")
        for table, column in _texts_of(database):
            where = " OR ".join(f'instr(lower("{column}"), ?) > 0' for _ in person.needles)
            rows = database.execute(
                f'SELECT rowid, "{column}" FROM "{table}" WHERE {where}',  # noqa: S608  # nosec B608  # names from SQLite
                person.needles,
            ).fetchall()
            for row_id, text in rows:
                scrubbed = person.scrubbed_json(text) if text[:1] in "{[" else person.scrubbed(text)
                if scrubbed != text:
                    changed += 1
                    database.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', [scrubbed, row_id])  # noqa: S608  # nosec B608
        database.execute("COMMIT" if apply else "ROLLBACK")
        if apply and changed:
            # Pages that were freed earlier, and the log beside the file, have rows as they were.
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return changed


def _texts_of(database: sqlite3.Connection) -> list[tuple[str, str]]:
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [
        (table, column)
        for (table,) in tables.fetchall()
        for _, column, kind, *_ in database.execute(f'PRAGMA table_info("{table}")').fetchall()
        if kind == "" or "CHAR" in kind.upper() or "TEXT" in kind.upper()
    ]


def _in_overrides(path: Path, person: Person, settings: Settings, *, apply: bool) -> Iterator[Place]:
    """Mappings of the person's address, and notes that name the person."""
    domains = {"personal_domains": settings.personal_domains, "business_domains": settings.business_domains}
    mappings = read_overrides(path, **domains)
    kept = [one for one in mappings if normalised_match(one.match) != person.key]
    scrubbed = [msgspec.structs.replace(one, note=person.scrubbed(one.note)) for one in kept]
    changed = len(mappings) - len(kept) + sum(one != other for one, other in zip(kept, scrubbed, strict=True))
    if changed and apply:
        try:
            write_overrides(path, scrubbed)
        except OSError as error:
            raise PermanentError(f"{path} cannot be written: {error.strerror}; put that right, run it again") from error
    if changed:
        yield Place(str(path), "mappings", changed)


def _in_same_requests(path: Path, person: Person, *, apply: bool) -> Iterator[Place]:
    """Notes beside requests that count as others; in any text, as nobody needs the file to be valid for this."""
    if _scrub_file(path, person, apply=apply):
        yield Place(str(path), "files", 1)


def _what_stays(settings: Settings, tenant: str, person: Person) -> Iterator[str]:
    """List what this command does not reach, as far as it can be known."""
    for environment in Environment:
        former = store_path(settings.home, None, environment, tenant)
        if former.exists() and former.absolute() != store_place(settings, environment, tenant).path.absolute():
            yield f"{former} is of before the stores lay elsewhere, and was not searched: delete it"
    # Somebody may be named there as staff whose mail is elsewhere.
    if any(person.named_in(entry) for entry in settings.own_domains):
        yield f"{settings.named('own_domains')} names the person: take the address out there"
    for backup in known_backups(settings):
        away = (
            ""
            if backup.is_there
            else (
                ". It cannot be reached now; if it is deleted for good, take it off the list: "
                f"integration-assets backup {backup.path} --deleted"
            )
        )
        yield (
            f"{backup.path}, a backup of {backup.made_at:%Y-%m-%d}, has everybody who was there then: delete it, or "
            f"forget the person once more after it is restored{away}"
        )
    own_files = folder_of_tenant(settings, tenant)
    if own_files.is_dir() and any(own_files.iterdir()):
        yield f"{own_files} has tables that runs read, which were not searched: whoever is in one is read in again"
    put_away = settings.home / PUT_AWAY
    if put_away.is_dir() and any(put_away.iterdir()):
        yield f"{put_away} has files of removed tenants, or of before a restore, which were not searched: delete them"
    for folder in sorted(one for beginning in UNFINISHED for one in settings.home.glob(f"{beginning}*")):
        yield f"{folder} has copies of everything, left by a backup or restore that was killed, or at work: delete it"
    configuration = dagster_home(settings.home) / INSTANCE_CONFIG
    if configuration.exists() and any(word in configuration.read_text("utf-8") for word in ("postgres", "mysql")):
        yield (
            "Dagster keeps its records in a database server, which was not searched: they hold ids of people, no "
            "addresses, and go with their runs after INTEGRATION_ASSETS_KEEP_RUNS_DAYS"
        )


@contextmanager
def _clear_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise PermanentError(
            f"{file} cannot be searched or written: {error}; stop what uses it, then run it again"
        ) from None
