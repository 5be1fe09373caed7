"""The mapping: what it accepts, and what it says of everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration_assets.connectors.feedback.table.mapping import parse_mapping, read_mapping
from integration_assets.errors import ConfigurationError
from integration_assets.models import Status
from integration_assets_tests.connectors.feedback.table.tables import MAPPING


def test_a_mapping_says_where_the_relations_are() -> None:
    """What is not declared has its default; words for a status are the table's own."""
    mapping = parse_mapping(f'{MAPPING}\n[statuses]\n"Not now" = "closed"\n')
    assert list(mapping.relations()) == ["requests", "votes"]
    assert mapping.statuses == {"Not now": Status.CLOSED}
    assert (mapping.date_format.format, mapping.date_format.zone) == ("iso", "UTC")


def test_two_mappings_that_differ_have_two_digests() -> None:
    """Another mapping reads another table, also where only a format differs."""
    one, other = parse_mapping(MAPPING), parse_mapping(MAPPING + '\n[dates]\ntime_zone = "Europe/Berlin"\n')
    assert one.digest != other.digest
    assert one.digest == parse_mapping("# a remark\n" + MAPPING).digest


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda text: "", r"there is no \[requests\]"),
        (lambda text: text.split("[votes]")[0], r"there is no \[votes\]"),
        (lambda text: text + "[vote]\n", "no setting `vote`"),
        (lambda text: text.replace('file = "votes', 'path = "votes'), r"\[votes\]: there is no setting `path`"),
        (lambda text: text.replace("voter_email", "emial"), r"\[votes.columns\]: there is no field emial; fields are"),
        (lambda text: text.replace('voter_email = "E-mail"', ""), "one of voter_id, voter_email, account_id"),
        (lambda text: text.replace('title = "Title"', ""), r"\[requests.columns\]: title is missing"),
        (lambda text: text.replace('"Title"', '" "'), r"\[requests.columns\].title: names no column"),
        (lambda text: text.replace('"Title"', "7"), r"\[requests.columns\].*Expected text"),
        (lambda text: text.replace('file = "votes.csv"', ""), r"\[votes\]: either file or select"),
        (lambda text: text.replace('"votes.csv"', '"http://a.example/x"'), "must begin with https://"),
        (lambda text: text.replace('file = "votes.csv"', 'select = "SELECT 1"'), r"needs a \[database\]"),
        (lambda text: text.replace("[votes]", '[votes]\nencoding = "rot13"'), r"\[votes\].encoding: must be one of"),
        (lambda text: text.replace("[votes]", '[votes]\ndelimiter = ", "'), r"\[votes\].delimiter: must be one char"),
        (lambda text: text + '[dates]\nformat = ""\n', r"\[dates\].format: must be declared"),
        (lambda text: text + '[dates]\nformat = "dd/mm/yyyy"\n', r"\[dates\].format: must be"),
        (lambda text: text + '[dates]\nformat = "%d/%m"\n', "must hold a year"),
        (lambda text: text + '[dates]\nformat = "%Y-%m-%d %Q"\n', "%Q is no part of a date"),
        (lambda text: text + '[dates]\ntime_zone = "Mars/Base"\n', r"\[dates\].time_zone: must be a name"),
        (lambda text: text + '[money]\nformat = "12.50"\n', r"\[money\].format: must be 1234.56"),
        (lambda text: text + '[money]\nformat = "1.234.56"\n', "one sign for thousands and for the decimals"),
        (
            lambda text: text + '[statuses]\nDone = "finished"\n',
            r"\[statuses\]: Invalid enum value 'finished'; it is one of open, under_",
        ),
        (lambda text: text.replace('"votes.csv"', r'"C:\new\votes.csv"'), r"not TOML: .*in a path, write /"),
        (lambda text: text + '[database]\nkind = "postgresql"\nfile = "x"\n', "reached by url_variable"),
        (
            lambda text: text + '[database]\nkind = "postgresql"\nurl_variable = "postgresql://u:p@h/d"\n',
            "and not the URL itself",
        ),
        (lambda text: text + '[database]\nkind = "sqlite"\n', "sqlite is a file"),
        (lambda text: text + "[freshness]\nfile_hours = 0\n", r"\[freshness\].file_hours: must be a number"),
        (lambda text: "a = ", "is not TOML"),
    ],
)
def test_what_cannot_be_used_is_named_by_its_place(changed, said: str) -> None:
    """One line for the person who wrote the file; exit code 2."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        parse_mapping(changed(MAPPING), named="feedback.toml")
    assert str(caught.value).startswith("feedback.toml")
    assert caught.value.exit_code == 2
    assert "u:p@h" not in str(caught.value)


def test_the_table_itself_is_no_mapping(tmp_path: Path) -> None:
    """Named in its place by mistake, it is told by its size before it is read."""
    table = tmp_path / "votes.csv"
    table.write_bytes(b"a,b\n" * 100_000)
    with pytest.raises(ConfigurationError, match="table init"):
        read_mapping(table)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_mapping(tmp_path / "missing.toml")
