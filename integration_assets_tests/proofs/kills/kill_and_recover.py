"""Kill a run at a moment, run it again, and compare the CRM with that of a run which nothing disturbed.

`schedule` spreads kills over scenarios, requests and fault points; `carry_out` does one of them and says what it found.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, cycle, islice
from typing import get_args

import duckdb

from integration_assets_tests.proofs.kills.kill_scenarios import (
    Moment,
    PointKill,
    Ran,
    RequestKill,
    Scenario,
    Stage,
    output,
    watched,
)
from integration_assets_tests.support.crm_state import CrmState, crm_state
from integration_assets_tests.support.fault_points import Death, Side, Visit, died_at
from integration_assets_tests.support.harness import KEY_PROPERTY, OBJECT, World
from integration_assets_tests.support.killing import Watch, When, is_write

WHENS: tuple[When, ...] = get_args(When)
SIDES: tuple[Side, ...] = get_args(Side)


@dataclass(frozen=True)
class Kill:
    """One kill of the schedule. `again`: a further run after the recovery is made as well, and must write nothing."""

    scenario: str
    moment: Moment
    again: bool

    def __str__(self) -> str:
        return f"{self.scenario}: {self.moment}"


@dataclass
class Outcome:
    """What one kill led to. `duplicates` are in the CRM or in Slack and should not be; `lost` should be and are not."""

    kill: Kill
    killed: bool = False
    recovery_seconds: float = 0.0
    duplicates: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """Everything that is not as it should be."""
        return [
            *(f"twice or too much: {one}" for one in self.duplicates),
            *(f"lost: {one}" for one in self.lost),
            *self.problems,
        ]


# -- which moments


def schedule(known: Mapping[str, Scenario], count: int, seed: int, *, every: int = 3) -> list[Kill]:
    """The same `count` kills for the same seed: half at requests, half at fault points, both in turn.

    Requests are taken from every scenario in turn, in random order, each one before any is taken twice; so are the
    fault points. After three rounds each has been killed before, in the middle and after. Every `every`-th kill is
    followed by a further run.
    """
    draw = random.Random(seed)
    at_requests = [_requests(scenario, draw) for scenario in known.values()]
    visits: dict[str, list[tuple[str, Visit]]] = {}
    for scenario in known.values():
        for visit in scenario.visits:
            visits.setdefault(visit.point, []).append((scenario.name, visit))
    at_points = [_points(of_point, place, draw) for place, of_point in enumerate(visits.values())]
    both = chain.from_iterable(zip(_in_turn(at_points), _in_turn(at_requests), strict=False))
    return [Kill(name, moment, again=number % every == 0) for number, (name, moment) in enumerate(islice(both, count))]


def _in_turn(sources: list[Iterator[tuple[str, Moment]]]) -> Iterator[tuple[str, Moment]]:
    for source in cycle(sources):
        yield next(source)


def _requests(scenario: Scenario, draw: random.Random) -> Iterator[tuple[str, Moment]]:
    numbers = list(range(1, len(scenario.trace) + 1))
    draw.shuffle(numbers)
    for turn in cycle(range(len(WHENS))):
        for number in numbers:
            yield scenario.name, RequestKill(number, WHENS[(number + turn) % len(WHENS)])


def _points(visits: list[tuple[str, Visit]], place: int, draw: random.Random) -> Iterator[tuple[str, Moment]]:
    draw.shuffle(visits)
    own = random.Random(draw.random())
    for turn in cycle(range(len(SIDES))):
        for number, (name, visit) in enumerate(visits):
            side = SIDES[(place + number + turn) % len(SIDES)]
            delay = round(own.random() * visit.seconds, 6) if side == "during" else 0.0
            yield name, PointKill(Death(visit.point, visit.number, side, delay))


# -- one kill


def carry_out(stage: Stage, scenario: Scenario, kill: Kill, *, cold: bool = False) -> Outcome:
    """Kill the scenario's run, run it again, and look at everything it left."""
    outcome = Outcome(kill)
    with watched(scenario.start) as (world, watch):
        died = _run(stage, world, watch, scenario, kill.moment, cold=cold)
        outcome.killed = died.code < 0 and _as_ordered(died, kill.moment)
        if not outcome.killed:
            outcome.problems += _refused(died, world) if died.code else []
            return outcome
        _note_published(outcome, world)
        _note_production(outcome, died)
        recovered = _run(stage, world, watch, scenario, None, cold=cold)
        outcome.recovery_seconds = recovered.seconds
        outcome.problems += _refused(recovered, world)
        _note_production(outcome, recovered)
        _note_crm(outcome, scenario.end, world)
        _note_records(outcome, world)
        if kill.again:
            further = _run(stage, world, watch, scenario, None, cold=False)
            writes = sum(map(is_write, further.trace))
            outcome.problems += _refused(further, world) + ([f"a further run sent {writes} writes"] if writes else [])
            _note_crm(outcome, scenario.end, world)
    return outcome


def _run(stage: Stage, world: World, watch: Watch, scenario: Scenario, moment: Moment | None, *, cold: bool) -> Ran:
    if cold and not isinstance(moment, PointKill):
        return stage.run_cold(world, watch, scenario.arguments, moment)
    return stage.run(world, watch, scenario.arguments, moment)


def _as_ordered(ran: Ran, moment: Moment) -> bool:
    """Whether it died where it should, not of something else."""
    if isinstance(moment, RequestKill):
        return ran.struck
    death = moment.death
    return died_at(ran.notes) == (death.point, death.number)


def _refused(ran: Ran, world: World) -> list[str]:
    return [f"exit {ran.code}: {' '.join(output(world)[-600:].split())}"] if ran.code else []


# -- what is looked at


def _note_published(outcome: Outcome, world: World) -> None:
    """Whatever the moment, analysts find no published database or a whole one."""
    for path in (world.home / "published").rglob("*.duckdb"):
        with duckdb.connect(str(path), read_only=True) as connection:
            rows = connection.execute(
                "SELECT count(*), count(DISTINCT rank_by_arr) FROM ranked.feature_requests"
            ).fetchall()
        total, places = rows[0]
        if not total == places > 0:
            outcome.problems.append(f"the published database has {total} requests at {places} places")


def _note_production(outcome: Outcome, ran: Ran) -> None:
    if any(is_write(seen) and seen.system == "hubspot_production" for seen in ran.trace):
        outcome.problems.append("the production portal was written to")


def _note_crm(outcome: Outcome, expected: CrmState, world: World) -> None:
    keys = Counter(str(record["properties"].get(KEY_PROPERTY)) for record in world.portal.records(OBJECT))
    repeated = [f"record {key} ({times} times)" for key, times in keys.items() if times > 1]
    told = Counter(str(message["metadata"]["event_payload"]["run_id"]) for message in world.sandbox.team.messages)
    outcome.duplicates += repeated + [f"message of run {run}" for run, times in told.items() if times > 1]
    if repeated:
        return
    found = crm_state(world.sandbox.sandbox)
    outcome.duplicates += [f"record {key}" for key in found.records.keys() - expected.records.keys()]
    outcome.lost += [f"record {key}" for key in expected.records.keys() - found.records.keys()]
    for key in expected.records.keys() & found.records.keys():
        ours, theirs = expected.records[key], found.records[key]
        outcome.lost += [f"{key} {name}" for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
        outcome.duplicates += [f"link {key} {link}" for link in found.links[key] - expected.links[key]]
        outcome.lost += [f"link {key} {link}" for link in expected.links[key] - found.links[key]]
    outcome.lost += [f"archived record {key}" for key in expected.archived - found.archived]
    outcome.duplicates += [f"archived record {key}" for key in found.archived - expected.archived]


def _note_records(outcome: Outcome, world: World) -> None:
    """Every run that began has one end on record, and no plan or run is left as if it still went on."""
    (path,) = (world.home / "staging").rglob("*.duckdb")
    with duckdb.connect(str(path), read_only=True) as connection:
        for problem, query in NONE_OF_THESE.items():
            rows = connection.execute(query).fetchall()
            if rows[0][0]:
                outcome.problems.append(f"{rows[0][0]} {problem}")


NONE_OF_THESE = {
    "runs without an end on record": "SELECT count(*) FROM sync.open_runs",
    "runs with two ends on record": "SELECT count(*) - count(DISTINCT run_id) FROM ops.runs",
    "plans that look as if they were still applied": "SELECT count(*) FROM sync.plans WHERE status = 'applying'",
    "writes with the same number in the ledger": "SELECT count(*) - count(DISTINCT ledger_id) FROM sync.ledger",
    "verified writes too many: one key was created twice": (
        """
        SELECT count(*) FROM (
            SELECT key FROM sync.ledger WHERE action = 'create' AND outcome = 'verified'
            GROUP BY key, portal_id HAVING count(*) > 1
        )
        """
    ),
}
