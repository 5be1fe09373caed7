"""The addresses in the CRM of what is ranked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from integration_assets.resolution.rank import rank
from integration_assets.resolution.record_pages import set_record_pages
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets_tests.resolution.worlds import AS_OF, World, company, load, request, vote
from integration_assets_tests.support.stores import open_tested_store

LEDGER = """
INSERT INTO sync.ledger BY NAME
SELECT $number AS ledger_id, 'p1' AS portal_id, 'create' AS action, $key AS key, $record AS record_id,
    $outcome AS outcome, $moment::TIMESTAMP AS intent_at
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Four requests: one has a record, one an archived one, and three are created, of which one was refused."""
    with open_tested_store(tmp_path / "store.duckdb") as connection:
        world: World = {
            "feature_requests": [request("A"), request("b"), request("c"), request("d")],
            "voters": [{"voter_id": "u", "email": "u@acme.example"}, {"voter_id": "w", "email": "w@odd.example"}],
            "votes": [vote("1", "A", "u"), vote("2", "A", "w")],
            "crm_companies": [company("77", "acme.example"), company("7/7", "odd.example")],
            "crm_feature_requests": [
                {"record_id": "901", "key": "canny:a", "archived": False},
                {"record_id": "902", "key": "canny:b", "archived": True},
            ],
            "crm_portals": [
                {
                    "environment": "sandbox",
                    "role": "target",
                    "portal_id": "p1",
                    "company_page": "https://crm.example/company/{id}",
                    "request_page": "https://crm.example/wish/{id}",
                },
                {
                    "environment": "production",
                    "role": "other",
                    "portal_id": "p2",
                    "company_page": "https://x.example/{id}",
                },
            ],
            "reads": [{"input": "crm_feature_requests", "as_of": AS_OF}],
        }
        load(connection, world)
        resolve_votes(connection, ResolutionSettings())
        rank(connection, AS_OF)
        later, before = "2026-06-01 12:05", "2026-05-01 12:05"
        for number, (key, record, outcome, moment) in enumerate(
            [
                ("canny:b", "911", "verified", later),
                ("canny:c", "912", "rejected", later),
                ("canny:d", "913", "verified", before),
            ]
        ):
            values = {"number": number, "key": key, "record": record, "outcome": outcome, "moment": moment}
            connection.execute(LEDGER, values)
        yield connection


def test_what_is_ranked_leads_to_its_record(store: duckdb.DuckDBPyConnection) -> None:
    """The live record, or the one just created; none that was refused, archived, or is gone since it was made."""
    set_record_pages(store, "canny:")
    pages = dict(store.execute("SELECT request_id, crm_url FROM ranked.feature_requests").fetchall())
    assert pages == {"A": "https://crm.example/wish/901", "b": "https://crm.example/wish/911", "c": None, "d": None}
    companies = dict(store.execute("SELECT company_id, crm_url FROM ranked.companies").fetchall())
    # An id that would have to be escaped leads nowhere.
    assert companies == {"77": "https://crm.example/company/77", "7/7": None}


def test_addresses_that_are_not_known_any_more_go(store: duckdb.DuckDBPyConnection) -> None:
    """Nothing is left of another portal's; what an earlier version ranked gets the column."""
    set_record_pages(store, "canny:")
    store.execute("UPDATE raw.crm_portals SET company_page = NULL, request_page = NULL")
    set_record_pages(store, "canny:")
    assert store.execute("SELECT count(crm_url) FROM ranked.feature_requests").fetchall() == [(0,)]
    store.execute("ALTER TABLE ranked.companies DROP COLUMN crm_url")
    set_record_pages(store, "canny:")
    assert store.execute("SELECT count(*), count(crm_url) FROM ranked.companies").fetchall() == [(2, 0)]
