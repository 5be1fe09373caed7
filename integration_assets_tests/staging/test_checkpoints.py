from __future__ import annotations

from pathlib import Path

import duckdb

from integration_assets.staging.checkpoints import checkpoint
from integration_assets.staging.store import open_store
from integration_assets.staging.threads import ROW_GROUP

_WORDS = "SELECT 'the same words' AS words FROM range(?)"


def _compressions(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    found = connection.execute(
        "SELECT DISTINCT compression FROM pragma_storage_info(?) WHERE segment_type = 'VARCHAR'", [table]
    ).fetchall()
    return {compression for (compression,) in found}


def test_only_a_large_database_is_compressed(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "small.duckdb") as connection:
        connection.execute(f"CREATE TABLE small AS {_WORDS}", [1_000])
        checkpoint(connection)
        assert _compressions(connection, "small") == {"Uncompressed"}

        connection.execute(f"CREATE TABLE large AS {_WORDS}", [ROW_GROUP + 1])
        checkpoint(connection)
        assert _compressions(connection, "large") - {"Uncompressed"}


def test_a_checkpoint_leaves_nothing_beside_the_file_and_the_setting_as_it_was(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "small.duckdb") as connection:
        connection.execute("CREATE TABLE small AS SELECT 1 AS one")
        assert (tmp_path / "small.duckdb.wal").exists()
        checkpoint(connection)

        assert not (tmp_path / "small.duckdb.wal").exists()
        assert connection.execute("SELECT lower(current_setting('force_compression'))").fetchall() == [("auto",)]


def test_a_store_of_small_tables_is_written_as_it_is(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.duckdb") as connection:
        connection.execute(f"CREATE TABLE raw.many AS {_WORDS}", [1_000])

    with open_store(tmp_path / "store.duckdb") as connection:
        assert _compressions(connection, "raw.many") == {"Uncompressed"}
