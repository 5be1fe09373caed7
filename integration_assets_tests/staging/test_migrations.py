"""Migrations run once, in order, whole or not at all."""

import duckdb
import pytest

from integration_assets.errors import ConfigurationError
from integration_assets.staging.migrations import Migration, known_migrations, migrate

ONE = Migration(1, "0001_one", "CREATE TABLE one (a INTEGER)")
TWO = Migration(2, "0002_two", "CREATE TABLE two (a INTEGER); INSERT INTO two VALUES (1)")


@pytest.fixture
def connection():
    with duckdb.connect() as fresh:
        yield fresh


def test_known_migrations_are_numbered_without_repeats():
    """The shipped migrations are in order, with one file per number."""
    numbers = [migration.number for migration in known_migrations()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1


def test_migrations_run_once_and_are_recorded(connection):
    """Each migration runs once; a later one runs alone."""
    assert migrate(connection, [ONE]) == ("0001_one",)
    assert migrate(connection, [ONE, TWO]) == ("0002_two",)
    assert migrate(connection, [ONE, TWO]) == ()
    recorded = connection.execute("SELECT number, name, checksum FROM ops.migrations ORDER BY number").fetchall()
    assert recorded == [(1, "0001_one", ONE.checksum), (2, "0002_two", TWO.checksum)]


def test_failed_migration_leaves_nothing(connection):
    """A migration that fails half-way leaves no table and no record."""
    broken = Migration(2, "0002_broken", "CREATE TABLE two (a INTEGER); SELECT * FROM missing")
    with pytest.raises(duckdb.CatalogException):
        migrate(connection, [ONE, broken])
    assert connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'").fetchall() == [
        ("one",)
    ]
    assert connection.execute("SELECT number FROM ops.migrations").fetchall() == [(1,)]
    assert migrate(connection, [ONE, TWO]) == ("0002_two",)


def test_store_of_a_newer_version_is_refused(connection):
    """A migration this version does not know stops it, named."""
    migrate(connection, [ONE, TWO])
    with pytest.raises(ConfigurationError, match=r"newer version .*0002_two"):
        migrate(connection, [ONE])


def test_changed_migration_is_refused(connection):
    """A migration whose text changed after it ran stops the run."""
    migrate(connection, [ONE])
    with pytest.raises(ConfigurationError, match="0001_one differs"):
        migrate(connection, [Migration(1, "0001_one", "CREATE TABLE one (a BIGINT)")])
