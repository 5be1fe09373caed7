"""What a run remembers for the next one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from integration_assets.ingest.watermarks import FULL_READ_EVERY, due_reads, note_full_reads, note_unknown_fields
from integration_assets.staging.store import open_store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHECKED = "INSERT INTO ops.checks (run_id, name) VALUES (?, 'unknown_fields')"


def told_by(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, int]]:
    return connection.execute("SELECT field, run_id, records FROM ops.unknown_fields ORDER BY field").fetchall()


def test_a_field_belongs_to_the_run_that_told_of_it(tmp_path: Path) -> None:
    """The first run with its checks on record keeps it; what a dead run met, the next one tells of."""
    with open_store(tmp_path / "store.duckdb") as connection:
        note_unknown_fields(connection, "dead", NOW, {"canny.posts.mood": 3})
        note_unknown_fields(connection, "first", NOW, {"canny.posts.mood": 4})
        connection.execute(CHECKED, ["first"])
        note_unknown_fields(connection, "second", NOW, {"canny.posts.mood": 5, "canny.votes.how": 1})
        assert told_by(connection) == [("canny.posts.mood", "first", 4), ("canny.votes.how", "second", 1)]
        connection.execute(CHECKED, ["second"])
        note_unknown_fields(connection, "third", NOW, {})
        assert len(told_by(connection)) == 2


def test_a_whole_read_of_the_future_puts_no_other_off(tmp_path: Path) -> None:
    """A clock that was wrong for one run would else leave un-votes and new addresses unseen until that moment."""
    everything = set(FULL_READ_EVERY)
    with open_store(tmp_path / "store.duckdb") as connection:
        note_full_reads(connection, "key", NOW + timedelta(days=400), everything)
        assert due_reads(connection, "key", NOW, full=False) == everything
        # two machines need not agree to the minute
        note_full_reads(connection, "key", NOW + timedelta(minutes=30), everything)
        assert due_reads(connection, "key", NOW, full=False) == set()
