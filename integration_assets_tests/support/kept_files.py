"""What the files of a home say, as text a pattern may be searched for in: databases value by value, never as raw bytes.

Raw bytes hold accidents: a compressed page of SQLite has, once in some runs, a sequence that looks like an address.
"""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

SQLITE = b"SQLite format 3\0"
DUCKDB = slice(8, 12), b"DUCK"
DATABASE_COMPANIONS = (".wal", "-wal", "-shm", "-journal")
"""Endings of the files that a database keeps beside itself: their rows are read through it."""


def readable_contents(home: Path) -> dict[str, str]:
    """The text of every file below `home` by its path, of a database by its path and table.

    Raises `UnicodeDecodeError` for a file, and `zlib.error` for a value, that is neither text nor known to be packed:
    what cannot be read cannot be called clean.
    """
    contents: dict[str, str] = {}
    # Without the companions, which a database that is in use makes and takes away at any moment.
    files = (file for file in home.rglob("*") if not file.name.endswith(DATABASE_COMPANIONS) and file.is_file())
    for file in sorted(files):
        name, begins = str(file.relative_to(home)), file.read_bytes()[:16]
        if begins == SQLITE:
            contents |= {f"{name} {table}": text for table, text in _sqlite_tables(file).items()}
        elif begins[DUCKDB[0]] == DUCKDB[1]:
            contents |= {f"{name} {table}": text for table, text in _duckdb_tables(file).items()}
        else:
            contents[name] = file.read_text(encoding="utf-8")
    return contents


def _sqlite_tables(file: Path) -> dict[str, str]:
    with closing(sqlite3.connect(file)) as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: _text(database.execute(f'SELECT * FROM "{name}"').fetchall()) for (name,) in names}


def _duckdb_tables(file: Path) -> dict[str, str]:
    with duckdb.connect(str(file), read_only=True) as database:
        names = database.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        return {
            f"{schema}.{table}": _text(database.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall())
            for schema, table in names
        }


def _text(rows: list[tuple[Any, ...]]) -> str:
    return "\n".join(" ".join(_value(value) for value in row) for row in rows)


def _value(value: Any) -> str:
    if not isinstance(value, bytes):
        return str(value)
    # Dagster packs snapshots of jobs; a checksum of ours is 32 bytes that say nothing.
    return value.hex() if len(value) == 32 else zlib.decompress(value).decode()
