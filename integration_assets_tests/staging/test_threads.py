from __future__ import annotations

from pathlib import Path

import duckdb

from integration_assets.staging.store import open_store
from integration_assets.staging.threads import ROW_GROUP, fit_threads


def _threads(connection: duckdb.DuckDBPyConnection) -> int:
    [(threads,)] = connection.execute("SELECT current_setting('threads')").fetchall()
    return int(threads)


def test_small_tables_have_one_thread_and_large_ones_all_there_are() -> None:
    with duckdb.connect(config={"threads": 3}) as connection:
        connection.execute("CREATE TABLE small AS SELECT 1 AS one")
        fit_threads(connection)
        assert _threads(connection) == 1

        connection.execute("CREATE TABLE large AS SELECT * FROM range(?)", [ROW_GROUP + 1])
        connection.execute("SET threads = 3")
        fit_threads(connection)
        assert _threads(connection) == _threads(duckdb.connect())


def test_a_database_without_tables_keeps_its_threads() -> None:
    with duckdb.connect(config={"threads": 3}) as connection:
        fit_threads(connection)

        assert _threads(connection) == 3


def test_a_store_is_opened_with_the_threads_that_fit_it(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.duckdb") as connection:
        assert _threads(connection) == 1
        connection.execute("CREATE TABLE raw.many AS SELECT * FROM range(?)", [ROW_GROUP + 1])

    with open_store(tmp_path / "store.duckdb") as connection:
        assert _threads(connection) == _threads(duckdb.connect())
