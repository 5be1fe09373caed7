"""Queries of the pages over what an earlier version of the product may have stored."""

from __future__ import annotations

from pathlib import Path

import duckdb

from integration_assets.reporting.insights import read_companies, read_company, read_plan, search_companies
from integration_assets.staging.publishing import publish


def test_a_published_plan_without_a_kind_of_change_has_none_of_it(
    empty_store: duckdb.DuckDBPyConnection, tmp_path: Path
):
    """A version that knew no retirements counted none: the plan opens, and shows zero."""
    empty_store.execute("""
        INSERT INTO sync.plans BY NAME SELECT
            'p1' AS plan_id, 'run1' AS run_id, 'abc' AS hash, 'sync' AS kind, '1' AS portal_id, 'm' AS mapping_version,
            TIMESTAMP '2026-03-01' AS created_at, 'planned' AS status, []::VARCHAR [] AS held_reasons,
            '{"counts": {"create": 1, "update": 2, "link": 3, "unlink": 4}}' AS header
    """)
    publish(empty_store, tmp_path / "published.duckdb")
    with duckdb.connect(tmp_path / "published.duckdb", read_only=True) as published:
        found = read_plan(published, "abc")
    assert found is not None
    assert found.counts == {"create": 1, "update": 2, "retire": 0, "link": 3, "unlink": 4}


def test_companies_are_found_by_words_and_one_by_id(empty_store: duckdb.DuckDBPyConnection) -> None:
    """Those with most ARR first, and how many there are; a company alone is found by its whole id."""
    empty_store.execute("""
        CREATE TABLE ranked.companies AS
        SELECT *, 2 AS requests, 1 AS open_requests, 1 AS shipped_requests, NULL::TIMESTAMP AS last_vote_at,
            'customer' AS lifecycle, 'Customer' AS lifecycle_stage,
            NULL::VARCHAR AS owner, NULL::DATE AS renewal_date, NULL::VARCHAR AS crm_url
        FROM (VALUES
            ('c1', 'Acme', 'acme.com', 5::DECIMAL(38, 2), 'known'), ('c2', 'Bolt', 'bolt.io', 7, 'known'),
            ('c3', NULL, NULL, NULL, 'no_figure')
        ) AS t (company_id, company_name, domain, arr, arr_status);
    """)
    assert [one.company_id for one in read_companies(empty_store, "", limit=9)] == ["c2", "c1", "c3"]
    [second] = read_companies(empty_store, "", limit=1, skipped=1)
    assert (second.company_id, second.found) == ("c1", 3)
    [found] = read_companies(empty_store, "ACME", limit=9)
    assert read_company(empty_store, "c1") == found
    assert [read_company(empty_store, unknown) for unknown in ("", "c", "acme")] == [None, None, None]


def test_a_company_of_the_crm_is_found_by_what_it_is_called(empty_store: duckdb.DuckDBPyConnection) -> None:
    """By its whole name, its beginning, a word, its domain, a part: the closest first, whatever case and accents."""
    empty_store.execute("""
        CREATE TABLE ranked.crm_companies AS
        FROM (VALUES
            ('1', 'Éclair', 'eclair.example', 1::DECIMAL(38, 2)), ('2', 'eclair Foods', 'foods.example', 900),
            ('3', 'The ECLAIR Group', NULL, 5), ('4', 'Holding', 'eclair-holding.example', NULL),
            ('5', 'Boulangerie-eclair', NULL, 70), ('6', 'Acme', 'acme.example', 9), ('7', NULL, NULL, NULL),
            ('8', '100%_sure', 'sure.example', 1)
        ) AS t (company_id, company_name, domain, arr);
        INSERT INTO raw.crm_portals BY NAME
        SELECT 'target' AS role, 'https://crm.example/{id}' AS company_page;
    """)

    def ids(words: str) -> list[str]:
        return [one.company_id for one in search_companies(empty_store, words, limit=20)]

    assert ids("E\u0301CLAIR") == ids("eclair") == ["1", "2", "3", "4", "5"]
    assert (ids("acme.example"), ids("7"), ids("nobody")) == (["6"], ["7"], [])
    # No sign stands for others.
    assert (ids("%"), ids("a_m")) == (["8"], [])
    [first] = search_companies(empty_store, "eclair", limit=1)
    assert (first.found, first.crm_url, first.company_name) == (5, "https://crm.example/1", "Éclair")
