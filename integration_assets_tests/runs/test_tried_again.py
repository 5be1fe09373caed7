"""A stage that another try may well end: out of memory, not committed by the staging store, or interrupted."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

import dagster as dg
import duckdb
import pytest

from integration_assets.errors import EndState
from integration_assets.runs.interrupts import interruption_behind
from integration_assets.runs.session import RunSession
from integration_assets.runs.state import Mode, RunState
from integration_assets.staging.transactions import UncommittedError, transaction

TWO_MINUTES_OF_WORK = "SELECT count(*) FROM range(10000000) a JOIN range(10000000) b ON a.range % 10 = b.range % 10"


@pytest.mark.parametrize("error", [MemoryError(), duckdb.OutOfMemoryException("failed to allocate a block")])
def test_too_little_memory_means_later_and_the_bound_is_named(error: Exception) -> None:
    """Whoever notices first, the run is safe to repeat, and the line says how much memory it may use."""
    session = RunSession()
    session._state = RunState("run", "default", Mode.SYNC, datetime.now(UTC), 0.0)
    with pytest.raises(dg.Failure, match="out of memory in raw: it may use"), session.stage("raw"):
        raise error
    assert session.state.error is not None
    assert session.state.error.state is EndState.RETRY_LATER
    assert session.state.error_stage == "raw"


def test_what_the_store_did_not_commit_is_tried_again() -> None:
    """The line says why, and not that nothing was kept: the answer of a catalogue may have been lost."""
    session = RunSession()
    session._state = RunState("run", "default", Mode.SYNC, datetime.now(UTC), 0.0)
    with (
        pytest.raises(dg.Failure, match="Failed to commit: no such schema; what ranked was about to keep"),
        session.stage("ranked"),
    ):
        raise UncommittedError("Failed to commit: no such schema")
    assert session.state.error is not None
    assert session.state.error.state is EndState.RETRY_LATER


@pytest.mark.parametrize("statement_on_the_way_out", [False, True])
def test_a_signal_while_the_store_works_is_an_interruption(statement_on_the_way_out: bool) -> None:
    """DuckDB makes an error of its own of it, and another of what is called on the way out: neither is the cause."""
    session = RunSession()
    session._state = RunState("run", "default", Mode.SYNC, datetime.now(UTC), 0.0)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def work() -> None:
        with duckdb.connect() as connection, transaction(connection):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            try:
                connection.execute(TWO_MINUTES_OF_WORK)
            finally:
                if statement_on_the_way_out:
                    connection.execute("SET threads = 1")

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt), session.stage("resolved"):
            work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert session.state.error is not None
    assert session.state.error.state is EndState.RETRY_LATER
    assert session.state.error.message.startswith("interrupted in resolved")


def test_an_error_behind_itself_is_no_interruption() -> None:
    """As one is that is raised again while what came of it is handled."""
    error, consequence = RuntimeError("first"), ValueError("what came of it")
    consequence.__cause__, error.__context__ = error, consequence
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 5)
    try:
        assert interruption_behind(error) is None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
