"""Statements that several checks ask are asked once for all of them, and again by the next gate."""

from __future__ import annotations

from collections import Counter

import duckdb
import pytest

from integration_assets.checks.base import GateSettings, asked_once, query
from integration_assets.checks.gate import closed_by, run_gate
from integration_assets.sql import read_sql


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the file of each statement was asked of a store."""
    counted: Counter[str] = Counter()

    def counting(name: str) -> str:
        counted[name] += 1
        return read_sql(name)

    monkeypatch.setattr("integration_assets.checks.base.read_sql", counting)
    return counted


def test_a_gate_asks_each_statement_once(
    store: duckdb.DuckDBPyConnection, settings: GateSettings, asked: Counter[str]
) -> None:
    run_gate(store, settings)

    # Five checks want the first, four the second, three the last.
    shared = ("checks/incomplete_rows", "checks/portals", "checks/most_links")
    assert {name: asked[name] for name in shared} == dict.fromkeys(shared, 1)


def test_the_next_gate_asks_all_of_it_again(store: duckdb.DuckDBPyConnection, settings: GateSettings) -> None:
    assert closed_by(run_gate(store, settings)) == ()
    store.execute("UPDATE raw.feature_requests SET title = ''")

    assert any("feature_requests_usable" in reason for reason in closed_by(run_gate(store, settings)))


def test_answers_are_those_of_their_connection_and_parameters(store: duckdb.DuckDBPyConnection) -> None:
    with duckdb.connect() as other, asked_once({}):
        assert query(store, "last_read", ["votes"])
        assert not query(store, "last_read", ["nothing of the kind"])
        with pytest.raises(duckdb.CatalogException):
            query(other, "last_read", ["votes"])


def test_nothing_is_kept_after_the_block(store: duckdb.DuckDBPyConnection) -> None:
    with asked_once({}):
        before = query(store, "incomplete_rows")
    store.execute("UPDATE raw.feature_requests SET title = ''")

    assert query(store, "incomplete_rows") != before
