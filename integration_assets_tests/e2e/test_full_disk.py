"""A disk that is nearly full, or fills up: a clear line, an honest end, nothing written that cannot be recorded."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy.exc import OperationalError

from integration_assets.errors import PermanentError
from integration_assets.staging.room import LEAST_BYTES, check_room, has_too_many_open_files, is_disk_full
from integration_assets_tests.support.harness import World

pytestmark = pytest.mark.proof  # runs on small file systems: part of `make proofs`

MB = 1_000_000


def room_for(monkeypatch: pytest.MonkeyPatch, *, at_first: int, later: int) -> None:
    """Have a disk with so many bytes free when a run begins, and so many when it would write."""
    real, asked = shutil.disk_usage, []

    def usage(path: Any) -> Any:
        asked.append(path)
        # Two folders are looked at each time: the store's and the home.
        return real(path)._replace(free=at_first if len(asked) <= 2 else later)

    monkeypatch.setattr("integration_assets.staging.room.shutil.disk_usage", usage)


@pytest.mark.usefixtures("dagster_in_memory")
@pytest.mark.parametrize(("at_first", "later"), [(2 * MB, 2 * MB), (100 * MB, 2 * MB)])
def test_a_disk_that_is_nearly_full_ends_the_run_before_it_writes(
    ready: World, monkeypatch: pytest.MonkeyPatch, at_first: int, later: int
) -> None:
    """At the beginning, or when it filled up while reading: FAILED, recorded, and with room again all is well."""
    with monkeypatch.context() as patch:
        room_for(patch, at_first=at_first, later=later)
        ended = ready.run("sync", json_file=True)
    assert ended.code == 1
    assert [line for line in ended.error_lines if "is nearly full: 2.0 MB free, a run needs 8.0 MB" in line]
    assert (ended.summary["state"], ready.in_crm().records) == ("FAILED", {})
    assert ready.run("sync").code == 0
    assert len(ready.in_crm().records) == 5
    with duckdb.connect(ready.home / "published" / "sandbox" / "default.duckdb", read_only=True) as published:
        states = published.execute("SELECT state FROM ops.runs ORDER BY started_at").fetchall()
    assert states == [("FAILED",), ("SUCCEEDED",)]


def test_records_of_dagster_that_cannot_be_written_are_one_line(ready: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """They fill up in the middle of the run: no traceback, exit 1, and the next run makes it good."""
    real, kept = SqliteEventLogStorage.store_event, []

    def full(self: SqliteEventLogStorage, event: Any) -> Any:
        kept.append(event)
        if len(kept) > 60:
            raise OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))
        return real(self, event)

    with monkeypatch.context() as patch:
        patch.setattr(SqliteEventLogStorage, "store_event", full)
        ended = ready.run("sync", json_file=True)
    assert len(kept) > 60
    assert ended.code == 1, ended.err
    assert "Traceback" not in ended.err + ended.out
    assert [line for line in ended.error_lines if "the disk is full" in line], (ended.error_lines, ended.summary)
    assert ready.run("sync").code == 0
    assert len(ready.in_crm().records) == 5
    again = ready.run("sync", json_file=True)
    assert (again.code, again.summary["api_calls"]["hubspot"]["writes"]) == (0, 0)


def test_room_is_what_the_last_run_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a folder that is not made yet, the disk above it counts; the number is named."""
    left = tmp_path / "left"
    left.write_bytes(bytes(20 * MB))
    real = shutil.disk_usage
    for free, files, needed in ((LEAST_BYTES - 1, [], "8.0"), (20 * MB - 1, [left], "20.0")):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: real(path)._replace(free=free))
        with pytest.raises(PermanentError, match=f"MB free, a run needs {needed} MB"):
            check_room([tmp_path / "not" / "yet"], files)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real(path)._replace(free=20 * MB))
    check_room([tmp_path / "not" / "yet"], [left, tmp_path / "gone"])


def test_a_full_disk_is_known_by_whatever_it_raises() -> None:
    """The system's own error, SQLite's and DuckDB's words, and what was raised from them."""
    assert is_disk_full(OSError(28, "No space left on device"))
    assert is_disk_full(sqlite3.OperationalError("database or disk is full"))
    error = ValueError("unexpected")
    error.__cause__ = OSError(122, "Disk quota exceeded")
    assert is_disk_full(error)
    assert not is_disk_full(OSError(13, "Permission denied"))
    assert not is_disk_full(None)


def test_a_limit_of_open_files_is_known_by_whatever_it_raises() -> None:
    """The system's own error, DuckDB's words, and what was raised from them; never taken for a full disk."""
    for error in (OSError(24, "Too many open files"), duckdb.IOException("Cannot open file: Too many open files")):
        wrapped = ValueError("unexpected")
        wrapped.__cause__ = error
        assert has_too_many_open_files(wrapped)
        assert not is_disk_full(wrapped)
    assert not has_too_many_open_files(OSError(28, "No space left on device"))
    assert not has_too_many_open_files(None)
