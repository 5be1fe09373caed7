"""Rows as CSV, Parquet and XLSX: types kept, and no text taken for a formula."""

import csv
from datetime import datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any
from xml.etree import ElementTree
from zipfile import ZipFile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from integration_assets.errors import ConfigurationError
from integration_assets.reporting import exports
from integration_assets.reporting.exports import as_csv, as_file, as_xlsx, is_web_address

NAMES = ["title", "gap", "arr", "is_open", "created_at", "tags", "url"]
LINK = '=HYPERLINK("http://evil.example")'
NOON = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - as the store keeps it
ROWS: list[list[Any]] = [
    [LINK, -4, Decimal("1000.50"), True, NOON, ["a", "b"], "https://x.example/1"],
    ['Grüße, "Welt"\nneu', 0, None, False, None, [], "javascript:alert(1)"],
]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"]


def cells(content: bytes) -> tuple[list[str], str]:
    """The texts of a workbook, and the XML of its only sheet."""
    with ZipFile(BytesIO(content)) as book:
        texts = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    return ["".join(one.itertext()) for one in texts], sheet


def test_csv_has_plain_values() -> None:
    """Numbers as they are, a negative one included, times in ISO, lists in one cell, quotes and lines kept."""
    rows = list(csv.reader(StringIO(as_csv(NAMES, ROWS).decode(), newline="")))
    assert rows == [
        NAMES,
        [f"'{LINK}", "-4", "1000.50", "true", "2026-03-01T12:00:00", "a; b", "https://x.example/1"],
        ['Grüße, "Welt"\nneu', "0", "", "false", "", "", "javascript:alert(1)"],
    ]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_is_a_formula(text: str) -> None:
    """Alone or as the first of a list, it has an apostrophe before it in CSV, and is typed as text in XLSX."""
    rows = list(csv.reader(StringIO(as_csv(["a", "b"], [[text, [text]]]).decode(), newline="")))
    assert rows[1] == ["'" + text, "'" + text]
    _, sheet = cells(as_xlsx(["a"], [[text]]))
    assert "<f>" not in sheet
    assert '<c r="A2" t="s">' in sheet


def test_xlsx_has_types() -> None:
    """Numbers and times are numbers, yes and no are booleans, an address is a link and a script is not."""
    texts, sheet = cells(as_xlsx(NAMES, ROWS))
    assert {LINK, "a; b", "javascript:alert(1)"} <= set(texts)
    assert '<c r="B2"><v>-4</v></c><c r="C2"><v>1000.5</v></c><c r="D2" t="b"><v>1</v></c>' in sheet
    assert sheet.count("<hyperlink ") == 1


def test_a_list_that_fits_no_cell_is_counted() -> None:
    """Its whole entries are kept, and the rest is told."""
    texts, _ = cells(as_xlsx(["domains"], [[[f"company{number:05}.example" for number in range(3_000)]]]))
    long = max(texts, key=len)
    assert len(long) <= exports.CELL_TEXT
    shown, more = long.rsplit("; and ", 1)
    assert len(shown.split("; ")) + int(more.removesuffix(" more").replace(",", "")) == 3_000


def test_more_rows_than_a_sheet_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to use instead: a sheet that ends early would look whole."""
    monkeypatch.setattr(exports, "SHEET_ROWS", 1)
    with pytest.raises(ConfigurationError, match="use CSV or Parquet"):
        as_xlsx(["a"], [[1], [2]])


def test_parquet_is_the_table() -> None:
    """Types as published, text as it is: nothing evaluates a Parquet file."""
    table = pa.table({"title": ["=1+1"], "arr": pa.array([Decimal("1.50")], pa.decimal128(38, 2)), "tags": [["a"]]})
    assert pq.read_table(BytesIO(as_file(table, "parquet"))).equals(table)


@pytest.mark.parametrize(
    ("url", "leads"),
    [
        ("https://acme.canny.io/p/1", True),
        ("http://crm.example:8080/record/1", True),
        ("https://acme.canny.invalid/p/1", False),
        ("javascript:alert(1)", False),
        ("https://[", False),
        (None, False),
    ],
)
def test_only_an_address_that_may_lead_somewhere_is_a_link(url: str | None, leads: bool) -> None:
    """A host below `.invalid` is nobody's: those of the sandbox are, so that no demo leads to a real workspace."""
    assert is_web_address(url) is leads
