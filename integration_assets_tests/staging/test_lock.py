"""Who holds the run lock, and when it is no longer ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from integration_assets.errors import LockError
from integration_assets.staging.lock import fence_path, lock_path, run_lock
from integration_assets.staging.store import hold_store
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

DIE_HOLDING = """
import os, pathlib, signal, sys
from integration_assets.staging.lock import run_lock
with run_lock(pathlib.Path(sys.argv[1]), "run that dies"):
    os.kill(os.getpid(), signal.SIGKILL)
"""

INSERT = """
import pathlib, sys
from integration_assets.staging.store import hold_store
with hold_store(pathlib.Path(sys.argv[1]), "second") as second:
    second.connection.execute("INSERT INTO raw.boards VALUES ('second', 'Board', 1)")
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where a store would be."""
    path = tmp_path / "default.duckdb"
    path.touch()
    return path


def test_every_holder_gets_a_higher_number(store: Path) -> None:
    """Numbers go up by one, and a fence file that cannot be read starts again without stopping anybody."""
    numbers = []
    for _ in range(3):
        with run_lock(store, "run") as lock:
            numbers.append(lock.number)
    assert numbers == [1, 2, 3]
    fence_path(store).write_bytes(b"\xff nonsense")
    with run_lock(store, "run") as lock:
        assert (lock.number, lock.passed_on()) == (1, None)


def test_refusal_names_the_holder(store: Path) -> None:
    """Who is refused reads what holds the lock, in which process and since when."""
    with run_lock(store, "run 1a2b"), pytest.raises(LockError) as caught, run_lock(store, "run 3c4d"):
        pass
    assert f"(run 1a2b, process {os.getpid()}, since 20" in caught.value.message
    assert caught.value.exit_code == 75


def test_a_dead_holder_holds_nothing(store: Path) -> None:
    """The lock of a killed process is free at once."""
    done = subprocess.run([sys.executable, "-c", DIE_HOLDING, str(store)], timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == -9
    assert b"run that dies" in lock_path(store).read_bytes()
    with run_lock(store, "run") as lock:
        assert lock.number == 2


def test_files_are_private_and_stay(store: Path) -> None:
    """Lock and fence are for the owner only; the lock file stays, empty, when the lock is released."""
    with run_lock(store, "run"):
        assert {path.stat().st_mode & 0o777 for path in (lock_path(store), fence_path(store))} == {0o600}
    assert lock_path(store).read_bytes() == b""


@pytest.mark.parametrize("lost", ["lock gone", "lock replaced", "store gone", "store replaced", "number", "fence gone"])
def test_a_lock_that_passed_on_is_noticed(store: Path, lost: str) -> None:
    """Whatever of lock, store and number is no longer ours, the check says that nothing more may be written."""
    with run_lock(store, "run") as lock:
        lock.guard_store()
        lock.check()
        what, how = lost.split(maxsplit=1)[0], lost.rsplit(maxsplit=1)[-1]
        if lost == "number":
            fence_path(store).write_text("2\n")
        else:
            path = {"lock": lock_path(store), "store": store, "fence": fence_path(store)}[what]
            path.rename(path.with_name("moved"))
            if how == "replaced":
                path.touch()
        with pytest.raises(LockError, match=r"passed on while this run was held up \(.*nothing more was written"):
            lock.check()


def test_another_may_lock_what_was_moved_away(store: Path) -> None:
    """After the lock file was moved away another run gets the lock, and the first one's is lost, not the second's."""
    with run_lock(store, "first") as first:
        lock_path(store).rename(store.with_name("moved"))
        with run_lock(store, "second") as second:
            assert second.passed_on() is None
            assert first.passed_on() is not None


def test_nothing_is_written_beside_a_store_that_took_our_place(tmp_path: Path) -> None:
    """Closing a store whose lock passed on leaves the files of the store that is now in its place as they are."""
    path, away = tmp_path / "here" / "default.duckdb", tmp_path / "away"
    with hold_store(path, "first") as first:
        first.connection.execute("INSERT INTO raw.boards VALUES ('first', 'Board', 1)")
        path.parent.rename(away)
        # DuckDB gives one process one database per path, so that the second has to be another process
        subprocess.run([sys.executable, "-c", INSERT, str(path)], timeout=PATIENCE_SECONDS, check=True)
        before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before
    with hold_store(path, "third") as third:
        assert third.connection.execute("SELECT board_id FROM raw.boards").fetchall() == [("second",)]
