"""Where the staging store lives, who may open it, and what a person reads when it cannot be opened."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import cast

import duckdb
import pytest

from integration_assets.config import Environment
from integration_assets.errors import ConfigurationError, LockError, PermanentError
from integration_assets.staging.store import open_store, store_path, transaction
from integration_assets.staging.transactions import UncommittedError
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

HOLD = """
import sys, pathlib
from integration_assets.staging.store import open_store
with open_store(pathlib.Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.readline()
"""


def test_default_path_is_under_the_home():
    """Without a store URL the store is `<home>/staging/<environment>/<tenant>.duckdb`."""
    path = store_path(Path("/home/x"), None, Environment.PRODUCTION, "acme-2")
    assert path == Path("/home/x/staging/production/acme-2.duckdb")


@pytest.mark.parametrize(
    ("url", "base"),
    [("/var/stores", "/var/stores"), ("stores", "stores"), ("duckdb:///var/stores", "/var/stores")],
)
def test_store_url_is_a_directory(url, base):
    """A directory, plain or as a duckdb URL, replaces `<home>/staging`."""
    assert store_path(Path("h"), url, "sandbox", "default") == Path(base) / "sandbox" / "default.duckdb"


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:secret@db/x", "ducklake:postgres:x", "s3://bucket", "md:db", "duckdb://relative", "duckdb:///"],
)
def test_other_store_urls_are_refused_without_echo(url):
    """Anything but a directory is a configuration error that names the variable and never shows the URL."""
    with pytest.raises(ConfigurationError, match="INTEGRATION_ASSETS_STORE_URL") as caught:
        store_path(Path("h"), url, "sandbox", "default")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("tenant", ["", "-a", "A", "a_b", "a/b", "..", "a" * 64, "acme\n", "ranked", "main"])
def test_tenant_names_are_narrow(tenant):
    """A tenant name is 1 to 63 of a-z, 0-9 and -, and none of the schema names."""
    with pytest.raises(ConfigurationError, match="tenant name"):
        store_path(Path("h"), None, "sandbox", tenant)


def test_slow_queries_draw_nothing_among_the_results(store_file):
    """DuckDB's own progress bar, which goes to stdout even into a pipe, is off."""
    with open_store(store_file) as connection:
        assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(False,)]


def test_new_store_is_private_migrated_and_readable_by_older_versions(store_file):
    """A new store has its tables, mode 0600 in directories of mode 0700, format 1.2, UTC, and no extension loading."""
    with open_store(store_file) as connection:
        assert connection.execute("SELECT count(*) FROM raw.votes").fetchall() == [(0,)]
        tags = connection.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall()
        assert tags[0][0]["storage_version"].startswith("v1.2.0")
        assert connection.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
        assert connection.execute("SELECT current_setting('autoload_known_extensions')").fetchall() == [(False,)]
    assert stat.S_IMODE(store_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(store_file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(store_file.parent.parent.stat().st_mode) == 0o700
    assert not store_file.with_name("default.duckdb.wal").exists()


def test_second_process_gets_a_lock_error(store_file):
    """While one process has the store open, another is told so, and gets in afterwards."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store_file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(LockError, match="another run of default is using"), open_store(store_file):
            pass
        holder.communicate("\n", timeout=PATIENCE_SECONDS)
    with open_store(store_file) as connection:
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_second_opening_in_one_process_gets_a_lock_error(store_file, store):
    """A second run within the process is refused as another process would be, and the first goes on."""
    with pytest.raises(LockError, match="another run of default"), open_store(store_file):
        pass
    assert store.execute("SELECT 1").fetchall() == [(1,)]


def test_connection_is_closed_after_an_error(store_file):
    """An error inside closes the store, undoes the open transaction, and is not changed."""
    opened = []

    def fail_half_way() -> None:
        with open_store(store_file) as connection:
            opened.append(connection)
            connection.execute("BEGIN")
            connection.execute("INSERT INTO raw.boards VALUES ('b', 'Board', 1)")
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        fail_half_way()
    with pytest.raises(duckdb.ConnectionException, match="closed"):
        opened[0].execute("SELECT 1")
    with open_store(store_file) as reopened:
        assert reopened.execute("SELECT count(*) FROM raw.boards").fetchall() == [(0,)]


def test_foreign_file_is_named_as_such(store_file):
    """A file that is no DuckDB database is reported, not overwritten."""
    store_file.parent.mkdir(parents=True)
    store_file.write_bytes(b"not a database" * 1000)
    with pytest.raises(PermanentError, match="damaged or no DuckDB file"), open_store(store_file):
        pass
    assert store_file.read_bytes().startswith(b"not a database")


def test_directory_that_cannot_be_made_is_reported(tmp_path):
    """A path through a plain file names the file and what to check."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(PermanentError, match="check the directory"), open_store(tmp_path / "file" / "a" / "t.duckdb"):
        pass


def test_full_disk_is_reported_and_earlier_rows_stay(store_file):
    """When the disk is full the error says so, and what was committed before is intact."""
    with open_store(store_file) as connection:
        connection.execute("INSERT INTO raw.boards VALUES ('b', 'Board', 1)")
    program = f"""
import pathlib, resource, signal
from integration_assets.errors import PermanentError
from integration_assets.staging.store import open_store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8_000_000, 8_000_000))
try:
    with open_store(pathlib.Path({str(store_file)!r})) as connection:
        connection.execute("CREATE TABLE raw.big AS SELECT hash(range) AS a, hash(-range) AS b FROM range(3_000_000)")
except PermanentError as error:
    print(error.message)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
    )
    assert "staging store" in done.stdout
    assert "run again" in done.stdout
    with open_store(store_file) as connection:
        assert connection.execute("SELECT board_id FROM raw.boards").fetchall() == [("b",)]


@pytest.mark.parametrize("words", ["No space left on device", "Disk quota exceeded", "File too large"])
@pytest.mark.parametrize("function", ["duckdb.connect", "make_private_directory"])
def test_a_full_disk_is_called_that_whoever_says_it(store_file, monkeypatch, function: str, words: str):
    """DuckDB has it in words, the system by number; a quota is a full disk as well."""
    numbers = {os.strerror(number): number for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)}

    def full(*_arguments: object, **_options: object) -> None:
        if function == "duckdb.connect":
            raise duckdb.IOException(f"IO Error: Could not write file: {words}")
        raise OSError(numbers[words], words)

    monkeypatch.setattr(f"integration_assets.staging.store.{function}", full)
    with pytest.raises(PermanentError, match="the disk is full; free some space and run again"), open_store(store_file):
        pass


def test_transaction_is_all_or_nothing(store):
    """A transaction keeps everything at its end and nothing after an error."""
    with transaction(store):
        store.execute("INSERT INTO raw.boards VALUES ('kept', 'Board', 1)")
    with pytest.raises(duckdb.CatalogException), transaction(store):
        store.execute("INSERT INTO raw.boards VALUES ('lost', 'Board', 1); SELECT * FROM missing")
    assert store.execute("SELECT board_id FROM raw.boards").fetchall() == [("kept",)]


def test_a_commit_that_fails_without_a_class_is_an_error_of_the_store():
    """DuckDB raises a bare RuntimeError then; whoever handles the store's errors would miss it."""

    class Failing:
        def execute(self, statement: str) -> None:
            if statement == "COMMIT":
                raise RuntimeError("Failed to commit DuckLake transaction")

    connection = cast("duckdb.DuckDBPyConnection", Failing())
    with pytest.raises(UncommittedError, match="Failed to commit DuckLake") as raised, transaction(connection):
        pass
    assert isinstance(raised.value, duckdb.Error)
    # the connection may be used again
    with pytest.raises(UncommittedError), transaction(connection):
        pass


class Signalled:
    """A connection during whose commit a signal comes: before DuckDB has it, or when it has committed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, committed: bool) -> None:
        self.connection, self.committed = connection, committed

    def execute(self, statement: str) -> None:
        if statement != "COMMIT":
            self.connection.execute(statement)
        elif not self.committed:
            raise KeyboardInterrupt
        else:
            self.connection.execute(statement)
            raise RuntimeError("Query interrupted") from KeyboardInterrupt()


@pytest.mark.parametrize(("committed", "told"), [(False, KeyboardInterrupt), (True, RuntimeError)])
def test_a_signal_at_the_commit_is_no_error_of_the_store(store, committed, told):
    """It leaves no transaction open, into which what is recorded next would go, and is not told as uncommitted."""
    connection = cast("duckdb.DuckDBPyConnection", Signalled(store, committed=committed))
    with pytest.raises(told) as raised, transaction(connection):
        store.execute("INSERT INTO raw.boards VALUES ('new', 'Board', 1)")
    assert not isinstance(raised.value, duckdb.Error)
    with transaction(store):
        assert store.execute("SELECT count(*) FROM raw.boards").fetchall() == [(int(committed),)]


def test_nested_transaction_is_refused_and_rolls_back(store):
    """A transaction in a transaction is an error, and the outer one rolls back."""

    def nest() -> None:
        with transaction(store):
            store.execute("INSERT INTO raw.boards VALUES ('lost', 'Board', 1)")
            with transaction(store):
                store.execute("INSERT INTO raw.boards VALUES ('lost too', 'Board', 1)")

    with pytest.raises(RuntimeError, match="do not nest"):
        nest()
    with transaction(store):
        store.execute("INSERT INTO raw.boards VALUES ('kept', 'Board', 1)")
    assert store.execute("SELECT board_id FROM raw.boards").fetchall() == [("kept",)]


def test_killed_process_leaves_an_openable_store(store_file):
    """After a kill in the middle of a transaction the store opens, without the unfinished rows."""
    program = f"""
import os, pathlib, signal
from integration_assets.staging.store import open_store
with open_store(pathlib.Path({str(store_file)!r})) as connection:
    connection.execute("INSERT INTO raw.boards VALUES ('kept', 'Board', 1)")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO raw.boards VALUES ('lost', 'Board', 1)")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], timeout=PATIENCE_SECONDS, check=False)
    with open_store(store_file) as connection:
        assert connection.execute("SELECT board_id FROM raw.boards").fetchall() == [("kept",)]


SPILLING = """
import os, pathlib, signal, sys
from integration_assets.staging.store import open_store
with open_store(pathlib.Path(sys.argv[1])) as connection:
    connection.execute("SET memory_limit = '60MB'; SET threads = 1")
    people = "SELECT 'ann' || i || '@acme.com' AS e, md5('' || i) FROM range(1e6::INT) AS t (i)"
    connection.execute("CREATE TEMP TABLE people AS " + people)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_moved_out_of_memory_goes_with_the_next_opening(store_file):
    """DuckDB leaves it in a folder beside the store, with rows as they are."""
    subprocess.run([sys.executable, "-c", SPILLING, str(store_file)], check=False, timeout=PATIENCE_SECONDS)
    spilled = store_file.with_name(f"{store_file.name}.tmp")
    assert any(b"@acme.com" in file.read_bytes() for file in spilled.iterdir())
    with open_store(store_file):
        assert not spilled.exists()
