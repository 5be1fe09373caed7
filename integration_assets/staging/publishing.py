"""Publish the rankings for analysts: a DuckDB file of their own, replaced as a whole.

A reader that has the old file open goes on reading it; one that opens next gets the new one. Nobody is locked out,
nobody sees half a run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from integration_assets.config import Environment
from integration_assets.errors import PermanentError
from integration_assets.masking import ADDRESS_SIGN, mask_addresses, mask_addresses_in_json
from integration_assets.sql import read_sql
from integration_assets.staging.descriptions import COLUMNS, TABLES
from integration_assets.staging.quoting import identifier, literal
from integration_assets.staging.store import STORAGE_VERSION, check_tenant, make_private_directory
from integration_assets.staging.transactions import transaction
from integration_assets.whole_files import flush_to_disk

PUBLISHED_SCHEMAS = ("ranked", "ops")

_COPY = "publication_copy"
"""Name of the new file while it is attached: a tenant's name has no underscore, so it cannot be the same."""

_MASKED = "publication_masked"
"""Name of the texts that hold an address, with what is published in their place, while one relation is copied."""
_AS_TEXT = {"VARCHAR": "{column}", "JSON": "{column}::VARCHAR", "VARCHAR[]": "to_json({column})::VARCHAR"}
_FROM_TEXT = {"VARCHAR": "{text}", "JSON": "{text}::JSON", "VARCHAR[]": """from_json({text}, '["VARCHAR"]')"""}
"""By type of column: its values as texts, and back. What is no plain text is masked as JSON."""

_COLUMNS = """
    SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns()
    WHERE database_name = current_database() AND schema_name IN ('ranked', 'ops')
    ORDER BY schema_name, table_name, column_index
"""


_HAS_COLUMNS = f"""
    SELECT count(*) = 5 FROM duckdb_columns()
    WHERE database_name = '{_COPY}' AND schema_name = 'ranked'
    AND (table_name, column_name) IN (
        ('feature_requests', 'arr_customers'), ('companies', 'renewal_date'), ('company_segments', 'value'),
        ('company_requests', 'votes'), ('deals_at_stake', 'company_ids')
    )
"""  # noqa: S608  # nosec B608  # a name of ours
_OF_COMPANIES = "lifecycle_is := NULL, segments_are := NULL, owner_is := NULL, renews_by := NULL"
_MACROS = {
    # Each is used by those after it.
    "companies_where": _OF_COMPANIES,
    "requests_of": _OF_COMPANIES,
    "requests_where": "status_is := NULL, board_is := NULL, category_is := NULL, tag_is := NULL, "
    f"created_since := NULL, voted_since := NULL, everything := false, {_OF_COMPANIES}",
    "segment_requests": "property_is := NULL, ranked_by := 'arr', everything := false, most_segments := 8, "
    "most_requests := 3",
}
"""Macros of schema `ranked` with their parameters."""


def published_path(home: Path, environment: Environment | str, tenant: str) -> Path:
    """File analysts open: `<home>/published/<environment>/<tenant>.duckdb`."""
    return home / "published" / Environment(environment).value / f"{check_tenant(tenant)}.duckdb"


def publish(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Write every table and view of the schemas `ranked` and `ops` into a new file and put it in `target`'s place.

    Views become tables, what looks like an e-mail address in a text becomes `[address]`. The file is read-only and of a
    format DuckDB 1.2 and later can read. Not to be called inside a transaction.

    Raises:
        PermanentError: the file cannot be written; the one published before is still there.
    """
    try:
        make_private_directory(target.parent)
        # One run per tenant: whatever lies here is of a run that was killed.
        unfinished = target.with_name(target.name + ".writing")
        _remove(unfinished)
        # In one transaction: a hundred statements that each write the log of their own cost as much as the copying.
        with _attached(connection, unfinished), transaction(connection):
            _copy(connection)
        unfinished.chmod(0o444)
        flush_to_disk(unfinished)
        # Only once it is on disk: after a power cut, a name that was replaced first could lead to an empty file.
        unfinished.replace(target)
        flush_to_disk(target.parent)
    except (OSError, duckdb.IOException) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).removeprefix("IO Error: ").splitlines()[0]
        raise PermanentError(f"cannot publish {target}: {reason}; check the directory and the disk") from error


def copy_into_memory(connection: duckdb.DuckDBPyConnection, relations: Collection[str]) -> str:
    """Copy these relations (`schema.name`), as `publish` would, into a database in memory; gives its name.

    Relations that the store lacks are left out.
    """
    connection.execute(f"ATTACH ':memory:' AS {_COPY}")
    _copy(connection, relations)
    return _COPY


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, file: Path) -> Iterator[None]:
    connection.execute(f"ATTACH {literal(str(file))} AS {_COPY} (STORAGE_VERSION {literal(STORAGE_VERSION)})")
    try:
        yield
        # All into the file: a log beside it would not be moved along with it.
        connection.execute(f"CHECKPOINT {_COPY}")
    finally:
        connection.execute(f"DETACH {_COPY}")


def _copy(connection: duckdb.DuckDBPyConnection, relations: Collection[str] | None = None) -> None:
    """Copy the relations into `publication_copy`; all there are, unless some are named."""
    for schema in PUBLISHED_SCHEMAS:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_COPY}.{schema}")
    # Asked once: DuckDB goes through the columns of all relations for those of one.
    columns_of: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, name, column, kind in connection.execute(_COLUMNS).fetchall():
        columns_of.setdefault((schema, name), []).append((column, kind))
    for (schema, name), columns in columns_of.items():
        if relations is not None and f"{schema}.{name}" not in relations:
            continue
        relation = f"{identifier(schema)}.{identifier(name)}"
        with _masked_texts(connection, relation, [one for one in columns if one[1] in _AS_TEXT]) as masked:
            projection = ", ".join(
                _projected(column, kind) if column in masked else identifier(column) for column, kind in columns
            )
            copied = f"AS SELECT {projection} FROM {relation}"  # noqa: S608  # nosec B608  # quoted names
            connection.execute(f"CREATE TABLE {_COPY}.{relation} {copied}")
        _describe(connection, f"{schema}.{name}", {column for column, _ in columns})
    _add_macro(connection)


def _add_macro(connection: duckdb.DuckDBPyConnection) -> None:
    """Give analysts the filters of the pages and of `rankings` as one table macro."""
    [(fits,)] = connection.execute(_HAS_COLUMNS).fetchall()
    # A store that an earlier version ranked has not all the columns, and none may have been ranked at all.
    if not fits:
        return
    [(here,)] = connection.execute("SELECT current_database()").fetchall()
    # DuckDB binds the names in a macro where it is made: from the store they would be those of the store's own tables.
    connection.execute(f"USE {_COPY}")
    try:
        for name, parameters in _MACROS.items():
            query = read_sql(f"ranked/{name}")
            connection.execute(f"CREATE MACRO ranked.{name}({parameters}) AS TABLE\n{query}")
    finally:
        connection.execute(f"USE {identifier(here)}")


def _describe(connection: duckdb.DuckDBPyConnection, table: str, columns: set[str]) -> None:
    """Give a published table and its columns their descriptions, as comments that every client shows."""
    statements = [f"COMMENT ON TABLE {_COPY}.{table} IS {literal(TABLES[table])}"] if table in TABLES else []
    statements += [
        f"COMMENT ON COLUMN {_COPY}.{table}.{identifier(name)} IS {literal(column.description)}"
        for name, column in COLUMNS.get(table, {}).items()
        # the file may be made of a store that an earlier version ranked, which lacks what was added since
        if name in columns
    ]
    if statements:
        connection.execute(";".join(statements))


def _has_sign(column: str, kind: str) -> str:
    """Condition that a value of the column may hold an address."""
    # In JSON the sign may stand as an escape, `\\u0040`.
    pattern = ADDRESS_SIGN if kind == "VARCHAR" else rf"{ADDRESS_SIGN}|\\u"
    return f"regexp_matches({_AS_TEXT[kind].format(column=identifier(column))}, {literal(pattern)})"


def _with_a_sign(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The columns that hold a text with a sign; most relations have none, and one statement says so for all columns."""
    if not columns:
        return []
    asked = ", ".join(f"bool_or({_has_sign(column, kind)})" for column, kind in columns)
    [answers] = connection.execute(f"SELECT {asked} FROM {relation}").fetchall()  # noqa: S608  # nosec B608  # quoted
    return [column for column, has_sign in zip(columns, answers, strict=True) if has_sign]


@contextmanager
def _masked_texts(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: list[tuple[str, str]]
) -> Iterator[set[str]]:
    """Have the texts of a relation that hold an address in `publication_masked`; gives the columns they stand in.

    DuckDB calls no Python function without numpy, and no pattern of SQL says what `mask_addresses` does. So the few
    texts with a sign in them are read and masked here, and found by the copy as by a dictionary.
    """
    rows: list[tuple[str, str, str]] = []
    for column, kind in _with_a_sign(connection, relation, columns):
        text = _AS_TEXT[kind].format(column=identifier(column))
        found = connection.execute(
            f"SELECT DISTINCT {text} FROM {relation} WHERE {_has_sign(column, kind)}"  # noqa: S608  # nosec B608  # quoted
        ).fetchall()
        mask = mask_addresses if kind == "VARCHAR" else mask_addresses_in_json
        # The sign alone is no address: most of these texts stay as they are.
        rows += [(column, original, mask(original)) for (original,) in found]
    masked = [row for row in rows if row[1] != row[2]]
    if not masked:
        yield set()
        return

    import pyarrow as pa  # here, because most relations hold no address

    arrays = [pa.array([row[place] for row in masked], pa.string()) for place in range(3)]
    connection.register(_MASKED, pa.table(arrays, names=["name", "original", "masked"]))
    try:
        yield {column for column, *_ in masked}
    finally:
        connection.unregister(_MASKED)


def _projected(column: str, kind: str) -> str:
    """The column, with what is published in the place of texts that hold an address."""
    name = identifier(column)
    text = _AS_TEXT[kind].format(column=name)
    found = f"SELECT masked FROM {_MASKED} WHERE name = {literal(column)} AND original = {text}"  # noqa: S608  # nosec B608
    return f"{_FROM_TEXT[kind].format(text=f'coalesce(({found}), {text})')} AS {name}"


def _remove(file: Path) -> None:
    for leftover in (file, file.with_name(file.name + ".wal")):
        leftover.unlink(missing_ok=True)
