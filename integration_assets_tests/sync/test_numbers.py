"""The numbers of a run add up, also of one that applied an approved plan and then planned the rest."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from integration_assets.sync.apply_report import ApplyReport
from integration_assets.sync.diff import Conflict
from integration_assets.sync.plan_store import drop_moved
from integration_assets_tests.sync.world import Request, World


def approved(world: World, change: Callable[[], None] = lambda: None) -> ApplyReport:
    """What a run reports that applies a plan made before `change`, and then the rest under its own id."""
    plan = world.plan(run_id="run-that-was-held")
    change()
    world.load()
    drop_moved(world.connection, plan)
    first = world.apply(plan, canary=False, run_id="run")
    return first.followed_by(world.apply(world.plan(follows=plan.plan_id), run_id="run"))


def adds_up(report: ApplyReport, *, left_alone: int = 0) -> None:
    """Each request in the source is one of these, each wanted label one of those."""
    assert report.identified == report.created + report.updated + report.unchanged + report.rejected + left_alone
    assert report.verified == report.created + report.updated + report.retired
    links = report.links
    assert links.desired == links.created + links.unchanged + links.rejected
    assert links.verified == links.created + links.removed


def test_an_approved_plan_is_counted_once(small_world: World):
    """Everything it created is created, and not unchanged as well."""
    report = approved(small_world)
    adds_up(report)
    assert (report.identified, report.created, report.unchanged) == (2, 2, 0)
    assert (report.links.desired, report.links.created, report.links.unchanged) == (9, 9, 0)


def test_a_record_that_is_written_twice_is_one(small_world: World):
    """Created by the approved plan, updated by the rest; and a new request by the rest alone."""

    def change() -> None:
        small_world.requests["r1"].title = "Changed"
        small_world.requests["r3"] = Request("New", votes=(("ann", "acme"),))

    report = approved(small_world, change)
    adds_up(report)
    assert (report.created, report.updated, report.unchanged, report.verified) == (3, 0, 0, 3)


def test_a_conflict_is_reported_once(small_world: World):
    """A kept edit is seen by both plans; one that was overwritten by the first only."""
    small_world.sync()
    small_world.crm.by_key("canny:r1").values |= {"title": "Edited", "category": "Edited"}
    small_world.requests["r1"].category = "Ours"
    report = approved(small_world)
    adds_up(report)
    assert sorted(report.conflicts, key=lambda one: one.field) == [
        Conflict("canny:r1", "category", "overwritten"),
        Conflict("canny:r1", "title", "kept"),
    ]


def test_a_record_that_is_refused_twice_is_one(small_world: World):
    """And one that the rest could write is not rejected any more."""
    small_world.crm.poison.add("canny:r1")
    report = approved(small_world)
    assert (report.identified, report.created, report.rejected) == (2, 1, 1)
    assert [item.key for item in report.rejected_items if item.kind == "feature_request"] == ["canny:r1"]
    assert len(set(report.rejected_items)) == len(report.rejected_items)


@pytest.mark.parametrize("number", range(6))
def test_whatever_changes_between_approval_and_sync(small_world: World, number: int):
    """Random edits of both sides, votes that come and go: the numbers add up."""
    chosen = random.Random(number)
    small_world.requests |= {f"r{n}": Request(f"Request {n}", votes=(("ann", "acme"),)) for n in range(3, 12)}
    if number % 2:
        small_world.sync(run_id="run-before")
        for name in chosen.sample(sorted(small_world.requests), 4):
            small_world.requests[name].title += " again"

    def change() -> None:
        for name in chosen.sample(sorted(small_world.requests), 4):
            small_world.requests[name].details = f"More about {name}"
        for name in chosen.sample(sorted(small_world.requests), 2):
            small_world.requests[name].votes += (("bob", "bolt"),)
        for name in list(small_world.crm.records)[:2]:
            small_world.crm.records[name].values["category"] = "Theirs"
        small_world.requests["r99"] = Request("New")

    adds_up(approved(small_world, change))
