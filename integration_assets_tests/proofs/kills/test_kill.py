"""Killed at any moment and run again, a run ends in the state of the CRM it would have ended in anyway.

Real processes, real SIGKILL, real HTTP; the state is read through HubSpot's own client. The look-alikes say when to
kill at a request, the process itself when at a named place. Many moments: `make proofs NAMES=kills`.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, get_args

import duckdb
import pytest

from integration_assets_tests.proofs.kills.kill_and_recover import Kill, carry_out, schedule
from integration_assets_tests.proofs.kills.kill_scenarios import (
    PointKill,
    RequestKill,
    Scenario,
    Stage,
    scenarios,
    watched,
)
from integration_assets_tests.support.fault_points import POINTS, Death, Side
from integration_assets_tests.support.killing import When

pytestmark = pytest.mark.proof  # real processes: part of `make proofs`

KILLS = 60
"""Drawn; the proof `kills` carries them out."""
SEED = 7
FURTHER_RUN = 5
"""Every how many-th kill is followed by a run that must find nothing to write."""
NAMES = ("first sync", "incremental sync", "undo", "recovery")


class Theatre(NamedTuple):
    stage: Stage
    known: dict[str, Scenario]
    kills: list[Kill]


@pytest.fixture(scope="module")
def theatre() -> Iterator[Theatre]:
    with scenarios() as (stage, known):
        yield Theatre(stage, known, schedule(known, KILLS, SEED, every=FURTHER_RUN))


def test_the_scenarios_do_all_that_a_run_can_do(theatre: Theatre) -> None:
    """Create, update, retire, link and unlink, an archived record, an undo; the recovery ends as the run it repeats."""
    known = theatre.known
    assert tuple(known) == NAMES
    first, later, undone, recovered = (known[name].end for name in NAMES)
    assert len(later.records.keys() - first.records.keys()) == 2
    assert {values["retired_reason"] for values in later.records.values()} == {None, "deleted"}
    assert len(later.archived) == 1
    both = first.records.keys() & later.records.keys()
    assert any(first.records[key]["title"] != later.records[key]["title"] for key in both)
    assert any(later.links[key] - first.links[key] for key in both)
    assert any(first.links[key] - later.links[key] for key in both)
    assert {key: undone.records[key] for key in both} == {key: first.records[key] for key in both}
    assert recovered == later
    for scenario in known.values():
        sorts = Counter(seen.sort for seen in scenario.trace)
        assert (sorts["link write"] > 5, sorts["slack"]) == (True, 1), scenario.name


def test_the_schedule_reaches_every_place(theatre: Theatre) -> None:
    """All scenarios, moments of a request, and fault points, each of them before, in the middle and after."""
    moments = [(kill.scenario, kill.moment) for kill in theatre.kills]
    at_requests = [(name, moment) for name, moment in moments if isinstance(moment, RequestKill)]
    at_points = [moment.death for _, moment in moments if isinstance(moment, PointKill)]
    assert {name for name, _ in at_requests} == set(NAMES)
    assert {moment.when for _, moment in at_requests} == set(get_args(When))
    assert {death.point for death in at_points} == set(POINTS)
    assert {death.side for death in at_points} == set(get_args(Side))
    assert len({str(kill) for kill in theatre.kills}) == KILLS
    assert schedule(theatre.known, KILLS, SEED, every=FURTHER_RUN) == theatre.kills


@pytest.mark.parametrize(("side", "on_record"), [("before", {0}), ("during", {0, 2}), ("after", {2})])
def test_a_process_dies_of_sigkill_at_the_place_that_was_named(
    theatre: Theatre, side: Side, on_record: set[int]
) -> None:
    """Around the first intent nothing was sent yet; its two records are on record after it, and all of them or none."""
    scenario = theatre.known["first sync"]
    with watched(scenario.start) as (world, watch):
        moment = PointKill(Death("put the intent on record", 1, side, delay=0.002))
        ran = theatre.stage.run(world, watch, scenario.arguments, moment)
        (path,) = (world.home / "staging").rglob("*.duckdb")
        with duckdb.connect(str(path)) as connection:
            rows = connection.execute("SELECT count(*) FROM sync.ledger").fetchall()
    assert ran.code == -signal.SIGKILL
    assert "record write" not in [seen.sort for seen in ran.trace]
    assert rows[0][0] in on_record


def test_a_kill_that_is_never_due_is_told_from_one_that_was(theatre: Theatre) -> None:
    """A harness that kills nothing must not report that all went well."""
    scenario = theatre.known["first sync"]
    for moment in (RequestKill(10_000, "arrived"), PointKill(Death("publish", 10_000, "before"))):
        outcome = carry_out(theatre.stage, scenario, Kill(scenario.name, moment, again=False))
        assert (outcome.killed, outcome.wrong) == (False, [])


def test_a_difference_is_found(theatre: Theatre) -> None:
    """Held against the end of another run, a recovery shows what is missing and what is too much."""
    first, later = theatre.known["first sync"], theatre.known["incremental sync"]
    kill = Kill(first.name, RequestKill(1, "answered"), again=False)
    wrong = carry_out(theatre.stage, Scenario(first.name, first.start, first.arguments, end=later.end), kill)
    new = later.end.records.keys() - first.end.records.keys()
    assert {f"record {key}" for key in new} <= set(wrong.lost)
    assert any(one.endswith(" title") for one in wrong.lost)
    assert any(one.startswith("link ") for one in wrong.duplicates)


def test_the_command_as_a_person_starts_it_survives_being_killed(theatre: Theatre) -> None:
    """A fresh interpreter and HubSpot's own batch sizes make no difference."""
    scenario = theatre.known["first sync"]
    first_write = 1 + [seen.sort for seen in scenario.trace].index("record write")
    kill = Kill(scenario.name, RequestKill(first_write, "committed"), again=True)
    outcome = carry_out(theatre.stage, scenario, kill, cold=True)
    assert (outcome.killed, outcome.wrong) == (True, [])
