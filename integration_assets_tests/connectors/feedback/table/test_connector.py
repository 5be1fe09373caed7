"""A table read as a feedback system."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb
import pytest

from integration_assets.connectors.feedback.table import importing
from integration_assets.connectors.feedback.table.connector import TableFeedback
from integration_assets.connectors.feedback.table.databases import Stops, selected
from integration_assets.connectors.feedback.table.first_rows import first_rows
from integration_assets.connectors.feedback.table.mapping import Database
from integration_assets.connectors.feedback.table.tags import tags_of
from integration_assets.errors import ConfigurationError, ContractError, TransientError
from integration_assets.models import Account, Board, FeatureRequest, Page, Rejected, Status, Voter
from integration_assets_tests.connectors.feedback.table.tables import (
    MAPPING,
    REQUESTS,
    VOTES,
    made,
    requests_of,
    talk,
    votes_of,
    whole,
)


def test_requests_come_oldest_first_with_what_is_mapped(tmp_path: Path) -> None:
    """Words for a status that mean the same everywhere are understood."""
    assert requests_of(made(tmp_path)).records == (
        FeatureRequest("1", "Dark mode", Status.PLANNED, "Planned", created_at=datetime(2026, 1, 2, tzinfo=UTC)),
        FeatureRequest(
            "2",
            "Export, as CSV",
            Status.IN_PROGRESS,
            "In progress",
            created_at=datetime(2026, 1, 3, 4, 5, 6, tzinfo=UTC),
        ),
    )


def test_votes_come_newest_first_and_one_address_is_one_person(tmp_path: Path) -> None:
    """Whatever the case of the address; its digest, which is no personal data, is the person's id."""
    votes = votes_of(made(tmp_path)).records
    assert [(vote.request_id, vote.created_at.isoformat()) for vote in votes] == [
        ("1", "2026-02-03T08:00:00+00:00"),
        ("2", "2026-02-02T00:00:00+00:00"),
        ("1", "2026-02-01T10:00:00+00:00"),
    ]
    assert [vote.voter.email for vote in votes] == ["bob@beta.example", "ann@acme.example", "Ann@Acme.example"]
    assert votes[1].voter.voter_id == votes[2].voter.voter_id
    assert "acme" not in "".join(vote.vote_id + vote.voter.voter_id for vote in votes)
    assert len({vote.vote_id for vote in votes}) == 3


def test_one_address_however_it_is_spelt_is_one_person_with_one_vote(tmp_path: Path) -> None:
    """A final dot, a display form, what nobody sees: spellings are no voters. An address that shows nothing is none."""
    spellings = [
        "Ann@acme.example", "ann@acme.example.", "Ann Lee <ann@acme.example>", "mailto:ann@acme.example",
        "ann@acme.example\u200b", "\uff41nn@acme.example", "ann@acme.example; ann@acme.example",
    ]  # fmt: skip
    idn = ["jos\u00e9@b\u00fccher.example", "jose\u0301@xn--bcher-kva.example"]
    cells = [*spellings, *idn, "n/a", "\u200b", "\u2060\u00a0"]
    votes = votes_of(made(tmp_path, votes="Idea,E-mail,Voted on\n" + "".join(f'1,"{cell}",\n' for cell in cells)))
    assert [vote.voter.email for vote in votes.records] == ["n/a", idn[0], spellings[0]]
    assert [one.reason for one in votes.rejected] == ["nobody is named who voted"] * 2


def test_a_person_whose_address_is_spelt_twice_is_not_ambiguous(tmp_path: Path) -> None:
    """Two spellings are one address: the person keeps it."""
    mapping = MAPPING.replace('voter_email = "E-mail"', 'voter_id = "E-mail"') + (
        '[people]\nfile = "people.csv"\n[people.columns]\nid = "Id"\nemail = "Mail"\n'
    )
    people = "Id,Mail\np1,ann@acme.example\np1,Ann Lee <ann@acme.example>\np2,a@b.example\np2,c@d.example\n"
    path = made(tmp_path, mapping=mapping, votes="Idea,E-mail,Voted on\n1,p1,\n1,p2,\n", people=people)
    assert {vote.voter.voter_id: vote.voter.email for vote in votes_of(path).records} == {
        "p1": "ann@acme.example",
        "p2": None,
    }


def test_small_pages_read_the_same_and_say_that_others_follow(tmp_path: Path) -> None:
    """A page without a cursor is the last."""

    async def story(table: TableFeedback) -> list[tuple[int, bool]]:
        return [(len(page.records), page.cursor is None) async for page in table.votes()]

    assert talk(made(tmp_path), story, page=2) == [(2, False), (1, True)]
    assert talk(made(tmp_path), story, page=3) == [(3, True)]


def test_one_request_and_the_votes_for_it_are_found_by_id(tmp_path: Path) -> None:
    """None where there is none."""

    async def story(table: TableFeedback) -> tuple[object, object, int, object]:
        votes = await whole(table.votes(request_id="1"))
        found = await table.feature_request("2")
        person = votes.records[0].voter
        return found, await table.feature_request("3"), len(votes.records), await table.voter(person.voter_id)

    found, missing, votes, person = talk(made(tmp_path), story)
    assert isinstance(found, FeatureRequest)
    assert (found.request_id, missing, votes) == ("2", None, 2)
    assert isinstance(person, Voter)
    assert person.email == "bob@beta.example"


def test_the_newest_requests_and_the_boards(tmp_path: Path) -> None:
    """A request without a board is on none."""
    mapping = made(
        tmp_path,
        mapping=MAPPING.replace('status = "State"', 'board = "State"'),
        requests="Idea,Title,State,Created\n1,A,Web,2026-01-01\n2,B,,2026-01-02\n3,C,Web,\n",
    )

    async def story(table: TableFeedback) -> tuple[list[str], tuple[object, ...]]:
        newest = await table.newest_feature_requests()
        return [request.request_id for request in newest.records], (await whole(table.boards())).records

    assert talk(mapping, story) == (["2", "1", "3"], (Board("Web", "Web", 2),))


def test_people_accounts_and_companies_of_votes(tmp_path: Path) -> None:
    """A voter's address may stand in `people` alone; a vote may name nobody but a company."""
    mapping = (
        MAPPING.replace('voter_email = "E-mail"', 'voter_id = "Who"\ncompany_domain = "Company"')
        + """
[people]
file = "people.csv"
columns = {id = "Id", email = "Mail", account_id = "Account"}

[accounts]
file = "accounts.csv"
columns = {id = "Id", name = "Name", domain = "Site", mrr = "MRR"}

[money]
format = "$1,234.56"
"""
    )
    path = made(
        tmp_path,
        mapping=mapping,
        votes="Idea,Who,Company,Voted on\n1,u1,,2026-02-01\n1,,Acme.example,2026-02-02\n2,u2,,2026-02-03\n",
        people="Id,Mail,Account\nu1,ann@acme.example,a1\nu1,ann@acme.example,a2\nu2,x@y.example,\nu2,other@y.example,\n",
        accounts='Id,Name,Site,MRR\na1,Acme,acme.example,"$1,200.50"\na2,Beta,,lots\n',
    )

    async def story(table: TableFeedback) -> tuple[Page[Any], ...]:
        return tuple([await whole(read()) for read in (table.votes, table.voters, table.accounts)])

    votes, voters, accounts = talk(path, story)
    assert [vote.voter for vote in votes.records] == [
        Voter("u2", None),
        Voter("company-acme.example", None),
        Voter("u1", "ann@acme.example"),
    ]
    assert set(voters.records) == {
        Voter("u1", "ann@acme.example", ("a1", "a2")),
        Voter("u2", None),
        Voter("company-acme.example", None, ("company-acme.example",)),
    }
    assert [found for found, _ in voters.unreadable_fields["table.people.email"]] == ["u2"]
    assert accounts.records == (
        Account("a1", "Acme", "acme.example", "1200.50"),
        Account("a2", "Beta"),
        Account("company-acme.example", None, "acme.example"),
    )
    assert [found for found, _ in accounts.unreadable_fields["table.accounts.mrr"]] == ["a2"]


def test_status_changes_come_newest_first(tmp_path: Path) -> None:
    """One without a request, or without a status, is told."""
    mapping = MAPPING + '\n[status_changes]\nfile = "changes.csv"\n[status_changes.columns]\n'
    mapping += 'request_id = "Idea"\nstatus = "To"\nchanged_at = "At"\n'
    changes = "Idea,To,At\n1,Planned,2026-01-05\n1,Complete,2026-02-05\n,Closed,2026-02-06\n2,,2026-02-07\n"
    read = talk(made(tmp_path, mapping=mapping, changes=changes), lambda table: whole(table.status_changes()))
    assert [(change.request_id, change.source_status) for change in read.records] == [
        ("1", "Complete"),
        ("1", "Planned"),
    ]
    assert [rejected.reason for rejected in read.rejected] == ["no status", "its request has no id"]


def test_merged_requests_live_on_in_the_one_they_lead_to(tmp_path: Path) -> None:
    """Over several steps; what leads in a circle, or to nothing, is told."""
    mapping = MAPPING.replace('status = "State"', 'merged_into = "Into"')
    rows = "1,A,,\n2,B,1,\n3,C,2,\n4,D,5,\n5,E,4,\n6,F,99,\n7,G,7,\n"
    read = requests_of(made(tmp_path, mapping=mapping, requests=f"Idea,Title,Into,Created\n{rows}"))
    assert [(request.request_id, sorted(request.merged_ids)) for request in read.records] == [("1", ["2", "3"])]
    assert {rejected.key for rejected in read.rejected} == {"4", "5", "6", "7"}
    assert all("leads to no request" in rejected.reason for rejected in read.rejected)


def test_what_cannot_be_used_is_told_and_costs_nothing_else(tmp_path: Path) -> None:
    """Rows without an id or title, dates of another format, addresses that are none, lines of another length."""
    path = made(
        tmp_path,
        mapping=MAPPING.replace('status = "State"', 'url = "State"'),
        requests="Idea,Title,State,Created\n,No id,,\n2, ,,\n3,Fine,javascript:alert(1),01/02/2026\n4,=1+1,https://a.example/4,\n",
        votes="Idea,E-mail,Voted on\n,a@b.example,\n1,,\n3,a@b.example,02.03.2026\n3,b@b.example,2026-01-01,more\n",
    )
    requests, votes = requests_of(path), votes_of(path)
    assert {(one.key, one.reason) for one in requests.rejected} == {("item 1 without id", "no id"), ("2", "no title")}
    assert [(one.request_id, one.title, one.url) for one in requests.records] == [
        ("3", "Fine", None),
        ("4", "=1+1", "https://a.example/4"),
    ]
    assert set(requests.unreadable_fields) == {"table.feature_requests.url", "table.feature_requests.created_at"}
    assert {(one.key, one.reason) for one in votes.rejected} == {
        ("item 1 without id", "its request has no id"),
        ("item 2 without id", "nobody is named who voted"),
        ("votes.csv line 5", "more cells than the header has columns"),
    }
    assert [(one.request_id, one.created_at) for one in votes.records] == [("3", None)]
    assert len(votes.unreadable_fields["table.votes.created_at"]) == 1


def test_a_request_that_may_be_in_a_damaged_line_is_not_gone(tmp_path: Path) -> None:
    """What is gone is retired. One that was merged, by a row that can be read, is in no other line."""
    mapping = MAPPING.replace('status = "State"', 'merged_into = "Into"')
    rows = "Idea,Title,Into,Created\n1,A,,\n2,B,1,\n3,C,,,more\n"

    async def story(table: TableFeedback) -> tuple[object, object]:
        return await table.feature_request("3"), await table.feature_request("2")

    lost, merged = talk(made(tmp_path, mapping=mapping, requests=rows), story)
    assert isinstance(lost, Rejected)
    assert (lost.key, lost.reason) == (
        "3",
        "it is in no row of the table, but may be in one of the 1 lines that are no rows",
    )
    assert merged is None


def test_rows_that_repeat_count_once_and_are_said(tmp_path: Path) -> None:
    """Of votes without ids the earliest of one person stays."""
    path = made(
        tmp_path,
        requests=REQUESTS + '2,"Export, as CSV",In progress,2026-01-03T04:05:06Z\n',
        votes=VOTES + "1,ann@acme.example,2026-01-15\n",
    )

    async def story(table: TableFeedback) -> tuple[int, list[str], tuple[str, ...]]:
        requests, votes = await whole(table.feature_requests(statuses=())), await whole(table.votes())
        lines = tuple(finding.line for finding in table.findings)
        return len(requests.records), [vote.created_at.date().isoformat() for vote in votes.records], lines

    requests, votes, findings = talk(path, story)
    assert (requests, votes) == (2, ["2026-02-03", "2026-02-02", "2026-01-15"])
    assert findings == (
        "requests: 1 rows repeat others and count once",
        "votes: 1 rows repeat others and count once",
    )


def test_an_id_that_stands_for_different_rows_is_used_for_none(tmp_path: Path) -> None:
    """Which one is meant cannot be told, and is not guessed."""
    path = made(
        tmp_path,
        mapping=MAPPING.replace('voter_email = "E-mail"', 'voter_email = "E-mail"\nid = "Vote"'),
        requests=REQUESTS + "2,Another,Open,2026-01-03\n",
        votes="Vote,Idea,E-mail,Voted on\nv1,1,a@b.example,\nv1,2,a@b.example,\n"
        + "v2,1,a@b.example,\n" * 2
        + "v3,1,,\n",
    )
    requests, votes = requests_of(path), votes_of(path)
    assert ([one.request_id for one in requests.records], [one.key for one in requests.rejected]) == (["1"], ["2"])
    assert {one.vote_id: one.voter is None for one in votes.records} == {"v2": False, "v3": True}
    assert [one.key for one in votes.rejected] == ["v1", "v1"]
    assert {one.reason for one in (*requests.rejected, *votes.rejected)} == {
        "its id stands for rows that say different things"
    }


# ----------------------------------------------------------------------------------------------- the other formats


def test_a_folder_of_files_is_one_relation(tmp_path: Path) -> None:
    """In the order of their names, each with its own order of columns."""
    path = made(tmp_path, mapping=MAPPING.replace('"votes.csv"', '"votes"'))
    folder = tmp_path / "votes"
    folder.mkdir()
    (folder / "b.csv").write_text("Voted on,Idea,E-mail\n2026-03-01,2,c@c.example\n", encoding="utf-8")
    (folder / "a.csv").write_text(VOTES, encoding="utf-8")
    (folder / ".hidden.csv").write_text("x", encoding="utf-8")
    (folder / "~$a.csv").write_bytes(b"\x03Ann\0\0")
    (folder / "readme.md").write_text("x", encoding="utf-8")
    assert votes_of(path).records[0].voter.email == "c@c.example"
    (folder / "c.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"several types \(csv, json\)"):
        votes_of(path)


def test_every_kind_of_source_gives_the_same_records(tmp_path: Path) -> None:
    """CSV, TSV, Parquet, JSON, DuckDB and SQLite, with times as text or as times."""
    expected = votes_of(made(tmp_path)), requests_of(made(tmp_path))
    (tmp_path / "votes.tsv").write_text(VOTES.replace(",", "\t"), encoding="utf-8")
    with duckdb.connect(tmp_path / "own.duckdb") as connection:
        for name in ("votes", "requests"):
            csv = str(tmp_path / f"{name}.csv")
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_csv(?, all_varchar = true)", [csv])
            connection.execute(f"COPY {name} TO '{tmp_path / name}.json' (FORMAT json)")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            'CREATE OR REPLACE TABLE votes AS SELECT Idea::BIGINT AS Idea, "E-mail", '
            'try_cast("Voted on"::VARCHAR AS TIMESTAMPTZ) AS "Voted on" FROM votes'
        )
        connection.execute("CREATE OR REPLACE TABLE requests AS SELECT * REPLACE (Idea::BIGINT AS Idea) FROM requests")
        for name in ("votes", "requests"):
            connection.execute(f"COPY {name} TO '{tmp_path / name}.parquet' (FORMAT parquet)")
    with sqlite3.connect(tmp_path / "own.sqlite") as lite:
        for name, content in (("votes", VOTES), ("requests", REQUESTS)):
            header, *rows = content.splitlines()
            columns = ", ".join(f'"{column}"' for column in header.split(","))
            lite.execute(f"CREATE TABLE {name} ({columns})")
            for row in rows:
                cells = row.replace('"Export, as CSV"', "Export; as CSV").split(",")
                marks = ", ".join("?" * len(cells))
                lite.execute(f"INSERT INTO {name} VALUES ({marks})", [cell.replace(";", ",") for cell in cells])
    lite.close()
    select = {name: f'select = "SELECT * FROM {name}"' for name in ("votes", "requests")}
    mappings = {
        "tsv": MAPPING.replace("votes.csv", "votes.tsv"),
        "json": MAPPING.replace(".csv", ".json"),
        "parquet": MAPPING.replace(".csv", ".parquet"),
        "duckdb": MAPPING + '\n[database]\nkind = "duckdb"\nfile = "own.duckdb"\n',
        "sqlite": MAPPING + '\n[database]\nkind = "sqlite"\nfile = "own.sqlite"\n',
    }
    for kind, text in mappings.items():
        path = tmp_path / f"{kind}.toml"
        for name, statement in select.items() if "[database]" in text else ():
            mappings[kind] = mappings[kind].replace(f'file = "{name}.csv"', statement)
        path.write_text(mappings[kind], encoding="utf-8")
        assert (votes_of(path), requests_of(path)) == expected, kind


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("duckdb", "SELECT 1; SELECT 2"),
        ("duckdb", "DELETE FROM votes"),
        ("duckdb", "COPY votes TO 'x.csv'"),
        ("duckdb", "ATTACH 'x.duckdb'"),
        ("duckdb", "SELECT * FROM read_csv('requests.csv')"),
        ("duckdb", "SELECT * FROM 'requests.csv'"),
        ("duckdb", "INSTALL httpfs"),
        ("sqlite", "SELECT 1; SELECT 2"),
        ("sqlite", "DELETE FROM votes"),
        ("sqlite", "WITH x AS (SELECT 1) DELETE FROM votes"),
        ("sqlite", "PRAGMA journal_mode = DELETE"),
        ("sqlite", "ATTACH 'x.sqlite' AS x"),
        ("sqlite", "SELECT load_extension('x')"),
        ("sqlite", "SELECT FROM"),
    ],
)
def test_a_statement_that_is_no_single_select_is_refused(tmp_path: Path, kind: str, statement: str) -> None:
    """Nothing is written to the database, and nothing but it is read."""
    if kind == "duckdb":
        with duckdb.connect(tmp_path / "own.db") as connection:
            connection.execute("CREATE TABLE votes AS SELECT 1 AS x")
    else:
        with sqlite3.connect(tmp_path / "own.db") as lite:
            lite.execute("CREATE TABLE votes AS SELECT 1 AS x")
        lite.close()
    before = (tmp_path / "own.db").read_bytes()
    text = MAPPING.replace('file = "votes.csv"', f'select = "{statement}"')
    path = made(tmp_path, mapping=f'{text}\n[database]\nkind = "{kind}"\nfile = "own.db"\n')
    with pytest.raises((ConfigurationError, ContractError), match=r"votes.*select"):
        votes_of(path)
    assert (tmp_path / "own.db").read_bytes() == before
    assert not {one.name for one in tmp_path.iterdir()} - {"own.db", "feedback.toml", "requests.csv", "votes.csv"}


@pytest.mark.parametrize("cell", ["CAST(who AS INTEGER)", "strptime(who, '%Y')"])
def test_a_statement_that_fails_at_a_value_does_not_repeat_it(tmp_path: Path, cell: str) -> None:
    """Values are people's data, and messages go to logs."""
    with duckdb.connect(tmp_path / "own.db") as connection:
        connection.execute("CREATE TABLE votes AS SELECT 'Ada Lovelace' AS who")
    statement = f'SELECT {cell} AS Idea, who AS "E-mail", who AS "Voted on" FROM votes'
    text = MAPPING.replace('file = "votes.csv"', f'select = """{statement}"""')
    path = made(tmp_path, mapping=f'{text}\n[database]\nkind = "duckdb"\nfile = "own.db"\n')
    with pytest.raises(ContractError, match=r"select was refused by own.db: \w+Exception: a value does") as refused:
        votes_of(path)
    assert "Lovelace" not in str(refused.value)


def test_a_confined_mapping_stays_in_its_folder(tmp_path: Path) -> None:
    """Neither a path that climbs, an absolute one, nor a link leads out of it."""
    (tmp_path / "secret.csv").write_text(VOTES, encoding="utf-8")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link.csv").symlink_to(tmp_path / "secret.csv")
    for named in ("../secret.csv", str(tmp_path / "secret.csv"), "link.csv"):
        path = made(inner, mapping=MAPPING.replace('"votes.csv"', f'"{named}"'))
        assert len(votes_of(path).records) == 3
        with pytest.raises(ConfigurationError, match="outside the folder"):
            votes_of(path, confined=True)
    assert len(votes_of(made(inner), confined=True).records) == 3


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A device would be read for ever; a file that is missing is named."""
    for named, said in (("/dev/zero", "is no file"), ("missing.csv", "does not exist"), ("feedback.toml", "type")):
        with pytest.raises(ConfigurationError, match=said):
            votes_of(made(tmp_path, mapping=MAPPING.replace('"votes.csv"', f'"{named}"')))


@pytest.mark.parametrize(
    ("name", "content"), [("json", b'[{"Idea": 1,'), ("parquet", b"PAR1 and no more"), ("json", b"\x00")]
)
def test_files_that_are_cut_are_said_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    """Without a word of what they hold."""
    path = made(tmp_path, mapping=MAPPING.replace("votes.csv", f"votes.{name}"))
    (tmp_path / f"votes.{name}").write_bytes(content)
    with pytest.raises(ContractError, match=rf"votes.{name} cannot be read as {name.upper()}") as caught:
        votes_of(path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    """It would look like all votes taken back."""
    with pytest.raises(ContractError, match=r"votes.csv has a header and no rows: .*last ranking stands"):
        votes_of(made(tmp_path, votes="Idea,E-mail,Voted on\n"))


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"votes": "Idea,E-mail,Voted on\n  ,  ,  \n"}, "votes: none of 1 rows names a request and who voted"),
        ({"votes": "Idea,E-mail,Voted on\n1,,\n2,,\n"}, "votes: none of 2 rows names a request and who voted"),
        ({"requests": "Idea,Title,State,Created\n,Dark mode,,\n"}, "requests: none of 1 rows has an id and a title"),
        ({"requests": "Idea,Title,State,Created\n1, ,,\n"}, "requests: none of 1 rows has an id and a title"),
    ],
)
def test_a_table_of_which_no_row_can_be_used_is_refused(tmp_path: Path, tables: dict[str, str], said: str) -> None:
    """It would look like all votes taken back, as one without rows does."""
    path = made(tmp_path, **tables)
    with pytest.raises(ContractError, match=f"{said}: .*last ranking stands"):
        (requests_of if "requests" in tables else votes_of)(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("json", b"[]", "votes.json holds no records"),
        ("json", b'{"data": [{"Idea": "1"}], "next": null}', 'its records in the list "data"'),
        ("json", b"<html>Sign in</html>", "is a web page or XML"),
    ],
)
def test_json_that_holds_no_list_of_records_is_told(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """By what it is, and not as damage."""
    path = made(tmp_path, mapping=MAPPING.replace("votes.csv", f"votes.{name}"))
    (tmp_path / f"votes.{name}").write_bytes(content)
    with pytest.raises(ContractError, match=re.escape(said)):
        votes_of(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_may_begin_with_a_mark(tmp_path: Path, encoding: str) -> None:
    """As programs of one maker write it."""
    path = made(tmp_path, mapping=MAPPING.replace("votes.csv", "votes.json"))
    row = '[{"Idea": "1", "E-mail": "änn@acme.example", "Voted on": "2026-01-01"}]'
    (tmp_path / "votes.json").write_bytes(row.encode(encoding))
    assert [vote.voter.email for vote in votes_of(path).records] == ["änn@acme.example"]


def test_rows_below_other_lines_or_with_other_line_ends_are_read(tmp_path: Path) -> None:
    """Lines that only stand before the header, line ends of two systems, a name with a space nobody sees as another."""
    mixed = "sep=,\r\n\r\n" + VOTES.replace("Voted on", "Voted\u00a0on").replace("\n", "\r\n", 2)
    assert votes_of(made(tmp_path, votes=mixed)).records == votes_of(made(tmp_path)).records


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("~nobody-of-this-name/votes.csv", "does not exist"),
        ("votes*.csv", "does not exist.*a pattern is not followed: name a folder"),
        (r"sub\\votes.csv", "does not exist.*write / between folders"),
        (r"sub\tvotes.csv", "sub votes.csv does not exist.*put it in single quotes"),
        (r"vo\u0000tes.csv", "vo tes.csv does not exist.*put it in single quotes"),
        ("s3://bucket/votes.csv", "does not exist.*only those that begin with https"),
        ("votes.xlsx", "is a workbook, which is not read: save the sheet as CSV"),
        ("votes.csv.gz", "is packed, and not read as it is: unpack it"),
    ],
)
def test_what_cannot_be_read_by_its_name_says_what_to_do(tmp_path: Path, named: str, said: str) -> None:
    """A path is taken as it is written, and never as a pattern."""
    for name in ("votes.xlsx", "votes.csv.gz"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ConfigurationError, match=said):
        votes_of(made(tmp_path, mapping=MAPPING.replace('"votes.csv"', f'"{named}"')))


@pytest.mark.parametrize(
    ("amounts", "written", "doubted"),
    [
        (("2.000", "150"), "1234.56", True),
        (("EUR 2.000", ""), "1234.56", True),
        (("2,000", "12,500"), "1.234,56", True),
        (("2.000", "1.5"), "1234.56", False),
        (("0.125", "10"), "1234.56", False),
        (("1,250.125", "2.000"), "1,234.56", False),
        (("2000", "150"), "1234.56", False),
    ],
)
def test_decimals_that_look_like_thousands_are_said(
    tmp_path: Path, amounts: tuple[str, str], written: str, *, doubted: bool
) -> None:
    """`2.000` is two, or two thousand; whether the declared format is the right one the other amounts may tell."""
    mapping = MAPPING + (
        f'\n[money]\nformat = "{written}"\n\n[companies]\nfile = "companies.csv"\n\n'
        '[companies.columns]\nid = "Id"\narr = "ARR"\n'
    )
    rows = "".join(f'{place},"{one}"\n' for place, one in enumerate(amounts))
    path = made(tmp_path, mapping=mapping, companies=f"Id,ARR\n{rows}")

    async def story(table: TableFeedback) -> list[str]:
        await whole(table.companies())
        return [finding.line for finding in table.findings if "three decimals" in finding.line]

    assert bool(talk(path, story)) is doubted


def test_votes_that_lead_nowhere_are_told_to_who_looks_at_the_mapping(tmp_path: Path) -> None:
    """For requests that are not there, and by names, of which no company is found. No name is repeated."""
    path = made(tmp_path, votes=VOTES + "3,Ann Lovelace,2026-01-01\n='1',\"a@b.example; c@d.example\",2026-01-01\n")
    doubts = asyncio.run(first_rows(path)).findings
    assert doubts == (
        "2 of 5 votes are for requests that are not in the table: 3, ='1'",
        "2 of 5 votes have something else than one e-mail address as voter_email: no company is found by it",
    )
    assert asyncio.run(first_rows(made(tmp_path))).findings == ()


def test_accounts_without_rows_are_said_and_stop_nothing(tmp_path: Path) -> None:
    """A ranking is made of requests and votes; who has no accounts exports a header alone."""
    mapping = MAPPING + '\n[accounts]\nfile = "accounts.csv"\n\n[accounts.columns]\nid = "Id"\nname = "Name"\n'
    path = made(tmp_path, mapping=mapping, accounts="Id,Name\n")

    async def story(table: TableFeedback) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        found = await whole(table.accounts())
        return found.records, tuple(finding.line for finding in table.findings)

    found, lines = talk(path, story)
    assert found == ()
    assert any(line == "accounts.csv has a header and no rows: there are no accounts" for line in lines)


def test_a_file_that_is_old_is_said(tmp_path: Path) -> None:
    """By the time it was written, and by its newest vote."""
    path = made(tmp_path, mapping=MAPPING + "\n[freshness]\nfile_hours = 24\nnewest_vote_hours = 48\n")
    os.utime(tmp_path / "votes.csv", (1_767_225_600, 1_767_225_600))

    async def story(table: TableFeedback) -> tuple[str, ...]:
        await whole(table.votes())
        return tuple(finding.line for finding in table.findings)

    file, votes = talk(path, story)
    assert file.startswith("votes.csv is stale: it was written 2026-01-01 00:00 UTC")
    assert votes.startswith("votes are stale: the newest is of 2026-02-03 08:00 UTC")


def test_dates_that_look_swapped_are_said(tmp_path: Path) -> None:
    """Where the declared format puts the month first, and no day is later than the twelfth."""
    rows = "".join(
        f"1,p{month}-{day}@a.example,{day:02}/{month:02}/2026\n" for month in range(1, 13) for day in range(1, 13)
    )
    path = made(tmp_path, mapping=MAPPING + '\n[dates]\nformat = "%m/%d/%Y"\n', votes=f"Idea,E-mail,Voted on\n{rows}")

    async def story(table: TableFeedback) -> tuple[str, ...]:
        await whole(table.votes())
        return tuple(finding.line for finding in table.findings)

    assert "day and month may be swapped" in talk(path, story)[0]


def test_a_database_that_another_process_writes_is_worth_another_try(tmp_path: Path) -> None:
    """Locked is not broken."""
    import subprocess
    import sys

    text = MAPPING.replace('file = "votes.csv"', 'select = "SELECT * FROM votes"')
    path = made(tmp_path, mapping=f'{text}\n[database]\nkind = "duckdb"\nfile = "own.duckdb"\n')
    code = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); c.execute('CREATE TABLE votes AS SELECT 1 AS x');"
        "print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "own.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(TransientError, match="open for writing in another process"):
            votes_of(path)
        holder.communicate("")


ENDLESS = {
    "no row": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) AS idea FROM r",
    "rows": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n AS idea FROM r",
}


def endless(folder: Path, kind: Literal["duckdb", "sqlite"], statement: str) -> tuple[Database, Path]:
    """A database in which nothing needs to be for a SELECT without end."""
    file = folder / "own.db"
    if kind == "duckdb":
        duckdb.connect(file).close()
    else:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE votes (idea)")
    mapping = MAPPING.split("[votes]")[0] + (
        f'[votes]\nselect = "{statement}"\n\n[votes.columns]\nrequest_id = "idea"\nvoter_id = "idea"\n\n'
        f'[database]\nkind = "{kind}"\nfile = "own.db"\n'
    )
    return Database(kind=kind, file="own.db"), made(folder, mapping=mapping)


@pytest.mark.parametrize("ending", ENDLESS)
@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_select_that_never_ends_is_stopped(tmp_path: Path, kind: Literal["duckdb", "sqlite"], ending: str) -> None:
    """By the time it may take; also one that brings rows all the time."""
    database, mapping = endless(tmp_path, kind, ENDLESS[ending])
    opening = selected(
        database, mapping.with_name("own.db"), ENDLESS[ending], {}, named="[votes].select", stops=Stops(), seconds=0.2
    )
    with pytest.raises(ContractError, match=r"has not brought its last row within 0.2 s"), opening as result:
        for _ in result.batches:
            pass


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_cancelled_read_does_not_wait_for_its_select(tmp_path: Path, kind: Literal["duckdb", "sqlite"]) -> None:
    """Ctrl-C ends a command whose SELECT would go on."""
    _, mapping = endless(tmp_path, kind, ENDLESS["no row"])

    async def story(table: TableFeedback) -> None:
        async with asyncio.timeout(0.3):
            await whole(table.votes())

    with pytest.raises(TimeoutError):
        talk(mapping, story)


def test_rows_without_number_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they fill the disk."""
    monkeypatch.setattr(importing, "MOST_ROWS", 20_000)
    _, mapping = endless(tmp_path, "sqlite", ENDLESS["rows"])
    with pytest.raises(ContractError, match=r"\[votes\].select brings more than 20,000 rows: it is stopped"):
        votes_of(mapping)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("ui; api", ("ui", "api")),
        ("ui, api,ui", ("ui", "api")),
        ("rest, soap; api", ("rest, soap", "api")),
        ("ui|api", ("ui", "api")),
        ("ui\napi\n", ("ui", "api")),
        ('["rest, soap", "api", null, ""]', ("rest, soap", "api")),
        ("[beta], api", ("[beta]", "api")),
        ("[1, 2.5, -3]", ("1", "2.5", "-3")),
        ('[{"id": 7, "Name": "rest, soap"}, {"label": "api"}, {"value": 12}]', ("rest, soap", "api", "12")),
        ('{"title": "ui"}', ("ui",)),
        ("{ui}, api", ("{ui}", "api")),
        (" ; ", ()),
        ("", ()),
    ],
)
def test_tags_are_several_names_in_one_cell(text: str, tags: tuple[str, ...]) -> None:
    """As spreadsheets, other exports and lists of databases have them; a name may hold a comma."""
    unreadable: dict[str, str] = {}
    assert tags_of(text, unreadable) == tags
    assert unreadable == {}


@pytest.mark.parametrize("entry", ['{"colour": "red"}', "true", '["deeper"]', '{"name": {"en": "x"}}'])
def test_a_tag_without_a_name_is_told(entry: str) -> None:
    """The others count; the request has them, and the run says of how many requests a tag is missing."""
    unreadable: dict[str, str] = {}
    assert tags_of(f'["ui", {entry}, 3]', unreadable) == ("ui", "3")
    assert unreadable["tags"].startswith("an entry of the JSON list is neither a text nor a number, and has no name, ")


def test_tags_are_read_from_text_and_from_lists(tmp_path: Path) -> None:
    """The same from a CSV, from JSON and from a list of Parquet and of DuckDB; without a column there are none."""
    tagged = MAPPING.replace('title = "Title"', 'title = "Title"\ntags = "Tags"')
    with duckdb.connect(tmp_path / "made.duckdb") as connection:
        connection.execute(
            """
            CREATE TABLE ideas AS FROM (VALUES
                ('1', 'One', 'Planned', '2026-01-02', ['rest, soap', 'api']),
                ('2', 'Two', 'Planned', '2026-01-03', NULL)
            ) AS t ("Idea", "Title", "State", "Created", "Tags")
            """
        )
        for kind in ("json", "parquet"):
            connection.execute(f"COPY ideas TO '{tmp_path}/ideas.{kind}' (FORMAT {kind})")
    text = "Idea,Title,State,Created,Tags\n1,One,Planned,2026-01-02,"
    made(tmp_path, requests=f'{text}"rest, soap; api"\n2,Two,Planned,2026-01-03,\n')
    database = '\n[database]\nkind = "duckdb"\nfile = "made.duckdb"\n'
    sources = {
        "csv": tagged,
        "json": tagged.replace("requests.csv", "ideas.json"),
        "parquet": tagged.replace("requests.csv", "ideas.parquet"),
        "duckdb": tagged.replace('file = "requests.csv"', 'select = "SELECT * FROM ideas"') + database,
        "none": MAPPING,
    }
    found = {}
    for kind, mapping in sources.items():
        path = tmp_path / f"{kind}.toml"
        path.write_text(mapping, encoding="utf-8")
        found[kind] = [one.tags for one in requests_of(path).records]
    expected: list[tuple[str, ...]] = [("rest, soap", "api"), ()]
    assert found == {**dict.fromkeys(sources, expected), "none": [(), ()]}
