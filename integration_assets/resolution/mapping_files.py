"""CSV files that people keep mappings in: read whole, whatever a spreadsheet made of them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from integration_assets.errors import ConfigurationError
from integration_assets.invisible import strip


def mapping_rows(path: Path, header: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Rows under the header with their line numbers, blank lines left out; each has as many fields as the header.

    Raises:
        ConfigurationError: the file cannot be read, has another header, or a row has more or fewer fields.
    """
    try:
        # Spreadsheets put a byte order mark in front, which would become part of the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            # Strict: a quote that is never closed would swallow the rows below it without a word.
            reader = csv.reader(file, strict=True, delimiter=_delimiter(file.readline()))
            file.seek(0)
            first = next(reader, None)
            names = [strip(name).lower() for name in _without_blank_end(first or [], len(header))]
            if names != list(header):
                raise ConfigurationError(f"{path} line 1: the header must be {','.join(header)}")
            rows = [
                (reader.line_num, _without_blank_end(row, len(header)))
                for row in reader
                if any(strip(field) for field in row)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(
            f"{path} cannot be read as UTF-8 CSV ({type(error).__name__}), correct the file or its permissions"
        ) from None
    for line, row in rows:
        if len(row) != len(header):
            raise ConfigurationError(f"{path} line {line}: {len(row)} fields instead of {','.join(header)}")
    return rows


def _delimiter(header: str) -> str:
    """Find the delimiter of the header: spreadsheets of many countries write semicolons, or tabs."""
    return next((delimiter for delimiter in ";\t" if delimiter in header and "," not in header), ",")


def _without_blank_end(row: list[str], fields: int) -> list[str]:
    """The row without blank fields beyond the header's: spreadsheets save as many as were ever touched."""
    while len(row) > fields and not strip(row[-1]):
        row = row[:-1]
    return row
