"""Queries of the pages over what an earlier version of the product may have stored."""

from __future__ import annotations

from pathlib import Path

import duckdb

from integration_assets.reporting.insights import read_plan
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
