"""Where the columns of our tables come from: complete, existing, and true to what a change of the input changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import duckdb
import pytest

from integration_assets.assets.lineage import SOURCES, column_lineage
from integration_assets.assets.metadata import table_metadata
from integration_assets.assets.ranked import RANKED
from integration_assets.assets.raw import RAW
from integration_assets.definitions import defs
from integration_assets.resolution.rank import snapshot_history
from integration_assets.resolution.same_requests import SameRequest
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.descriptions import COLUMNS
from integration_assets_tests.resolution.worlds import AS_OF, company, contact, request, resolved, rows, vote

TABLES = {
    **{asset: table for asset, (table, *_) in RAW.items()},
    "domain_resolved_votes": "resolved.votes",
    **{asset: table for asset, (table, *_) in RANKED.items()},
}
ASSETS = {table: asset for asset, table in TABLES.items()}
OF_NOTHING = {("ranked.feature_requests", "as_of"), ("ranked.feature_requests", "crm_url")}
"""The moment of the run, and the page in the CRM, which is set when the records of the run are there."""

KEYS = {
    "resolved.votes": ("vote_id",),
    "ranked.feature_requests": ("request_id",),
    "ranked.company_requests": ("company_id", "request_id"),
    "ranked.unresolved_votes": ("email_domain", "reason"),
    "ranked.rank_history": ("request_id",),
}
WORLD: dict[str, list[Any]] = {
    "feature_requests": [
        request("a", board="Web", category="Look", url="https://x/a", created_at=AS_OF),
        request("b", status="complete", created_at=AS_OF),
        request("c", status="planned", created_at=AS_OF),
        request("d", url="https://x/d", created_at=AS_OF),
    ],
    "voters": [
        {"voter_id": "ann", "email": "ann@acme.com"},
        {"voter_id": "bob", "email": "bob@beta.com"},
        {"voter_id": "cid", "email": "cid@store.com"},
        {"voter_id": "dee", "email": "dee@unknown.com"},
        {"voter_id": "eve", "email": "eve@both.com"},
        {"voter_id": "flo", "email": "flo@gmail.com"},
    ],
    "votes": [
        vote("1", "a", "ann"),
        vote("2", "a", "bob", 10),
        vote("3", "b", "cid"),
        vote("4", "b", "dee"),
        vote("5", "c", "eve"),
        vote("6", "c", "flo"),
        vote("7", "c", None),
        vote("8", "d", "bob"),
    ],
    "accounts": [{"account_id": "f", "monthly_spend": "0"}],
    "voter_accounts": [{"voter_id": "flo", "account_id": "f"}],
    "crm_companies": [
        company("1", "acme.com", arr="100", currency="USD", lifecycle_stage="lead"),
        company("2", "beta.com", lifecycle_stage="customer", additional_domains=["store.com"]),
        company("3", "both.com", merged_ids=["9"]),
        company("4", "delta.com", account_id="f"),
        company("5", "both.com", parent_id="6"),
        company("6", "holding.com"),
    ],
    "crm_contacts": [contact("k", "ann@acme.com", "1")],
    "crm_deals": [
        {"deal_id": "x", "company_ids": ["1"], "amount": "10", "currency": "EUR", "home_amount": "11"},
        {"deal_id": "y", "company_ids": ["2"], "amount": "20", "currency": "USD"},
    ],
    "reads": [{"input": "deals"}],
    "internal_accounts": [{"account_row": "i", "domain": "beta.com", "arr": "700", "currency": "USD"}],
}
CHANGES = {
    ("raw.feature_requests", "title"): "'another'",
    ("raw.feature_requests", "status"): "CASE status WHEN 'open' THEN 'closed' ELSE 'open' END",
    ("raw.feature_requests", "board"): "'another'",
    ("raw.feature_requests", "category"): "'another'",
    ("raw.feature_requests", "tags"): "['another']",
    ("raw.feature_requests", "status_changed_at"): "TIMESTAMP '2026-01-02'",
    ("raw.feature_requests", "url"): "'https://x/another'",
    ("raw.feature_requests", "created_at"): "created_at - ascii(request_id) * INTERVAL 1 DAY",
    ("raw.feature_requests", "details"): "'another'",
    ("raw.feature_requests", "score"): "77",
    ("raw.votes", "created_at"): "created_at - INTERVAL 30 DAY",
    (
        "raw.votes",
        "voter_id",
    ): "CASE voter_id WHEN 'ann' THEN 'dee' WHEN 'dee' THEN 'ann' ELSE voter_id END",
    ("raw.crm_companies", "name"): "'another'",
    ("raw.crm_companies", "domain"): "CASE company_id WHEN '3' THEN 'acme.com' ELSE 'unknown.com' END",
    (
        "raw.crm_companies",
        "additional_domains",
    ): "CASE company_id WHEN '1' THEN ['unknown.com'] ELSE [] END",
    ("raw.crm_companies", "arr"): "'5' || company_id",
    ("raw.crm_companies", "currency"): "'XXX'",
    ("raw.crm_companies", "lifecycle_stage"): "'customer'",
    ("raw.crm_companies", "parent_id"): "CASE company_id WHEN '5' THEN '3' END",
    ("raw.crm_companies", "merged_ids"): "CASE company_id WHEN '3' THEN ['5'] ELSE [] END",
    ("raw.crm_companies", "account_id"): "CASE company_id WHEN '6' THEN 'f' END",
    ("raw.crm_companies", "modified_at"): "now()::TIMESTAMP",
    ("raw.crm_contacts", "primary_company_id"): "'4'",
    ("raw.crm_deals", "company_ids"): "['2']",
    ("raw.crm_deals", "amount"): "'7'",
    ("raw.crm_deals", "currency"): "'USD'",
    ("raw.crm_deals", "home_amount"): "'9'",
    ("raw.crm_deals", "stage"): "'another'",
    ("raw.crm_deals", "close_date"): "DATE '2030-01-01'",
    ("raw.internal_accounts", "company_id"): "'1'",
    ("raw.internal_accounts", "domain"): "'acme.com'",
    ("raw.internal_accounts", "arr"): "'9'",
    ("raw.internal_accounts", "currency"): "'XXX'",
}
"""What is done to each raw column, as an expression of its row. Ids that only say which row is which are left alone."""
IDS = {"request_id", "vote_id", "account_row", "company_id", "contact_id"}
SETTINGS = ResolutionSettings(
    account_id_mapped=True, same_requests=(SameRequest("canny:d", "canny:c"),), key_prefix="canny:"
)


def ancestors(asset: str) -> set[str]:
    """All assets an asset is made of, directly or not."""
    graph = defs.resolve_asset_graph()
    found = {key.to_user_string() for key in graph.get(dg.AssetKey(asset)).parent_keys}
    return found.union(*(ancestors(parent) for parent in found))


def traced(table: str, column: str) -> Iterator[tuple[str, str]]:
    """The raw columns a column is made of, through all tables in between."""
    for asset, names in SOURCES[table].get(column, {}).items():
        for name in names:
            if TABLES[asset] in SOURCES:
                yield from traced(TABLES[asset], name)
            else:
                yield TABLES[asset], name


def results(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """The rows of every table made, by key."""
    snapshot_history(connection, AS_OF)
    return {
        table: {tuple(row[name] for name in key): row for row in rows(connection, f"FROM {table}")}
        for table, key in KEYS.items()
    }


@pytest.fixture(scope="module")
def store() -> duckdb.DuckDBPyConnection:
    """The world before any change."""
    return resolved(WORLD, SETTINGS)


@pytest.fixture(scope="module")
def before(store: duckdb.DuckDBPyConnection) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """Its results."""
    return results(store)


def test_every_column_has_its_sources_and_they_exist():
    """Tables that we make say of each column where it is from: a described column of an asset that is made before.

    The history is made of the ranking in one step with it.
    """
    made_before = {table: ancestors(asset) for table, asset in ASSETS.items()}
    made_before["ranked.rank_history"].add("ranked_feature_requests")
    assert SOURCES.keys() == set(TABLES.values()) - {table for table in COLUMNS if table.startswith("raw.")}
    assert SOURCES.keys() == KEYS.keys()
    for table, columns in SOURCES.items():
        described = {(table, column) for column in COLUMNS[table]}
        assert {(table, column) for column in columns} == described - OF_NOTHING
        for column, sources in columns.items():
            assert sources.keys() <= made_before[table], (table, column)
            for asset, names in sources.items():
                assert names, (table, column)
                assert set(names) <= COLUMNS[TABLES[asset]].keys(), (table, column)


@pytest.mark.parametrize("column", CHANGES, ids=".".join)
def test_what_a_change_changes_is_said_to_come_from_there(store, before, column):
    """A raw column is changed: some columns that say, over however many tables, that they come from it; no others."""
    table, name = column
    world = {one: rows(store, f"FROM raw.{one}") for one in WORLD}
    world[table.removeprefix("raw.")] = rows(store, f"SELECT * REPLACE ({CHANGES[column]} AS {name}) FROM {table}")
    found = {
        (made, one)
        for made, rows_made in results(resolved(world, SETTINGS)).items()
        for key, row in rows_made.items()
        for one, value in row.items()
        if key in before[made] and before[made][key][one] != value
    }
    said = {(table, name) for table, columns in SOURCES.items() for name in columns if column in traced(table, name)}
    assert found - said == set()
    assert bool(found) == bool(said)


def test_every_raw_column_that_is_a_source_is_changed():
    """No column is left out of the proof above, but for ids."""
    sources = {column for table, columns in SOURCES.items() for name in columns for column in traced(table, name)}
    assert {(table, name) for table, name in sources - CHANGES.keys() if name not in IDS} == set()


def test_the_lineage_is_in_the_metadata_and_in_the_words(store):
    """Dagster keeps it by column; its UI shows it in the description."""
    shown = table_metadata(store, "ranked.feature_requests", order_by="rank_by_arr")
    assert shown["dagster/column_lineage"] == column_lineage(SOURCES["ranked.feature_requests"])
    words = {column.name: column.description for column in shown["dagster/column_schema"].columns}
    assert words["title"] == "Title of the request ← raw_feature_requests: title"
    assert words["as_of"] == COLUMNS["ranked.feature_requests"]["as_of"].description
    raw = table_metadata(store, "raw.votes")
    assert "dagster/column_lineage" not in raw
