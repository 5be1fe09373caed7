"""Record of every run in the store, for analysts: the tables of schema `ops`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import duckdb
import msgspec
import pyarrow as pa

from integration_assets.connectors.calls import CallCount
from integration_assets.reporting.outbox import OutboxMessage, StoreOutbox
from integration_assets.reporting.run_summary import (
    CheckLine,
    LinkNumbers,
    RecordNumbers,
    RunFacts,
    RunSummary,
    to_json,
    unapplied_changes,
)
from integration_assets.reporting.text import clean
from integration_assets.staging.store import transaction


def record_run(
    connection: duckdb.DuckDBPyConnection, summary: RunSummary, facts: RunFacts, message: OutboxMessage | None = None
) -> None:
    """Keep a run in `ops`: its summary, calls by endpoint, their floor and checks; and how fresh each input is now.

    With that the run is over: it is no open run any more, and `message` waits in the outbox, all or
    nothing. Recording a run again replaces what was recorded of it. Not to be called inside a transaction.
    """
    with transaction(connection):
        connection.execute("DELETE FROM sync.open_runs WHERE run_id = ?", [summary.run_id])
        # In this transaction: a run that is recorded without its message would never be announced.
        if message is not None:
            StoreOutbox(connection).put(message)
        # Recorded again with nothing to tell: what it left the first time speaks of another end.
        else:
            StoreOutbox(connection).remove(summary.run_id)
        # A run that is recorded again, for having died or having been repeated, must not be there twice.
        connection.execute("DELETE FROM ops.runs WHERE run_id = ?", [summary.run_id])
        connection.execute("DELETE FROM ops.api_calls WHERE run_id = ?", [summary.run_id])
        connection.execute("DELETE FROM ops.call_floors WHERE run_id = ?", [summary.run_id])
        connection.execute("DELETE FROM ops.checks WHERE run_id = ?", [summary.run_id])
        _insert_run(connection, summary, facts)
        _insert_calls(connection, summary.run_id, facts.calls)
        for system, least in facts.floor.items():
            connection.execute("INSERT INTO ops.call_floors VALUES (?, ?, ?)", [summary.run_id, system, least])
        _insert_checks(connection, summary.run_id, summary.checks)
        # As it is now, not per run: readers ask how old the data is, whichever run read it.
        connection.execute("DELETE FROM ops.freshness")
        connection.execute("INSERT INTO ops.freshness SELECT input, as_of, finished_at, rows_read FROM raw.reads")


def _insert_run(connection: duckdb.DuckDBPyConnection, summary: RunSummary, facts: RunFacts) -> None:
    started_at = facts.started_at
    # what a dry run would have written has columns of its own; these count what was
    records, links = (RecordNumbers(), LinkNumbers()) if summary.dry_run else (summary.feature_requests, summary.links)
    would = unapplied_changes(summary)
    values: dict[str, object] = {
        "run_id": summary.run_id,
        "tenant": summary.tenant,
        "environment": summary.environment,
        "mode": facts.mode,
        "state": summary.state,
        # Published with the rankings: no address of an error's text may get there.
        "error": clean(facts.error) if facts.error else None,
        "started_at": started_at,
        "finished_at": started_at + timedelta(seconds=summary.duration_seconds),
        "duration_seconds": summary.duration_seconds,
        "plan_hash": summary.plan.hash,
        "held": summary.plan.held,
        "currency": summary.currency,
        "requests_identified": summary.feature_requests.identified,
        "votes_total": summary.votes.total,
        "votes_matched": summary.votes.matched,
        "records_created": records.created,
        "records_updated": records.updated,
        "links_created": links.created,
        "links_removed": links.removed,
        "rejected": summary.feature_requests.rejected + summary.links.rejected,
        "summary": to_json(summary).decode(),
        **{f"would_{name}": getattr(would, name, None) for name in ("create", "update", "retire", "link", "unlink")},
    }
    connection.execute(
        """
        INSERT INTO ops.runs BY NAME SELECT
            $run_id AS run_id, $tenant AS tenant, $environment AS environment, $mode AS mode, $state AS state,
            $error AS error, $started_at::TIMESTAMP AS started_at, $finished_at::TIMESTAMP AS finished_at,
            $duration_seconds AS duration_seconds, $plan_hash AS plan_hash, $held AS held, $currency AS currency,
            $requests_identified AS requests_identified, $votes_total AS votes_total, $votes_matched AS votes_matched,
            $records_created AS records_created, $records_updated AS records_updated,
            $links_created AS links_created, $links_removed AS links_removed, $rejected AS rejected,
            $summary::JSON AS summary, $would_create AS would_create, $would_update AS would_update,
            $would_retire AS would_retire, $would_link AS would_link, $would_unlink AS would_unlink
        """,
        values,
    )


def _insert_calls(connection: duckdb.DuckDBPyConnection, run_id: str, calls: Sequence[CallCount]) -> None:
    # Arrow cannot tell the types of no rows.
    if not calls:
        return
    connection.register("_calls", pa.Table.from_pylist([msgspec.structs.asdict(call) for call in calls]))
    try:
        connection.execute("INSERT INTO ops.api_calls BY NAME SELECT ? AS run_id, * FROM _calls", [run_id])
    finally:
        connection.unregister("_calls")


def _insert_checks(connection: duckdb.DuckDBPyConnection, run_id: str, checks: Sequence[CheckLine]) -> None:
    # Arrow cannot tell the types of no rows.
    if not checks:
        return
    connection.register("_checks", pa.Table.from_pylist([msgspec.structs.asdict(check) for check in checks]))
    try:
        connection.execute("INSERT INTO ops.checks BY NAME SELECT ? AS run_id, * FROM _checks", [run_id])
    finally:
        connection.unregister("_checks")
