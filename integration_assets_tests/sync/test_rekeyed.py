"""A key that somebody clears or changes in the CRM: its record is neither retired, nor made a second time, and told."""

from __future__ import annotations

from integration_assets.sync.feature_request_object import RETIRED_AT
from integration_assets_tests.sync.fake_crm import StoredRecord
from integration_assets_tests.sync.world import World, new_store


def _rekey(world: World, key: str, now: str | None) -> str:
    """Give the record with this key another one; return its record id."""
    found = next(record_id for record_id, record in world.crm.records.items() if record.key == key)
    world.crm.records[found].key = now
    return found


def test_a_record_whose_key_was_cleared_is_told_with_the_key_to_put_back(small_world: World):
    """It is there: nobody merged or deleted it, and a second record would be a copy."""
    small_world.sync()
    record_id = _rekey(small_world, "canny:r2", None)
    plan = small_world.plan()
    assert (plan.operations, plan.counts.archived) == (0, 1)
    [warning] = plan.warnings
    assert warning == (
        f"1 record of ours has lost the key in the CRM and is left alone (record {record_id}: is empty, was canny:r2): "
        "put it back there, into feature_request_key"
    )
    small_world.crm.records[record_id].key = "canny:r2"
    again = small_world.plan()
    assert (again.operations, again.counts.archived, again.warnings) == (0, 0, ())


def test_a_record_whose_key_was_changed_is_not_retired(small_world: World):
    """Under the new key stands the record of a request that lives: nothing of it is gone."""
    small_world.sync()
    record_id = _rekey(small_world, "canny:r2", "canny:mistyped")
    report = small_world.sync()
    assert report.retired == 0
    assert not small_world.crm.records[record_id].values.get(RETIRED_AT)
    [warning] = small_world.plan().warnings
    assert f"record {record_id}: is canny:mistyped, was canny:r2" in warning


def test_a_key_that_was_cleared_and_given_to_another_record_is_that_records(small_world: World):
    """Whoever moves a key to another record means it: the request lives there, and the old record is nobody's."""
    small_world.sync()
    _rekey(small_world, "canny:r2", None)
    small_world.crm.records["77"] = StoredRecord("canny:r2", {"title": "Made by hand"})
    plan = small_world.plan()
    assert (plan.counts.update, plan.counts.archived, plan.warnings) == (1, 0, ())


def test_where_all_keys_were_cleared_nothing_is_made_again(small_world: World):
    """A portal that looks empty and is not: a second copy of every record would be damage. The plan is held."""
    small_world.sync()
    for key in ("canny:r1", "canny:r2"):
        _rekey(small_world, key, None)
    plan = small_world.plan()
    assert plan.counts.create == 0
    [problem] = plan.problems
    assert problem.startswith("2 records of ours have lost the key in the CRM and are left alone (record ")


def test_a_store_that_lost_its_ledger_still_tells_records_of_ours_without_a_key(small_world: World):
    """Our marks are on them; which request they are of, the ledger alone would know."""
    small_world.sync()
    record_id = _rekey(small_world, "canny:r2", None)
    small_world.connection = new_store()
    [warning] = [one for one in small_world.plan().warnings if "lost the key" in one]
    assert f"(record {record_id}: is empty)" in warning


def test_a_record_made_by_hand_without_a_key_is_not_told(small_world: World):
    """It carries no mark of ours."""
    small_world.sync()
    small_world.crm.records["78"] = StoredRecord(None, {"title": "Somebody's own"})
    assert small_world.plan().warnings == ()


def test_a_record_that_was_given_the_key_of_another_request_is_not_written_over(small_world: World):
    """Which of the two requests it is to be is for a person to say: what it holds of the one would be lost."""
    small_world.sync()
    first = _rekey(small_world, "canny:r1", None)
    second = _rekey(small_world, "canny:r2", "canny:r1")
    plan = small_world.plan()
    assert (plan.operations, plan.counts.archived) == (0, 2)
    [warning] = plan.warnings
    assert f"1 record of ours has lost the key in the CRM and is left alone (record {second}: is canny:r1" in warning
    assert first not in warning


def test_a_record_that_is_kept_under_another_key_by_now_is_told_no_more(small_world: World):
    """The newest write says which request a record is of."""
    small_world.sync()
    record_id = _rekey(small_world, "canny:r2", "canny:r9")
    small_world.connection.execute(
        "INSERT INTO sync.ledger BY NAME SELECT * REPLACE (ledger_id + 1000 AS ledger_id, 'canny:r9' AS key) "
        "FROM sync.ledger WHERE key = 'canny:r2' AND record_id IS NOT NULL AND target IS NULL"
    )
    assert [one for one in small_world.plan().warnings if record_id in one and "lost the key" in one] == []
