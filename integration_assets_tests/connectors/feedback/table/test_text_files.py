"""Text files before they are read: encodings, delimiters, and damage that shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration_assets.connectors.feedback.table.text_files import LONGEST_LINE, PIECE, TextTable, ready
from integration_assets.errors import ContractError

ROWS = "Idea,Größe\n1,grün\n2,„blau“\n"


def read(
    tmp_path: Path, content: bytes, columns: tuple[str, ...] = ("Idea",), encoding: str | None = None
) -> TextTable:
    path = tmp_path / "votes.csv"
    path.write_bytes(content)
    return ready(path, tmp_path / "out", named="votes.csv", columns=columns, encoding=encoding, delimiter=None)


@pytest.mark.parametrize(
    ("content", "declared", "note"),
    [
        (ROWS.encode(), None, None),
        (ROWS.encode("utf-8-sig"), None, None),
        (ROWS.encode("utf-16"), None, "read as UTF-16"),
        (ROWS.encode("utf-32"), None, "read as UTF-32"),
        (ROWS.encode("cp1252"), None, "read as Windows-1252, as line 1 is not UTF-8"),
        (ROWS.encode("utf-16-le"), "utf-16-le", None),
        (ROWS.encode("cp1250"), "windows-1250", None),
        (ROWS.encode("utf-16"), "utf-8", "its first bytes say, not utf-8 as declared"),
    ],
)
def test_the_encoding_is_found_and_said(tmp_path: Path, content: bytes, declared: str | None, note: str | None) -> None:
    """The text is the same whatever the encoding, and what was assumed is said."""
    table = read(tmp_path, content, ("Idea", "Größe"), declared)
    assert table.path.read_text(encoding="utf-8-sig").splitlines() == ROWS.splitlines()
    assert len(table.notes) == (note is not None)
    assert note is None or note in table.notes[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"  \n ", "is empty"),
        (b"Idea,a\n1,x\x00y\n", "NUL byte in line 2"),
        ("Idea,a\n1,x\n".encode("utf-16-le"), "looks like UTF-16 without its mark"),
        (b"Idea,a\n1,gr\xfcn\n2,gr\xc3\xbcn\n", "mixes encodings: line 2 is not UTF-8"),
        (b"Idea,a\n1,\x81\n", "neither UTF-8"),
        (b"Idea,a\n" + b"x" * (LONGEST_LINE * 2), "a line of more than 1 MiB"),
        (b'Idea,a\n1,"cut sho', "a quotation mark without a partner"),
        (b"Idea,a,b\n1,x,y\n2,x", "cut short: its last line ends after 2 of 3 columns"),
        (b"Id,a\n1,x\n", 'no column "Idea"; its columns are "Id", "a"'),
        (b"Idea,Idea\n1,x\n", 'two columns called "Idea"'),
        ("Idea,a\n1,x\n".encode("utf-16")[:-1], "cannot be read as UTF-16"),
        (b"PK\x03\x04" + bytes(60), "is an Excel workbook or another zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is a workbook of an older Excel"),
        (b"\x1f\x8b\x08" + bytes(60), "is packed by gzip: unpack it"),
        (b"%PDF-1.7\n%\xe2\xe3\n", "is a PDF"),
        (b"PAR1" + bytes(60), 'declare type = "parquet"'),
        (b"SQLite format 3\0" + bytes(60), "name it in [database]"),
        (b"\n<!DOCTYPE html><title>Sign in</title>\n", "is a web page or XML, and no table"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><Error/>\n", "is a web page or XML, and no table"),
        (b'{"error": "unauthorized", "code": 401}\n', 'it looks like JSON: declare type = "json"'),
        (b"Votes of March,\nIdea,a\n1,x\n", "the header stands further down: remove the line above it"),
        (b"Votes,\nof,March\nIdea;a\n1;x\n", "remove the 2 lines above it"),
    ],
)
def test_damage_that_shows_is_one_clear_line(tmp_path: Path, content: bytes, said: str) -> None:
    """Refused, because what could still be read of it would be another table."""
    with pytest.raises(ContractError, match=r"votes\.csv") as caught:
        read(tmp_path, content)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("before", "skipped"), [("\n  \n", 2), ("sep=;\n", 1), ('"sep=;"\n\n', 2), ("\ufeffsep=;\r\n", 1)]
)
def test_lines_that_only_stand_before_the_header_are_passed_over(tmp_path: Path, before: str, skipped: int) -> None:
    """Empty ones, and the one by which Excel tells itself the delimiter."""
    table = read(tmp_path, f"{before}Idea;a,b\n1;x\n".encode())
    assert (table.skipped, table.delimiter, table.header) == (skipped, ";", ("Idea", "a,b"))


@pytest.mark.parametrize(
    "written", ["Voted\u00a0on", '"Voted\non"', " Voted  on ", "\ufeff\ufeffVoted on", "Vo\u200bted on"]
)
def test_names_of_columns_are_compared_as_people_see_them(tmp_path: Path, written: str) -> None:
    """Two names that look the same are the same: nobody could tell from a message what to correct."""
    assert read(tmp_path, f"{written},a\n1,x\n".encode(), ("Voted on",)).header == ("Voted on", "a")


def test_line_ends_of_several_kinds_become_one(tmp_path: Path) -> None:
    """Of exports of two systems that were put together, also where a piece ends between the two signs of one."""
    rows = b"1,x\r\n" * (PIECE // 5) + b"2,y\n3,z\r"
    table = read(tmp_path, b"Idea,a\r" + rows)
    assert table.path.read_bytes() == b"Idea,a\n" + rows.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_makes_the_mapped_columns(tmp_path: Path, delimiter: str) -> None:
    """Also where a name holds another delimiter in quotes."""
    table = read(tmp_path, f'Idea{delimiter}"a,b;c"\n1{delimiter}x\n'.encode(), ("Idea", "a,b;c"))
    assert (table.delimiter, table.header) == (delimiter, ("Idea", "a,b;c"))
