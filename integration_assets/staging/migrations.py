"""Bring a staging store to this version's tables: numbered SQL files, each run once, in order, in a transaction.

What ran is recorded in `ops.migrations` with a checksum. A released migration is never edited: a new one is added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources

import duckdb
import msgspec

from integration_assets.errors import ConfigurationError
from integration_assets.staging.transactions import transaction


class Migration(msgspec.Struct, frozen=True):
    """One numbered step. `checksum` is the SHA-256 of its SQL."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the SQL, hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def known_migrations() -> tuple[Migration, ...]:
    """The migrations of this version, in order."""
    directory = resources.files("integration_assets.staging") / "migrations"
    # As resources of the package: it may lie in an archive.
    found = (entry for entry in directory.iterdir() if entry.name.endswith(".sql"))
    migrations = (
        Migration(int(entry.name[:4]), entry.name.removesuffix(".sql"), entry.read_text("utf-8")) for entry in found
    )
    return tuple(sorted(migrations, key=lambda migration: migration.number))


def migrate(
    connection: duckdb.DuckDBPyConnection, migrations: Sequence[Migration] | None = None, *, at_once: bool = False
) -> tuple[str, ...]:
    """Run what has not run yet; return the names of the migrations that did. `at_once`: in a single transaction.

    Raises:
        ConfigurationError: the store was written by a newer or a different version of the product.
    """
    pending = pending_migrations(connection, migrations)
    if at_once:
        with transaction(connection):
            for migration in pending:
                _apply(connection, migration)
    else:
        for migration in pending:
            _run(connection, migration)
    return tuple(migration.name for migration in pending)


def pending_migrations(
    connection: duckdb.DuckDBPyConnection, migrations: Sequence[Migration] | None = None
) -> list[Migration]:
    """The migrations that have not run yet.

    Raises:
        ConfigurationError: the store was written by a newer or a different version of the product.
    """
    migrations = known_migrations() if migrations is None else migrations
    applied = _applied(connection)
    _check_history(applied, migrations)
    return [migration for migration in migrations if migration.number not in applied]


def check_known(connection: duckdb.DuckDBPyConnection) -> None:
    """See that every migration of a store is one of this version's, changing nothing.

    Raises:
        ConfigurationError: the store was written by a newer or a different version of the product.
    """
    rows = connection.execute("SELECT number, name, checksum FROM ops.migrations").fetchall()
    _check_history({number: (name, checksum) for number, name, checksum in rows}, known_migrations())


def _applied(connection: duckdb.DuckDBPyConnection) -> dict[int, tuple[str, str]]:
    connection.execute("CREATE SCHEMA IF NOT EXISTS ops")
    connection.execute("""
        CREATE TABLE IF NOT EXISTS ops.migrations (number INTEGER, name VARCHAR, checksum VARCHAR, applied_at TIMESTAMP)
    """)
    rows = connection.execute("SELECT number, name, checksum FROM ops.migrations").fetchall()
    return {number: (name, checksum) for number, name, checksum in rows}


def _check_history(applied: dict[int, tuple[str, str]], migrations: Sequence[Migration]) -> None:
    known = {migration.number: migration for migration in migrations}
    for number, (name, checksum) in sorted(applied.items()):
        # An older version would leave the tables of the newer one as they are, and they would go stale.
        if number not in known:
            raise ConfigurationError(
                f"the staging store was written by a newer version (it has migration {name}): install that version"
            )
        # An edited migration would never run here, and the tables would differ from those the code expects.
        if known[number].checksum != checksum:
            raise ConfigurationError(
                f"the staging store was made by another build (migration {name} differs): "
                "use that build, or move the store away and let the next run rebuild it"
            )


def _run(connection: duckdb.DuckDBPyConnection, migration: Migration) -> None:
    with transaction(connection):
        _apply(connection, migration)


def _apply(connection: duckdb.DuckDBPyConnection, migration: Migration) -> None:
    # Together with its record, in the caller's transaction: one that broke off in the middle has not run at all.
    connection.execute(migration.sql)
    connection.execute(
        "INSERT INTO ops.migrations VALUES (?, ?, ?, ?)",
        [migration.number, migration.name, migration.checksum, datetime.now(UTC).replace(tzinfo=None)],
    )
