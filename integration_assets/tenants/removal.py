"""Files of a tenant, under the home and where stores are kept: erased with it, put away before another.

Everything there is named after the tenant, so whoever gets the name next would see it on the pages as their own.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from integration_assets.config import DEFAULT_TENANT, Environment, Settings
from integration_assets.coordination.alert_record import forget_records
from integration_assets.coordination.database import shared_database
from integration_assets.coordination.run_lock import shared_locks
from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.staging.lake import catalogue_lock, drop_catalogue
from integration_assets.staging.lock import lock_path, run_lock
from integration_assets.staging.object_storage import check_publish_url, remove_folder, remove_published
from integration_assets.staging.readers_lake import drop_readers_lake
from integration_assets.staging.store import StorePlace, check_tenant, make_private_directory, store_place
from integration_assets.tenants.integrations import TENANTS_FILES
from integration_assets.tenants.portal_claims import DIRECTORY as CLAIMS
from integration_assets.tenants.portal_claims import claims_of_tenant
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.views import TenantView

PUT_AWAY = "removed"
"""Folder under the home for what lay in a new tenant's place. No tenant's name leads there."""
OF_LOCKS = (".lock", ".fence")
"""Endings of files that say nothing of a tenant but that somebody asked for its store."""
MEANINGS = {
    "staging": "requests, votes and matches; the ledger that `undo` needs, plans and approvals, the pinned portal, "
    "unsent messages, how the ranking was on each day",
    "published": "rankings for analysts",
    "reports": "HTML reports",
    "runs": "how runs ended",
    "alerts": "open alerts",
    "retries": "when a run is tried again",
    "asked": "what its feedback system said last",
    "overrides": "mappings made by hand",
    "same_requests": "requests that count as others",
    TENANTS_FILES: "tables of its own, and the mappings of their columns",
    CLAIMS: "the portals it keeps records in",
}
"""Contents of the folders that have files of tenants."""


class TenantFiles(msgspec.Struct, frozen=True):
    """Files and folders of a tenant in one folder, and the bytes in all of them."""

    folder: Path
    paths: tuple[Path, ...]
    bytes: int

    @property
    def line(self) -> str:
        """As a person reads it."""
        names = ", ".join(path.name for path in self.paths)
        meaning = next((MEANINGS[part] for part in reversed(self.folder.parts) if part in MEANINGS), "")
        return f"{self.folder}: {names} ({self.bytes / 1e6:,.1f} MB){f': {meaning}' if meaning else ''}"


def files_of(settings: Settings, tenant: str) -> list[TenantFiles]:
    """List the files of a tenant, by folder; also of tools of ours that came later, which name it the same way."""
    name = check_tenant(tenant)
    home = settings.home
    # Found by name in every folder, not by a list: files of a later version are erased as well.
    tops = sorted(top for top in home.iterdir() if top.is_dir()) if home.is_dir() else []
    folders = [top / environment.value for top in tops for environment in Environment]
    stores = _stores(settings, tenant)
    folders += [store.path.parent for store in stores]
    folders += [
        store.lake.folder.parent for store in stores if store.lake is not None and store.lake.folder is not None
    ]
    places = {
        folder: sorted({*folder.glob(name), *folder.glob(f"{name}.*")})
        for folder in (*folders, home / "overrides", home / "same_requests", home / TENANTS_FILES)
    }
    places[home / CLAIMS] = claims_of_tenant(home, tenant)
    return [
        TenantFiles(folder, tuple(paths), sum(_bytes_of(path) for path in paths))
        for folder, paths in places.items()
        if paths
    ]


def files_that_go(settings: Settings, tenant: str) -> list[TenantFiles]:
    """List what a tenant takes along when it is removed: everything, but nothing of `default`.

    That one is there from the start, and goes on with the environment's variables and what it has.
    """
    return files_of(settings, tenant) if tenant != DEFAULT_TENANT else []


def places_that_go(settings: Settings, tenant: str) -> list[str]:
    """Name what a tenant takes along that lies in no file: schemas of PostgreSQL, and objects in buckets.

    Raises:
        ConfigurationError: object storage could not be asked. The URL is not repeated: it may hold a password.
    """
    if tenant == DEFAULT_TENANT:
        return []
    lakes = [store.lake for store in _stores(settings, tenant) if store.lake is not None]
    lines = [f"{lake}, and the lake of readers beside it" for lake in lakes if lake.file is None]
    lines += [f"{lake.bucket}/: its data" for lake in lakes if lake.bucket]
    if settings.publish_url is not None:
        base = check_publish_url(settings.publish_url)
        lines += [f"{base}/{one.value}/{tenant}.duckdb" for one in Environment]
    return lines


def remove_tenant(registry: Registry, settings: Settings, tenant: str, actor: Actor) -> None:
    """Remove a tenant with its users, integrations and keys, and erase what it left in files.

    The registry forgets the tenant only once its files are gone: killed in between, the tenant is still there, and
    removing it again ends what was begun.

    Raises:
        NotFoundError: there is no such tenant.
        LockError: a run or a command of the tenant is at work.
        PermanentError: a file cannot be erased.
        ConfigurationError: object storage refuses to remove what was published there.
        TransientError: it cannot be reached.
    """
    with _at_rest(settings, tenant, "tenants remove"), directory(registry, actor) as tenants:
        # In a transaction that is committed last: killed while files are erased, the tenant is still there to be
        # removed again.
        tenants.remove_tenant(tenant)
        for found in files_that_go(settings, tenant):
            for path in found.paths:
                _erase(path)
        if tenant != DEFAULT_TENANT:
            _forget_alerts(settings, tenant)
            for store in _stores(settings, tenant):
                if store.lake is None:
                    continue
                if store.lake.file is None:
                    drop_readers_lake(store.lake)
                # Before the catalogue: while that is there, a removal that is broken off can be done again.
                if store.lake.bucket:
                    remove_folder(store.lake.bucket)
                drop_catalogue(store.lake)
            if settings.publish_url is not None:
                for environment in Environment:
                    remove_published(settings.publish_url, environment, tenant)


def add_tenant(
    registry: Registry, settings: Settings, tenant: str, name: str, actor: Actor
) -> tuple[TenantView, Path | None]:
    """Make a tenant, which finds nothing of one that had its name before; return it, and where that was put away.

    `default` keeps what it has.

    Raises:
        ConfigurationError: the name is not of the allowed form, or taken; or PostgreSQL holds the store of a former
            tenant of that name.
        LockError: a run of the former tenant is still at work.
        PermanentError: a file cannot be moved.
    """
    check_tenant(tenant)
    for store in _stores(settings, tenant) if tenant != DEFAULT_TENANT else ():
        # Put away, it would go on writing among the data of the new one.
        if store.lake is not None and store.lake.file is None and store.exists():
            raise ConfigurationError(
                f"a former tenant {tenant} has a staging store: {store}; drop that schema, or choose another name"
            )
    with _at_rest(settings, tenant, "tenants add"), directory(registry, actor) as tenants:
        view = tenants.add_tenant(tenant, name)
        if tenant != DEFAULT_TENANT:
            _forget_alerts(settings, tenant)
        return view, _put_away(settings, tenant)


def _forget_alerts(settings: Settings, tenant: str) -> None:
    """Erase the alerts that machines share: whoever gets the name next must not hear of them."""
    database = shared_database(settings)
    if database is not None:
        forget_records(database, *(f"{environment.value}/{tenant}" for environment in Environment))


def _put_away(settings: Settings, tenant: str) -> Path | None:
    there = files_that_go(settings, tenant)
    # Lock files alone are left by a look at the store, and nothing to keep.
    found = [one for one in there if any(path.suffix not in OF_LOCKS for path in one.paths)]
    if not found:
        return None
    target = settings.home / PUT_AWAY / f"{tenant}.{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    for one in found:
        # The stores may lie elsewhere, by the store URL.
        inside = one.folder.is_relative_to(settings.home)
        place = target / (one.folder.relative_to(settings.home) if inside else Path("staging", one.folder.name))
        with _clear_errors(place):
            make_private_directory(place)
            for path in one.paths:
                shutil.move(path, place / path.name)
    return target


@contextmanager
def _at_rest(settings: Settings, tenant: str, what: str) -> Iterator[None]:
    """Hold the run locks of the tenant's stores, where there are any, so that nobody writes what is taken away."""
    shared = shared_locks(settings)
    with ExitStack() as stack:
        for store in _stores(settings, tenant):
            # Taking a lock creates its file: a tenant that never ran must not leave one.
            if store.path.exists() or lock_path(store.path).exists():
                stack.enter_context(run_lock(store.path.absolute(), what, shared))
            # What this machine has nothing of may be run by another.
            elif shared is not None:
                stack.enter_context(shared.held(f"{store.path.parent.name}/{tenant}", what))
            if store.lake is not None:
                stack.enter_context(catalogue_lock(store.lake, what))
        yield


def _stores(settings: Settings, tenant: str) -> list[StorePlace]:
    return [store_place(settings, environment, tenant) for environment in Environment]


def _bytes_of(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(_bytes_of(inside) for inside in path.iterdir())
    return path.lstat().st_size


def _erase(path: Path) -> None:
    with _clear_errors(path):
        # A link is removed, never followed: it may lead out of the home.
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PermanentError(
            f"{error.filename or path} cannot be taken away: {error.strerror or error}; the tenant stays as it was "
            "registered: check the permissions, then run it again"
        ) from error
