"""Dagster metadata of a table in the staging store: row count, column schema, preview. Never an e-mail address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import dagster as dg
import duckdb

from integration_assets.assets.columns import COLUMNS, PREVIEWED

PREVIEW_ROWS = 10
CELL_WIDTH = 60
PERSONAL = frozenset({"email", "additional_emails", "details", "property_values", "schema_json"})
"""Columns that never appear in a preview: personal data, or text of people that may hold some."""
_ADDRESS = re.compile(r"[^\s@<>,;:]+@[^\s@<>,;:]+")


def table_metadata(connection: duckdb.DuckDBPyConnection, table: str, *, order_by: str = "1") -> dict[str, Any]:
    """Row count, column schema and a Markdown preview of `table` (a schema-qualified name of ours).

    `order_by` is a column list or position of ours, so that the preview shows what matters first.
    """
    described = connection.execute(f"DESCRIBE {table}").fetchall()
    descriptions: Mapping[str, str] = COLUMNS.get(table, {})
    shown = list(PREVIEWED.get(table, ())) or [name for name, *_ in described if name not in PERSONAL]
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0]  # noqa: S608 - a table of ours
    columns = ", ".join(f'"{name}"' for name in shown)
    preview = connection.execute(
        f"SELECT {columns} FROM {table} ORDER BY {order_by} LIMIT {PREVIEW_ROWS}"  # noqa: S608 - names of ours
    ).fetchall()
    return {
        "dagster/row_count": count,
        "dagster/table_name": table,
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(name, type=str(kind), description=descriptions.get(name))
                for name, kind, *_ in described
                if name not in PERSONAL or name in descriptions
            ]
        ),
        "preview": dg.MetadataValue.md(markdown_table(shown, preview)),
    }


def markdown_table(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    """A Markdown table; cells are cut to 60 characters and cannot break out of their cell."""
    if not rows:
        return "No rows."
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    text = "".join(character if character.isprintable() else " " for character in _words(value))
    text = _ADDRESS.sub("(an address)", text)
    text = text if len(text) <= CELL_WIDTH else text[: CELL_WIDTH - 1] + "…"
    for character, escaped in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("`", "'")):
        text = text.replace(character, escaped)
    return text


def _words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, int | Decimal):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
