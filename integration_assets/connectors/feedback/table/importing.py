"""Copying a relation, as text, into the private database of one read: files by DuckDB's readers, databases by a SELECT.

Names of columns reach no statement: a reader's columns get names of ours by their place. No statement holds anything
else from outside either, but for the one SELECT, which runs on a connection of its own that can do nothing else.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import Template

import duckdb
import msgspec

from integration_assets.connectors.feedback.table.databases import Stops, selected
from integration_assets.connectors.feedback.table.mapping import (
    A_BACKSLASH,
    RELATIONS,
    TYPE_OF_SUFFIX,
    FileType,
    Relation,
    TableMapping,
)
from integration_assets.connectors.feedback.table.text_files import TextTable, plain_name, quoted_names, ready, unmarked
from integration_assets.errors import ConfigurationError, ContractError, PermanentError, TransientError

MEMORY_LIMIT = "700MB"
"""Of the private database: what is larger lies on disk."""
THREADS = 2
LONGEST_ROW = 4 * 1024 * 1024
"""Bytes of one row of a text file, cells of several lines included, and of one record of JSON."""
MOST_ROWS = 50_000_000
"""Rows of one SELECT. Requests and votes of the largest companies are a tenth of it."""
MOST_FILES = 10_000
"""Files of one folder. More of them are no exports of one table."""
MOST_CUT_SHARE = 0.5
"""Share of rows with another number of cells than the header from which the file is another table than it says."""

_NOTHING = 1024
"""Bytes. A longer file of JSON holds more than brackets."""
_PASSED_OVER = (".", "~$")
"""Names of what lies in folders beside tables: hidden files, and those by which office programs hold a file open."""
_NO_TABLES = {
    **dict.fromkeys(
        (".xlsx", ".xlsm", ".xls", ".ods", ".numbers"), "is a workbook, which is not read: save the sheet as CSV UTF-8"
    ),
    **dict.fromkeys((".gz", ".zip", ".bz2", ".zst", ".7z"), "is packed, and not read as it is: unpack it"),
}
_TIMES = ("TIMESTAMP", "DATE")
_INSERT = Template("INSERT INTO raw_$relation SELECT $cells FROM $reader AS t($columns)")
_CREATE = Template("CREATE OR REPLACE TABLE raw_$relation ($columns)")
# One row for what DuckDB found wrong with each row that it left out.
_LEFT_OUT = "SELECT line, any_value(error_type::VARCHAR) FROM reject_errors GROUP BY line ORDER BY line LIMIT 1000"
_COUNT_LEFT_OUT = "SELECT count(DISTINCT line) FROM reject_errors"


RANKED_FROM = frozenset({"requests", "votes"})
"""Relations a ranking needs; the others may be without rows."""


class Imported(msgspec.Struct, frozen=True):
    """One relation after it was copied. `typed`: fields that were times in their source, and are ISO 8601 text now.

    `left_out` are lines of text files that are no rows of the table, with the reason, `cut` how many there are.
    """

    relation: str
    rows: int
    typed: frozenset[str]
    notes: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    cut: int = 0


@contextmanager
def private_database(folder: Path, time_zone: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in `folder`, on disk, that loads no extension. Times without a zone are of `time_zone`."""
    connection = duckdb.connect(
        folder / "read.duckdb",
        config={
            "memory_limit": MEMORY_LIMIT,
            "threads": str(THREADS),
            "temp_directory": str(folder / "spilled"),
            # What is bundled is all that is used: nothing is fetched, and no file is code.
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        },
    )
    try:
        connection.execute("SET TimeZone = ?", [time_zone])
        # Read once and removed: looking for the best compression takes a third of the time of a copy.
        connection.execute("SET force_compression = 'uncompressed'")
        yield connection
    finally:
        connection.close()


def files_of(relation: Relation, folder: Path, *, confined: bool) -> list[Path]:
    """The files a relation names: one, or all of a folder in the order of their names. `folder` is the mapping's.

    `confined`: they must lie below `folder`, whatever links lead there.

    Raises:
        ConfigurationError: there is none, or one lies elsewhere.
    """
    named = relation.file or ""
    path = Path(named)
    try:
        found = (folder / (path if confined else path.expanduser())).resolve(strict=True)
    # A circle of links, a home of nobody and a zero sign are no OSError.
    except (OSError, RuntimeError, ValueError):
        shown = "".join(sign if sign.isprintable() else " " for sign in named[:200])
        raise ConfigurationError(f"{shown} does not exist (looked for in {folder}){_hint(named)}") from None
    files = (
        sorted(one for one in found.iterdir() if not one.name.startswith(_PASSED_OVER)) if found.is_dir() else [found]
    )
    files = [one.resolve() for one in files if not one.is_dir()]
    if confined and any(not one.is_relative_to(folder.resolve()) for one in files):
        raise ConfigurationError(f"{named} lies outside the folder of the mapping, which it may not leave")
    # A pipe or a device would be read for ever.
    if not all(stat.S_ISREG(one.stat().st_mode) for one in files):
        raise ConfigurationError(f"{named} is no file")
    if found.is_dir():
        files = [one for one in files if relation.type or one.suffix.lower() in TYPE_OF_SUFFIX]
        if not files:
            raise ConfigurationError(f"the folder {named} holds no CSV, TSV, Parquet or JSON file")
        if len(files) > MOST_FILES:
            raise ConfigurationError(f"the folder {named} holds more than {MOST_FILES:,} files")
        types = {type_of(relation, one) for one in files}
        if len(types) > 1:
            raise ConfigurationError(f"the folder {named} holds files of several types ({', '.join(sorted(types))})")
    return files


def _hint(named: str) -> str:
    """The path that people may have meant by one that leads nowhere; "" where nothing tells."""
    if "://" in named:
        return "; of addresses, only those that begin with https:// are read"
    if any(sign in named for sign in "*?"):
        return "; a pattern is not followed: name a folder, and all files in it are read"
    if any(sign < " " for sign in named):
        return A_BACKSLASH
    if "\\" in named:
        return "; write / between folders"
    return ""


def type_of(relation: Relation, path: Path) -> FileType:
    """The type of a file: the declared one, else by its name.

    Raises:
        ConfigurationError: its name does not tell.
    """
    found = relation.type or TYPE_OF_SUFFIX.get(path.suffix.lower())
    if found is None and (to_do := _NO_TABLES.get(path.suffix.lower())):
        raise ConfigurationError(f"{path.name} {to_do}")
    if found is None:
        raise ConfigurationError(
            f'{path.name}: its name does not tell what it is; declare type = "csv" (or tsv, parquet, json)'
        )
    return found


def import_files(
    connection: duckdb.DuckDBPyConnection, name: str, relation: Relation, files: Sequence[Path], scratch: Path
) -> Imported:
    """Copy files of one relation. `scratch` is a folder for a file that has to be written again to be read.

    Raises:
        ContractError: one of them is not the table that the mapping describes.
        TransientError: one changed while it was read.
    """
    _create(connection, name)
    rows, cut = 0, 0
    typed: frozenset[str] | None = None
    notes: list[str] = []
    left_out: list[tuple[str, str]] = []
    for path in files:
        before = path.stat()
        with telling(path.name, type_of(relation, path)):
            one = _import_file(connection, name, relation, path, scratch / "rewritten")
        # Half of the old file and half of the new one are neither.
        if (after := path.stat()).st_mtime_ns != before.st_mtime_ns or after.st_size != before.st_size:
            raise TransientError(f"{path.name} was written to while it was read: run again")
        if typed is not None and typed != one.typed:
            raise ContractError(f"{path.name} holds its times in another type than the files before it")
        rows, cut, typed = rows + one.rows, cut + one.cut, one.typed
        notes += one.notes
        left_out += one.left_out
    if not rows:
        # Not by its address, which opens the table to whoever has it.
        named = files[0].name if len(files) == 1 else relation.file
        said = "holds no records" if type_of(relation, files[0]) == "json" else "has a header and no rows"
        notes += (_without_rows(name, f"{named} {said}"),)
    return Imported(name, rows, typed or frozenset(), tuple(notes), tuple(left_out[:1000]), cut)


def _import_file(
    connection: duckdb.DuckDBPyConnection, name: str, relation: Relation, path: Path, scratch: Path
) -> Imported:
    kind = type_of(relation, path)
    if kind == "parquet":
        return _import_parquet(connection, name, relation, path)
    if kind == "json":
        try:
            return _import_json(connection, name, relation, path, unmarked(path, scratch, named=path.name))
        finally:
            scratch.unlink(missing_ok=True)
    delimiter = relation.delimiter or ("\t" if kind == "tsv" else None)
    # As the header is: exports differ in signs that nobody sees.
    columns = {field: plain_name(column) for field, column in relation.columns.items()}
    relation = msgspec.structs.replace(relation, columns=columns)
    try:
        table = ready(
            path,
            scratch,
            named=path.name,
            columns=tuple(columns.values()),
            encoding=relation.encoding,
            delimiter=delimiter,
        )
        return _import_text(connection, name, relation, path, table)
    finally:
        scratch.unlink(missing_ok=True)


def _import_text(
    connection: duckdb.DuckDBPyConnection, name: str, relation: Relation, path: Path, table: TextTable
) -> Imported:
    reader = """read_csv(
        ?, delim = ?, columns = ?, header = true, auto_detect = false, quote = '"', escape = '"', store_rejects = true,
        rejects_limit = 0, max_line_size = ?, strict_mode = true, compression = 'none', skip = ?
    )"""
    columns = {f"c{place}": "VARCHAR" for place in range(len(table.header))}
    try:
        parameters: list[object] = [str(table.path), table.delimiter, columns, LONGEST_ROW, table.skipped]
        rows = _insert(connection, name, relation, table.header, reader, parameters)
        [(cut,)] = connection.execute(_COUNT_LEFT_OUT).fetchall()
        lines = connection.execute(_LEFT_OUT).fetchall()
    finally:
        connection.execute("DROP TABLE IF EXISTS reject_errors")
        connection.execute("DROP TABLE IF EXISTS reject_scans")
    if cut > MOST_CUT_SHARE * (rows + cut):
        raise ContractError(
            f"{path.name}: {cut:,} of {rows + cut:,} rows have not the {len(table.header)} columns of the header: it "
            "has another delimiter, or was damaged"
        )
    left_out = tuple((f"{path.name} line {line}", _said(reason)) for line, reason in lines)
    return Imported(name, rows, frozenset(), table.notes, left_out, cut)


def _said(reason: str) -> str:
    """DuckDB's name of a row's fault, in words."""
    words = {
        "TOO MANY COLUMNS": "more cells than the header has columns",
        "MISSING COLUMNS": "fewer cells than the header has columns",
        "UNQUOTED VALUE": "a quotation mark that is not doubled",
        "LINE SIZE OVER MAXIMUM": f"more than {LONGEST_ROW // (1024 * 1024)} MiB",
        "INVALID ENCODING": "text of another encoding",
    }
    return words.get(reason, reason.lower())


def _import_parquet(connection: duckdb.DuckDBPyConnection, name: str, relation: Relation, path: Path) -> Imported:
    described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    header, types = tuple(row[0] for row in described), tuple(row[1] for row in described)
    check_columns(path.name, relation, header)
    typed = _typed(name, relation, header, types)
    rows = _insert(connection, name, relation, header, "read_parquet(?)", [str(path)], types=types)
    return Imported(name, rows, typed)


def _import_json(
    connection: duckdb.DuckDBPyConnection, name: str, relation: Relation, path: Path, text: Path
) -> Imported:
    """Copy the records of `path`, which are in `text` without a mark."""
    if holds_no_records(text):
        return Imported(name, 0, frozenset())
    described = connection.execute(
        "DESCRIBE SELECT * FROM read_json(?, records = 'true', maximum_object_size = ?)", [str(text), LONGEST_ROW]
    ).fetchall()
    seen = tuple(row[0] for row in described)
    inner = next((row[0] for row in described if row[1].startswith("STRUCT(") and row[1].endswith("[]")), None)
    if inner is not None and not set(seen) & set(relation.columns.values()):
        raise ContractError(
            f"{path.name} is one object with its records in the list {quoted_names([inner])}: write that list "
            "alone, or a record to each line"
        )
    # Keys may come late in a file, but not those that every record needs.
    fields = RELATIONS[name]
    needed = [relation.columns[field] for field in relation.columns if field in (*fields.required, *fields.one_of)]
    check_columns(path.name, relation, seen, needed)
    wanted = tuple(dict.fromkeys(relation.columns.values()))
    # As text, each key by its name: a number of twenty digits is an id, and not a number.
    columns = dict.fromkeys(wanted, "VARCHAR")
    reader = "read_json(?, records = 'true', columns = ?, maximum_object_size = ?)"
    rows = _insert(connection, name, relation, wanted, reader, [str(text), columns, LONGEST_ROW])
    return Imported(name, rows, frozenset())


def holds_no_records(path: Path) -> bool:
    """True if a file of JSON is a list, or an object, of nothing: the library takes that for damage."""
    return path.stat().st_size < _NOTHING and not path.read_bytes().strip(b"[]{} \t\r\n")


def import_select(
    connection: duckdb.DuckDBPyConnection, name: str, relation: Relation, mapping: TableMapping, folder: Path,
    environment: Mapping[str, str], stops: Stops, *, confined: bool,
) -> Imported:  # fmt: skip
    """Copy what a SELECT brings. `environment` holds the variable with the database's URL, where it has one.

    Raises:
        ConfigurationError: the database is not there, or the statement is no SELECT.
        ContractError: it brings other columns than the mapping describes, no rows, or rows without end.
        TransientError: the database cannot be reached, or another process keeps it.
    """
    database, statement = mapping.database, relation.select
    if database is None or statement is None:
        raise ConfigurationError(f"[{name}]: there is no SELECT")
    if database.kind != "postgresql":
        [file] = files_of(Relation(columns={}, file=database.file), folder, confined=confined)
    elif confined:
        raise ConfigurationError("a database server may be read by the operator's own mapping only")
    else:
        file = None
    _create(connection, name)
    named = f"[{name}].select"
    rows, typed = 0, frozenset[str]()
    with selected(database, file, statement, environment, named=named, stops=stops) as result:
        check_columns(named, relation, result.header)
        typed = _typed(name, relation, result.header, result.types)
        for batch in result.batches:
            connection.register("_batch", batch)
            try:
                rows += _insert(
                    connection,
                    name,
                    relation,
                    result.header,
                    "_batch",
                    [],
                    types=None if result.is_text else result.types,
                )
            finally:
                connection.unregister("_batch")
            # A join without its condition, or a recursion without an end, would fill the disk.
            if rows > MOST_ROWS:
                raise ContractError(f"{named} brings more than {MOST_ROWS:,} rows: it is stopped; narrow it")
    notes = () if rows else (_without_rows(name, f"{named} brings no rows"),)
    return Imported(name, rows, typed, notes)


def _without_rows(name: str, found: str) -> str:
    """Line for a relation without rows.

    Raises:
        ContractError: a ranking is made of it, so that an export that broke off would retire everything.
    """
    if name in RANKED_FROM:
        raise ContractError(f"{found}: nothing is read from it, and the last ranking stands; export it again")
    return f"{found}: there are no {name.replace('_', ' ')}"


# ------------------------------------------------------------------------------------------------------------- parts


def check_columns(named: str, relation: Relation, header: Sequence[str], needed: Sequence[str] | None = None) -> None:
    """See that the columns of a relation are among those there are, each once.

    Raises:
        ContractError: some are missing, or there twice; names all of them.
    """
    wanted = tuple(relation.columns.values()) if needed is None else needed
    if missing := [column for column in wanted if column not in header]:
        raise ContractError(f"{named} has no column {quoted_names(missing)}; its columns are {quoted_names(header)}")
    if twice := [column for column in wanted if list(header).count(column) > 1]:
        raise ContractError(f'{named} has two columns called "{twice[0]}": which one is meant cannot be told')


def _create(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    columns = ", ".join(f"{field} VARCHAR" for field in RELATIONS[name].names)
    connection.execute(_CREATE.substitute(relation=name, columns=columns))


def _insert(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    relation: Relation,
    header: Sequence[str],
    reader: str,
    parameters: list[object],
    *,
    types: Sequence[str] | None = None,
) -> int:
    """Append what a reader brings, its columns taken by place; how many rows those are."""
    cells = []
    for field in RELATIONS[name].names:
        column = relation.columns.get(field)
        if column is None or column not in header:
            cells.append("NULL")
            continue
        place = list(header).index(column)
        cells.append(_as_text(f"c{place}", types[place] if types else "VARCHAR"))
    statement = _INSERT.substitute(
        relation=name,
        cells=", ".join(cells),
        reader=reader,
        columns=", ".join(f"c{place}" for place in range(len(header))),
    )
    [(rows,)] = connection.execute(statement, parameters).fetchall()
    return int(rows)


def _as_text(cell: str, of_type: str) -> str:
    # With the zone where it has one: without, it is a time of the declared zone, as the same text would be.
    if of_type.startswith("TIMESTAMP WITH TIME ZONE"):
        return f"strftime(timezone('UTC', {cell}), '%Y-%m-%dT%H:%M:%S.%fZ')"
    if of_type.startswith(_TIMES):
        return f"strftime({cell}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%f')"
    # As JSON, so that a name with a comma in it stays one.
    if of_type.endswith("[]"):
        return f"to_json({cell})::VARCHAR"
    # 100.0 and 100 are one number, and 1e+20 is no amount as anybody writes it.
    if of_type in ("DOUBLE", "FLOAT"):
        cell = f"{cell}::DOUBLE"
        return (
            f"CASE WHEN abs({cell}) < 1e15 THEN rtrim(rtrim(printf('%.6f', {cell}), '0'), '.') ELSE {cell}::VARCHAR END"
        )
    return f"{cell}::VARCHAR"


def _typed(name: str, relation: Relation, header: Sequence[str], types: Sequence[str]) -> frozenset[str]:
    of = dict(zip(header, types, strict=True))
    return frozenset(
        field
        for field in RELATIONS[name].times
        if field in relation.columns and of[relation.columns[field]].startswith(_TIMES)
    )


@contextmanager
def telling(named: str, kind: FileType) -> Iterator[None]:
    """Words of the library for a file that it cannot read, as one line that quotes none of its content."""
    try:
        yield
    # The message of each may quote cells, and with them people's data.
    except duckdb.OutOfMemoryException:
        raise TransientError(
            f"{named} takes more memory or disk to read than there is: free some, then run again"
        ) from None
    except duckdb.IOException as error:
        if "No space left" in str(error):
            raise PermanentError("the disk is full: free some space, then run again") from None
        raise ContractError(
            f"{named} cannot be read as {kind.upper()}: it was cut short or damaged; export it again"
        ) from None
    except duckdb.Error as error:
        raise ContractError(
            f"{named} cannot be read as {kind.upper()} ({type(error).__name__}): it was cut short, damaged, or is "
            "another kind of file; export it again"
        ) from None
    except OSError as error:
        raise PermanentError(f"{named} cannot be read: {error.strerror}") from None
