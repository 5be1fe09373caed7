"""A portal whose plan has no labels for links: one plain link per pair, made and removed by what the ledger knows."""

from __future__ import annotations

import pytest

from integration_assets.errors import EndState
from integration_assets_tests.sync.world import World

FIRST = "run-one"


@pytest.fixture
def plain(small_world: World) -> World:
    """The small world after a first run into a portal without labels."""
    assert small_world.sync(run_id=FIRST, unlabelled=True).state is EndState.SUCCEEDED
    return small_world


def links(world: World) -> set[tuple[str, str, str, str]]:
    return world.crm.state()[1]


def record_of(world: World, key: str) -> str:
    return next(i for i, record in world.crm.records.items() if record.key == key)


def test_each_pair_gets_one_plain_link(plain: World) -> None:
    """Whoever voted and wrote is linked once: which of the two it was cannot be told any more."""
    of_r1 = {link[1:] for link in links(plain) if link[0] == "canny:r1"}
    assert of_r1 == {
        ("company", "acme", "plain"),
        ("company", "bolt", "plain"),
        ("contact", "c1", "plain"),
        ("contact", "c2", "plain"),
        ("contact", "c3", "plain"),
    }
    plan = plain.plan(unlabelled=True)
    assert (plan.operations, plan.counts.links_desired, plan.counts.live_links) == (0, 8, 8)


def test_links_are_counted_one_by_one(small_world: World) -> None:
    """As wanted, made and verified: a plain link counts as one where it comes alone."""
    report = small_world.sync(unlabelled=True)
    assert (report.links.desired, report.links.created, report.links.verified) == (8, 8, 8)


def test_a_vote_taken_back_takes_our_link_and_no_other(plain: World) -> None:
    """A person's link of the same pair of objects stays, and so does one that a person had made before us."""
    r1 = record_of(plain, "canny:r1")
    plain.crm.associate(r1, "company", "someone")
    plain.requests["r1"].votes = (("ann", "acme"),)
    report = plain.sync(unlabelled=True)
    assert (report.state, report.links.removed) == (EndState.SUCCEEDED, 3)
    of_r1 = {link[1:3] for link in links(plain) if link[0] == "canny:r1"}
    assert of_r1 == {("company", "acme"), ("company", "someone"), ("contact", "c1")}
    assert plain.plan(unlabelled=True).operations == 0


def test_a_link_that_was_there_before_us_is_nobodys_to_remove(small_world: World) -> None:
    """It is as wanted, so that nothing is written; no longer wanted, it stays."""
    votes = small_world.requests["r1"].votes
    small_world.requests["r1"].votes = ()
    small_world.sync(unlabelled=True)
    small_world.crm.associate(record_of(small_world, "canny:r1"), "company", "acme")
    small_world.requests["r1"].votes = votes
    small_world.sync(unlabelled=True)
    small_world.requests["r1"].votes = ()
    small_world.sync(unlabelled=True)
    # The author stays linked: she is no voter.
    assert {link[1:3] for link in links(small_world) if link[0] == "canny:r1"} == {
        ("company", "acme"),
        ("contact", "c1"),
    }


def test_a_retired_record_keeps_its_links(plain: World) -> None:
    """As with labels: who asked for it is history worth keeping."""
    before = {link for link in links(plain) if link[0] == "canny:r2"}
    del plain.requests["r2"]
    assert plain.sync(unlabelled=True).retired == 1
    assert {link for link in links(plain) if link[0] == "canny:r2"} == before
    assert plain.plan(unlabelled=True, full=True).operations == 0


def test_an_undo_takes_the_links_of_a_run_back(plain: World) -> None:
    """Those it made go; those it removed come back."""
    before = links(plain)
    plain.requests["r2"].votes = (("bob", "bolt"),)
    plain.sync(run_id="run-two", unlabelled=True)
    assert links(plain) != before
    plain.undo("run-two", unlabelled=True)
    assert links(plain) == before


def test_a_plan_with_labels_adds_them_to_the_links_that_are_there(plain: World) -> None:
    """The portal was upgraded: nothing is removed on the way."""
    before = {link[:3] for link in links(plain)}
    assert plain.sync().state is EndState.SUCCEEDED
    assert {link[:3] for link in links(plain)} == before
    assert ("canny:r1", "company", "acme", "voted") in links(plain)
    assert plain.plan().operations == 0
