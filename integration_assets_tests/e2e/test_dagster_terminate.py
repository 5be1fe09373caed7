"""Runs that somebody terminates in the Dagster UI, with the queue and the daemon of `integration-assets dev`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import duckdb
import pytest

from integration_assets.sandbox.lookalike import Fault, LoggedRequest
from integration_assets.staging.publishing import published_path
from integration_assets_tests.support.dagster_ui import Ui, running_ui
from integration_assets_tests.support.harness import World, is_write
from integration_assets_tests.support.snapshots import Snapshot, copy_of, folder

pytestmark = pytest.mark.proof  # a UI with its daemon

TERMINATE = """
mutation ($run: String!, $policy: TerminateRunPolicy!) {
  terminateRun(runId: $run, terminatePolicy: $policy) {__typename ... on TerminateRunFailure {message}}
}
"""
FORCE, ASK = "MARK_AS_CANCELED_IMMEDIATELY", "SAFE_TERMINATE"
WAIT_SECONDS = 120.0


class Desk(NamedTuple):
    """A world with a running UI and daemon."""

    world: World
    ui: Ui

    def terminate(self, run: str, policy: str) -> None:
        """Press the button of a run's page."""
        answer = self.ui.ask(TERMINATE, run=run, policy=policy)["terminateRun"]
        assert answer["__typename"] == "TerminateRunSuccess", answer

    def told(self) -> list[str]:
        """Texts of all messages Slack got, oldest first."""
        return [str(one["text"]).removeprefix("Feature requests → ") for one in self.world.sandbox.team.messages]

    def states(self) -> list[tuple[str, str]]:
        """Run and state of all that was published, oldest first."""
        with duckdb.connect(str(published_path(self.world.home, "sandbox", "default")), read_only=True) as connection:
            return connection.execute("SELECT run_id, state FROM ops.runs ORDER BY started_at").fetchall()


@pytest.fixture
def desk(ready_snapshot: Snapshot) -> Iterator[Desk]:
    """The small world after setup, with a UI."""
    with copy_of(ready_snapshot) as world, folder() as place:
        environment = world.environment(DAGSTER_HOME=None, INTEGRATION_ASSETS_ENVIRONMENT="sandbox")
        with running_ui(environment, place) as ui:
            yield Desk(world, ui)


@contextmanager
def slow_writes(world: World) -> Iterator[threading.Event]:
    """Each write takes six seconds; the event is set when the first one has arrived."""
    arrived = threading.Event()

    def seen(request: LoggedRequest) -> bool:
        if is_write(request):
            arrived.set()
        return is_write(request)

    fault = Fault(seen, times=None, delay=6)
    world.lookalike().faults.append(fault)
    try:
        yield arrived
    finally:
        world.lookalike().faults.remove(fault)


@pytest.mark.parametrize("policy", [ASK, pytest.param(FORCE, marks=pytest.mark.long)])
def test_a_terminated_run_is_over_and_the_next_one_of_the_queue_goes_on(desk: Desk, policy: str) -> None:
    """The one behind it begins when it has let go, and writes the rest; one that is cancelled in the queue is gone."""
    with slow_writes(desk.world) as arrived:
        first, second, third = (desk.ui.launch("sync") for _ in range(3))
        desk.terminate(third, ASK)
        assert arrived.wait(WAIT_SECONDS)
        desk.terminate(first, policy)
        desk.ui.wait(first, ends="CANCELED")
    desk.ui.wait(second)
    desk.ui.wait(third, ends="CANCELED")
    desk.ui.wait(first, ends="CANCELED")  # still: what its process said at its end has not changed it
    assert desk.told() == ["sandbox: cancelled", "sandbox: succeeded"]
    assert desk.states() == [(first, "RETRY_LATER"), (second, "SUCCEEDED")]
    assert len(desk.world.in_crm().records) == 5
