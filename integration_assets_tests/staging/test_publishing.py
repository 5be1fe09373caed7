"""Analysts read a file of their own that is always whole."""

import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.staging.publishing import publish, published_path
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

READER = """
import sys, time, pathlib, duckdb
file, stop = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
reads, seen = 0, set()
while not stop.exists():
    with duckdb.connect(str(file), read_only=True) as connection:
        (low, high, count), = connection.execute("SELECT min(run), max(run), count(*) FROM ranked.numbers").fetchall()
        assert low == high and count == 5000, (low, high, count)
        seen.add(low)
    reads += 1
    if reads == 1:
        print("reading", flush=True)
print(reads, len(seen))
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return published_path(tmp_path / "home", "sandbox", "default")


def read(target: Path, sql: str) -> list[Any]:
    with duckdb.connect(str(target), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_published_path_is_by_environment_and_tenant():
    """The published file is `<home>/published/<environment>/<tenant>.duckdb`; tenant names are checked."""
    assert published_path(Path("h"), "production", "acme") == Path("h/published/production/acme.duckdb")
    with pytest.raises(ConfigurationError):
        published_path(Path("h"), "production", "../acme")


def test_only_ranked_and_ops_are_published(store, target):
    """Tables and views of `ranked` and `ops` are in the file, as tables; nothing else is; it is read-only."""
    store.execute("CREATE TABLE ranked.numbers AS SELECT 1 AS a, 2.50::DECIMAL(38, 2) AS money, ['x.com'] AS domains")
    store.execute("CREATE VIEW ranked.doubled AS SELECT a * 2 AS b FROM ranked.numbers")
    store.execute("INSERT INTO raw.voters VALUES ('u1', 'somebody@acme.com')")
    publish(store, target)
    schemas = read(target, "SELECT DISTINCT schema_name FROM duckdb_tables() ORDER BY 1")
    assert schemas == [("ops",), ("ranked",)]
    assert read(target, "SELECT b FROM ranked.doubled") == [(2,)]
    assert read(target, "SELECT typeof(money), domains FROM ranked.numbers") == [("DECIMAL(38,2)", ["x.com"])]
    tags = read(target, "SELECT tags FROM duckdb_databases() WHERE NOT internal")
    assert tags[0][0]["storage_version"].startswith("v1.2.0")
    assert stat.S_IMODE(target.stat().st_mode) == 0o444
    assert [file.name for file in target.parent.iterdir()] == ["default.duckdb"]


def test_no_address_is_published(store, target):
    """An address somebody wrote into a title or a message is masked; domains and other text stay."""
    title = "Ask Bob.O'Neil+x@mail.acme.co.uk, see https://medium.com/@user/1 @ 5 pm"
    store.execute("CREATE TABLE ranked.texts AS SELECT ? AS title, ['a@b.com', 'b.com'] AS notes", [title])
    store.execute("INSERT INTO ops.checks VALUES ('r', 'n', 'a', 'WARN', true, 'for a@b.com')")
    store.execute("""INSERT INTO ops.runs (run_id, summary) VALUES ('r', '{"detail": "a@b.com"}')""")
    publish(store, target)
    assert read(target, "FROM ranked.texts") == [
        ("Ask [address], see https://medium.com/@user/1 @ 5 pm", ["[address]", "b.com"])
    ]
    assert read(target, "SELECT detail FROM ops.checks") == [("for [address]",)]
    assert read(target, "SELECT summary ->> 'detail' FROM ops.runs") == [("[address]",)]
    assert b"a@b.com" not in target.read_bytes()


@pytest.mark.parametrize(
    "address",
    ["josé@acme.com", "anna@bücher.example", "用户@例子.公司", '"john doe"@acme.com', "jo\u200bsé\uff20acme.com"],
)
def test_no_address_of_any_script_is_published(store, target, address):
    """Texts, lists and JSON are masked by the one pattern of all surfaces; rows keep their number and their nulls."""
    store.execute(
        "CREATE TABLE ranked.texts AS FROM (VALUES (1, $title, [$title, NULL]), (2, NULL, NULL), "
        "(3, 'plain', ['x.com']))"
        " AS rows(id, title, notes)",
        {"title": f"ask {address}"},
    )
    summary = msgspec.json.encode({"top": [f"ask {address}"], "n": 1.5}).decode()
    store.execute("INSERT INTO ops.runs (run_id, summary) VALUES ('r', ?), ('s', NULL)", [summary])
    publish(store, target)
    assert read(target, "FROM ranked.texts ORDER BY id") == [
        (1, "ask [address]", ["ask [address]", None]),
        (2, None, None),
        (3, "plain", ["x.com"]),
    ]
    assert [
        msgspec.json.decode(text) for (text,) in read(target, "SELECT summary FROM ops.runs WHERE run_id = 'r'")
    ] == [{"top": ["ask [address]"], "n": 1.5}]
    assert address.encode() not in target.read_bytes()


def test_publishing_replaces_and_survives_leftovers(store, target):
    """A half-written file of a killed run is no obstacle, and a second publication replaces the first."""
    publish(store, target)
    target.with_name("default.duckdb.writing").write_bytes(b"half")
    store.execute("CREATE TABLE ranked.numbers AS SELECT 7 AS a")
    publish(store, target)
    assert read(target, "SELECT a FROM ranked.numbers") == [(7,)]


def test_failed_publication_keeps_the_last(store, target):
    """When a table cannot be copied the file published before is still there, and the store goes on working."""
    store.execute("CREATE TABLE ranked.numbers AS SELECT 1 AS a")
    publish(store, target)
    store.execute("CREATE VIEW ranked.broken AS SELECT CAST(raw.voters.email AS INTEGER) AS a FROM raw.voters")
    store.execute("INSERT INTO raw.voters VALUES ('u1', 'x')")
    with pytest.raises(duckdb.ConversionException):
        publish(store, target)
    assert read(target, "SELECT a FROM ranked.numbers") == [(1,)]
    store.execute("DROP VIEW ranked.broken")
    publish(store, target)


def test_unwritable_target_is_reported(store, tmp_path):
    """A directory that cannot be made is named, with what to do."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(PermanentError, match=r"cannot publish .*check the directory"):
        publish(store, tmp_path / "file" / "default.duckdb")


def test_readers_are_never_locked_out(store, target, tmp_path):
    """While runs publish over and over, a process that opens and reads all the time never fails nor sees a mixture."""
    store.execute("CREATE TABLE ranked.numbers AS SELECT 0 AS run FROM range(5000)")
    publish(store, target)
    stop = tmp_path / "stop"
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(target), str(stop)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        for run in range(1, 25):
            store.execute("UPDATE ranked.numbers SET run = ?", [run])
            publish(store, target)
        stop.write_text("")
        out, err = reader.communicate(timeout=PATIENCE_SECONDS)
    assert reader.returncode == 0, err
    reads, versions = map(int, out.split())
    assert reads >= 2
    assert versions >= 2
