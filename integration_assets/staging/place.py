"""Places of staging stores: which DuckDB file, or which DuckLake, a tenant has in an environment."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from integration_assets.config import Environment, Settings, expanded, why_no_home
from integration_assets.errors import ConfigurationError
from integration_assets.staging.lake import SCHEME as LAKE_SCHEME
from integration_assets.staging.lake import Lake, lake_exists, parse_lake

TENANT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""Tenant names are partition keys, file names and labels at once, hence the narrow alphabet."""

RESERVED_TENANTS = frozenset(
    {"loading", "main", "memory", "ops", "ranked", "raw", "resolved", "sync", "system", "temp"}
)
"""DuckDB names a database after its file: one named like a schema would make `ranked.feature_requests` ambiguous."""

_URL_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_DUCKDB_SCHEME = "duckdb://"


class StorePlace(msgspec.Struct, frozen=True):
    """Place of a tenant's staging store in one environment. `str()` names it in messages, without a password.

    `path` is the DuckDB file. Of a lake it is the file of the catalogue, or, with PostgreSQL, a name that no file has:
    the run lock and what does not fit into memory lie beside it.
    """

    path: Path
    lake: Lake | None = None

    def __str__(self) -> str:
        return str(self.path if self.lake is None else self.lake)

    def exists(self) -> bool:
        """Tell whether there is a store at this place.

        Raises:
            ConfigurationError: PostgreSQL refuses the login.
            TransientError: PostgreSQL cannot be reached.
        """
        return self.path.exists() if self.lake is None else lake_exists(self.lake)


def check_tenant(tenant: str) -> str:
    """The tenant's name, if it is one.

    Raises:
        ConfigurationError: it is not of the allowed form, or reserved.
    """
    if not TENANT_NAME.fullmatch(tenant):
        raise ConfigurationError(
            f"tenant name {tenant!r:.80} is not allowed: use 1 to 63 of a-z, 0-9 and -, not - first"
        )
    if tenant in RESERVED_TENANTS:
        raise ConfigurationError(f"tenant name {tenant!r} is reserved for the staging store: choose another")
    return tenant


def store_place(settings: Settings, environment: Environment | str, tenant: str) -> StorePlace:
    """Place of a tenant's staging store.

    Raises:
        ConfigurationError: INTEGRATION_ASSETS_STORE_URL names no place for stores, or the tenant's name is wrong.
    """
    url, where = settings.store_url, Environment(environment)
    if url is None or not url.startswith(LAKE_SCHEME):
        return StorePlace(store_path(settings.home, url, where, tenant))
    beside = settings.home / "staging" / where.value / check_tenant(tenant)
    lake = parse_lake(url, where.value, tenant)
    return StorePlace(lake.file or beside.with_name(f"{tenant}.ducklake"), lake)


def store_path(home: Path, store_url: str | None, environment: Environment | str, tenant: str) -> Path:
    """File of a tenant's staging store of DuckDB files: `<base>/<environment>/<tenant>.duckdb`.

    The base is `<home>/staging`, or `store_url`: a directory, plain or as `duckdb:///directory` (absolute).

    Raises:
        ConfigurationError: `store_url` names anything but a directory of DuckDB files, or the tenant's name is wrong.
    """
    base = _base(home, store_url)
    if store_url is not None and (why := why_no_home(base)):
        raise ConfigurationError(f"INTEGRATION_ASSETS_STORE_URL: {why}")
    return base / Environment(environment).value / f"{check_tenant(tenant)}.duckdb"


def _base(home: Path, store_url: str | None) -> Path:
    if store_url is None:
        return home / "staging"
    if store_url.startswith(_DUCKDB_SCHEME):
        directory = store_url.removeprefix(_DUCKDB_SCHEME)
        # An empty path would mean the root of the file system: a slip rather than a choice.
        if not directory.startswith("/") or directory.strip("/") == "":
            raise ConfigurationError(
                "INTEGRATION_ASSETS_STORE_URL: duckdb:// takes an absolute directory, as in duckdb:///var/lib/staging"
            )
        return Path("/" + directory.strip("/"))
    if store_url.startswith(LAKE_SCHEME):
        raise ConfigurationError(
            "INTEGRATION_ASSETS_STORE_URL is that of a lake, and this works with DuckDB files alone: back up and "
            "restore a lake with the tools of its catalogue and of its directory"
        )
    # Two letters at least, so that no drive letter is taken for one.
    if _URL_SCHEME.match(store_url):
        scheme = store_url.partition(":")[0]
        raise ConfigurationError(
            f"INTEGRATION_ASSETS_STORE_URL: {scheme}: is not supported as staging store; "
            "give a directory, plain or as duckdb:///directory, or ducklake:postgresql://user@host/name?data=/directory"
        )
    try:
        return expanded(Path(store_url))
    except ValueError as error:
        raise ConfigurationError(f"INTEGRATION_ASSETS_STORE_URL: {error}") from None
