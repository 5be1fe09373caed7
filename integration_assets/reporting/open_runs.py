"""Runs that have begun, and what becomes of those that died: no run is without an end state for ever.

A run is noted when it begins and the note is removed, in one transaction, when its end is recorded. Whoever holds the
run lock next and finds a note knows that its run is dead, and records the end for it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import duckdb
import msgspec

from integration_assets.errors import EndState
from integration_assets.reporting.run_log import record_run
from integration_assets.reporting.run_summary import (
    LinkNumbers,
    PlanLine,
    RecordNumbers,
    RunFacts,
    RunSummary,
    build_summary,
)
from integration_assets.reporting.text import count
from integration_assets.sql import read_sql


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has begun. `mode` is `sync`, `dry_run`, `read_only` or `undo`."""

    run_id: str
    tenant: str
    environment: str
    mode: str
    started_at: datetime


KnownEnding = Callable[[str], tuple[RunSummary, str | None] | None]
"""From a run id to the summary and error line the run left elsewhere; None when it left none."""


def begin_run(connection: duckdb.DuckDBPyConnection, begun: Begun) -> None:
    """Note that a run has begun. `record_run` removes the note."""
    connection.execute(
        "INSERT INTO sync.open_runs VALUES ($run_id, $tenant, $environment, $mode, $started_at::TIMESTAMP)",
        msgspec.structs.asdict(begun),
    )


def forget_run(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Remove the note of a run that has nothing to record."""
    connection.execute("DELETE FROM sync.open_runs WHERE run_id = ?", [run_id])


def end_dead_runs(
    connection: duckdb.DuckDBPyConnection, *, but: str, known_result: KnownEnding, memory: str
) -> list[str]:
    """Record the end of every run that never recorded one, `but` the one that asks; return a line about each.

    To be called by the holder of the run lock: everybody else who began is dead. A run that left its ending elsewhere
    gets that one; any other ends `RETRY_LATER`, with the numbers the ledger vouches for. `memory` says how much memory
    a run may use: too little is a common cause.
    """
    rows = connection.execute(
        """
        SELECT run_id, tenant, environment, mode, started_at FROM sync.open_runs
        WHERE run_id != ? ORDER BY started_at, run_id
        """,
        [but],
    ).fetchall()
    return [
        _end(connection, Begun(run_id=i, tenant=t, environment=e, mode=m, started_at=s), known_result(i), memory)
        for i, t, e, m, s in rows
    ]


def _end(
    connection: duckdb.DuckDBPyConnection, begun: Begun, ending: tuple[RunSummary, str | None] | None, memory: str
) -> str:
    started = begun.started_at.replace(tzinfo=UTC)
    # The run had ended and only could not record it: its own numbers are better than what the ledger can tell.
    if ending is not None:
        summary, error = ending
        facts = _facts(begun, EndState(summary.state), error, duration=summary.duration_seconds)
        record_run(connection, summary, facts)
        return f"run {begun.run_id} ended {summary.state} and could not record it; that is done now"
    written = {
        action: (verified, rejected, unsure)
        for action, verified, rejected, unsure in connection.execute(
            read_sql("reporting/written_by_run"), [begun.run_id]
        ).fetchall()
    }
    # From the ledger, which was written before each send: it is all a killed run could leave.
    verified, unsure = (sum(numbers[column] for numbers in written.values()) for column in (0, 2))
    error = (
        f"died before it ended (killed, out of memory, or the machine stopped; it may use {memory}): "
        f"{count(verified, 'write')} verified, {unsure:,} on their way; the next run goes on where it stood"
    )
    # Safe to run again: whatever it sent is in the ledger, and the next run reads it back.
    facts = _facts(begun, EndState.RETRY_LATER, error, duration=_seconds_seen(connection, begun))
    facts = msgspec.structs.replace(facts, **_numbers(written), plan=_plan(connection, begun.run_id))
    record_run(connection, build_summary(connection, facts), facts)
    return f"run {begun.run_id}, started {started:%Y-%m-%d %H:%M} UTC, {error}"


def _facts(begun: Begun, state: EndState, error: str | None, *, duration: float) -> RunFacts:
    return RunFacts(
        run_id=begun.run_id,
        tenant=begun.tenant,
        environment=begun.environment,
        mode=begun.mode,
        state=state,
        started_at=begun.started_at.replace(tzinfo=UTC),
        duration_seconds=duration,
        error=error,
        # The tables are those of an earlier run, or half of this one's: neither is its result.
        resolved=False,
        ranked=False,
    )


def _numbers(written: dict[str, tuple[int, int, int]]) -> dict[str, RecordNumbers | LinkNumbers]:
    def done(action: str) -> int:
        return written.get(action, (0, 0, 0))[0]

    def refused(*actions: str) -> int:
        return sum(written.get(action, (0, 0, 0))[1] for action in actions)

    created, updated, retired = (done(action) for action in ("create", "update", "retire"))
    linked, unlinked = done("link"), done("unlink")
    return {
        "records": RecordNumbers(
            created=created,
            updated=updated,
            retired=retired,
            rejected=refused("create", "update", "retire"),
            # The ledger has them as verified: what was only sent is not counted as created.
            verified=created + updated + retired,
        ),
        "links": LinkNumbers(
            created=linked, removed=unlinked, rejected=refused("link", "unlink"), verified=linked + unlinked
        ),
    }


def _plan(connection: duckdb.DuckDBPyConnection, run_id: str) -> PlanLine:
    rows = connection.execute(
        "SELECT hash FROM sync.plans WHERE run_id = ? ORDER BY created_at DESC LIMIT 1", [run_id]
    ).fetchall()
    return PlanLine(rows[0][0] if rows else None)


def _seconds_seen(connection: duckdb.DuckDBPyConnection, begun: Begun) -> float:
    """Seconds from its start to the last trace in the ledger: how long it lived at least."""
    rows = connection.execute(
        "SELECT max(greatest(intent_at, outcome_at)) FROM sync.ledger WHERE run_id = ?", [begun.run_id]
    ).fetchall()
    last: datetime | None = rows[0][0]
    # A clock that was set back must not give a negative duration.
    return max(0.0, (last - begun.started_at).total_seconds()) if last else 0.0
