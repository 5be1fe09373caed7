"""A store is copied while another process writes it: every copy is a state between two of its transactions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from integration_assets.errors import LockError, PermanentError
from integration_assets.staging import copying
from integration_assets.staging.copying import copy_store

COPIES = 25
WRITER = """
import sys

import duckdb

connection = duckdb.connect(sys.argv[1], config={"storage_compatibility_version": "v1.2.0"})
connection.execute("CREATE TABLE ones (number BIGINT, text VARCHAR); CREATE TABLE twos (number BIGINT)")
turn = 0
while True:
    # Large ones are written into the file before they are committed, small ones only into the log.
    rows = 50_000 if turn % 7 == 0 else 3
    connection.execute("BEGIN")
    connection.execute("INSERT INTO ones SELECT ?, 'text ' || range FROM range(?)", [turn, rows])
    connection.execute("INSERT INTO twos SELECT ? FROM range(?)", [turn, rows])
    if turn % 11 == 0:
        connection.execute("DELETE FROM ones WHERE number < ?", [turn - 20])
        connection.execute("DELETE FROM twos WHERE number < ?", [turn - 20])
    connection.execute("COMMIT")
    if turn % 5 == 0:
        connection.execute("CHECKPOINT")
    if turn == 0:
        print("begun", flush=True)
    turn += 1
"""


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """A database that another process writes and checkpoints all the time."""
    file = tmp_path / "written.duckdb"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begun\n"
        yield file
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.communicate()


@pytest.mark.proof  # half a minute of writing
def test_every_copy_is_a_state_between_two_transactions(written: Path, tmp_path: Path) -> None:
    """Both tables of a transaction have its rows, or neither; no copy is older than the one before, or needs a log."""
    newest, target = -1, tmp_path / "copy.duckdb"
    for _ in range(COPIES):
        copy_store(written, target)
        assert not target.with_name("copy.duckdb.wal").exists()
        with duckdb.connect(target, read_only=True) as copy:
            per_turn = "SELECT number, count(*) FROM {} GROUP BY number ORDER BY number"
            ones, twos = (copy.execute(per_turn.format(table)).fetchall() for table in ("ones", "twos"))
        assert ones == twos
        assert ones[-1][0] >= newest
        newest = ones[-1][0]
    assert newest > 0


def test_a_log_that_duckdb_took_nothing_of_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it leaves the log of a checkpoint that had written the header of the store, and not removed its log yet."""
    store, target = tmp_path / "store.duckdb", tmp_path / "copy.duckdb"
    log = tmp_path / "copy.duckdb.wal"
    with duckdb.connect(store) as connection:
        connection.execute("CREATE TABLE numbers AS SELECT 1 AS number")
    settle = copying._settle

    def settle_and_leave(copy: Path) -> None:
        settle(copy)
        log.write_bytes(b"of before")

    monkeypatch.setattr(copying, "_settle", settle_and_leave)
    copy_store(store, target)
    assert not log.exists()
    with duckdb.connect(target, read_only=True) as copy:
        assert copy.execute("SELECT number FROM numbers").fetchall() == [(1,)]


def test_a_store_that_is_checkpointed_at_every_moment_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a run to be waited for; one that is damaged is told as damaged."""
    store = tmp_path / "store.duckdb"
    duckdb.connect(store).close()
    headers = iter(range(1_000))
    monkeypatch.setattr(copying, "PAUSE_SECONDS", 0)
    with monkeypatch.context() as patch:
        patch.setattr(copying, "_header", lambda _: next(headers).to_bytes(4, "big"))
        with pytest.raises(LockError, match="run it again when the run has ended"):
            copy_store(store, tmp_path / "copy.duckdb")
    store.write_bytes(b"no database" * 5_000)
    with pytest.raises(PermanentError, match="cannot be read"):
        copy_store(store, tmp_path / "copy.duckdb")
