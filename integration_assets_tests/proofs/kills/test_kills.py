"""The kill harness itself, without a process: which moments it picks, what it reads of a dead one, what it reports."""

from __future__ import annotations

import importlib
from collections import Counter
from operator import attrgetter
from pathlib import Path

import pytest

from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.proofs.kills import kills as figures
from integration_assets_tests.proofs.kills.kill_and_recover import Kill, Outcome, schedule
from integration_assets_tests.proofs.kills.kill_scenarios import PointKill, RequestKill, Scenario
from integration_assets_tests.support.fault_points import POINTS, Death, Visit, died_at, visits
from integration_assets_tests.support.killing import Seen
from integration_assets_tests.support.snapshots import Snapshot

READ = Seen("canny", "POST", "/api/v1/posts/list")


@pytest.fixture
def known() -> dict[str, Scenario]:
    """Two runs: four requests and two points, six requests and all points, one of them three times."""
    start = Snapshot(build_sandbox(), Path())
    few = [Visit("publish", 1, 0.5), Visit("rank the requests", 1, 0.2)]
    many = [*(Visit(point, 1, 0.1) for point in POINTS), Visit("settle links", 2, 0.1), Visit("settle links", 3, 0.1)]
    return {
        "few": Scenario("few", start, ("sync",), trace=[READ] * 4, visits=few),
        "many": Scenario("many", start, ("sync",), trace=[READ] * 6, visits=many),
    }


def test_half_of_the_kills_are_at_requests_and_each_is_died_at_before_any_is_again(known: dict[str, Scenario]) -> None:
    """Eight kills at requests of two runs: the four of the short one, and four of the long one, all different."""
    picked = [(kill.scenario, kill.moment) for kill in schedule(known, 16, seed=1)]
    at_requests = [(name, moment.number) for name, moment in picked if isinstance(moment, RequestKill)]
    assert len(at_requests) == len(set(at_requests)) == 8
    assert {number for name, number in at_requests if name == "few"} == {1, 2, 3, 4}


def test_every_request_is_died_at_in_three_ways(known: dict[str, Scenario]) -> None:
    """Three rounds over the longest run are all its moments."""
    picked = [kill.moment for kill in schedule(known, 4 * 18, seed=1) if kill.scenario == "many"]
    moments = Counter((moment.number, moment.when) for moment in picked if isinstance(moment, RequestKill))
    assert len(moments) == 18
    assert set(moments.values()) == {1}


def test_every_point_is_died_at_before_any_is_again(known: dict[str, Scenario]) -> None:
    """As many kills at points as there are points; a death in the middle comes within the time the place took."""
    picked = [kill.moment for kill in schedule(known, 2 * len(POINTS), seed=3)]
    deaths = [moment.death for moment in picked if isinstance(moment, PointKill)]
    assert sorted(death.point for death in deaths) == sorted(POINTS)
    assert all(0 <= death.delay <= 0.5 for death in deaths)
    assert {death.delay for death in deaths if death.side != "during"} == {0.0}


def test_the_seed_decides(known: dict[str, Scenario]) -> None:
    """The same one draws the same kills, a longer schedule begins with the shorter one, another seed draws others."""
    assert schedule(known, 40, seed=5)[:20] == schedule(known, 20, seed=5)
    assert schedule(known, 40, seed=5) != schedule(known, 40, seed=6)


@pytest.mark.parametrize("function", [one for functions in POINTS.values() for one in functions])
def test_a_fault_point_names_a_function_of_the_product(function: str) -> None:
    """One that was moved or renamed would be found only by the first process that is to die there."""
    module, _, name = function.partition(":")
    assert callable(attrgetter(name)(importlib.import_module(module)))


def test_what_a_dead_process_noted(tmp_path: Path) -> None:
    """The places it left, and the one it died at; a process that ended otherwise died at none."""
    notes = tmp_path / "notes"
    assert died_at(notes) is None
    notes.write_text("left\tpublish\t1\t0.250000\n")
    assert (visits(notes), died_at(notes)) == ([Visit("publish", 1, 0.25)], None)
    notes.write_text("left\tpublish\t1\t0.250000\ndied\tpublish\t2\tduring\n")
    assert died_at(notes) == ("publish", 2)


def test_the_figures_miss_their_goals_when_something_is_wrong() -> None:
    """A duplicate, a loss, a slow recovery, a place never died at, and kills that came too late all show."""
    kill = Kill("first sync", PointKill(Death("publish", 1, "before")), again=False)
    good = Outcome(kill, killed=True, recovery_seconds=2.0)
    assert figures.truth([good], [], 1, 4).held
    assert not figures.truth([good, Outcome(kill)], [], 2, 4).held
    for name in ("duplicates", "lost", "problems"):
        wrong = Outcome(kill, killed=True, recovery_seconds=9.0, **{name: ["record a"]})
        figure = figures.truth([good, wrong], [], 2, 4)
        assert not figure.held
        assert "record a" in figure.measured
    assert figures.recovery_time([good], []).held
    assert not figures.recovery_time([Outcome(kill, killed=True, recovery_seconds=9.0)], []).held
    assert f"1 of {len(POINTS)} fault points" in figures.places([good], 10).measured
    assert not figures.places([good], 10).held
