"""The first rows of a file of which nothing is known yet, as text, for a proposal of its mapping."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import msgspec

from integration_assets.connectors.feedback.table.importing import (
    LONGEST_ROW,
    holds_no_records,
    private_database,
    telling,
    type_of,
)
from integration_assets.connectors.feedback.table.mapping import Relation
from integration_assets.connectors.feedback.table.text_files import columns_of, unmarked
from integration_assets.errors import ConfigurationError, ContractError

ROWS = 2_000
"""Rows looked at: enough to tell a day from a month."""


class Sample(msgspec.Struct, frozen=True):
    """The header of a file, its first rows, and `notes` on how it was read. `times`: columns that are times already."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    times: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def cells(self, column: str) -> list[str]:
        """The cells of a column that hold something."""
        place = self.header.index(column)
        return [cell.strip() for row in self.rows if (cell := row[place]) and cell.strip()]


def sample(path: Path) -> Sample:
    """The first rows of a CSV, TSV, Parquet or JSON file.

    Raises:
        ConfigurationError: it is not there, or its name does not tell what it is.
        ContractError: it cannot be read.
    """
    if not path.is_file():
        raise ConfigurationError(f"{path} is no file: name a CSV, TSV, Parquet or JSON file")
    kind = type_of(Relation(columns={}), path)
    with (
        tempfile.TemporaryDirectory(prefix="integration-assets-") as folder,
        private_database(Path(folder), "UTC") as connection,
        telling(path.name, kind),
    ):
        if kind in ("csv", "tsv"):
            found = _of_text(connection, path, Path(folder) / "rewritten")
        else:
            text = unmarked(path, Path(folder) / "rewritten", named=path.name) if kind == "json" else path
            found = msgspec.structs.replace(_of_typed(connection, text, kind == "json"), path=path)
    if not found.rows:
        raise ContractError(f"{path.name} has no rows: there is nothing to tell its columns by")
    return found


def _of_text(connection: duckdb.DuckDBPyConnection, path: Path, scratch: Path) -> Sample:
    table = columns_of(path, scratch, named=path.name)
    columns = {f"c{place}": "VARCHAR" for place in range(len(table.header))}
    rows = connection.execute(
        """
        SELECT * FROM read_csv(
            ?, delim = ?, columns = ?, header = true, auto_detect = false, quote = '"', escape = '"',
            store_rejects = true, max_line_size = ?, compression = 'none', skip = ?
        ) LIMIT ?
        """,
        [str(table.path), table.delimiter, columns, LONGEST_ROW, table.skipped, ROWS],
    ).fetchall()
    return Sample(path, table.header, tuple(rows), notes=table.notes)


def _of_typed(connection: duckdb.DuckDBPyConnection, path: Path, is_json: bool) -> Sample:
    if is_json and holds_no_records(path):
        return Sample(path, (), ())
    reader = "read_json(?, records = 'true')" if is_json else "read_parquet(?)"
    described = connection.execute(f"DESCRIBE SELECT * FROM {reader}", [str(path)]).fetchall()  # noqa: S608  # nosec B608  # the reader is one of two of ours
    times = {str(row[0]) for row in described if str(row[1]).startswith(("TIMESTAMP", "DATE"))}
    rows = connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {reader} LIMIT ?", [str(path), ROWS]).fetchall()  # noqa: S608  # nosec B608  # the reader is one of two of ours
    # JSON has no times: its text is read in the declared format.
    return Sample(
        path, tuple(str(row[0]) for row in described), tuple(rows), frozenset() if is_json else frozenset(times)
    )
