"""Analysts attach a lake with a role of their own: they read the ranking, and nothing that holds an address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Composed, Identifier

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError
from integration_assets.staging.extensions import load_extension
from integration_assets.staging.lake import Lake, lake_exists, readers_lake
from integration_assets.staging.place import StorePlace, store_place
from integration_assets.staging.readers_lake import check_reader, drop_readers_lake, publish_to_readers
from integration_assets.staging.store import open_store
from integration_assets_tests.support.harness import World

ROLE = "lake_analyst"
ANN = "ann@acme.com"

pytestmark = pytest.mark.proof  # statements on a lake cost a multiple of those on a file


@pytest.fixture
def place(postgresql: str, tmp_path: Path) -> Iterator[StorePlace]:
    """A store in PostgreSQL with addresses in its catalogue and in files; the analysts' role may read nothing yet."""
    url = f"ducklake:{postgresql}&data={tmp_path}/data"
    settings = Settings.model_validate({"INTEGRATION_ASSETS_HOME": tmp_path, "INTEGRATION_ASSETS_STORE_URL": url})
    made = store_place(settings, "sandbox", "readers")
    with psycopg.connect(postgresql, autocommit=True) as server:
        server.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(ROLE)))
    with open_store(made) as connection:
        connection.execute("INSERT INTO raw.voters (voter_id, email) VALUES ('v1', ?)", [ANN])
        connection.execute(
            "INSERT INTO raw.crm_contacts (contact_id, email) "
            "SELECT i::VARCHAR, 'c' || i || '@acme.com' FROM range(5000) AS t (i)"
        )
    yield made
    assert made.lake is not None
    with psycopg.connect(postgresql, autocommit=True) as server:
        for lake in (made.lake, readers_lake(made.lake)):
            server.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(lake.schema)))
        server.execute(SQL("DROP ROLE {}").format(Identifier(ROLE)))


def as_analyst(lake: Lake) -> duckdb.DuckDBPyConnection:
    """An analyst's own connection, with the lake attached as the documentation says."""
    connection = duckdb.connect()
    for extension in ("postgres_scanner", "ducklake"):
        load_extension(connection, extension)
    named = f"dbname={lake.server['dbname']} host={lake.server['host']} user={ROLE}"
    connection.execute(f"ATTACH 'ducklake:postgres:{named}' AS lake (METADATA_SCHEMA '{lake.schema}', READ_ONLY)")
    return connection


def server_as(lake: Lake, user: str | None = None) -> psycopg.Connection[tuple[object, ...]]:
    login = {**lake.server, **({"user": user} if user else {})}
    return psycopg.connect(make_conninfo(**login), autocommit=True)


def tables_of(lake: Lake) -> list[str]:
    with server_as(lake) as server:
        rows = server.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [lake.schema]).fetchall()
    return [str(name) for (name,) in rows]


def test_a_role_reads_the_ranking_and_no_address(place: StorePlace, synced: World) -> None:
    """Every table of the store's catalogue is refused; what the role may read holds no address."""
    lake = place.lake
    assert lake is not None
    readers = readers_lake(lake)
    published = synced.home / "published" / "sandbox" / "default.duckdb"
    mask = os.umask(0o077)
    try:
        for _ in range(2):
            assert publish_to_readers(lake, ROLE, published, 30) == []
    finally:
        os.umask(mask)

    with duckdb.connect(published, read_only=True) as file, as_analyst(readers) as analyst:
        for table in ("ranked.feature_requests", "ranked.companies", "ops.plan_changes"):
            assert sorted(map(str, analyst.execute(f"FROM lake.{table}").fetchall())) == sorted(
                map(str, file.execute(f"FROM {table}").fetchall())
            )
        names = "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = current_database()"
        assert set(analyst.execute(names.replace("current_database()", "'lake'")).fetchall()) == set(
            file.execute(names).fetchall()
        )
        comment = (
            "SELECT comment FROM duckdb_columns() WHERE column_name = 'rank_by_arr' AND table_name = 'feature_requests'"
        )
        assert analyst.execute(comment).fetchall() == file.execute(comment).fetchall() != [(None,)]
        [(snapshots,)] = analyst.execute("SELECT count(*) FROM ducklake_snapshots('lake')").fetchall()
        assert snapshots > 1
        # In the form that the documentation has: UTC, as text.
        [(now,)] = analyst.execute("SELECT (now() AT TIME ZONE 'UTC')::VARCHAR").fetchall()
        earlier = f"SELECT count(*) FROM lake.ranked.feature_requests AT (TIMESTAMP => TIMESTAMP '{now}')"
        assert analyst.execute(earlier).fetchall() == [(5,)]
        with pytest.raises(duckdb.Error):
            analyst.execute("DELETE FROM lake.ranked.feature_requests")

    tables = tables_of(lake)
    assert [name for name in tables if name.startswith("ducklake_inlined_data")]
    with server_as(lake) as owner:
        # The reason why no grant on this catalogue would do: the address is in rows of it, and in its statistics.
        holding = [one for one in tables if ANN in str(owner.execute(rows_of(lake, one)).fetchall())]
    assert any(name.startswith("ducklake_inlined_data") for name in holding)
    with server_as(lake, ROLE) as analyst_server:
        for table in tables:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                analyst_server.execute(rows_of(lake, table))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            analyst_server.execute(SQL("CREATE TABLE {} (one int)").format(Identifier(readers.schema, "mine")))
        open_to_it = "".join(
            str(analyst_server.execute(rows_of(readers, table)).fetchall()) for table in tables_of(readers)
        )
    with pytest.raises(duckdb.Error, match=f"permission denied for schema {lake.schema}"):
        as_analyst(lake)
    assert "@acme.com" not in open_to_it

    assert lake.folder is not None
    assert readers.folder is not None
    assert not readers.folder.is_relative_to(lake.folder)
    opened = [readers.folder.parents[1], readers.folder.parent, readers.folder, *readers.folder.rglob("*")]
    assert {(one.is_dir(), one.stat().st_mode & 0o777) for one in opened} == {(True, 0o755), (False, 0o644)}
    assert lake.folder.stat().st_mode & 0o777 == 0o700
    with duckdb.connect() as any_reader:
        for file_name in readers.folder.rglob("*.parquet"):
            rows = any_reader.execute(f"SELECT to_json(columns(*))::VARCHAR FROM '{file_name}'").fetchall()
            assert "@acme.com" not in str(rows)


def rows_of(lake: Lake, table: str) -> Composed:
    return SQL("SELECT * FROM {}").format(Identifier(lake.schema, table))


def test_what_is_not_as_it_should_be_is_told(place: StorePlace, synced: World) -> None:
    """A role that is not there, one that may read the store as well, and a store that is no lake in PostgreSQL."""
    lake = place.lake
    assert lake is not None
    readers = readers_lake(lake)
    published = synced.home / "published" / "sandbox" / "default.duckdb"
    with pytest.raises(ConfigurationError, match="PostgreSQL has no role nobody: CREATE ROLE nobody"):
        publish_to_readers(lake, "nobody", published, 30)
    with server_as(lake) as owner:
        owner.execute(SQL("GRANT USAGE ON SCHEMA {} TO {}").format(Identifier(lake.schema), Identifier(ROLE)))
    [note] = publish_to_readers(lake, ROLE, published, 30)
    assert f"REVOKE USAGE ON SCHEMA {lake.schema} FROM {ROLE}" in note
    assert readers.folder is not None
    assert lake_exists(readers)
    drop_readers_lake(lake)
    assert not lake_exists(readers)
    assert not readers.folder.exists()
    assert lake_exists(lake)
    with pytest.raises(ConfigurationError, match="INTEGRATION_ASSETS_LAKE_READER needs a lake"):
        check_reader(None)
