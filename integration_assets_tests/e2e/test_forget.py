"""A person is forgotten: nothing in any file of the home names them any more, and runs go on without them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from integration_assets.housekeeping.person import Person
from integration_assets.housekeeping.store_places import ADDRESS_COLUMNS, ID_COLUMNS
from integration_assets.sandbox.canny.records import User
from integration_assets.staging.lock import run_lock
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.snapshots import Snapshot, copy_of

ANN = "ann@acme.com"
JOANN = "joann@acme.com"
STORE = Path("staging/sandbox/default.duckdb")
PUBLISHED = Path("published/sandbox/default.duckdb")


def places_of(home: Path, needles: Iterable[str]) -> set[str]:
    """Every file, and every column of every database, that has one of these texts; files are searched as bytes."""
    found: set[str] = set()
    wanted = [needle.lower() for needle in needles]
    for file in (file for file in home.rglob("*") if file.is_file()):
        content = file.read_bytes().lower()
        found |= {f"{file.relative_to(home)}: bytes" for needle in wanted if needle.encode() in content}
        if file.suffix == ".duckdb":
            found |= {f"{file.relative_to(home)}: {column}" for column in columns_with(file, wanted)}
        if file.suffix in (".db", ".sqlite"):
            with closing(sqlite3.connect(file)) as database:
                dump = "\n".join(database.iterdump()).lower()
            found |= {f"{file.relative_to(home)}: rows" for needle in wanted if needle in dump}
    return found


def columns_with(file: Path, needles: Iterable[str]) -> set[str]:
    """Columns of a DuckDB file, `schema.table.column`, in whose values one of these lower-case texts is."""
    with duckdb.connect(file, read_only=True) as connection:
        columns = connection.execute(
            "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
        return {
            f"{schema}.{table}.{column}"
            for schema, table, column in columns
            if any(
                connection.execute(
                    f'SELECT count(*) FROM "{schema}"."{table}" WHERE contains(lower("{column}"::VARCHAR), ?)', [needle]
                ).fetchall()
                != [(0,)]
                for needle in needles
            )
        }


def details_of(world: World) -> list[str]:
    """Details of all requests in the store."""
    with duckdb.connect(world.home / STORE, read_only=True) as store:
        return [text for (text,) in store.execute("SELECT details FROM raw.feature_requests").fetchall()]


def people_of(world: World) -> set[str]:
    """What identifies ann: her address, and her ids in Canny and in the sandbox portal."""
    return {ANN, world.person("ann"), world.contact("ann")}


@pytest.fixture(scope="module")
def lived_in_snapshot(ready_snapshot: Snapshot) -> Iterator[Snapshot]:
    """The small world after a sync, with ann also in a text, in a mapping, and as the end of another address."""
    with copy_of(ready_snapshot) as world:
        made = world.canny.moment()
        joann = User(world.canny.new_id(made), "Joann", made, email=JOANN)
        world.canny.add_user(joann)
        world.canny.vote(world.request_id("csv export"), joann.id)
        world.edit_request("dark mode", details=f"Ask {ANN.upper()} or {JOANN}.")
        acme, gamma = world.company("Acme"), world.company("Gamma")
        mappings = f"match,company_id,note\nAnn@ACME.com,{acme},\ngus@gamma.de,{gamma},as {ANN}\n"
        (world.home / "overrides.csv").write_text(mappings)
        world.sync()
        yield Snapshot(world.sandbox, world.home)


@pytest.fixture
def lived_in(lived_in_snapshot: Snapshot) -> Iterator[World]:
    """A copy of it."""
    with copy_of(lived_in_snapshot) as world:
        yield world


def test_nothing_names_a_forgotten_person(lived_in: World) -> None:
    """Rows, texts, freed blocks, Dagster's records: all of it. Whose address only ends alike stays."""
    names = people_of(lived_in)
    before = places_of(lived_in.home, names)
    assert {f"{STORE}: raw.voters.email", f"{STORE}: raw.feature_requests.details", "overrides.csv: bytes"} <= before
    assert any(place.startswith("dagster/") for place in before)
    asked = lived_in.run("forget", stdin=f"{ANN}\n", INTEGRATION_ASSETS_OWN_DOMAINS=f"own-company.com,{ANN}")
    assert asked.code == 0, asked.err
    assert "nothing was changed; to do it: integration-assets forget --tenant default --yes" in asked.out
    assert "INTEGRATION_ASSETS_OWN_DOMAINS names the person" in asked.err
    assert places_of(lived_in.home, names) == before
    # In another spelling than any place has it in.
    done = lived_in.run("forget", "-", "--yes", stdin="Ann <ANN@Acme.com>\n")
    assert done.code == 0, done.err
    # The other person's address ends with hers: wherever hers is still found, it is as the end of that one.
    assert places_of(lived_in.home, {ANN}) == places_of(lived_in.home, {JOANN})
    assert "Ask forgotten or joann@acme.com." in details_of(lived_in)
    assert places_of(lived_in.home, names - {ANN}) == set()
    assert f"{STORE}: raw.voters.email" in places_of(lived_in.home, {JOANN})
    assert "raw.voters" in done.out
    assert ANN not in (asked.out + asked.err + done.out + done.err).lower()
    assert "gus@gamma.de" in (lived_in.home / "overrides.csv").read_text()
    again = lived_in.run("forget", "--yes", stdin=f"{ANN}\n")
    assert (again.code, "the person was not found" in again.out, "taken out of" in again.out) == (0, True, False)
    with duckdb.connect(lived_in.home / STORE, read_only=True) as store:
        assert store.execute("SELECT count(*) FROM raw.votes WHERE voter_id IS NULL").fetchall() == [(2,)]


def test_columns_with_people_are_those_that_are_known(lived_in: World) -> None:
    """What a run leaves in the store's own columns is what the list of places has, no more."""
    with duckdb.connect(lived_in.home / STORE, read_only=True) as store:
        rows = store.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall()
    tables = {table for (table,) in rows}
    known = {f"{place.table}.{place.column}" for place in ID_COLUMNS} | {".".join(place) for place in ADDRESS_COLUMNS}
    assert {place.table for place in ID_COLUMNS} | {table for table, _ in ADDRESS_COLUMNS} <= tables
    columns = columns_with(lived_in.home / STORE, people_of(lived_in))
    found = {column for column in columns if column.rpartition(".")[0] in tables}
    # A text in which somebody wrote the address: found by the search through all texts.
    written = {"raw.feature_requests.details", "sync.field_bases.value"}
    written |= {
        f"sync.{table}.{values}_values" for table in ("ledger", "plan_operations") for values in ("before", "after")
    }
    written |= {"raw.crm_feature_requests.property_values"}
    assert found - known - written == set()
    assert {"raw.voters.voter_id", "raw.votes.voter_id", "sync.ledger.target_id", "raw.crm_contacts.email"} <= found


def test_a_run_at_work_is_not_disturbed(lived_in: World) -> None:
    """While the store is held nothing is removed anywhere, in any file."""
    before = places_of(lived_in.home, people_of(lived_in))
    with run_lock(lived_in.home / STORE, "a run"):
        ran = lived_in.run("forget", ANN, "--yes")
    assert (ran.code, ran.out) == (75, "")
    assert places_of(lived_in.home, people_of(lived_in)) == before


@pytest.mark.proof  # two more runs and an undo
def test_runs_and_undo_go_on_without_the_forgotten(lived_in: World) -> None:
    """The links of others are restored, the ledger counts as whole, and who is gone everywhere does not come back."""
    lived_in.take_vote_back("dark mode", "ann")
    lived_in.edit_request("csv export", title="Export")
    run_id = lived_in.sync().summary["run_id"]
    names = people_of(lived_in) - {ANN}
    assert lived_in.run("forget", "--yes", stdin=f"{ANN}\n").code == 0
    ran = lived_in.run("undo", run_id[:8], "--yes", json_file=True)
    assert ran.code == 0, ran.out + ran.err
    assert ran.summary["state"] == "SUCCEEDED"
    assert ran.summary["feature_requests"]["updated"] >= 1
    assert lived_in.run("forget", "--yes", stdin=f"{ANN}\n").code == 0
    lived_in.canny.delete_user(lived_in.person("ann"))
    lived_in.edit_request("dark mode", details="My eyes hurt at night.")
    lived_in.portal.archive("contacts", lived_in.contact("ann"))
    # The first plan after an undo waits for a person.
    assert lived_in.run("sync", "--full").code == 3
    assert columns_with(lived_in.home / STORE, names) == set()
    looked = lived_in.run("doctor")
    assert "entries between" not in looked.out
    assert "were changed since" not in looked.out


@pytest.mark.parametrize("text", ["joann@acme.com", "ann@acme.com.au", "x-ann@acme.com", "ann@acme.company"])
def test_who_is_spelt_alike_is_somebody_else(text: str) -> None:
    """An address within a longer one is not the person's."""
    assert Person(ANN).scrubbed(f"from <{text}>.") == f"from <{text}>."


def test_texts_lose_every_spelling() -> None:
    """In sentences, URLs, JSON strings and whatever case; short ids, and numbers of JSON, are somebody else's."""
    person = Person("Ann <Ann@Acme.com>", ["15349597766", "17"])
    assert person.scrubbed("ANN@acme.com, ann%40acme.com. 15349597766; 17") == "forgotten, forgotten. forgotten; 17"
    assert person.scrubbed_json('{"a": ["15349597766", 15349597766]}') == '{"a": ["forgotten", 15349597766]}'


def test_what_is_no_address_is_refused(ready: World) -> None:
    """Wrong usage, and what was typed is not repeated."""
    ran = ready.run("forget", "--yes", stdin="nobody-at-all\n")
    assert ran.code == 2
    assert "nobody-at-all" not in ran.out + ran.err
