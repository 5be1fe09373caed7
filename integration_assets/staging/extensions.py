"""DuckDB's extensions: from the packages that bring them, else from DuckDB's own folder or its own download."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import duckdb

from integration_assets.errors import ConfigurationError
from integration_assets.staging.quoting import literal

DuckDBSetting = str | bool | int | float | list[str]
NO_OTHERS: Mapping[str, DuckDBSetting] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""Settings of every connection of ours: nothing is fetched, and what somebody installed beside DuckDB is not used."""


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension into a connection.

    Raises:
        ConfigurationError: no package brings it for this version of DuckDB, and DuckDB cannot install it either.
    """
    # The file of a locked package first: it is of this very version, and needs no network.
    if (file := _packaged(name)) is not None:
        connection.execute(f"LOAD {literal(str(file))}")
        return
    try:
        connection.execute(f"INSTALL {name}")  # returns at once where it is installed already
        connection.execute(f"LOAD {name}")
    except duckdb.Error as error:
        raise ConfigurationError(
            f"DuckDB's extension {name} for version {duckdb.__version__} is missing: install "
            f"`integration-assets[ducklake]`, or let DuckDB download it, which failed: {str(error)[:200]}"
        ) from error


def _packaged(name: str) -> Path | None:
    found = find_spec(f"duckdb_extension_{name}")
    if found is None or found.origin is None:
        return None
    file = Path(found.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    # A package of another version would be refused by DuckDB.
    return file if file.is_file() else None
