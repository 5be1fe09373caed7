"""The mapping proposed for files of which nothing is known."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from integration_assets.cli import app
from integration_assets.connectors.feedback.table.mapping import parse_mapping, read_mapping
from integration_assets.connectors.feedback.table.proposal import date_formats, propose
from integration_assets.connectors.feedback.table.samples import sample
from integration_assets.errors import ConfigurationError, ContractError
from integration_assets_tests.connectors.feedback.table.tables import requests_of, votes_of


def written(folder: Path, **files: str) -> list[Path]:
    paths = [folder / f"{name}.csv" for name in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_text(content, encoding="utf-8")
    return paths


VOTES = "Idea ID,User Email,Voted At,Plan\nI-1,ann@acme.example,13/02/2026,pro\nI-2,bob@b.example,01/03/2026,free\n"
IDEAS = "Idea ID;Idea Name;State;Created;Link\nI-1;Dark mode;Shipped;01/01/2026;https://a.example/1\n"


def test_columns_are_found_by_their_names_and_dates_by_their_values(tmp_path: Path) -> None:
    """A day beyond the twelfth tells which of two numbers is the month."""
    files = written(tmp_path, votes=VOTES, ideas=IDEAS)
    proposal = propose([sample(one) for one in files], tmp_path)
    mapping = parse_mapping(proposal.text)
    assert mapping.requests is not None
    assert mapping.votes is not None
    assert mapping.requests.columns == {
        "id": "Idea ID",
        "title": "Idea Name",
        "status": "State",
        "created_at": "Created",
        "url": "Link",
    }
    assert mapping.votes.columns == {"request_id": "Idea ID", "voter_email": "User Email", "created_at": "Voted At"}
    assert (mapping.requests.file, mapping.votes.file, mapping.dates.format) == ("ideas.csv", "votes.csv", "%d/%m/%Y")
    assert '# not used: "Plan"' in proposal.text
    path = tmp_path / "feedback.toml"
    path.write_text(proposal.text, encoding="utf-8")
    assert (len(requests_of(path).records), len(votes_of(path).records)) == (1, 2)


def test_one_file_of_votes_with_the_titles_of_their_requests_is_both(tmp_path: Path) -> None:
    """Rows of one request that say the same are one request."""
    rows = "Post ID,Title,Voter,When\n1,Dark mode,a@b.example,2026-01-01\n1,Dark mode,c@d.example,2026-01-02\n"
    [file] = written(tmp_path, export=rows)
    path = tmp_path / "feedback.toml"
    path.write_text(propose([sample(file)], tmp_path).text, encoding="utf-8")
    mapping = read_mapping(path)
    assert mapping.requests is not None
    assert mapping.requests.columns == {"id": "Post ID", "title": "Title"}
    assert ([one.title for one in requests_of(path).records], len(votes_of(path).records)) == (["Dark mode"], 2)


@pytest.mark.parametrize("named", ["Title", "Feature", "Idea", "Request"])
def test_a_list_of_who_asked_for_what_is_both(tmp_path: Path, named: str) -> None:
    """The title is the id, where nothing else is."""
    rows = f"{named},Customer email,Date\nDark mode,a@b.example,2026-01-01\nDark mode,c@d.example,2026-01-02\n"
    [file] = written(tmp_path, votes=rows)
    path = tmp_path / "feedback.toml"
    path.write_text(propose([sample(file)], tmp_path).text, encoding="utf-8")
    assert [(one.request_id, one.title) for one in requests_of(path).records] == [("Dark mode", "Dark mode")]
    assert {one.request_id for one in votes_of(path).records} == {"Dark mode"}
    assert len(votes_of(path).records) == 2


def test_a_column_of_addresses_is_found_whatever_it_is_called(tmp_path: Path) -> None:
    """And one that is called after a person and holds names is none."""
    rows = "Idea,Title,Voter,Reached at\n1,A,Ann,a@b.example\n"
    [file] = written(tmp_path, votes=rows)
    mapping = parse_mapping(propose([sample(file)], tmp_path).text)
    assert mapping.votes is not None
    assert mapping.votes.columns["voter_email"] == "Reached at"


@pytest.mark.parametrize(
    ("cells", "formats"),
    [
        (["2026-01-02", "2026-01-02T03:04:05Z"], ("iso",)),
        (["1767225600"], ("unix",)),
        (["1767225600000"], ("unix_ms",)),
        (["13/01/2026 10:00"], ("%d/%m/%Y %H:%M",)),
        (["01/13/2026"], ("%m/%d/%Y",)),
        (["01/02/2026"], ("%d/%m/%Y", "%m/%d/%Y")),
        (["01.02.2026"], ("%d.%m.%Y",)),
        (["Jan 31, 2026"], ("%b %d, %Y",)),
        (["soon"], ()),
        ([], ("iso",)),
    ],
)
def test_dates_are_only_told_where_they_can_be_read_one_way(cells: list[str], formats: tuple[str, ...]) -> None:
    """All the formats that read every cell."""
    assert date_formats(cells) == formats


@pytest.mark.parametrize(
    ("cells", "format_"),
    [
        (["1,200.50"], "1,234.56"),
        (["1.200,50"], "1.234,56"),
        (["€5", "€1,200.50"], None),
        (["500"], "1234.56"),
        (["1200.5"], "1234.56"),
        (["12,5"], "1234,56"),
        (["1,200"], "1234.56"),
        (["1,200,000"], "1,234.56"),
    ],
)
def test_money_is_proposed_where_it_can_be_told(tmp_path: Path, cells: list[str], format_: str | None) -> None:
    """1,200 may be a thousand or one."""
    rows = "".join(f'c{place},"{cell}"\n' for place, cell in enumerate(cells))
    files = written(tmp_path, votes=VOTES, ideas=IDEAS, companies=f"Company ID,ARR\n{rows}")
    proposal = propose([sample(one) for one in files], tmp_path)
    if format_ is None:
        assert any("several ways" in note for note in proposal.notes)
    else:
        assert parse_mapping(proposal.text).money.format == format_


def test_typed_files_need_no_format_of_dates(tmp_path: Path) -> None:
    """Parquet knows what a time is; and nothing of it is rows where there are none."""
    files = [tmp_path / "votes.parquet", *written(tmp_path, ideas=IDEAS.replace("01/01/2026", "2026-01-01"))]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE votes AS SELECT 'I-1' AS idea_id, 'a@b.example' AS email, now() AS voted_at")
        connection.execute(f"COPY votes TO '{files[0]}' (FORMAT parquet)")
    proposal = propose([sample(one) for one in files], tmp_path)
    assert (parse_mapping(proposal.text).dates.format, proposal.open) == ("iso", ())
    files[1].write_text("Idea ID;Idea Name\n", encoding="utf-8")
    with pytest.raises(ContractError, match="has no rows"):
        sample(files[1])
    with pytest.raises(ConfigurationError, match="is no file"):
        sample(tmp_path / "none.csv")


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    """With the columns that would be needed."""
    votes, ideas = written(tmp_path, votes=VOTES, ideas=IDEAS)
    with pytest.raises(ConfigurationError, match=r"no requests were found in votes\.csv"):
        propose([sample(votes)], tmp_path)
    with pytest.raises(ConfigurationError, match=r"no votes were found in ideas\.csv"):
        propose([sample(ideas)], tmp_path)


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["table", *words])
    if isinstance(result.exception, ConfigurationError | ContractError):
        return result.exception.exit_code, f"{result.output}{result.exception.message}"
    return result.exit_code, result.output


def test_init_writes_the_mapping_and_shows_the_first_rows(tmp_path: Path) -> None:
    """Without an address of anybody; a mapping that is there is not written over."""
    files = [str(one) for one in written(tmp_path, votes=VOTES, ideas=IDEAS)]
    code, output = run("init", *files)
    assert code == 0, output
    assert "requests: 1 read" in output
    assert "votes: 2 read" in output
    assert "2026-02-13" in output
    assert "@" not in output
    assert (tmp_path / "feedback.toml").exists()
    code, output = run("init", *files)
    assert (code, "exists: name another file by --out" in output) == (2, True)
    code, output = run("check", str(tmp_path / "feedback.toml"))
    assert (code, "votes: 2 read" in output) == (0, True)


def test_dates_that_can_be_read_two_ways_are_left_open(tmp_path: Path) -> None:
    """Until a person declares them, in the file or on the command line."""
    files = [str(one) for one in written(tmp_path, votes=VOTES.replace("13/02", "03/02"), ideas=IDEAS)]
    code, output = run("init", *files)
    assert code == 2
    assert 'declare [dates].format: "%d/%m/%Y" or "%m/%d/%Y"' in output
    code, output = run("check", str(tmp_path / "feedback.toml"))
    assert (code, "must be declared" in output) == (2, True)
    code, output = run("init", *files, "--dates", "%m/%d/%Y", "--out", str(tmp_path / "other.toml"))
    assert (code, "2026-03-02" in output) == (0, True)
    assert run("init", *files, "--dates", "US")[0] == 2


def test_check_says_what_cannot_be_used(tmp_path: Path) -> None:
    """With how many, and why."""
    files = written(tmp_path, votes=VOTES + ",nobody@a.example,01/03/2026,\nI-1,x@a.example,2026,\n", ideas=IDEAS)
    assert run("init", *map(str, files), "--dates", "%d/%m/%Y")[0] == 0
    code, output = run("check", str(tmp_path / "feedback.toml"))
    assert code == 0
    assert "note: votes: 1 cannot be used: its request has no id" in output
    assert "note: table.votes.created_at of 1 records cannot be read: not a time as [dates].format declares" in output
