"""What is unlinked is not associated any more: all associations of a pair, as a person would see them."""

from __future__ import annotations

from collections import Counter

import pytest

from integration_assets.errors import EndState
from integration_assets.models import LinkTarget
from integration_assets.sync.diff import Conflict
from integration_assets.sync.guard import guard_inputs
from integration_assets.sync.plan import make_plan
from integration_assets_tests.sync.fake_crm import FakeCrm, lost_answer
from integration_assets_tests.sync.world import Request, World

FIRST, SECOND = "run-one", "run-two"
Pairs = dict[tuple[str, LinkTarget, str], set[str]]


def pairs(crm: FakeCrm) -> Pairs:
    """Every association of every pair."""
    return {pair: set(labels) for pair, labels in crm.pairs.items() if labels}


def record_id(world: World, key: str) -> str:
    return next(i for i, record in world.crm.records.items() if record.key == key and not record.archived)


def unvote(world: World) -> None:
    """Nobody of `bolt` wants r1 any more: its company and its contact lose their links."""
    world.requests["r1"].votes = (("ann", "acme"), ("bob", "acme"))


def bolt_and_eve(world: World) -> tuple[set[str] | None, set[str] | None]:
    """Associations of r1 with the company and the contact whose vote is taken back."""
    found, r1 = pairs(world.crm), record_id(world, "canny:r1")
    return found.get((r1, "company", "bolt")), found.get((r1, "contact", "c3"))


def as_an_older_version_left_it(world: World) -> None:
    """Take a label off without the association, as versions before did, and note in the ledger what they noted."""
    before = pairs(world.crm)
    unvote(world)
    world.sync(run_id="run-old")
    for pair in before.keys() - pairs(world.crm).keys():
        world.crm.associate(*pair)
    world.connection.execute(
        "UPDATE sync.ledger SET after_labels = list_filter(after_labels, LAMBDA label: label <> 'plain'),"
        " before_labels = list_transform(before_labels, LAMBDA label:"
        "   CASE label WHEN 'plain' THEN 'other:USER_DEFINED:27' ELSE label END)"
    )
    assert bolt_and_eve(world) == ({"plain"}, {"plain"})


@pytest.fixture
def synced(small_world: World) -> World:
    """The small world after a first run."""
    assert small_world.sync(run_id=FIRST).state is EndState.SUCCEEDED
    return small_world


def test_a_vote_taken_back_ends_the_association(synced: World):
    """Label and plain association go together; they count as the labels they had."""
    unvote(synced)
    plan = synced.plan(run_id=SECOND)
    assert (plan.counts.unlink, plan.conflicts, plan.warnings) == (2, (), ())
    report = synced.apply(plan)
    assert (report.links.removed, report.links.verified) == (2, 2)
    assert bolt_and_eve(synced) == (None, None)
    assert synced.plan().operations == 0


def test_an_undone_first_sync_leaves_no_association(synced: World):
    """None before, none after the undo; undone twice, all are back as they were."""
    after = pairs(synced.crm)
    labels = sum(len(have - {"plain"}) for have in after.values())
    report = synced.undo(FIRST, run_id="undo-one")
    assert (report.state, report.links.removed, report.links.verified) == (EndState.SUCCEEDED, labels, labels)
    assert pairs(synced.crm) == {}
    synced.undo("undo-one", run_id="undo-two")
    assert pairs(synced.crm) == after
    synced.undo("undo-two", run_id="undo-three")
    assert pairs(synced.crm) == {}


def test_an_association_of_before_us_stays_and_is_named(small_world: World):
    """A person had associated the two: the vote's label goes, theirs stays; an undo ends with it as well."""
    small_world.sync(run_id=FIRST)
    r2 = record_id(small_world, "canny:r2")
    small_world.crm.associate(r2, "company", "bolt")
    before = pairs(small_world.crm)
    small_world.requests["r2"].votes = (("ann", "acme"), ("eve", "bolt"))
    small_world.sync(run_id=SECOND)
    assert pairs(small_world.crm)[r2, "company", "bolt"] == {"plain", "voted"}
    undo = small_world.plan_undo(SECOND, run_id="undo-one")
    assert undo.conflicts == (Conflict("canny:r2", "company:bolt", "kept"),)
    assert "canny:r2:company:bolt" in undo.warnings[0]
    small_world.apply(undo, canary=False)
    assert pairs(small_world.crm) == before
    small_world.sync(run_id="run-three")
    small_world.requests["r2"].votes = (("ann", "acme"),)
    plan = small_world.plan(run_id="run-four")
    assert "1 pairs lose our label and stay associated (canny:r2:company:bolt)" in plan.warnings[0]
    assert small_world.apply(plan).conflicts == [Conflict("canny:r2", "company:bolt", "kept")]
    assert pairs(small_world.crm) == before


def test_a_lost_ledger_does_not_know(synced: World):
    """Where the store is lost nobody can tell whose the association is: it stays and is named, up to three of them."""
    synced.connection.execute("DELETE FROM sync.ledger")
    synced.requests["r1"].votes = ()
    synced.requests["r1"].author = None
    plan = synced.plan(run_id=SECOND)
    assert (plan.counts.unlink, len(plan.conflicts)) == (6, 5)  # the author of r1 had voted as well
    assert plan.warnings[0].count("canny:r1:") == 3
    synced.apply(plan)
    assert bolt_and_eve(synced) == ({"plain"}, {"plain"})
    assert synced.plan().operations == 0
    (warning,) = synced.plan(full=True).warnings
    assert warning.startswith("5 pairs are associated without a label")


def test_a_label_of_a_person_keeps_the_pair(synced: World):
    """Set before the plan or between plan and apply: only our label goes."""
    r1 = record_id(synced, "canny:r1")
    synced.crm.associate(r1, "company", "bolt", "other:7")
    unvote(synced)
    plan = synced.plan(run_id=SECOND)
    synced.crm.associate(r1, "contact", "c3", "other:8")
    report = synced.apply(plan)
    assert (report.state, report.links.removed) == (EndState.SUCCEEDED, 2)
    assert bolt_and_eve(synced) == ({"other:7", "plain"}, {"other:8", "plain"})
    assert synced.plan(full=True).operations == 0


def test_an_association_made_between_plan_and_apply_is_a_persons(synced: World):
    """What stood on the pair is read just before the write: it is theirs, and outlives our label."""
    synced.requests["r2"].votes += (("bob", "bolt"),)
    plan = synced.plan(run_id=SECOND)
    r2 = record_id(synced, "canny:r2")
    synced.crm.associate(r2, "company", "bolt")
    synced.apply(plan)
    synced.requests["r2"].votes = (("ann", "acme"),)
    synced.sync(run_id="run-three")
    found = pairs(synced.crm)
    assert found[r2, "company", "bolt"] == {"plain"}
    assert (r2, "contact", "c2") not in found


def test_a_label_taken_off_between_plan_and_apply_leaves_the_pair(synced: World):
    """Whoever took our label off kept the association on purpose."""
    unvote(synced)
    plan = synced.plan(run_id=SECOND)
    synced.crm.pairs[record_id(synced, "canny:r1"), "company", "bolt"].discard("voted")
    report = synced.apply(plan)
    assert report.links.removed == 1
    assert bolt_and_eve(synced) == ({"plain"}, None)


def test_one_of_two_labels_goes_and_the_pair_stays(synced: World):
    """A voter who is the author as well loses the vote's label only."""
    synced.requests["r1"].votes = (("bob", "acme"), ("eve", "bolt"))
    synced.sync(run_id=SECOND)
    assert pairs(synced.crm)[record_id(synced, "canny:r1"), "contact", "c1"] == {"author", "plain"}
    synced.requests["r1"].author = None
    synced.sync(run_id="run-three")
    assert (record_id(synced, "canny:r1"), "contact", "c1") not in pairs(synced.crm)


def test_what_an_older_version_left_is_removed(synced: World):
    """The ledger says the pair was empty before us: both leftovers go, count as one each, and can be undone."""
    as_an_older_version_left_it(synced)
    plan = synced.plan(run_id=SECOND)
    assert (plan.counts.unlink, plan.counts.link, plan.warnings) == (2, 0, ())
    effects, *_ = guard_inputs(synced.connection, plan, production=False, budget=None, calls_left_today=None)
    assert effects.unlinks == 2
    report = synced.apply(plan)
    assert (report.links.removed, report.links.verified) == (2, 2)
    assert bolt_and_eve(synced) == (None, None)
    assert synced.plan(full=True).operations == 0
    synced.undo(SECOND, run_id="undo-one")
    assert bolt_and_eve(synced) == ({"plain"}, {"plain"})
    assert synced.plan().counts.unlink == 2


def test_what_an_older_version_left_of_retired_records_is_removed(synced: World):
    """An older version's undo retired records and left their pairs associated."""
    as_an_older_version_left_it(synced)
    r1 = record_id(synced, "canny:r1")
    del synced.requests["r1"]
    synced.sync(run_id=SECOND)
    assert bolt_and_eve(synced) == (None, None)
    assert pairs(synced.crm)[r1, "company", "acme"] == {"plain", "voted"}  # links of a retired record stay


def test_leftovers_the_ledger_does_not_know_are_named(synced: World):
    """A full run says how many and three of them; an ordinary one leaves people's associations alone without a word."""
    r1 = record_id(synced, "canny:r1")
    for number in range(4):
        synced.crm.associate(r1, "company", f"x{number}")
    assert synced.plan().warnings == ()
    plan = synced.plan(full=True)
    assert plan.operations == 0
    assert plan.warnings[0].startswith(
        "4 pairs are associated without a label and no vote accounts for it "
        "(canny:r1:company:x0, canny:r1:company:x1, canny:r1:company:x2, ...)"
    )


@pytest.mark.parametrize("known", [True, False])
def test_a_merged_company_is_known_by_those_it_took_over(synced: World, known: bool):
    """The pair of the survivor ends when the ledger knows all it came from, and stays when one is not known."""
    synced.requests["r1"].votes = (("ann", "acme"), ("eve", "bolt"))
    r1 = record_id(synced, "canny:r1")
    merged = ["acme", "bolt"] if known else ["acme", "bolt", "never-linked"]
    for company in ("acme", "bolt"):
        del synced.crm.pairs[r1, "company", company]
    synced.crm.associate(r1, "company", "both", "voted")
    synced.requests["r1"].votes = ()
    synced.load()
    synced.connection.execute("INSERT INTO raw.crm_companies (company_id, merged_ids) VALUES ('both', ?)", [merged])
    plan = make_plan(synced.connection, synced.inputs(run_id=SECOND))
    synced.apply(plan)
    assert pairs(synced.crm).get((r1, "company", "both")) == (None if known else {"plain"})
    assert len(plan.conflicts) == int(not known)


@pytest.mark.parametrize("whole", [True, False])
def test_a_removal_that_did_not_take_is_no_success(synced: World, whole: bool):
    """Label or association still there on reading back, after a second try: rejected and named, not counted."""
    r1 = record_id(synced, "canny:r1")
    if not whole:
        synced.crm.associate(r1, "company", "bolt", "other:7")
    synced.crm.lasting_pairs.add("bolt")
    unvote(synced)
    report = synced.sync(run_id=SECOND)
    assert report.state is EndState.SUCCEEDED_WITH_REJECTS
    assert (report.links.removed, report.links.rejected, report.links.verified) == (1, 1, 1)
    assert [(one.key, one.reason) for one in report.rejected_items] == [
        ("canny:r1:company:bolt:voted", "still carries voted after it was taken off")
    ]


def test_a_label_gone_with_its_association_left_is_no_success(synced: World):
    """The CRM takes the label off and keeps the two associated, which is what a person sees."""
    synced.crm.end_pairs = synced.crm.take_off_but_plain  # type: ignore[method-assign]  # this CRM keeps associations
    unvote(synced)
    report = synced.sync(run_id=SECOND)
    assert report.links.removed == 0
    assert {one.reason for one in report.rejected_items} == {"is still associated after the association was removed"}


def test_an_association_that_goes_with_a_label_is_told(synced: World):
    """A removal of a label that also ends what was there before us is damage, and named."""
    r1 = record_id(synced, "canny:r1")
    synced.crm.associate(r1, "company", "bolt", "other:7")
    synced.crm.take_off = synced.crm.end_pairs  # type: ignore[method-assign]  # this CRM ends all of a pair
    unvote(synced)
    report = synced.sync(run_id=SECOND)
    assert [one.reason for one in report.rejected_items] == ["has lost other:7, plain as well"]


def test_a_lost_answer_to_a_removal_is_looked_up(synced: World):
    """Both removals arrived although nobody said so."""
    unvote(synced)
    plan = synced.plan(run_id=SECOND)
    synced.crm.fault = lost_answer(*range(synced.crm.writes + 1, synced.crm.writes + 10))
    report = synced.apply(plan)
    assert (report.state, report.links.removed) == (EndState.SUCCEEDED, 2)
    assert bolt_and_eve(synced) == (None, None)


def test_a_pair_that_stays_locked_keeps_the_links_made_beside_it(small_world: World):
    """The pairs that got through are verified and on record; the locked one is linked by the next run."""
    small_world.crm.locked = {"bolt"}
    report = small_world.sync(run_id=FIRST)
    assert (str(report.error), report.state) == ("the records are locked", EndState.RETRY_LATER)
    made = {pair for pair in pairs(small_world.crm) if pair[1] == "company"}
    assert (len(made), report.links.created) == (1, 1)
    outcomes = small_world.connection.execute(
        "SELECT target_id, outcome FROM sync.ledger WHERE action = 'link' ORDER BY ledger_id"
    ).fetchall()
    assert outcomes == [("acme", "verified"), ("bolt", None), ("acme", None)]
    small_world.crm.locked.clear()
    assert small_world.sync(run_id=SECOND).state is EndState.SUCCEEDED
    assert bolt_and_eve(small_world) == ({"plain", "voted"}, {"plain", "voter"})


def test_whole_pairs_go_a_hundred_records_at_a_time(world: World):
    """250 records with two companies each: three calls for 500 pairs, each read back."""
    world.requests = {f"r{n}": Request(votes=(("ann", "acme"), ("bob", "bolt"))) for n in range(250)}
    world.sync(run_id=FIRST)
    undo = world.plan_undo(FIRST, run_id="undo-one")
    world.crm.calls.clear()
    report = world.apply(undo, canary=False)
    assert report.links.removed == 500
    assert pairs(world.crm) == {}
    calls = Counter(world.crm.calls)
    assert (calls["unlink whole"], calls["unlink"]) == (3, 0)
