"""The four runs that get killed, each with the world it begins in and what becomes of it when nothing disturbs it.

- first sync: a portal that is set up and empty, no staging store yet;
- incremental sync: after a day in which requests were added, reworded, moved on, merged and deleted, votes came and
  went, and a person archived one of our records;
- undo: of that incremental sync;
- recovery: the run after an incremental sync that was killed with some records written and no link.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.support.crm_state import CrmState, crm_state
from integration_assets_tests.support.fault_points import Death, Visit, visits
from integration_assets_tests.support.harness import OBJECT, World, world_of
from integration_assets_tests.support.killing import Place, Seen, Strike, Watch, When
from integration_assets_tests.support.processes import OUTPUT, WarmParent, run_cold, warm_parent
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT, Snapshot, copy_of, folder, kept

BATCH_SIZES = {
    "records_per_write": 2,
    "pairs_per_write": 4,
    "pairs_per_removal": 1,
    "pairs_per_archive": 1,
    "records_per_archive": 1,
    "records_per_link_read": 3,
}
"""Smaller than HubSpot's, so that a small run has many moments to be killed at."""
NOTES = "fault-points.txt"
REQUESTS_MORE = ("Keyboard shortcuts", "Audit log", "Dutch", "Webhooks")


@dataclass(frozen=True)
class RequestKill:
    """Killed at the n-th request of the run, counted from 1."""

    number: int
    when: When

    @property
    def place(self) -> Place:
        """Where a watch has to strike."""
        return "", self.number, Strike("any", 0.0, self.when)

    def __str__(self) -> str:
        return f"request {self.number} {self.when}"


@dataclass(frozen=True)
class PointKill:
    """Killed at a named point of the product."""

    death: Death

    def __str__(self) -> str:
        return f"{self.death.side} '{self.death.point}' {self.death.number}"


Moment = RequestKill | PointKill


@dataclass
class Ran:
    """One process: its exit code (negative: the signal that ended it), seconds, and the requests it sent."""

    code: int
    seconds: float
    trace: list[Seen]
    struck: bool
    """Whether the kill that was ordered at a request was carried out."""
    notes: Path


@dataclass
class Scenario:
    """A run, the world it begins in, and the end, the requests and the fault points of it undisturbed."""

    name: str
    start: Snapshot
    arguments: tuple[str, ...]
    end: CrmState = field(default_factory=lambda: CrmState({}, {}, set()))
    trace: list[Seen] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)


class Stage:
    """Runs commands on worlds as processes of their own, forked from one that has imported everything."""

    def __init__(self, parent: WarmParent) -> None:
        self._parent = parent

    def run(self, world: World, watch: Watch, arguments: tuple[str, ...], moment: Moment | None = None) -> Ran:
        """Run a command, killed at a moment or left alone; the look-alikes are idle again when it returns."""
        death = moment.death if isinstance(moment, PointKill) else None
        watch.arm_at(moment.place if isinstance(moment, RequestKill) else None)
        command, notes = [*arguments, "--json", str(world.home / "summary.json")], world.home / NOTES
        began = time.monotonic()
        try:
            code = self._parent.run(
                command,
                world.environment(),
                world.home,
                on_start=watch.started,
                batch_sizes=BATCH_SIZES,
                notes=notes,
                death=death,
            )
        finally:
            watch.ended()
        seconds = time.monotonic() - began
        if code < 0:
            watch.settle()
        return Ran(code, seconds, list(watch.trace), watch.killed, notes)

    def run_cold(self, world: World, watch: Watch, arguments: tuple[str, ...], moment: RequestKill | None) -> Ran:
        """The same in a new interpreter, with HubSpot's own batch sizes, as a person starts it."""
        watch.arm_at(moment.place if moment else None)
        began = time.monotonic()
        code = run_cold(arguments, world.environment(), world.home, on_start=watch.started)
        watch.ended()
        watch.settle()
        return Ran(code, time.monotonic() - began, list(watch.trace), watch.killed, world.home / NOTES)


def output(world: World) -> str:
    """What the commands run in this world have printed."""
    return (world.home / OUTPUT).read_text(encoding="utf-8")


def summary(world: World) -> dict[str, object]:
    """The summary the last run that ended has left."""
    return msgspec.json.decode((world.home / "summary.json").read_bytes(), type=dict[str, object])


@contextmanager
def watched(start: Snapshot) -> Iterator[tuple[World, Watch]]:
    """A copy of a world, served, with a watch over its look-alikes."""
    with copy_of(start) as world:
        watch = Watch()
        watch.over(world.sandbox)
        yield world, watch


@contextmanager
def scenarios() -> Iterator[tuple[Stage, dict[str, Scenario]]]:
    """The four scenarios by name, and the stage they are run on, for the length of a block."""
    with ExitStack() as stack:
        stage = Stage(stack.enter_context(warm_parent()))

        def keep(world: World) -> Snapshot:
            return kept(world, stack.enter_context(folder()))

        yield stage, {one.name: _left_alone(stage, one) for one in _all(stage, _ready(stack), keep)}


def _ready(stack: ExitStack) -> Snapshot:
    """A portal that is set up; whoever set it up has kept no staging store, so that the first run makes it."""
    sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, portal_options=PROMPT)
    home = stack.enter_context(folder())
    with world_of(sandbox, home) as world:
        world.set_up()
        for title in REQUESTS_MORE[:2]:
            world.add_request(title, author="dee", voters=["ann", "gus", "han"])
    shutil.rmtree(home / "staging")
    return Snapshot(sandbox, home)


def _all(stage: Stage, ready: Snapshot, keep: Callable[[World], Snapshot]) -> Iterator[Scenario]:
    sync = ("sync",)
    yield Scenario("first sync", ready, sync)
    with watched(ready) as (world, watch):
        _must(stage.run(world, watch, sync), world)
        _a_day_passes(world)
        changed = keep(world)
    yield Scenario("incremental sync", changed, sync)
    with watched(changed) as (world, watch):
        ran = stage.run(world, watch, sync)
        _must(ran, world)
        undo = ("undo", str(summary(world)["run_id"]), "--yes")
        yield Scenario("undo", keep(world), undo)
    first_link = 1 + [seen.sort for seen in ran.trace].index("link write")
    with watched(changed) as (world, watch):
        died = stage.run(world, watch, sync, RequestKill(first_link, "arrived"))
        if not died.struck:
            raise RuntimeError(f"the run to recover from was not killed: exit {died.code}\n{output(world)}")
        yield Scenario("recovery", keep(world), sync)


def _must(ran: Ran, world: World) -> None:
    if ran.code != 0:
        raise RuntimeError(f"an undisturbed run ended with {ran.code}:\n{output(world)}")


def _left_alone(stage: Stage, scenario: Scenario) -> Scenario:
    with watched(scenario.start) as (world, watch):
        ran = stage.run(world, watch, scenario.arguments)
        _must(ran, world)
        scenario.end, scenario.trace, scenario.visits = crm_state(world.sandbox.sandbox), ran.trace, visits(ran.notes)
    return scenario


def _a_day_passes(world: World) -> None:
    """Something for every action of a plan: create, update, retire, link and unlink."""
    world.edit_request("dark mode", title="Night theme")
    world.canny.change_status(world.request_id("csv export"), next(iter(world.canny.users)), "complete")
    world.vote("csv export", "ann")
    world.vote("themes", "bob")
    for name, person in (("single sign-on", "han"), ("single sign-on", "ann"), ("dark mode", "cid")):
        world.take_vote_back(name, person)
    world.canny.delete_post(world.request_id("crash"))
    for title in REQUESTS_MORE[2:]:
        world.add_request(title, voters=["bob", "cid", "han"])
    added = world.portal.records(OBJECT)[-1]
    world.portal.archive(OBJECT, str(added["id"]))
