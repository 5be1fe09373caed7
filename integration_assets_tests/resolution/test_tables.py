from __future__ import annotations

import duckdb
import pytest

from integration_assets.resolution import tables

RECURSIVE = """
WITH RECURSIVE steps AS (
    SELECT 1 AS step
    UNION ALL
    SELECT step + 1 FROM steps WHERE step < 3
)
SELECT step, current_setting('threads') AS threads FROM steps
"""


def test_one_thread_works_on_a_recursive_query(monkeypatch: pytest.MonkeyPatch) -> None:
    """With several, DuckDB would not come back from an interrupt."""
    monkeypatch.setattr(tables, "read_sql", lambda _: RECURSIVE)
    with duckdb.connect(config={"threads": 3}) as connection:
        tables.create_table(connection, "work_ancestors")

        rows = connection.execute("FROM work_ancestors ORDER BY step").fetchall()
        assert rows == [(1, 1), (2, 1), (3, 1)]
        assert connection.execute("SELECT current_setting('threads')").fetchall() == [(3,)]


def test_the_threads_are_back_after_a_recursive_query_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "read_sql", lambda _: RECURSIVE.replace("step < 3", "nothing < 3"))
    with duckdb.connect(config={"threads": 3}) as connection:
        with pytest.raises(duckdb.BinderException, match="nothing"):
            tables.create_table(connection, "work_ancestors")

        assert connection.execute("SELECT current_setting('threads')").fetchall() == [(3,)]
