"""Undo of a run: what it wrote goes back to what was there before, and nothing else is touched."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest

from integration_assets.errors import ConfigurationError, EndState
from integration_assets.sync.diff import Conflict
from integration_assets.sync.feature_request_object import MANAGED_STATE, RETIRED_AT, RETIRED_REASON
from integration_assets.sync.guard import guard_inputs
from integration_assets.sync.operations import read_operations
from integration_assets.sync.plan_store import approve, settle_undos
from integration_assets_tests.sync.fake_crm import FakeCrm, Killed, StoredRecord, killed_at, lost_answer
from integration_assets_tests.sync.world import NOW, Request, World

FIRST, SECOND, UNDO = "run-one", "run-two", "undo-one"


@pytest.fixture
def synced(small_world: World) -> World:
    """The small world after a first run."""
    assert small_world.sync(run_id=FIRST).state is EndState.SUCCEEDED
    return small_world


def change(world: World) -> None:
    """Everything an ordinary run may write: new and changed values, a value cleared, a retirement, links both ways."""
    world.requests["r3"] = Request("New", votes=(("eve", "bolt"),))
    world.requests["r1"] = Request("Export 2", votes=(("bob", "acme"), ("eve", "corp")), author="ann", arr="300.00")
    del world.requests["r2"]


def snapshot(crm: FakeCrm) -> tuple[dict[str, StoredRecord], dict[object, set[str]]]:
    """Records by id and labels by pair, pairs without a label left out."""
    return copy.deepcopy(crm.records), {pair: set(labels) for pair, labels in crm.pairs.items() if labels}


def set_values(record: StoredRecord) -> dict[str, str]:
    return {name: value for name, value in record.values.items() if value}


def conflicts(world: World, run: str) -> set[tuple[str, str, str]]:
    return {(one.key, one.field, one.action) for one in world.plan_undo(run).conflicts}


def test_an_ordinary_run_is_taken_back(synced: World):
    """Values, `managed_state`, retirement marks and labels are as before; the record it made is retired as `undone`."""
    records, pairs = snapshot(synced.crm)
    change(synced)
    synced.sync(run_id=SECOND)
    report = synced.undo(SECOND)
    assert (report.state, report.conflicts) == (EndState.SUCCEEDED, [])
    for record_id, before in records.items():
        assert set_values(synced.crm.records[record_id]) == set_values(before)
    made = synced.crm.by_key("canny:r3")
    assert (made.values[RETIRED_REASON], made.values["title"]) == ("undone", "New")
    assert snapshot(synced.crm)[1] == pairs
    assert (report.created, report.updated, report.retired) == (0, 2, 1)
    assert report.verified == 3
    assert report.links.verified == report.links.created + report.links.removed > 0


def test_a_first_run_is_taken_back(synced: World):
    """All its records are retired, all its labels taken off; no value is cleared, nothing is deleted."""
    records, _ = snapshot(synced.crm)
    report = synced.undo(FIRST)
    assert (report.retired, report.links.removed) == (2, 9)
    for record_id, before in records.items():
        after = set_values(synced.crm.records[record_id])
        assert after.pop(RETIRED_REASON) == "undone"
        assert after.pop(RETIRED_AT)
        assert after == set_values(before)
    assert snapshot(synced.crm)[1] == {}


def test_the_plan_writes_nothing(synced: World):
    """Making the plan sends reads only; it is saved, says what it undoes, and its hash covers its operations."""
    synced.crm.calls.clear()
    plan = synced.plan_undo(FIRST)
    assert set(synced.crm.calls) == {"read records", "read links"}
    assert (plan.kind, plan.undoes, plan.operations) == ("undo", FIRST, 2 + 9)
    assert len(plan.hash) == 64
    assert {operation.action for operation in read_operations(synced.connection, plan.plan_id)} == {"retire", "unlink"}


def test_what_a_person_changed_since_is_left_alone_and_named(synced: World):
    """One field was edited after the run: it stays, the others go back."""
    synced.requests["r1"].title = "Export 2"
    synced.requests["r1"].category = "Other"
    synced.sync(run_id=SECOND)
    synced.crm.by_key("canny:r1").values["title"] = "Mine"
    report = synced.undo(SECOND)
    assert report.conflicts == [Conflict("canny:r1", "title", "changed")]
    values = synced.crm.by_key("canny:r1").values
    assert (values["title"], values["category"]) == ("Mine", "General")


def test_what_a_later_run_changed_is_left_alone_and_named(synced: World):
    """Undo of a run that is not the last: only what still is as it left it goes back."""
    change(synced)
    synced.sync(run_id=SECOND)
    synced.requests["r1"].title = "Export 3"
    synced.sync(run_id="run-three")
    assert conflicts(synced, SECOND) == {("canny:r1", "title", "changed")}
    synced.undo(SECOND)
    assert synced.crm.by_key("canny:r1").values["title"] == "Export 3"


def test_a_record_archived_since_is_left_alone_and_named(synced: World):
    """Neither its values nor its links are written, and it does not come back."""
    synced.requests["r1"].title = "Export 2"
    synced.sync(run_id=SECOND)
    next(record for record in synced.crm.records.values() if record.key == "canny:r1").archived = True
    before = snapshot(synced.crm)
    report = synced.undo(SECOND)
    assert report.conflicts == [Conflict("canny:r1", "feature_request_key", "archived")]
    assert snapshot(synced.crm) == before
    assert report.archived == 1


def test_a_record_made_anew_since_is_another_record(synced: World):
    """A person archived the record and another run's record has its key: the undo does not touch it."""
    record_id, record = next(item for item in synced.crm.records.items() if item[1].key == "canny:r1")
    record.archived = True
    synced.crm.records["77"] = StoredRecord("canny:r1", dict(record.values))
    assert ("canny:r1", "feature_request_key", "archived") in conflicts(synced, FIRST)
    synced.undo(FIRST)
    assert RETIRED_REASON not in synced.crm.records["77"].values
    assert RETIRED_REASON not in synced.crm.records[record_id].values


def test_half_a_retirement_is_not_undone(synced: World):
    """A person gave the retirement another reason: both marks stay."""
    del synced.requests["r2"]
    synced.sync(run_id=SECOND)
    synced.crm.by_key("canny:r2").values[RETIRED_REASON] = "excluded"
    before = snapshot(synced.crm)
    assert conflicts(synced, SECOND) == {("canny:r2", RETIRED_REASON, "changed")}
    synced.undo(SECOND)
    assert snapshot(synced.crm) == before


def test_a_made_record_that_was_retired_since_is_named(synced: World):
    """It is out of use already, for another reason."""
    del synced.requests["r2"]
    synced.sync(run_id=SECOND)
    assert conflicts(synced, FIRST) == {("canny:r2", RETIRED_REASON, "changed")}


def test_labels_of_others_stay(synced: World):
    """A pair that carries somebody else's label keeps it, on the way back as well."""
    record_id = next(i for i, record in synced.crm.records.items() if record.key == "canny:r1")
    synced.crm.associate(record_id, "company", "acme", "other:7")
    synced.crm.associate(record_id, "company", "zeta", "other:7")
    synced.undo(FIRST)
    assert snapshot(synced.crm)[1] == {
        (record_id, "company", "acme"): {"other:7", "plain"},
        (record_id, "company", "zeta"): {"other:7", "plain"},
    }


def test_a_label_that_was_there_before_the_run_stays(small_world: World):
    """Only what the run added is taken off: it found one label and added the other."""
    small_world.sync(run_id=FIRST)
    small_world.requests["r2"].votes = (("ann", "acme"), ("eve", None))
    small_world.sync(run_id=SECOND)
    record_id = next(i for i, record in small_world.crm.records.items() if record.key == "canny:r2")
    assert small_world.crm.pairs[record_id, "contact", "c3"] == {"author", "plain", "voter"}
    small_world.undo(SECOND)
    assert small_world.crm.pairs[record_id, "contact", "c3"] == {"author", "plain"}


def test_an_undo_can_be_undone(synced: World):
    """Values, labels, marks and `managed_state` are those the run had left; the same from there on."""
    change(synced)
    synced.sync(run_id=SECOND)
    records, pairs = snapshot(synced.crm)
    synced.undo(SECOND, run_id=UNDO)
    report = synced.undo(UNDO, run_id="undo-two")
    assert report.state is EndState.SUCCEEDED
    after, labels = snapshot(synced.crm)
    assert {i: set_values(r) for i, r in after.items()} == {i: set_values(r) for i, r in records.items()}
    assert labels == pairs
    assert synced.plan().operations == 0


def test_repeated_it_has_nothing_left_to_do(synced: World):
    """The second undo of a run plans no change and reports no conflict, also by the name `last`."""
    change(synced)
    synced.sync(run_id=SECOND)
    synced.undo("last", run_id=UNDO)
    again = synced.plan_undo("last")
    assert (again.undoes, again.operations, again.conflicts) == (SECOND, 0, ())


def test_the_next_plan_is_held_until_approved(synced: World):
    """After an undo the guard says `after_undo`; the plan, once applied, ends that."""
    change(synced)
    synced.sync(run_id=SECOND)
    state = synced.crm.state()
    synced.undo(SECOND)
    synced.now += timedelta(minutes=1)
    plan = synced.plan()

    def after_undo() -> bool:
        return guard_inputs(synced.connection, plan, production=False, budget=None, calls_left_today=None)[2].after_undo

    assert after_undo()
    assert synced.apply(plan).state is EndState.SUCCEEDED
    assert not after_undo()
    values, labels = synced.crm.state()
    values["canny:r2"].pop(RETIRED_AT)  # retired again, a little later
    state[0]["canny:r2"].pop(RETIRED_AT)
    assert (values, labels) == state


def test_a_persons_value_is_theirs_again(synced: World):
    """The run overwrote an edit and is undone: the edit is back, known as an edit, and kept if the source goes back."""
    synced.crm.by_key("canny:r1").values["title"] = "Mine"
    state = synced.crm.by_key("canny:r1").values[MANAGED_STATE]
    synced.requests["r1"].title = "Export 2"
    synced.sync(run_id=SECOND)
    synced.undo(SECOND)
    assert synced.crm.by_key("canny:r1").values["title"] == "Mine"
    assert synced.crm.by_key("canny:r1").values[MANAGED_STATE] == state
    synced.requests["r1"].title = "Export"
    report = synced.sync(run_id="run-three")
    assert Conflict("canny:r1", "title", "kept") in report.conflicts
    assert synced.crm.by_key("canny:r1").values["title"] == "Mine"


def test_a_change_between_plan_and_apply_is_left_alone(synced: World):
    """What a person changed after the plan was shown is not overwritten."""
    synced.requests["r1"].title = "Export 2"
    synced.sync(run_id=SECOND)
    plan = synced.plan_undo(SECOND)
    synced.crm.by_key("canny:r1").values["title"] = "Mine"
    report = synced.apply(plan, canary=False)
    assert report.conflicts == [Conflict("canny:r1", "title", "moved")]
    assert synced.crm.by_key("canny:r1").values["title"] == "Mine"


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 7))
def test_a_killed_run_is_taken_back(synced: World, number: int, moment: str):
    """Killed at any write: what the CRM shows decides what was done, and that is undone."""
    synced.crm.records_per_write = synced.crm.pairs_per_write = synced.crm.pairs_per_removal = 2
    records, pairs = snapshot(synced.crm)
    change(synced)
    synced.crm.fault = killed_at(synced.crm.writes + number, moment)
    with pytest.raises(Killed):
        synced.apply(synced.plan(run_id=SECOND), in_flight=1)
    synced.crm.fault = lambda _number, _moment: None
    assert synced.undo(SECOND).state is EndState.SUCCEEDED
    for record_id, before in records.items():
        assert set_values(synced.crm.records[record_id]) == set_values(before)
    made = [record for record_id, record in synced.crm.records.items() if record_id not in records]
    assert all(record.values[RETIRED_REASON] == "undone" for record in made)
    assert snapshot(synced.crm)[1] == pairs


@pytest.mark.parametrize("number", range(1, 7))
def test_a_write_that_never_arrived_is_not_taken_for_the_later_runs(synced: World, number: int):
    """Killed before its write arrived; the next run made those changes, and an undo of the first leaves them alone."""
    synced.crm.records_per_write = synced.crm.pairs_per_write = synced.crm.pairs_per_removal = 2
    change(synced)
    before = snapshot(synced.crm)
    synced.crm.fault = killed_at(synced.crm.writes + number, "before")
    with pytest.raises(Killed):
        synced.apply(synced.plan(run_id=SECOND), in_flight=1)
    synced.crm.fault = lambda _number, _moment: None
    arrived = snapshot(synced.crm)
    synced.sync(run_id="run-three")
    untouched = {i for i in before[0] if before[0][i] == arrived[0][i]}
    done = {i: set_values(synced.crm.records[i]) for i in untouched}
    same_labels = {pair: labels for pair, labels in arrived[1].items() if before[1].get(pair) == labels}
    after_sync = snapshot(synced.crm)[1]
    report = synced.undo(SECOND)
    assert report.conflicts == []
    assert {i: set_values(synced.crm.records[i]) for i in untouched} == done
    final = snapshot(synced.crm)[1]
    assert {pair: final.get(pair) for pair in same_labels} == {pair: after_sync.get(pair) for pair in same_labels}
    made_later = [r for i, r in synced.crm.records.items() if i not in arrived[0]]
    assert all(RETIRED_REASON not in record.values for record in made_later)


def test_lost_answers_of_the_undo_cost_nothing(synced: World):
    """All its writes arrive with their answers lost: read back, they count as done."""
    change(synced)
    synced.sync(run_id=SECOND)
    first = synced.crm.writes + 1
    synced.crm.fault = lost_answer(*range(first, first + 40))
    report = synced.undo(SECOND)
    assert report.state is EndState.SUCCEEDED
    assert synced.plan_undo(SECOND).operations == 0


def test_a_reject_of_the_undo_is_named(synced: World):
    """What the CRM refuses to take back is rejected with its reason; the rest is undone."""
    synced.requests["r1"].title, synced.requests["r2"].title = "Export 2", "Import 2"
    synced.sync(run_id=SECOND)
    synced.crm.poison = {"canny:r2"}
    report = synced.undo(SECOND)
    assert report.state is EndState.SUCCEEDED_WITH_REJECTS
    assert [one.key for one in report.rejected_items] == ["canny:r2"]
    assert synced.crm.by_key("canny:r1").values["title"] == "Export"
    assert synced.crm.by_key("canny:r2").values["title"] == "Import 2"


# -- which run


def test_runs_are_found_by_the_beginning_of_their_id(synced: World):
    """A unique beginning, the whole id, or `last`, which never names an undo."""
    change(synced)
    synced.sync(run_id=SECOND)
    synced.undo("run-tw", run_id=UNDO)
    assert synced.plan_undo("run-on").undoes == FIRST
    assert synced.plan_undo(UNDO).undoes == UNDO
    assert synced.plan_undo("last").undoes == SECOND


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("nothing-like-it", "no run nothing-like-it"),
        ("run-o", "at least 6"),
        ("run-two", "several"),
        ("run-idle", "wrote nothing"),
    ],
)
def test_a_run_that_cannot_be_undone_is_refused(synced: World, wanted: str, words: str):
    """Unknown, too short, ambiguous, or without a write: a usage error that says so, and no call to the CRM."""
    for run_id in ("run-two-a", "run-two-b"):
        synced.requests["r1"].title = run_id
        synced.sync(run_id=run_id)
    synced.sync(run_id="run-idle")
    synced.crm.calls.clear()
    with pytest.raises(ConfigurationError, match=words):
        synced.plan_undo(wanted)
    assert synced.crm.calls == []


def test_nothing_to_undo_yet(world: World):
    """`last` without a run that wrote is a usage error."""
    with pytest.raises(ConfigurationError, match="nothing to undo"):
        world.plan_undo("last")


def test_a_run_of_another_portal_is_refused(synced: World):
    """The ledger's portal counts; nothing is read."""
    synced.crm.calls.clear()
    with pytest.raises(ConfigurationError, match="portal 1, this is portal 2"):
        synced.plan_undo(FIRST, portal_id="2")
    assert synced.crm.calls == []


def test_an_undo_is_not_released_by_approval(synced: World):
    """A sync never applies an undo: approving one is refused."""
    plan = synced.plan_undo(FIRST)
    with pytest.raises(ConfigurationError, match="is an undo"):
        approve(synced.connection, plan.hash, "me", now=NOW)


def test_an_undo_that_finds_nothing_left_settles_those_that_were_interrupted(synced: World):
    """Killed after its last write, an undo has nothing left to do when it is begun again: it is not under way."""
    world = synced
    statuses = "SELECT kind, status FROM sync.plans WHERE status IN ('applying', 'interrupted') ORDER BY kind"
    world.connection.execute(
        "INSERT INTO sync.plans BY NAME SELECT * REPLACE ('killed' AS plan_id, 'undo' AS kind, 'applying' AS status) "
        "FROM sync.plans LIMIT 1"
    )
    settle_undos(world.connection, "another portal")
    assert world.connection.execute(statuses).fetchall() == [("undo", "applying")]
    settle_undos(world.connection, world.crm.portal_id)
    assert world.connection.execute(statuses).fetchall() == [("undo", "interrupted")]
