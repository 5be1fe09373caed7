"""A run that died gets its end from the next one, once, with the numbers the ledger vouches for."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import msgspec

from integration_assets.errors import EndState
from integration_assets.reporting.open_runs import Begun, begin_run, end_dead_runs, forget_run
from integration_assets.reporting.run_log import record_run
from integration_assets.reporting.run_summary import RunFacts, RunSummary, build_summary

STARTED = datetime(2026, 3, 1, 11, 30, tzinfo=UTC)


def begun(run_id: str) -> Begun:
    return Begun(run_id=run_id, tenant="default", environment="sandbox", mode="sync", started_at=STARTED)


def nothing_left(_run_id: str) -> None:
    return None


def runs(store: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(store.execute("SELECT run_id, state FROM ops.runs ORDER BY run_id").fetchall())


def end(store: duckdb.DuckDBPyConnection) -> list[str]:
    return end_dead_runs(store, but="now", known_result=nothing_left, memory="2.0 GB of memory")


def test_dead_run_ends_retry_later_once(empty_store: duckdb.DuckDBPyConnection) -> None:
    """A run without an end is recorded as `RETRY_LATER`, the one that asks is left alone, a second look finds none."""
    begin_run(empty_store, begun("dead"))
    begin_run(empty_store, begun("now"))
    [line] = end(empty_store)
    assert line == (
        "run dead, started 2026-03-01 11:30 UTC, died before it ended (killed, out of memory, or the machine stopped; "
        "it may use 2.0 GB of memory): 0 writes verified, 0 on their way; the next run goes on where it stood"
    )
    assert runs(empty_store) == {"dead": "RETRY_LATER"}
    assert end(empty_store) == []
    assert empty_store.execute("SELECT run_id FROM sync.open_runs").fetchall() == [("now",)]


def test_numbers_of_a_dead_run_are_those_read_back(empty_store: duckdb.DuckDBPyConnection) -> None:
    """Only verified writes count; labels count one by one; a correction of the state alone counts not at all."""
    begin_run(empty_store, begun("dead"))
    empty_store.execute("""
        INSERT INTO sync.ledger BY NAME
        SELECT 'dead' AS run_id, * FROM (VALUES
            (1, 'create', MAP {'title': 'a'}, NULL, NULL, 'verified'),
            (2, 'create', MAP {'title': 'b'}, NULL, NULL, NULL),
            (3, 'update', MAP {'votes': '2'}, NULL, NULL, 'verified'),
            (4, 'update', MAP {'votes': '3'}, NULL, NULL, 'rejected'),
            (5, 'update', MAP {'managed_state': 'x'}, NULL, NULL, 'verified'),
            (6, 'link', NULL, ['other:1', 'voter'], ['author', 'other:1', 'voter'], 'verified'),
            (7, 'link', NULL, NULL, ['author', 'voter'], 'verified'),
            (8, 'link', NULL, [], ['voter'], 'unknown'),
            (9, 'unlink', NULL, ['voter', 'author'], ['voter', 'author'], 'verified')
        ) AS t (ledger_id, action, after_values, before_labels, after_labels, outcome)
    """)
    empty_store.execute("UPDATE sync.ledger SET intent_at = TIMESTAMP '2026-03-01 11:31:40'")
    empty_store.execute("INSERT INTO sync.plans (run_id, hash) VALUES ('dead', 'abc')")
    [line] = end(empty_store)
    assert "7 writes verified, 2 on their way" in line
    [(text, duration, plan)] = empty_store.execute(
        "SELECT summary::VARCHAR, duration_seconds, plan_hash FROM ops.runs"
    ).fetchall()
    summary = msgspec.json.decode(text, type=RunSummary)
    records, links = summary.feature_requests, summary.links
    assert (records.created, records.updated, records.rejected, records.verified) == (1, 1, 1, 2)
    assert (links.created, links.removed, links.verified) == (3, 2, 5)
    assert (duration, plan) == (100.0, "abc")


def test_a_run_that_left_its_ending_elsewhere_keeps_it(empty_store: duckdb.DuckDBPyConnection) -> None:
    """A run that could not record its end but left it in a file is recorded as it ended."""
    begin_run(empty_store, begun("full"))
    facts = RunFacts(
        run_id="full",
        tenant="default",
        environment="sandbox",
        mode="sync",
        state=EndState.FAILED,
        started_at=STARTED,
        duration_seconds=3.0,
        error="the disk is full",
    )
    summary = build_summary(None, facts)
    lines = end_dead_runs(empty_store, but="now", known_result=lambda _: (summary, facts.error), memory="all")
    assert lines == ["run full ended FAILED and could not record it; that is done now"]
    assert empty_store.execute("SELECT state, error FROM ops.runs").fetchall() == [("FAILED", "the disk is full")]


def test_an_ended_run_and_one_without_anything_to_record_are_not_dead(
    empty_store: duckdb.DuckDBPyConnection, facts: RunFacts
) -> None:
    """Recording the end, or forgetting the run, takes it off the list."""
    begin_run(empty_store, begun(facts.run_id))
    record_run(empty_store, build_summary(empty_store, facts), facts)
    begin_run(empty_store, begun("some assets only"))
    forget_run(empty_store, "some assets only")
    assert end(empty_store) == []
    assert runs(empty_store) == {facts.run_id: "SUCCEEDED"}
