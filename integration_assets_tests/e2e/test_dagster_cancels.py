"""Runs that a person or Dagster ends through Dagster: what is told of them, what was written, and what comes next."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from integration_assets.automation.sensors import due_retries
from integration_assets.config import Environment
from integration_assets.runs import session
from integration_assets.runs.plan_and_apply import plan_run
from integration_assets.runs.result import read_result
from integration_assets.runs.session import RunSession
from integration_assets.runs.state import Planned
from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets.staging.store import hold_store, store_path
from integration_assets_tests.e2e.operator import Operator, operating
from integration_assets_tests.support.harness import World, is_write

pytestmark = pytest.mark.proof  # runs that are cancelled in the middle: part of `make proofs`

SUCCESS, FAILURE, CANCELED = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED


@pytest.fixture
def operator(ready: World) -> Iterator[Operator]:
    """An operator of the small world before its first sync."""
    with operating(ready) as made:
        yield made


def reads_companies(request: LoggedRequest) -> bool:
    """Whether a request is of the long read, which comes before any write."""
    return "/objects/" in request.path


def writes_links(request: LoggedRequest) -> bool:
    """Whether a request comes after the records were written."""
    return is_write(request) and "/associations/" in request.path


def nothing_is_tried_again(operator: Operator, run: dg.DagsterRun) -> None:
    """No sensor has an appointment for a run, and the run promises none."""
    ending = read_result(operator.world.home, Environment.SANDBOX, "default", run.run_id)
    assert ending is not None
    assert ending.retry_at is None
    later = datetime.now(UTC) + timedelta(days=1)
    assert list(due_retries(operator.instance, operator.world.home, later)) == []


@pytest.mark.parametrize("by_force", [False, True], ids=["asked", "forced"])
@pytest.mark.parametrize(
    ("when", "written"), [(reads_companies, False), (writes_links, True)], ids=["reading", "applying"]
)
def test_a_cancelled_run_is_told_as_cancelled_and_not_tried_again(
    operator: Operator, when: Callable[[LoggedRequest], bool], written: bool, by_force: bool
) -> None:
    """Dagster shows it as cancelled to the end; Slack says so, with what was written; the next sync goes on."""
    with operator.cancelled_at(operator.world.lookalike(), when, by_force=by_force):
        run = operator.run()
    assert run.status is CANCELED
    row = operator.row(run)
    assert row is not None
    assert row.state == "RETRY_LATER"
    records = len(operator.world.in_crm().records)
    assert row.records_created == records == (5 if written else 0)
    assert operator.messages() == ["sandbox: cancelled"]
    told = operator.last_message()
    assert "cancelled by somebody in Dagster" in told
    assert ("verified until then" if written else "nothing was written") in told
    assert "Nothing is tried again by itself. The next sync goes on from there." in told
    assert not operator.alert_is_open()
    nothing_is_tried_again(operator, run)
    assert operator.run().status is SUCCESS
    assert operator.messages()[1:] == ["sandbox: succeeded"]
    operator.world.forget_requests()
    assert operator.run().status is SUCCESS
    assert operator.world.writes() == []


def test_cancelling_while_it_plans_is_told_as_well(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request is under way: Dagster interrupts the stage itself."""

    def cancelled(session: RunSession) -> Planned:
        operator.cancel()
        return plan_run(session)

    monkeypatch.setattr("integration_assets.assets.crm.plan_run", cancelled)
    run = operator.run()
    assert run.status is CANCELED
    row = operator.row(run)
    assert row is not None
    assert (row.state, row.requests_identified, row.votes_total, row.records_created) == ("RETRY_LATER", 5, 11, 0)
    assert operator.messages() == ["sandbox: cancelled"]
    assert "nothing was written" in operator.last_message()
    nothing_is_tried_again(operator, run)


def test_what_was_wrong_before_stays_open_when_somebody_cancels(operator: Operator) -> None:
    """Cancelling is neither a problem nor the end of one."""
    operator.world.canny.api_key, key = "another key", operator.world.canny.api_key
    assert operator.run().status is FAILURE
    operator.world.canny.api_key = key
    assert operator.alert_is_open()
    with operator.cancelled_at(operator.world.lookalike(), reads_companies):
        assert operator.run().status is CANCELED
    assert operator.alert_is_open()
    assert operator.run().status is SUCCESS
    assert operator.messages() == ["sandbox: failed", "sandbox: cancelled", "sandbox: recovered, succeeded"]


def test_cancelling_while_it_publishes_comes_too_late(operator: Operator) -> None:
    """All is written and about to be told: the run ends as the success it is, everywhere."""
    with operator.cancelled_at(operator.world.sandbox.slack, lambda _: True):
        run = operator.run()
    assert run.status is SUCCESS
    row = operator.row(run)
    assert row is not None
    assert row.state == "SUCCEEDED"
    assert operator.messages() == ["sandbox: succeeded"]


def test_a_run_that_takes_too_long_is_left_to_dagster(operator: Operator) -> None:
    """Dagster's run monitoring names itself, and tries again what it has stopped: nobody else does."""
    with operator.cancelled_at(
        operator.world.lookalike(),
        reads_companies,
        message="Canceling due to exceeding maximum runtime of 7200 seconds.",
        fails=True,
    ):
        run = operator.run()
    assert run.status is FAILURE
    assert operator.messages() == ["sandbox: not finished, will be tried again"]
    told = operator.last_message()
    assert "stopped by Dagster's run monitoring (Canceling due to exceeding maximum runtime of 7200 seconds)" in told
    assert "Dagster tries it again by itself" in told
    nothing_is_tried_again(operator, run)


def test_the_next_run_waits_for_one_that_was_marked_as_cancelled(operator: Operator) -> None:
    """Its process may still finish what it has begun; the next run begins once it has let go."""
    over = _marked_as_cancelled(operator)
    with _held_by(operator, over) as let_go:
        threading.Timer(1.5, let_go.set).start()
        run = operator.run()
    assert run.status is SUCCESS, operator.failures(run)


def test_the_next_run_does_not_wait_for_ever(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that hangs keeps its lock: the run that waits ends, and is tried later."""
    monkeypatch.setattr(session, "LET_GO_SECONDS", 0.1)
    with _held_by(operator, _marked_as_cancelled(operator)):
        run = operator.run()
    assert run.status is FAILURE
    assert "another run of default is using" in operator.errors(run)[0]


def test_a_run_that_waits_can_be_cancelled(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gives up waiting is told the same as anybody who cancels."""

    def cancel(_seconds: float) -> None:
        [waiting] = operator.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        operator.instance.report_run_canceling(waiting)

    monkeypatch.setattr("integration_assets.runs.session.time.sleep", cancel)
    with _held_by(operator, _marked_as_cancelled(operator)):
        run = operator.run()
    assert run.status is CANCELED
    assert "cancelled by somebody in Dagster" in operator.errors(run)[0]


def _marked_as_cancelled(operator: Operator) -> str:
    run = operator.instance.create_run_for_job(operator.job("sync"), status=dg.DagsterRunStatus.CANCELED)
    return run.run_id


class _held_by:  # noqa: N801 - reads as what it does
    """The run lock, held by a thread in the name of a run until it is let go or the block ends."""

    def __init__(self, operator: Operator, run_id: str) -> None:
        self._path = store_path(operator.world.home, None, "sandbox", "default")
        self._run_id = run_id
        self._let_go, self._held = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def _hold(self) -> None:
        with hold_store(self._path, f"run {self._run_id}"):
            self._held.set()
            self._let_go.wait(60)

    def __enter__(self) -> threading.Event:
        self._thread.start()
        assert self._held.wait(60)
        return self._let_go

    def __exit__(self, *_: object) -> None:
        self._let_go.set()
        self._thread.join()
