"""Plans applied to a CRM in memory: what ends up there, and what is said about it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from integration_assets.errors import EndState, PermanentError, TransientError
from integration_assets.models import CrmFeatureRequest
from integration_assets.sync.diff import Conflict
from integration_assets.sync.feature_request_object import MANAGED_STATE, managed_state, parse_managed_state
from integration_assets.sync.operations import Operation
from integration_assets.sync.plan import make_plan
from integration_assets.sync.verify import why_unkept
from integration_assets_tests.sync.fake_crm import Killed, StoredRecord, killed_at, lost_answer
from integration_assets_tests.sync.world import Request, World, new_store


def many(world: World, count: int) -> None:
    world.requests = {f"r{number}": Request(f"Request {number}") for number in range(count)}


def test_a_first_sync_creates_records_and_links(small_world: World):
    """Every request becomes a record, every pair gets its labels, and the numbers say so."""
    report = small_world.sync()
    assert (report.identified, report.created, report.verified, report.rejected) == (2, 2, 2, 0)
    values, links = small_world.crm.state()
    assert values["canny:r1"]["title"] == "Export"
    assert values["canny:r1"]["arr"] == "300.00"
    assert values["canny:r1"]["companies"] == "2.00"
    assert values["canny:r1"]["voter_domains"] == "acme.example\nbolt.example"
    assert values["canny:r1"]["requested_at"] == "2026-01-01T00:00:00.000Z"
    assert {link for link in links if link[0] == "canny:r2" and link[3] != "plain"} == {
        ("canny:r2", "company", "acme", "voted"),
        ("canny:r2", "contact", "c1", "voter"),
        ("canny:r2", "contact", "c3", "author"),
    }
    assert (report.links.desired, report.links.created, report.links.verified) == (9, 9, 9)
    assert report.state is EndState.SUCCEEDED


def test_an_unchanged_second_sync_writes_nothing(small_world: World):
    """The second run plans no operation and sends no write."""
    small_world.sync()
    writes = small_world.crm.writes
    plan = small_world.plan()
    assert plan.operations == 0
    assert plan.calls == 0
    report = small_world.apply(plan)
    assert small_world.crm.writes == writes
    assert (report.unchanged, report.links.unchanged, report.links.desired) == (2, 9, 9)


def test_only_changed_fields_are_written(small_world: World):
    """An update carries what changed and the managed state, nothing else."""
    small_world.sync()
    small_world.requests["r1"].title = "Export to CSV"
    plan = small_world.plan()
    rows = small_world.connection.execute(
        "SELECT action, map_keys(after_values) FROM sync.plan_operations WHERE plan_id = ?", [plan.plan_id]
    ).fetchall()
    assert rows == [("update", ["title", "managed_state"])]
    assert small_world.apply(plan).updated == 1


def test_the_managed_state_speaks_of_the_values_read_back(small_world: World):
    """After a sync the digests fit what the CRM holds."""
    small_world.sync()
    record = small_world.crm.by_key("canny:r1")
    written = {k: v for k, v in record.values.items() if k != MANAGED_STATE}
    normal = {**written, "arr": "300", "votes": "3", "companies": "2"}
    assert parse_managed_state(record.values[MANAGED_STATE]) == parse_managed_state(managed_state(normal))


def test_a_vote_that_moves_is_unlinked_and_linked(small_world: World):
    """A changed company takes the label off one pair and puts it on another."""
    small_world.sync()
    small_world.requests["r2"].votes = (("ann", "bolt"),)
    report = small_world.sync()
    assert (report.links.created, report.links.removed) == (1, 1)
    assert ("canny:r2", "company", "acme", "voted") not in small_world.crm.state()[1]
    assert small_world.plan().operations == 0


def test_foreign_labels_survive_linking_and_unlinking(small_world: World):
    """Labels of others on the same pair are carried along, and never taken off."""
    small_world.sync()
    record_id = next(i for i, r in small_world.crm.records.items() if r.key == "canny:r1")
    small_world.crm.associate(record_id, "company", "acme", "other:7")
    small_world.crm.associate(record_id, "company", "corp", "other:7")
    small_world.requests["r1"].votes = (("ann", "corp"),)
    small_world.sync()
    assert small_world.crm.pairs[record_id, "company", "acme"] == {"other:7", "plain"}
    assert small_world.crm.pairs[record_id, "company", "corp"] == {"other:7", "plain", "voted"}
    assert small_world.plan().operations == 0


def test_a_foreign_label_set_after_the_plan_survives(small_world: World):
    """The labels of a pair are read again before they are replaced."""
    small_world.sync()
    small_world.requests["r2"].votes += (("bob", "corp"),)
    plan = small_world.plan()
    record_id = next(i for i, r in small_world.crm.records.items() if r.key == "canny:r2")
    small_world.crm.associate(record_id, "company", "corp", "other:9")
    small_world.apply(plan)
    assert small_world.crm.pairs[record_id, "company", "corp"] == {"other:9", "plain", "voted"}


def test_contact_links_are_left_alone_when_switched_off(small_world: World):
    """With the switch off, contact links are neither made nor taken off."""
    small_world.sync()
    plan = small_world.plan(link_contacts=False)
    assert plan.operations == 0
    assert plan.counts.links_desired == 3


def test_a_gone_request_is_retired_once_and_keeps_everything(small_world: World):
    """Retiring sets the two fields only; the links stay; the next plan is empty."""
    small_world.sync()
    before, links = small_world.crm.state()
    del small_world.requests["r2"]
    report = small_world.sync()
    after, links_after = small_world.crm.state()
    assert report.retired == 1
    changed = {k for k in after["canny:r2"] if after["canny:r2"][k] != before["canny:r2"].get(k)}
    assert changed == {"retired_at", "retired_reason"}
    assert after["canny:r2"]["retired_reason"] == "deleted"
    assert links_after == links
    assert small_world.plan().operations == 0


def test_a_request_that_comes_back_is_unretired_without_a_report(small_world: World):
    """Coming back clears the two fields by an ordinary update."""
    small_world.sync()
    gone = small_world.requests.pop("r2")
    small_world.sync()
    small_world.requests["r2"] = gone
    report = small_world.sync()
    assert report.updated == 1
    assert report.conflicts == []
    assert "retired_reason" not in small_world.crm.state()[0]["canny:r2"]
    assert small_world.plan().operations == 0


@pytest.mark.parametrize(("how", "reason"), [("merged", "merged"), ("excluded", "excluded"), ("gone", "deleted")])
def test_the_reason_of_a_retirement_is_kept(small_world: World, how: str, reason: str):
    """Merged, excluded and deleted requests say which they are."""
    small_world.sync()
    del small_world.requests["r2"]
    if how == "merged":
        small_world.merged = {"r2": "r1"}
    small_world.sync(excluded=("r2",) if how == "excluded" else ())
    assert small_world.crm.by_key("canny:r2").values["retired_reason"] == reason


def test_nothing_is_retired_when_too_much_is_missing(world: World):
    """More than two hundred missing requests are taken for a bad read."""
    many(world, 202)
    world.sync()
    world.requests = {"r0": world.requests["r0"]}
    plan = world.plan()
    assert plan.counts.retire == 0
    assert "none is retired" in plan.warnings[0]


def test_an_archived_record_is_respected(small_world: World):
    """A record somebody archived is not written again, nor linked, and is counted."""
    small_world.sync()
    small_world.crm.by_key("canny:r2").archived = True
    plan = small_world.plan()
    assert plan.operations == 0
    assert plan.counts.archived == 1


def test_a_record_merged_away_or_deleted_for_good_is_respected(small_world: World):
    """A verified record that is neither live nor archived any more was taken away by people: it is not made again."""
    small_world.sync()
    gone = next(record_id for record_id, record in small_world.crm.records.items() if record.key == "canny:r2")
    del small_world.crm.records[gone]
    for pair in [pair for pair in small_world.crm.pairs if pair[0] == gone]:
        del small_world.crm.pairs[pair]
    plan = small_world.plan()
    assert (plan.counts.create, plan.counts.archived, plan.counts.link) == (0, 1, 0)
    assert any("canny:r2" in warning for warning in plan.warnings)


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        (1, "canny:r0"),
        (3, "canny:r0, canny:r1, canny:r2"),
        (4, "canny:r0, canny:r1, canny:r2, ..."),
    ],
)
def test_of_many_records_deleted_for_good_three_are_named(world: World, gone: int, named: str):
    """The warning counts them all."""
    many(world, 5)
    world.sync()
    keys = {f"canny:r{number}" for number in range(gone)}
    world.crm.records = {one: record for one, record in world.crm.records.items() if record.key not in keys}
    assert world.plan().warnings == (
        f"{gone} records were merged into others or deleted for good in the CRM and are not made again ({named})",
    )


def test_an_emptied_portal_is_filled_again(small_world: World):
    """Where no record of ours is left at all, the portal was set up anew, and everything is made again."""
    small_world.sync()
    small_world.crm.records.clear()
    small_world.crm.pairs.clear()
    assert small_world.plan().counts.create == 2


def test_our_key_twice_in_the_crm_is_a_problem(small_world: World):
    """Two records with one key are named and neither is written."""
    small_world.sync()
    small_world.crm.records["77"] = StoredRecord("canny:r1", {"title": "Twin"})
    plan = small_world.plan()
    assert plan.operations == 0
    assert plan.problems == ("2 records in the CRM have the key canny:r1: merge or archive them there",)


def test_records_of_others_are_left_alone(small_world: World):
    """Records without a key, or with another source's, are neither adopted nor retired."""
    small_world.crm.records["5"] = StoredRecord(None, {"title": "Export"})
    small_world.crm.records["6"] = StoredRecord("jira:1", {"title": "Other"})
    small_world.sync()
    assert small_world.crm.records["5"].values == {"title": "Export"}
    assert small_world.crm.records["6"].values == {"title": "Other"}
    assert small_world.plan().operations == 0


def test_an_edit_of_a_field_people_may_edit_is_kept_and_reported(small_world: World):
    """Only the CRM changed: its value stays, run after run, with and without the staging store."""
    small_world.sync()
    small_world.crm.by_key("canny:r1").values["title"] = "Edited"
    kept = [Conflict("canny:r1", "title", "kept")]
    assert small_world.sync().conflicts == kept
    assert small_world.sync().conflicts == kept
    small_world.connection.execute("DELETE FROM sync.field_bases")
    assert small_world.sync().conflicts == kept
    assert small_world.crm.by_key("canny:r1").values["title"] == "Edited"


def test_when_both_sides_changed_ours_wins_and_is_reported(small_world: World):
    """The default policy writes the source's value over an edit."""
    small_world.sync()
    small_world.crm.by_key("canny:r1").values["title"] = "Edited"
    small_world.requests["r1"].title = "Export all"
    report = small_world.sync()
    assert report.conflicts == [Conflict("canny:r1", "title", "overwritten")]
    assert small_world.crm.by_key("canny:r1").values["title"] == "Export all"
    assert small_world.sync().conflicts == []


def test_an_edit_of_a_computed_field_is_restored_and_reported(small_world: World):
    """Computed fields are always ours."""
    small_world.sync()
    small_world.crm.by_key("canny:r1").values["votes"] = "99"
    report = small_world.sync()
    assert report.conflicts == [Conflict("canny:r1", "votes", "restored")]
    assert small_world.crm.by_key("canny:r1").values["votes"] == "3.00"


def test_a_null_of_the_source_leaves_the_crm_alone(small_world: World):
    """Details that are absent at the source do not wipe what is in the CRM."""
    small_world.sync()
    small_world.requests["r2"].details = None
    assert small_world.plan().operations == 0
    assert small_world.crm.by_key("canny:r2").values["details"] == "Please"


def test_a_field_that_clears_is_cleared(small_world: World):
    """Voter domains of a request without voters become empty, and stay so."""
    small_world.sync()
    small_world.requests["r2"].votes = ()
    small_world.sync()
    assert small_world.crm.by_key("canny:r2").values["voter_domains"] == ""
    assert small_world.plan().operations == 0


def test_losing_the_store_writes_nothing(small_world: World):
    """Without ledger and bases the next plan is empty and reports nothing."""
    small_world.sync()
    for table in ("ledger", "field_bases", "plans", "plan_operations", "baselines", "plan_companies"):
        small_world.connection.execute(f"DELETE FROM sync.{table}")
    plan = small_world.plan()
    assert plan.operations == 0
    assert plan.conflicts == ()


def test_a_record_changed_since_the_plan_is_a_conflict_field_by_field(small_world: World):
    """The field somebody changed is left alone, the others are written, and the next run sees the edit."""
    small_world.sync()
    small_world.requests["r1"].title = "Export all"
    small_world.requests["r1"].category = "Data"
    plan = small_world.plan()
    small_world.crm.by_key("canny:r1").values["title"] = "Edited meanwhile"
    report = small_world.apply(plan)
    assert report.conflicts == [Conflict("canny:r1", "title", "moved")]
    record = small_world.crm.by_key("canny:r1")
    assert (record.values["title"], record.values["category"]) == ("Edited meanwhile", "Data")
    assert small_world.sync().conflicts == [Conflict("canny:r1", "title", "overwritten")]


def test_a_record_archived_since_the_plan_is_not_brought_back(small_world: World):
    """An update never creates."""
    small_world.sync()
    small_world.requests["r1"].title = "Export all"
    plan = small_world.plan()
    small_world.crm.by_key("canny:r1").archived = True
    report = small_world.apply(plan)
    assert report.updated == 0
    assert Conflict("canny:r1", "title", "moved") in report.conflicts
    assert [r.key for r in small_world.crm.records.values() if not r.archived] == ["canny:r2"]


@pytest.mark.parametrize("whole_batches", [False, True])
def test_one_bad_record_does_not_cost_the_others(world: World, whole_batches: bool):
    """Ninety-nine are written, one is named and quarantined, in at most sixteen requests."""
    many(world, 100)
    world.crm.poison = {"canny:r57"}
    world.crm.refuse_whole_batches = whole_batches
    report = world.apply(world.plan(), canary=False)
    assert (report.created, report.rejected) == (99, 1)
    assert [(item.kind, item.key) for item in report.rejected_items] == [("feature_request", "canny:r57")]
    assert world.crm.writes <= 16
    assert report.state is EndState.SUCCEEDED_WITH_REJECTS
    quarantined = world.connection.execute("SELECT stage, kind, key, reason FROM sync.quarantine").fetchall()
    assert quarantined == [("crm_feature_requests", "feature_request", "canny:r57", "a value is not valid")]


def test_a_lost_answer_is_repeated(world: World):
    """A write that took effect but was not answered is repeated: one record, counted once."""
    many(world, 3)
    world.crm.fault = lost_answer(1)
    report = world.sync()
    assert (report.created, report.verified) == (3, 3)
    assert len(world.crm.records) == 3
    assert world.pauses == [1.0]


def test_answers_that_stay_lost_are_looked_for(world: World):
    """When no answer comes at all, reading back tells that it was written."""
    many(world, 3)
    world.crm.fault = lost_answer(1, 2, 3)
    report = world.sync()
    assert (report.created, report.unknown) == (3, 0)
    assert report.state is EndState.SUCCEEDED


def test_what_cannot_be_found_is_left_for_the_next_run(world: World):
    """A write that is neither answered nor there ends the run as one to repeat, and the repeat mends it."""
    many(world, 3)
    world.crm.fault = lost_answer(1, 2, 3, moment="before")
    report = world.sync()
    assert (report.created, report.unknown) == (0, 3)
    assert isinstance(report.error, TransientError)
    assert report.state is EndState.RETRY_LATER
    assert world.sync().created == 3


def test_a_write_that_takes_effect_late_is_found(world: World):
    """Reading back is repeated for a while when no answer came."""
    many(world, 1)
    values = {"title": "Request 0"}
    world.crm.fault = lost_answer(1, 2, 3, moment="before")
    plan = world.plan()
    rows = world.connection.execute("SELECT after_values FROM sync.plan_operations").fetchall()
    reads: list[int] = []

    def takes_effect_at_the_third_read() -> None:
        reads.append(1)
        if len(reads) == 3:
            world.crm.records["9"] = StoredRecord("canny:r0", {**rows[0][0], **values})

    world.crm.on_read = takes_effect_at_the_third_read
    report = world.apply(plan)
    assert (report.created, report.unknown, report.error) == (1, 0, None)
    assert world.pauses == [1.0, 5.0, 2.0, 10.0]


def test_records_the_answer_does_not_mention_are_read_back(world: World):
    """A record that is there counts as written although the answer left it out."""
    many(world, 3)
    world.crm.unmentioned = {"canny:r1"}
    report = world.sync()
    assert (report.created, report.rejected) == (3, 0)


def test_a_value_the_crm_changes_is_told_apart_from_one_it_drops():
    """A value that is neither what was there nor what was written has been set by somebody else."""
    operation = Operation(
        1, "update", "canny:r1", "9", before={"title": "Old", "arr": "1"}, after={"title": "New", "arr": "2"}
    )
    record = CrmFeatureRequest("9", "canny:r1", {"title": "Set by a flow", "arr": "1.00"})
    assert why_unkept(operation, record, ["title", "arr"]) == (
        "the CRM did not keep what was written: arr; changed in the CRM right after it was written: title; look for a "
        "workflow, flow or trigger there that sets it"
    )


def test_a_value_the_crm_drops_is_rejected_by_name(world: World):
    """The field is named, the record does not count as written, and the managed state tells the truth."""
    many(world, 2)
    world.crm.dropped = {("canny:r1", "status")}
    report = world.sync()
    assert (report.created, report.rejected) == (1, 1)
    assert report.rejected_items[0].reason == "the CRM did not keep what was written: status"
    world.connection.execute("DELETE FROM sync.field_bases")
    world.crm.dropped.clear()
    report = world.sync()
    assert (report.updated, report.conflicts) == (1, [])
    assert world.crm.by_key("canny:r1").values["status"] == "open"


def test_a_created_record_that_is_not_there_is_written_once_more(world: World):
    """One lie is repeated, two end the run as failed; neither is counted as written."""
    many(world, 2)
    world.crm.vanishing = {"canny:r1": 1}
    assert world.sync().created == 2
    world.requests["r2"] = Request("Third")
    world.crm.vanishing = {"canny:r2": 2}
    report = world.sync()
    assert report.created == 0
    assert isinstance(report.error, PermanentError)
    assert report.state is EndState.FAILED
    assert report.absent == ["canny:r2"]


def test_links_of_a_rejected_record_are_rejected_and_named(small_world: World):
    """No record, no links; the others are made."""
    small_world.crm.poison = {"canny:r2"}
    report = small_world.sync()
    assert report.links.rejected == 3
    assert report.links.created == 6
    assert {item.kind for item in report.rejected_items} == {"feature_request", "link"}


@pytest.mark.parametrize("whole_batches", [False, True])
def test_a_link_to_a_missing_company_is_rejected_and_named(small_world: World, whole_batches: bool):
    """One pair is refused, the rest of the batch is written."""
    small_world.crm.unknown_targets = {"bolt"}
    small_world.crm.refuse_whole_batches = whole_batches
    report = small_world.sync()
    assert (report.links.created, report.links.rejected) == (8, 1)
    assert report.rejected_items[0].key == "canny:r1:company:bolt:voted"


def test_a_link_that_is_not_made_is_not_counted(small_world: World):
    """A pair the CRM said it linked and did not is repeated once, then rejected."""
    small_world.crm.unmade_pairs = {"bolt"}
    report = small_world.sync()
    assert (report.links.created, report.links.rejected) == (8, 1)
    assert "does not carry voted" in report.rejected_items[0].reason


def test_a_canary_goes_first(world: World):
    """The first apply writes five records and reads them back before the rest."""
    many(world, 12)
    world.sync()
    assert world.crm.calls == ["upsert", "read records", "upsert", "read records"]


def test_a_bad_canary_stops_everything(world: World):
    """When the first records do not read back as written, nothing more is sent."""
    many(world, 12)
    world.crm.dropped = {(f"canny:r{number}", "title") for number in range(12)}
    report = world.sync()
    assert isinstance(report.error, PermanentError)
    assert len(world.crm.records) == 5


@pytest.mark.parametrize(("bad", "goes_on"), [(5, False), (4, False), (3, False), (2, True), (0, True)])
def test_most_of_a_canary_must_read_back(world: World, bad: int, goes_on: bool):
    """One or two verified records of five are too few to send the rest after them; three are enough."""
    many(world, 12)
    first = sorted(world.requests, key=lambda request_id: f"canny:{request_id}")[:5]
    world.crm.dropped = {(f"canny:{request_id}", "title") for request_id in first[:bad]}
    report = world.sync()
    assert report.verified == (12 - bad if goes_on else 5 - bad)
    assert (report.error is None) is goes_on
    assert len(world.crm.records) == (12 if goes_on else 5)


def test_an_archived_copy_beside_a_live_record_does_not_count(small_world: World):
    """The live one is kept up to date and linked; the archived one is neither counted nor touched."""
    small_world.sync()
    small_world.crm.records["77"] = StoredRecord("canny:r2", {"title": "Archived copy"}, archived=True)
    small_world.requests["r2"].title = "Import 2"
    small_world.requests["r2"].votes += (("bob", "bolt"),)
    plan = small_world.plan()
    assert (plan.counts.update, plan.counts.link, plan.counts.archived, plan.problems) == (1, 2, 0, ())
    small_world.apply(plan)
    assert small_world.crm.by_key("canny:r2").values["title"] == "Import 2"
    assert small_world.crm.records["77"].values == {"title": "Archived copy"}
    del small_world.requests["r2"]
    assert small_world.plan().counts.retire == 1


@pytest.mark.parametrize(("missing", "believed"), [(200, True), (201, False)])
def test_more_missing_requests_than_can_be_believed_are_not_retired(world: World, missing: int, believed: bool):
    """200 may go at once; with one more, none is retired and a warning says so. Merged ones are explained."""
    world.requests = {f"r{n}": Request(votes=()) for n in range(missing + 2)}
    world.sync()
    world.requests = {"r0": world.requests["r0"]}
    world.merged = {"r1": "r0"}
    plan = world.plan()
    assert plan.counts.retire == (missing + 1 if believed else 0)
    assert [warning.split()[0] for warning in plan.warnings] == ([] if believed else [f"{missing + 1}"])


def test_quota_in_the_middle_keeps_what_was_done(world: World):
    """An error stops the run after the batches under way; the report has what was verified."""
    many(world, 20)
    world.crm.records_per_write = 5

    def fault(number: int, moment: str) -> None:
        if number >= 3 and moment == "before":
            raise TransientError("quota")

    world.crm.fault = fault
    report = world.sync()
    assert report.created == 10
    assert report.state is EndState.RETRY_LATER
    world.crm.fault = lambda _number, _moment: None
    assert world.sync().created == 10


def test_a_lock_in_the_middle_of_a_batch_keeps_what_was_done(world: World):
    """The records of the batch that got through are verified, counted and on record; the rest is for the next run."""
    many(world, 8)
    world.crm.locked = {"canny:r5"}
    report = world.apply(world.plan(), canary=False)
    assert (report.created, report.verified) == (5, 5)
    assert (str(report.error), report.state) == ("the records are locked", EndState.RETRY_LATER)
    outcomes = world.connection.execute("SELECT outcome, count(*) FROM sync.ledger GROUP BY ALL ORDER BY ALL")
    assert outcomes.fetchall() == [("verified", 5), (None, 3)]
    world.crm.locked.clear()
    assert world.sync().created == 3


def test_an_error_of_the_second_attempt_keeps_what_was_done(world: World):
    """One record was said to be written and is not there; that the repeat fails costs nothing of the others."""
    many(world, 3)
    world.crm.vanishing = {"canny:r1": 1}

    def fault(number: int, moment: str) -> None:
        if (number, moment) == (2, "before"):
            raise TransientError("quota")

    world.crm.fault = fault
    report = world.sync()
    assert (report.created, str(report.error)) == (2, "quota")
    outcomes = world.connection.execute("SELECT key, outcome FROM sync.ledger ORDER BY key").fetchall()
    assert outcomes == [("canny:r0", "verified"), ("canny:r1", None), ("canny:r2", "verified")]
    assert world.sync().created == 1


def test_an_error_while_a_dropped_value_is_put_right_ends_the_run(world: World):
    """The correction of a record's state is a write like any other: its error is not lost."""
    many(world, 2)
    world.crm.dropped = {("canny:r1", "status")}

    def fault(number: int, moment: str) -> None:
        if (number, moment) == (2, "before"):
            raise TransientError("quota")

    world.crm.fault = fault
    report = world.sync()
    assert (report.created, report.rejected, str(report.error)) == (1, 1, "quota")


def test_every_write_is_on_record_before_it_is_sent(world: World):
    """When a write begins, its intent is committed, with the values that were there before."""
    many(world, 3)
    world.sync()
    seen = []
    world.crm.fault = lambda _number, moment: (
        seen.append(
            world.connection.execute(
                "SELECT key, before_values['title'], after_values['title'] FROM sync.ledger WHERE outcome IS NULL"
            ).fetchall()
        )
        if moment == "before"
        else None
    )
    world.requests["r1"].title = "New"
    world.sync()
    assert seen == [[("canny:r1", "Request 1", "New")]]
    outcomes = world.connection.execute("SELECT action, outcome FROM sync.ledger ORDER BY ledger_id").fetchall()
    assert outcomes == [("create", "verified")] * 3 + [("update", "verified")]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_any_write_and_run_again_ends_the_same(moment: str, small_world: World):
    """Killed at each write in turn, the next run ends in the same CRM, without duplicates, with nothing to do."""
    small_world.crm.records_per_write = small_world.crm.pairs_per_write = 2
    small_world.sync()
    expected = small_world.crm.state()
    for number in range(1, small_world.crm.writes + 1):
        world = World(new_store(), requests=small_world.requests, contacts=small_world.contacts)
        world.crm.records_per_write = world.crm.pairs_per_write = 2
        world.crm.fault = killed_at(number, moment)
        with pytest.raises(Killed):
            world.sync()
        world.crm.fault = lambda _number, _moment: None
        world.sync()
        assert world.crm.state() == expected
        assert world.plan().operations == 0
        world.connection.close()


def test_applying_updates_what_the_store_knows_of_the_crm(small_world: World):
    """The rest can be planned straight after an apply, without reading the CRM again."""
    small_world.sync()
    small_world.now += timedelta(minutes=1)
    assert make_plan(small_world.connection, small_world.inputs()).operations == 0
