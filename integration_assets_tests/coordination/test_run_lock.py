"""The run lock among machines."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from integration_assets.coordination.database import Database
from integration_assets.coordination.run_lock import SharedLocks
from integration_assets.errors import LockError
from integration_assets.staging.store import hold_store, store_path
from integration_assets_tests.support.postgresql import Postgresql
from integration_assets_tests.support.waiting import until

HOLDER = """
import sys
from integration_assets.coordination.database import Database
from integration_assets.coordination.run_lock import SharedLocks
with SharedLocks(Database(sys.argv[1])).held(sys.argv[2], "run that dies") as hold:
    hold.check()
    print("held", flush=True)
    sys.stdin.read()
"""


def number_of(url: str, name: str) -> int:
    """The fencing number in the table."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT number FROM run_locks WHERE name = %s", [name]).fetchone()
    return int(row[0]) if row else 0


def can_be_taken(database: Database, name: str) -> bool:
    """Whether nobody holds the lock now."""
    try:
        with SharedLocks(database).held(name, "a look"):
            return True
    except LockError:
        return False


def test_homes_of_their_own_keep_nobody_apart_but_the_shared_lock_does(database: Database, tmp_path: Path) -> None:
    """Two homes have a file lock each; with PostgreSQL the second is told who runs the tenant, and others go on."""
    stores = {name: store_path(tmp_path / name, None, "sandbox", "acme") for name in ("one", "two")}
    locks = SharedLocks(database)
    with hold_store(stores["one"], "run 1a2b", locks) as held:
        held.lock.check()
        with (
            pytest.raises(LockError, match=r"running sandbox/acme \(run 1a2b, process \d+ on .*, since ") as caught,
            hold_store(stores["two"], "run 3c4d", locks),
        ):
            pass
        assert caught.value.holder == "run 1a2b"
        with hold_store(store_path(tmp_path / "two", None, "sandbox", "globex"), "run 5e6f", locks) as other:
            other.lock.check()
    with hold_store(stores["two"], "run 3c4d", locks) as held:
        held.lock.check()


def test_a_killed_holder_is_free_at_once_and_numbers_only_rise(server: Postgresql, database: Database) -> None:
    """The lock goes with the process's connection; who comes next has a higher number."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, server.url, "killed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    first = number_of(server.url, "killed")
    assert not can_be_taken(database, "killed")
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    until(lambda: can_be_taken(database, "killed"), "a free lock")
    assert number_of(server.url, "killed") > first


def test_a_holder_cut_off_finds_that_it_holds_nothing(server: Postgresql, database: Database) -> None:
    """Its session ended by the server, as after a lost network: the check says so, though nobody else came."""
    with SharedLocks(database).held("cut off", "run") as hold:
        hold.check()
        with psycopg.connect(server.url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(backend) FROM run_locks WHERE name = 'cut off'")
        with pytest.raises(LockError, match=r"cannot be shown to be held: .* nothing more was written, run it again"):
            hold.check()
        # Another may have it now, and the one that was cut off does not get it back.
        assert can_be_taken(database, "cut off")
        with pytest.raises(LockError):
            hold.check()


def test_a_higher_number_in_the_table_fences_the_holder(server: Postgresql, database: Database) -> None:
    """Whoever's number is not the last one writes nothing, whatever its connection says."""
    with SharedLocks(database).held("fenced", "run") as hold:
        with psycopg.connect(server.url, autocommit=True) as other:
            other.execute("UPDATE run_locks SET number = number + 1 WHERE name = 'fenced'")
        with pytest.raises(LockError, match="it went from holder 1 to 2"):
            hold.check()


def test_a_pooler_that_changes_sessions_is_noticed(server: Postgresql, database: Database) -> None:
    """A check answered by another session of the server shows that the lock hangs on nothing of ours."""
    with SharedLocks(database).held("pooled", "run") as hold:
        with psycopg.connect(server.url, autocommit=True) as other:
            other.execute("UPDATE run_locks SET backend = backend + 1 WHERE name = 'pooled'")
        with pytest.raises(LockError, match="pooler in transaction mode"):
            hold.check()
