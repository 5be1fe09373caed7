"""Rankings made from tables of one's own equal, row by row, those made from the system the tables came from."""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from integration_assets.config import Environment
from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import build_sandbox
from integration_assets.sandbox.table import RELATIONS, mapping_of, write_tables
from integration_assets.staging.store import store_path
from integration_assets_tests.support.harness import World, world_of
from integration_assets_tests.support.snapshots import PROMPT, folder
from integration_assets_tests.tenants.conftest import new_database

pytestmark = pytest.mark.usefixtures("dagster_in_memory")

URL = "FEEDBACK_DATABASE_URL"
RANKED = ("feature_requests", "company_requests", "companies", "unresolved_votes", "why")
"""The published tables that say what the votes mean."""
Rows = dict[str, list[tuple[Any, ...]]]
Tables = dict[str, tuple[list[str], list[list[str | None]]]]


@pytest.fixture(scope="module")
def cut() -> Iterator[World]:
    """A cut of the sample, dirt included, and one home for all its runs."""
    sandbox = build_sandbox(
        build_sample(requests=60, votes=900, companies=150), plan=None, slack_interval=0, portal_options=PROMPT
    )
    with folder() as home, world_of(sandbox, home) as world:
        yield world


@pytest.fixture(scope="module")
def tables(cut: World) -> Path:
    """The cut's feedback as CSV files; their mapping."""
    return write_tables(cut.canny, cut.home / "tables")


@pytest.fixture(scope="module")
def from_the_system(cut: World) -> Rows:
    """What is published of a ranking made from the feedback system itself."""
    return ranked(cut, "system")


def ranked(world: World, name: str, **variables: str | None) -> Rows:
    """Rank in a home of its own, without writing; every row that is published."""
    home = world.home / name
    home.mkdir()
    world.sync("--read-only", INTEGRATION_ASSETS_HOME=str(home), **variables)
    with duckdb.connect(home / "published" / "sandbox" / "default.duckdb", read_only=True) as connection:
        found: Rows = {}
        for table in RANKED:
            # When it was read differs.
            rows = connection.execute(f"SELECT COLUMNS(c -> c != 'as_of') FROM ranked.{table}").fetchall()
            found[table] = sorted(rows, key=repr)
        return found


def from_tables(world: World, name: str, mapping: Path, **variables: str | None) -> Rows:
    return ranked(
        world, name, CANNY_API_KEY=None, CANNY_BASE_URL=None, INTEGRATION_ASSETS_TABLE=str(mapping), **variables
    )


def read(mapping: Path) -> Tables:
    """Header and rows of each CSV; what is empty there is nothing."""
    found: Tables = {}
    for name in RELATIONS:
        with (mapping.parent / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
            found[name] = header, [[cell or None for cell in row] for row in rows]
    return found


def in_duckdb(of: Tables, connection: duckdb.DuckDBPyConnection) -> None:
    """The relations as tables; times as times, amounts as numbers."""
    types = {**dict.fromkeys(("created_at", "changed_at", "status_changed_at"), "TIMESTAMPTZ"), "mrr": "DOUBLE"}
    for name, (header, rows) in of.items():
        columns = ", ".join(f"{column} {types.get(column, 'VARCHAR')}" for column in header)
        connection.execute(f"CREATE TABLE {name} ({columns})")
        connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(header))})", rows)


def as_files(kind: str) -> Callable[[Tables, Path, str], str]:
    def make(of: Tables, place: Path, _url: str) -> str:
        with duckdb.connect() as connection:
            in_duckdb(of, connection)
            for name in of:
                connection.execute(f"COPY {name} TO '{place / name}.{kind}' (FORMAT {kind})")
        return mapping_of({name: f'file = "{name}.{kind}"' for name in of})

    return make


def as_csv(of: Tables, place: Path, _url: str) -> str:
    """With another delimiter than the one the sample was written with."""
    for name, (header, rows) in of.items():
        with (place / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerows([header, *rows])
    return mapping_of({name: f'file = "{name}.csv"' for name in of})


def as_duckdb(of: Tables, place: Path, _url: str) -> str:
    with duckdb.connect(place / "own.duckdb") as connection:
        in_duckdb(of, connection)
    return mapping_of(selects(of), '[database]\nkind = "duckdb"\nfile = "own.duckdb"\n')


def as_sqlite(of: Tables, place: Path, _url: str) -> str:
    with closing(sqlite3.connect(place / "own.sqlite")) as connection:
        for name, (header, rows) in of.items():
            connection.execute(f"CREATE TABLE {name} ({', '.join(header)})")
            connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(header))})", rows)
        connection.commit()
    return mapping_of(selects(of), '[database]\nkind = "sqlite"\nfile = "own.sqlite"\n')


def as_postgresql(of: Tables, _place: Path, url: str) -> str:
    types = {**dict.fromkeys(("created_at", "changed_at", "status_changed_at"), "timestamptz"), "mrr": "numeric"}
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for name, (header, rows) in of.items():
            columns = ", ".join(f"{column} {types.get(column, 'text')}" for column in header)
            cursor.execute(f"CREATE TABLE {name} ({columns})".encode())
            cursor.executemany(f"INSERT INTO {name} VALUES ({', '.join(['%s'] * len(header))})".encode(), rows)
    return mapping_of(selects(of), f'[database]\nkind = "postgresql"\nurl_variable = "{URL}"\n')


def selects(of: Tables) -> dict[str, str]:
    return {name: f'select = "SELECT * FROM {name}"' for name in of}


KINDS: dict[str, Callable[[Tables, Path, str], str]] = {
    "csv": as_csv,
    "parquet": as_files("parquet"),
    "json": as_files("json"),
    "duckdb": as_duckdb,
    "sqlite": as_sqlite,
    "postgresql": as_postgresql,
}


@pytest.mark.parametrize("kind", KINDS)
def test_rankings_from_tables_equal_those_from_the_system(
    request: pytest.FixtureRequest, cut: World, tables: Path, from_the_system: Rows, kind: str
) -> None:
    """Every row of every published table, whatever the tables are kept in."""
    url = new_database(request.getfixturevalue("postgresql")) if kind == "postgresql" else ""
    place = cut.home / f"{kind} tables"
    place.mkdir()
    mapping = place / "feedback.toml"
    mapping.write_text(KINDS[kind](read(tables), place, url), encoding="utf-8")
    found = from_tables(cut, kind, mapping, **({URL: url} if url else {}))
    assert all(found[table] for table in RANKED)
    for table in RANKED:
        assert found[table] == from_the_system[table], table


def test_what_is_gone_from_a_table_is_gone_from_the_ranking(cut: World, tables: Path) -> None:
    """Every run reads all of it: a vote that is taken out leaves no other trace. Nothing is asked of the old system."""
    place = cut.home / "changing tables"
    shutil.copytree(tables.parent, place)
    variables: dict[str, Any] = {
        "CANNY_API_KEY": None,
        "CANNY_BASE_URL": None,
        "INTEGRATION_ASSETS_TABLE": str(place / tables.name),
    }
    home = str(cut.home / "changing")
    cut.forget_requests()
    first = cut.sync("--read-only", INTEGRATION_ASSETS_HOME=home, **variables)
    lines = (place / "votes.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (place / "votes.csv").write_text("".join(lines[:-30]), encoding="utf-8")
    second = cut.sync("--read-only", INTEGRATION_ASSETS_HOME=home, **variables)
    assert first.summary["votes"]["total"] - second.summary["votes"]["total"] > 20
    assert second.summary["api_calls"]["table"] == {"total": 0, "retried": 0, "throttled": 0}
    assert cut.sandbox.canny.requests == []


def test_a_table_that_cannot_be_read_leaves_the_last_ranking(cut: World, tables: Path) -> None:
    """One clear line, and an exit code of a person's turn."""
    place = cut.home / "emptied tables"
    shutil.copytree(tables.parent, place)
    variables: dict[str, Any] = {
        "CANNY_API_KEY": None,
        "CANNY_BASE_URL": None,
        "INTEGRATION_ASSETS_TABLE": str(place / tables.name),
    }
    home = str(cut.home / "emptied")
    cut.sync("--read-only", INTEGRATION_ASSETS_HOME=home, **variables)
    (place / "votes.csv").write_text(",".join(RELATIONS["votes"]) + "\n", encoding="utf-8")
    ran = cut.run("sync", "--read-only", INTEGRATION_ASSETS_HOME=home, **variables)
    assert ran.code == 1
    assert "votes.csv has a header and no rows" in ran.out + ran.err
    assert cut.run("rankings", INTEGRATION_ASSETS_HOME=home, **variables).code == 0
    ran = cut.run("sync", "--read-only", **(variables | {"INTEGRATION_ASSETS_TABLE": str(place / "none.toml")}))
    assert (ran.code, "cannot be read" in ran.err) == (2, True)


VOTES = """Idea,Title,Voter,When,Status
1,Dark mode,ann@acme.example,2026-11-01,open
1,Dark mode,bob@beta-corp.com,2026-11-02,open
2,Export,cara@acme-corp.com,2026-11-03,planned
2,Export,cara@acme-corp.com,2026-11-04,planned
3,Gone,zoe@acme-corp.com,2026-11-04,open,and more
"""
COMPANIES = """Company ID,Company Name,Domain,ARR,Currency
c1,Acme,acme-corp.com,"12,000.50",USD
c2,Beta,beta-corp.com,"9,000.00",USD
c3,Gamma,gamma.example,much,USD
c4,Delta,delta.example,1,USD
c4,Epsilon,epsilon.example,2,USD
"""


@pytest.fixture
def two_files(cut: World, tmp_path: Path) -> dict[str, Any]:
    """Votes with their requests, and companies, in two CSV files; the variables that point at nothing else."""
    (tmp_path / "votes.csv").write_text(VOTES, encoding="utf-8")
    (tmp_path / "companies.csv").write_text(COMPANIES, encoding="utf-8")
    ran = cut.run("table", "init", str(tmp_path / "votes.csv"), str(tmp_path / "companies.csv"))
    assert ran.code == 0, ran.err
    nothing = dict.fromkeys(
        name for name in cut.addresses.environment() if name.startswith(("CANNY_", "HUBSPOT_", "SLACK_"))
    )
    return {
        **nothing,
        "INTEGRATION_ASSETS_TABLE": str(tmp_path / "feedback.toml"),
        "INTEGRATION_ASSETS_HOME": str(tmp_path / "home"),
    }


def test_two_files_and_nothing_else_are_ranked(cut: World, two_files: dict[str, Any]) -> None:
    """Without a CRM, whose place the companies of a file take; what would write says what it needs."""
    ran = cut.run("sync", "--read-only", json_file=True, **two_files)
    assert ran.code == 0, ran.out + ran.err
    assert "no CRM is configured: companies and their ARR come from the tables" in ran.out
    top = [(one["request_id"], one["companies"], one["arr"]) for one in ran.summary["top"]["by_arr"]]
    assert top == [("2", 1, "12000.50"), ("1", 1, "9000.00")]
    assert (ran.summary["votes"]["total"], ran.summary["votes"]["matched"]) == (3, 2)
    # No system that is not there, not even with 0 calls.
    assert list(ran.summary["api_calls"]) == ["table"]
    for command in (["sync"], ["plan"]):
        refused = cut.run(*command, **two_files)
        assert (refused.code, "HUBSPOT_SANDBOX_TOKEN must be set" in refused.err) == (2, True)


def test_what_is_odd_about_tables_is_told_by_checks(cut: World, two_files: dict[str, Any], tmp_path: Path) -> None:
    """Stale, incomplete, repeated, ambiguous: a warning each, with what and where."""
    os.utime(tmp_path / "companies.csv", (1_767_225_600, 1_767_225_600))
    ran = cut.run("sync", "--read-only", json_file=True, **two_files)
    told = {one["name"]: one["detail"] for one in ran.summary["checks"] if not one["passed"]}
    assert "companies.csv is stale: it was written 2026-01-01 00:00 UTC" in told["tables_fresh"]
    assert "votes: 1 lines are no rows and are left out: votes.csv line 6 (more cells" in told["tables_whole"]
    assert told["tables_unrepeated"] == "votes: 1 rows repeat others and count once"
    assert told["tables_unambiguous"] == "companies: 1 ids stand for different rows: c4"
    assert "table.companies.arr of 1 records (c3): not an amount as [money].format" in told["unreadable_fields"]


def test_without_companies_anywhere_there_is_nothing_to_rank_by(cut: World, two_files: dict[str, Any]) -> None:
    """Neither a CRM nor a relation of companies: one line that names both."""
    path = Path(two_files["INTEGRATION_ASSETS_TABLE"])
    path.write_text(path.read_text(encoding="utf-8").split("[companies]")[0], encoding="utf-8")
    ran = cut.run("sync", "--read-only", **two_files)
    assert ran.code == 2
    assert "HUBSPOT_SANDBOX_TOKEN must be set, or the mapping of the tables must have [companies]" in ran.err


def test_a_file_tells_the_arr_of_companies_in_the_crm(cut: World, tables: Path) -> None:
    """Found by their domains, in the currency of the file."""
    place = cut.home / "with companies"
    shutil.copytree(tables.parent, place)
    company = next(one for one in cut.portal.records("companies") if one["properties"].get("domain"))
    domain = company["properties"]["domain"]
    (place / "companies.csv").write_text(f"Id,Site,ARR\nx,{domain},1234567\n", encoding="utf-8")
    mapping = place / tables.name
    columns = 'columns = {id = "Id", domain = "Site", arr = "ARR"}'
    mapping.write_text(f'{mapping.read_text(encoding="utf-8")}\n[companies]\nfile = "companies.csv"\n{columns}\n')
    home = cut.home / "arr"
    variables: dict[str, Any] = {"CANNY_API_KEY": None, "CANNY_BASE_URL": None, "INTEGRATION_ASSETS_HOME": str(home)}
    variables |= {"INTEGRATION_ASSETS_TABLE": str(mapping), "INTEGRATION_ASSETS_ARR_SOURCES": "internal"}
    cut.sync("--read-only", **variables)
    with duckdb.connect(store_path(home, None, Environment.SANDBOX, "default"), read_only=True) as connection:
        rows = connection.execute("SELECT account_row, domain, arr, currency FROM raw.internal_accounts").fetchall()
    assert rows == [("table:x", domain, "1234567", None)]
