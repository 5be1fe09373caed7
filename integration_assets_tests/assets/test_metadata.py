"""What the Dagster UI shows of a table."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import dagster as dg
import duckdb
import pytest

from integration_assets.assets.metadata import (
    CELL_WIDTH,
    PERSONAL,
    PREVIEW_ROWS,
    PREVIEWED,
    escape_markdown,
    markdown_table,
    shown_table,
    table_metadata,
)
from integration_assets.assets.ranked import RANKED
from integration_assets.assets.raw import RAW
from integration_assets.definitions import defs
from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.descriptions import COLUMNS
from integration_assets.staging.store import open_store


def cell(value: object) -> str:
    """A value as it is shown."""
    return markdown_table(["value"], [(value,)]).splitlines()[2].removeprefix("| ").removesuffix(" |")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (1234567, "1,234,567"),
        (Decimal("35686515.10"), "35,686,515.10"),
        (0.5252805016376574, "0.5253"),
        (datetime(2026, 11, 24, 19, 33, 39, 177016, UTC), "2026-11-24 19:33"),
        (["a.com", "b.com"], "a.com, b.com"),
        ("a | b", "a \\| b"),
        ("two\nlines", "two lines"),
        ("<img src=x>", "&lt;img src=x>"),
        ("![](http://elsewhere.com)", "!\\[\\](http://elsewhere.com)"),
        ("**bold** ~~gone~~ `code` &lt;", "\\*\\*bold\\*\\* \\~\\~gone\\~\\~ 'code' &amp;lt;"),
        ("ask ann.lee+x@acme.co.uk, please", "ask \\[address\\], please"),
        ("Ann <ann@acme.com>", "Ann &lt;\\[address\\]>"),
        (["bob@acme.com"], "\\[address\\]"),
    ],
)
def test_a_cell_is_readable_harmless_and_without_addresses(value, shown):
    """Numbers are grouped, times short, markup is text, and nobody's address is shown."""
    assert cell(value) == shown


def test_a_sentence_is_harmless_and_keeps_its_code():
    """What a check says names commands in backticks, and ids and names that others made up."""
    said = escape_markdown("run `setup`; ann@acme.com, ![](http://elsewhere.com) <b> feature_request.voter_domains")
    assert said == "run `setup`; \\[address\\], !\\[\\](http://elsewhere.com) &lt;b> feature_request.voter_domains"


def test_a_long_cell_is_cut():
    """A preview stays narrow."""
    assert cell("x" * 500) == "x" * (CELL_WIDTH - 1) + "…"


def test_a_table_without_rows_says_so():
    """Better than an empty table."""
    assert markdown_table(["a"], []) == "No rows."


def test_an_open_table_has_its_rows_as_text_without_addresses():
    """What is shown without a click is as harmless as a preview; the UI writes it as text, so markup stays as it is."""
    shown = shown_table(["key", "reason"], [(1234, "ask ann@acme.com"), (None, "a | <b>"), ("x" * 500, "")])
    assert isinstance(shown, dg.TableMetadataValue)
    assert [column.name for column in shown.schema.columns] == ["key", "reason"]
    assert [record.data for record in shown.records] == [
        {"key": "1,234", "reason": "ask [address]"},
        {"key": "", "reason": "a | <b>"},
        {"key": "x" * (CELL_WIDTH - 1) + "…", "reason": ""},
    ]
    assert shown_table(["key"], []) == dg.MetadataValue.text("No rows.")


def test_every_column_of_a_raw_table_is_described_and_none_shown_is_personal(tmp_path):
    """The column schema is complete, and previews name columns that exist."""
    with open_store(tmp_path / "store.duckdb") as connection:
        for table, descriptions in COLUMNS.items():
            if not table.startswith("raw."):
                continue  # made by a run
            columns = {name for name, *_ in connection.execute(f"DESCRIBE {table}").fetchall()}
            assert descriptions.keys() <= columns, table
            assert columns - descriptions.keys() <= PERSONAL, table
            assert set(PREVIEWED.get(table, ())) <= columns - PERSONAL, table


def test_a_preview_shows_the_first_rows_in_order():
    """Count, schema and preview of a table."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA raw")
    connection.execute(
        "CREATE TABLE raw.votes AS SELECT range::VARCHAR AS vote_id, 'x@y.com' AS email FROM range(100, 130)"
    )
    shown = table_metadata(connection, "raw.votes", order_by="vote_id DESC")
    lines = shown["preview"].value.splitlines()
    assert lines[0] == "| vote_id |"
    assert lines[2:] == [f"| {number} |" for number in range(129, 129 - PREVIEW_ROWS, -1)]
    assert shown["dagster/row_count"] == 30
    assert [column.name for column in shown["dagster/column_schema"].columns] == ["vote_id"]


def test_a_view_is_previewed_like_a_table():
    """Some of our tables are views; order and count are those of their rows."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA resolved")
    others = ", ".join(f"NULL AS {name}" for name in PREVIEWED["resolved.votes"] if name != "request_id")
    connection.execute(f"CREATE VIEW resolved.votes AS SELECT range % 2 AS request_id, {others} FROM range(5)")
    shown = table_metadata(connection, "resolved.votes", order_by="request_id DESC")
    place = PREVIEWED["resolved.votes"].index("request_id")
    cells = [line.split(" | ")[place] for line in shown["preview"].value.splitlines()[2:]]
    assert cells == ["1", "1", "0", "0", "0"]
    assert shown["dagster/row_count"] == 5


def test_an_asset_shows_its_table_columns_and_sql_before_the_first_run(tmp_path):
    """As a run would: the same columns with the same types and words, beside the query that makes the table."""
    tables = {
        **{asset: table for asset, (table, *_) in RAW.items()},
        "domain_resolved_votes": "resolved.votes",
        **{asset: table for asset, (table, *_) in RANKED.items()},
    }
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    with open_store(tmp_path / "store.duckdb") as connection:
        resolve_votes(connection, ResolutionSettings())
        rank(connection, as_of=datetime(2026, 11, 1, tzinfo=UTC))
        for asset, table in tables.items():
            shown, made = specs[asset].metadata, table_metadata(connection, table)
            assert shown["dagster/table_name"] == table
            assert shown["dagster/column_schema"] == made["dagster/column_schema"], table
            assert ("SQL" in shown) is not table.startswith("raw."), table
    assert "votes_30d" in specs["ranked_feature_requests"].metadata["SQL"].value
