"""Random histories of what an engineer does through Dagster, against a small model of what must be left of each run.

Every run that wrote, or has a summary of its own, is in `ops.runs` exactly once, in the state Dagster shows; it has one
message; the alert is open exactly while the last run that people follow has ended badly; and when nothing changed any
more, nothing is written.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import dagster as dg
import pytest

from integration_assets.reporting.alerts import WELL
from integration_assets_tests.e2e.operator import EVERYTHING, RANKED, RAW, Operator, operating
from integration_assets_tests.support.harness import World

pytestmark = pytest.mark.proof  # some forty runs: part of `make proofs`

SEEDS = range(3)
ACTIONS = 12
SUCCESS, CANCELED = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED

SELECTIONS: dict[str, list[str] | None] = {
    "the job": None,
    "everything": [*EVERYTHING],
    "raw": [*RAW],
    "ranked": [*RANKED],
    "plan": ["crm_write_plan"],
    "plan and on": ["crm_write_plan", "crm_feature_requests", "run_summary"],
    "write": ["crm_feature_requests"],
    "summary": ["run_summary"],
    "ranked, summary": [*RANKED, "run_summary"],
}
WRITING = ("the job", "everything", "plan and on", "write")
SUMMING_UP = (*WRITING, "ranked, summary")


class History:
    """One history: what was done so far, and what the model expects."""

    def __init__(self, operator: Operator, rng: random.Random) -> None:
        self.operator, self.rng = operator, rng
        self.said: list[str] = []
        self.key = operator.world.canny.api_key
        self.alert = operator.alert_is_open()
        self.failed: str | None = None

    def act(self) -> None:
        """Do one thing, and look whether all is as the model says."""
        actions = {
            self.start: 6,
            self.change: 3,
            self.repeat: 2 if self.failed else 0,
            self.approve: 3 if self.alert else 0,
            self.cancel: 1,
            self.mistake: 0.5,
        }
        [action] = self.rng.choices(list(actions), list(actions.values()))
        action()

    # -- what changes outside

    def change(self) -> None:
        """People edit, a key is taken away and given back."""
        world = self.operator.world
        if self.rng.random() < 0.6:
            self._edit()
        else:
            self.said.append("key")
            world.canny.api_key = self.key if world.canny.api_key != self.key else "another key"

    def _edit(self) -> None:
        self.said.append("edit")
        title = f"title {self.rng.random()}"
        self.operator.world.edit_request(self.rng.choice(["dark mode", "crash"]), title=title)

    def approve(self) -> None:
        """Release the newest plan that is held, where there is one."""
        held = [row for row in self.operator.rows() if row.state == "HELD" and row.plan_hash]
        if held:
            self.said.append("approve")
            self.operator.world.run("approve", str(held[-1].plan_hash)[:12])

    # -- runs

    def start(self) -> None:
        """Start some selection, or a whole run with a change that its budget holds."""
        if self.rng.random() < 0.4:
            self._edit()
            self.said.append("budget of one call")
            with pytest.MonkeyPatch.context() as patched:
                patched.setenv("INTEGRATION_ASSETS_CALL_BUDGET", "1")
                self._expect("the job", self.operator.run)
            return
        name = self.rng.choice(list(SELECTIONS))
        self._expect(name, lambda: self.operator.run(SELECTIONS[name]))

    def repeat(self) -> None:
        """Execute what is left of the last whole run that failed."""
        if self.failed is not None:
            failed = self.failed
            self._expect("the job", lambda: self.operator.run(repeat=failed), said=f"repeat {failed[:6]}")

    def cancel(self) -> None:
        """Cancel a whole run at its first request to the CRM, by force or not."""
        by_force = self.rng.random() < 0.5
        objects = self.operator.world.lookalike()
        with self.operator.cancelled_at(objects, lambda _: True, by_force=by_force, always=False):
            self._expect("the job", self.operator.run, said="cancel")

    def mistake(self) -> None:
        """Forget the partition: nothing is left of it."""
        before = (self.operator.rows(), self.operator.messages())
        run = self.operator.run(tags={})
        self.said.append("no partition")
        assert run.status is dg.DagsterRunStatus.FAILURE, self.said
        assert (self.operator.rows(), self.operator.messages()) == before, self.said

    def _expect(self, name: str, execute: Callable[[], dg.DagsterRun], said: str = "") -> None:
        operator = self.operator
        rows, messages = operator.rows(), operator.messages()
        run = execute()
        self.said.append(f"{said or name}: {run.status.value}")
        well, row = run.status is SUCCESS, operator.row(run)
        is_recorded = name in SUMMING_UP or (not well and name != "summary")
        assert (row is not None) == is_recorded, self.said
        assert len(operator.rows()) == len(rows) + is_recorded, self.said
        assert len(operator.messages()) == len(messages) + is_recorded, (self.said, operator.messages())
        if row is not None:
            assert (row.state in WELL) == well, (self.said, row)
            # A refused key may end the run by itself before the cancel reaches it.
            ends = {"RETRY_LATER"} if operator.world.canny.api_key == self.key else {"RETRY_LATER", "FAILED"}
            assert run.status is not CANCELED or row.state in ends, (self.said, row)
        if name in WRITING and run.status is not CANCELED:
            self.alert = not well
        if name == "the job":
            self.failed = None if well or run.status is CANCELED else run.run_id
        assert operator.alert_is_open() == self.alert, self.said

    def settle(self) -> None:
        """Mend everything: one sync makes all well, and a further one finds nothing to write."""
        world = self.operator.world
        world.canny.api_key = self.key
        self._expect("the job", self.operator.run, said="settle")
        world.forget_requests()
        self._expect("the job", self.operator.run, said="again")
        assert self.said[-1].endswith("SUCCESS"), self.said
        assert world.writes() == [], self.said


@pytest.fixture
def operator(synced: World) -> Iterator[Operator]:
    """An operator of the small world after its first sync."""
    with operating(synced) as made:
        yield made


@pytest.mark.parametrize("seed", [SEEDS[0], *(pytest.param(seed, marks=pytest.mark.long) for seed in SEEDS[1:])])
def test_whatever_is_done_in_dagster_the_record_is_true(
    operator: Operator, seed: int, record_property: Callable[[str, object], None]
) -> None:
    """Twelve things in random order; the model agrees after each, and when all is mended."""
    history = History(operator, random.Random(seed))
    for _ in range(ACTIONS):
        history.act()
    history.settle()
    record_property("told", f"seed {seed}: {'; '.join(history.said)}")
