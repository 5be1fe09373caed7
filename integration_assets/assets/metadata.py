"""Dagster metadata of a table in the staging store: row count, column schema, preview. Never an e-mail address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import dagster as dg
import duckdb

from integration_assets.assets.lineage import SOURCES, Sources, column_lineage
from integration_assets.masking import mask_addresses
from integration_assets.sql import read_sql
from integration_assets.staging.descriptions import COLUMNS

PREVIEW_ROWS = 10
CELL_WIDTH = 60
PERSONAL = frozenset({"email", "additional_emails", "details", "property_values", "schema_json", "owner", "segments"})
"""Columns that never appear in a preview: personal data, or text of people that may hold some."""
PREVIEWED: Mapping[str, tuple[str, ...]] = {
    "raw.feature_requests": ("title", "source_status", "board", "category", "score", "created_at", "request_id"),
    "raw.crm_companies": ("name", "domain", "additional_domains", "arr", "currency", "lifecycle_stage", "company_id"),
    "raw.crm_portals": ("environment", "role", "readable", "kind", "portal_id", "unreadable_reason"),
    "resolved.votes": ("created_at", "email_domain", "match_method", "reason", "company_id", "request_id", "voter_id"),
    "ranked.feature_requests": (
        "rank_by_arr",
        "title",
        "arr",
        "companies_without_rate",
        "companies",
        "customers",
        "votes",
        "rank_by_companies",
        "rank_by_votes",
        "status",
        "board",
    ),
    "ranked.company_requests": ("company_name", "domain", "arr", "title", "status", "votes", "match_methods"),
    "ranked.unresolved_votes": ("email_domain", "reason", "votes", "requests", "candidate_company_ids"),
    "ranked.rank_history": ("as_of", "rank_by_arr", "rank_by_companies", "companies", "arr", "request_id"),
}
"""Columns a preview shows first, where a table has more than a person can read across. Never personal data."""
_ESCAPES = {"&": "&amp;", "<": "&lt;", **{sign: f"\\{sign}" for sign in "\\|[]*~"}}


def table_metadata(
    connection: duckdb.DuckDBPyConnection, table: str, *, order_by: str = "1", prefix: Sequence[str] = ()
) -> dict[str, Any]:
    """Row count, column schema and lineage, and a Markdown preview of `table` (a schema-qualified name of ours).

    `order_by` is a column list or position of ours, so that the preview shows what matters first; `prefix` is that of
    our assets in this project. Where a column comes from is in its description as well: Dagster's own UI does not draw
    the lineage of columns.
    """
    described = connection.execute(f"DESCRIBE {table}").fetchall()
    descriptions = {name: column.description for name, column in COLUMNS.get(table, {}).items()}
    sources = SOURCES.get(table, {})
    # Before anything is read: personal columns are left out of the query itself, not of its answer.
    shown = list(PREVIEWED.get(table, ())) or [name for name, *_ in described if name not in PERSONAL]
    (count,) = connection.execute("SELECT count(*) FROM query_table(?)", [table]).fetchall()[0]
    columns = ", ".join(f'"{name}"' for name in shown)
    rows = connection.sql(f"FROM {table}")  # nothing is read yet; a view will do, which it will not for `table()`
    # Columns last: the order may be by one that is not shown.
    preview = rows.order(order_by).limit(PREVIEW_ROWS).project(columns).fetchall()
    return {
        "dagster/row_count": count,
        "dagster/table_name": table,
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(
                    name, type=str(kind), description=_with_sources(descriptions.get(name), sources.get(name, {}))
                )
                for name, kind, *_ in described
                # A personal column that we describe may be named; what it holds is never shown.
                if name not in PERSONAL or name in descriptions
            ]
        ),
        **({"dagster/column_lineage": column_lineage(sources, prefix)} if sources else {}),
        "preview": dg.MetadataValue.md(markdown_table(shown, preview)),
    }


def definition_metadata(table: str, sql: str | None = None) -> dict[str, Any]:
    """Metadata that an asset has before it was ever made: its table, columns with types and descriptions, and its SQL.

    `sql` names the file of the SELECT that makes the table; None where no single one does.
    """
    sources = SOURCES.get(table, {})
    columns = [
        dg.TableColumn(name, type=column.type, description=_with_sources(column.description, sources.get(name, {})))
        for name, column in COLUMNS[table].items()
    ]
    return {
        "dagster/table_name": table,
        "dagster/column_schema": dg.TableSchema(columns=columns),
        **({"SQL": dg.MetadataValue.md(f"```sql\n{read_sql(sql).strip()}\n```")} if sql else {}),
    }


def _with_sources(description: str | None, sources: Sources) -> str | None:
    named = "; ".join(f"{asset}: {', '.join(columns)}" for asset, columns in sources.items())
    return f"{description} ← {named}" if description and named else description


def shown_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dg.MetadataValue[Any]:
    """A table that stands open in the UI, which cuts it where it is wide: for few columns. Cells as in previews."""
    # A table without rows would be a heading that looks like a preview that failed to load.
    if not rows:
        return dg.MetadataValue.text("No rows.")
    return dg.MetadataValue.table(
        [dg.TableRecord(dict(zip(columns, map(_text, row), strict=True))) for row in rows],
        dg.TableSchema([dg.TableColumn(column) for column in columns]),
    )


def markdown_table(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    """A Markdown table; cells are cut to 60 characters and cannot break out of their cell."""
    if not rows:
        return "No rows."
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def _text(value: Any) -> str:
    text = "".join(character if character.isprintable() else " " for character in _words(value))
    # Before it is cut: half an address would no longer be recognised as one, and still be readable.
    text = mask_addresses(text)
    return text if len(text) <= CELL_WIDTH else text[: CELL_WIDTH - 1] + "…"


def _cell(value: Any) -> str:
    # A backtick opens code, in which an escaped bar would end the cell after all.
    return _escaped(_text(value)).replace("`", "'")


def escape_markdown(text: str) -> str:
    """Text for the UI, which takes it for Markdown: no address, no markup, and no picture it would ask others for.

    Code in backticks stays.
    """
    return _escaped(mask_addresses(text))


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)


def _words(value: Any) -> str:
    if value is None:
        return ""
    # Before numbers: a bool is an int to Python.
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, int | Decimal):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
