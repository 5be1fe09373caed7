"""A lake that gave up earlier rows: no file, and no row of its catalogue, names the person any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import duckdb
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from integration_assets.errors import PermanentError
from integration_assets.housekeeping.person import Person
from integration_assets.staging.erasing import give_up_earlier_rows
from integration_assets.staging.extensions import load_extension
from integration_assets.staging.place import StorePlace
from integration_assets.staging.store import hold_store, open_store
from integration_assets_tests.staging.test_lake import place as place  # noqa: PLC0414  # a fixture
from integration_assets_tests.staging.test_lake import place_of

pytestmark = pytest.mark.proof  # statements on a lake cost a multiple of those on a file

NAME = "aann@acme.com"
"""Before all others in order: the least value of each column."""
PEOPLE = f"if(i = 0, '{NAME}', 'bo' || i || '@acme.com')"


def named_in_files(folder: Path) -> set[str]:
    """Files below a folder whose bytes, or the values of whose columns, name the person."""
    found = {
        file.name
        for file in folder.rglob("*")
        if file.is_file() and "pg_wal" not in file.parts and NAME.encode() in file.read_bytes()
    }
    with duckdb.connect() as connection:
        for file in folder.rglob("*.parquet"):
            rows = connection.execute(
                "SELECT to_json(columns(*))::VARCHAR FROM read_parquet(?)", [str(file)]
            ).fetchall()
            found |= {file.name} if NAME in str(rows) else set()
    return found


def named_in_catalogue(place: StorePlace) -> set[str]:
    """Tables of the catalogue that name the person."""
    lake = place.lake
    assert lake is not None
    found = set()
    if lake.file is None:
        with psycopg.connect(make_conninfo(**lake.server)) as server:
            tables = server.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [lake.schema]).fetchall()
            tables = [(f'"{lake.schema}"."{table}"',) for (table,) in tables] + [("pg_catalog.pg_stats",)]
            for (table,) in tables:
                query = f"SELECT count(*) FROM {table} AS t WHERE encode(t::text::bytea, 'escape') LIKE %s"
                [(rows,)] = server.execute(query, [f"%{NAME}%"]).fetchall()
                found |= {table} if rows else set()
        return found
    with duckdb.connect() as connection:
        for schema, table in tables_of(connection, place):
            rows = connection.execute(f'SELECT t::VARCHAR FROM catalogue."{schema}"."{table}" AS t').fetchall()
            found |= {table} if NAME in str(rows) else set()
    return found


def tables_of(connection: duckdb.DuckDBPyConnection, place: StorePlace) -> Iterator[tuple[str, str]]:
    """Tables of a catalogue in a file."""
    assert place.lake is not None
    if place.lake.kind == "sqlite":
        load_extension(connection, "sqlite_scanner")
    connection.execute(f"ATTACH '{place.path}' AS catalogue (TYPE {place.lake.kind}, READ_ONLY)")
    yield from connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'catalogue'"
    ).fetchall()


def test_nothing_names_the_person(place: StorePlace, tmp_path: Path) -> None:
    """Of rows in files, of inlined ones, of tables that were dropped or made anew, of a run that was killed."""
    assert place.lake is not None
    columns = f"i, {PEOPLE} AS t, [{PEOPLE}] AS l, map {{'a': {PEOPLE}}} AS m, json_object('a', {PEOPLE}) AS j"
    with hold_store(place, "a run") as store:
        for name, rows in (("files", 3_000), ("inlined", 40), ("dropped", 3_000), ("anew", 40)):
            store.connection.execute(f"CREATE TABLE raw.{name} AS SELECT {columns} FROM range({rows}) AS n (i)")
        store.connection.execute(f"INSERT INTO raw.inlined SELECT {columns} FROM range(40) AS n (i)")
        store.connection.execute("DROP TABLE raw.dropped")
        store.connection.execute("CREATE OR REPLACE TABLE raw.anew AS SELECT 1 AS i")
        store.connection.execute(f"COPY (SELECT '{NAME}' AS t) TO '{place.lake.data}/raw/killed.parquet'")
    folder = tmp_path
    if place.lake.file is None:
        with psycopg.connect(make_conninfo(**place.lake.server), autocommit=True) as server:
            server.execute("ANALYZE")
            [(where,)] = server.execute("SHOW data_directory").fetchall()
            folder = Path(where)
    assert {"ducklake_table_column_stats", "ducklake_file_column_stats"} <= {
        name.split(".")[-1].strip('"') for name in named_in_catalogue(place)
    }
    assert "killed.parquet" in named_in_files(tmp_path)
    person = Person(NAME)
    with hold_store(place, "forget") as store:
        store.connection.execute("DELETE FROM raw.files WHERE i = 0")
        store.connection.execute("UPDATE raw.inlined SET t = '', l = [], m = map {}, j = '{}' WHERE i = 0")
        give_up_earlier_rows(store.connection, place.lake, person.needles, person.named_in)
    if place.lake.file is None:
        with psycopg.connect(make_conninfo(**place.lake.server), autocommit=True) as server:
            server.execute("CHECKPOINT")
    assert (named_in_catalogue(place), named_in_files(tmp_path), named_in_files(folder)) == (set(), set(), set())
    with open_store(place, "a run") as connection:
        assert connection.execute("SELECT count(*), min(t), max(t) FROM raw.files").fetchall() == [
            (2_999, "bo1000@acme.com", "bo9@acme.com")
        ]
        assert connection.execute("SELECT count(*), count(DISTINCT t) FROM raw.inlined").fetchall() == [(80, 40)]
        assert connection.execute("SELECT count(*) FROM raw.files WHERE t = 'bo7@acme.com'").fetchall() == [(1,)]
        connection.execute(f"INSERT INTO raw.files SELECT {columns} FROM range(5) AS n (i)")
        assert connection.execute(f"SELECT i FROM raw.files WHERE t = '{NAME}'").fetchall() == [(0,)]


def test_what_postgresql_passes_over_is_told(postgresql: str, tmp_path: Path) -> None:
    """A role that does not own the database may not write the planner's statistics anew: PostgreSQL only warns."""
    role = f"guest{abs(hash(tmp_path)):x}"
    with psycopg.connect(postgresql.partition("&data=")[0], autocommit=True) as server:
        server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
        server.execute(f"GRANT CREATE ON DATABASE {server.info.dbname} TO {role}")
        where = urlencode({"host": server.info.host, "port": server.info.port, "data": tmp_path / "data"})
        url = f"ducklake:postgresql://{role}:x@/{server.info.dbname}?{where}"
    place = place_of(url, tmp_path, role)
    assert place.lake is not None
    person = Person(NAME)
    with hold_store(place, "forget") as store, pytest.raises(PermanentError, match=r"pg_statistic.*the owner of the"):
        give_up_earlier_rows(store.connection, place.lake, person.needles, person.named_in)
