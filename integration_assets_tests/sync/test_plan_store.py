"""Saved plans: hash, staleness, approval, what moved since, and the file form."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from integration_assets.errors import ConfigurationError
from integration_assets.models import TextLimits
from integration_assets.sync.feature_request_object import MAPPING_VERSION
from integration_assets.sync.operations import read_operations
from integration_assets.sync.plan_file import export_plan, import_plan
from integration_assets.sync.plan_store import (
    STALE_AFTER,
    Plan,
    approve,
    approved_plan,
    drop_moved,
    load_plan,
    stale_reason,
)
from integration_assets_tests.sync.world import Request, World, new_store


def stale(plan: Plan, world: World, **changes: str) -> str | None:
    now: dict[str, Any] = {"portal_id": "1", "mapping_version": MAPPING_VERSION, "code_version": "0.1.0", **changes}
    return stale_reason(plan, now=world.now, **now)


def test_a_plan_is_loaded_as_it_was_saved(small_world: World):
    """Header and operations come back the same."""
    plan = small_world.plan()
    assert load_plan(small_world.connection, plan.plan_id) == plan
    actions = [operation.action for operation in read_operations(small_world.connection, plan.plan_id)]
    assert actions == ["create"] * 2 + ["link"] * 8
    with pytest.raises(ConfigurationError, match="no plan"):
        load_plan(small_world.connection, "other")


def test_the_hash_covers_operations_and_circumstances(small_world: World):
    """The same changes for the same portal have one hash; any other content has another."""
    plan = small_world.plan()
    assert small_world.plan().hash == plan.hash
    assert len(plan.hash) == 64
    others = {
        small_world.plan(**change).hash for change in ({"tenant": "b"}, {"portal_id": "2"}, {"code_version": "2"})
    }
    small_world.requests["r1"].title = "Changed"
    others.add(small_world.plan().hash)
    assert len(others | {plan.hash}) == 5


def test_staleness(small_world: World):
    """Four hours, another portal, another mapping or another version make a plan stale."""
    plan = small_world.plan()
    assert stale(plan, small_world) is None
    assert "portal 1" in (stale(plan, small_world, portal_id="2") or "")
    assert "mapping" in (stale(plan, small_world, mapping_version="x") or "")
    assert "version" in (stale(plan, small_world, code_version="0.2.0") or "")
    small_world.now += STALE_AFTER
    assert stale(plan, small_world) is None
    small_world.now += timedelta(seconds=1)
    assert stale(plan, small_world) == "it is older than 4 hours"


def test_a_plan_dated_far_ahead_is_stale(small_world: World):
    """It was made by a clock that was wrong: nobody knows how old it is, and it would never become too old."""
    plan = small_world.plan()
    small_world.now -= STALE_AFTER
    assert stale(plan, small_world) is None
    small_world.now -= timedelta(seconds=1)
    assert stale(plan, small_world) == "it is dated more than 4 hours ahead of now"
    with pytest.raises(ConfigurationError, match="dated more than 4 hours ahead of now: run `plan` and approve anew"):
        approve(small_world.connection, plan.hash, "kim", now=small_world.now)


def test_other_settings_and_another_tenant_make_a_plan_stale(small_world: World):
    """The reason names what changed; the hash covers the settings, so that an approval is of these."""
    plan = small_world.plan(settings={"canny_boards": "1"})
    assert plan.hash != small_world.plan(settings={"canny_boards": "2"}).hash
    assert load_plan(small_world.connection, plan.plan_id).settings == {"canny_boards": "1"}
    circumstances: dict[str, Any] = {"portal_id": "1", "mapping_version": MAPPING_VERSION, "code_version": "0.1.0"}
    stale_now = partial(stale_reason, plan, now=small_world.now, **circumstances)
    assert stale_now(tenant="default") is None
    assert "another tenant" in (stale_now(tenant="acme") or "")
    assert stale_now(changed=lambda then: "CANNY_BOARDS" if then else None) == "CANNY_BOARDS changed since"
    with pytest.raises(ConfigurationError, match=r"before CANNY_BOARDS changed: run `plan`"):
        approve(small_world.connection, plan.hash, "kim", now=small_world.now, changed=lambda _then: "CANNY_BOARDS")
    assert approved_plan(small_world.connection) is None


def test_approval_by_prefix(small_world: World):
    """A prefix of at least six digits names the plan; who approved it is kept."""
    plan = small_world.plan()
    assert approved_plan(small_world.connection) is None
    for prefix, problem in (("abc", "at least"), ("ffffffffffff", "no plan")):
        with pytest.raises(ConfigurationError, match=problem):
            approve(small_world.connection, prefix, "kim", now=small_world.now)
    approve(small_world.connection, plan.hash[:6].upper(), "kim", now=small_world.now)
    assert approved_plan(small_world.connection) == plan
    rows = small_world.connection.execute("SELECT hash, approved_by FROM sync.approvals").fetchall()
    assert rows == [(plan.hash, "kim")]
    small_world.apply(plan)
    assert approved_plan(small_world.connection) is None
    with pytest.raises(ConfigurationError, match="applied already"):
        approve(small_world.connection, plan.hash, "kim", now=small_world.now)


def test_what_is_wanted_is_cut_to_what_the_crm_keeps(small_world: World):
    """By the CRM's own limits: a value it would refuse, or cut without a word, is no difference the next time."""
    limits = TextLimits(text=60, long_text=120, address=60)
    small_world.requests["r1"] = Request("Export " * 20, details="Please " * 40)
    small_world.apply(small_world.plan(text_limits=limits))
    values, _ = small_world.crm.state()
    title, details = values["canny:r1"]["title"], values["canny:r1"]["details"]
    assert (len(title) <= 60, len(details) <= 120) == (True, True)
    assert (title[:6], title[-1], details[:6], details[-1]) == ("Export", "]", "Please", "]")
    assert small_world.plan(text_limits=limits).operations == 0


def test_a_stale_plan_cannot_be_approved(small_world: World):
    """Too old to approve is too old to apply."""
    plan = small_world.plan()
    with pytest.raises(ConfigurationError, match="older than 4 hours"):
        approve(small_world.connection, plan.hash, "kim", now=small_world.now + STALE_AFTER + timedelta(seconds=1))


def test_an_approved_plan_is_applied_without_what_moved(small_world: World):
    """Operations whose before-values are gone are left out, the others applied, and the rest planned anew."""
    small_world.sync()
    small_world.requests["r1"].title = "Export all"
    small_world.requests["r2"].title = "Import all"
    small_world.requests["r1"].votes += (("zoe", "corp"), ("yan", "dune"))
    plan = small_world.plan()
    small_world.crm.by_key("canny:r1").values["title"] = "Edited"
    record_id = next(i for i, r in small_world.crm.records.items() if r.key == "canny:r1")
    small_world.crm.associate(record_id, "company", "corp", "other:3")
    small_world.load()
    assert drop_moved(small_world.connection, plan) == 2
    report = small_world.apply(plan)
    assert (report.updated, report.links.created) == (1, 1)
    assert small_world.crm.by_key("canny:r1").values["title"] == "Edited"
    rest = small_world.sync()
    assert (rest.updated, rest.links.created) == (1, 1)
    assert small_world.crm.pairs[record_id, "company", "corp"] == {"other:3", "plain", "voted"}


def test_creates_that_exist_by_now_have_moved(small_world: World):
    """A key that appeared since the plan, archived or live, is not written from it."""
    plan = small_world.plan()
    small_world.sync()
    assert drop_moved(small_world.connection, plan) == 10
    small_world.crm.by_key("canny:r1").archived = True
    again = small_world.plan()
    assert again.operations == 0


def test_a_plan_travels_as_a_file(small_world: World, tmp_path: Path):
    """Exported in one store, imported and applied in another, with the same effect."""
    plan = small_world.plan()
    path = tmp_path / "plan.json"
    export_plan(small_world.connection, plan, path)
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]
    other = World(new_store(), small_world.crm, small_world.requests, small_world.contacts)
    other.load()
    imported = import_plan(other.connection, path, plan.hash[:12])
    assert imported == plan
    assert import_plan(other.connection, path, plan.hash) == plan
    assert other.apply(imported).created == 2
    assert other.plan().operations == 0
    other.connection.close()


def test_a_plan_whose_operations_were_forgotten_is_whole_again_once_imported(small_world: World, tmp_path: Path):
    """The store still has the header: the file brings back the rest, once."""
    plan = small_world.plan()
    path = tmp_path / "plan.json"
    export_plan(small_world.connection, plan, path)
    planned = list(read_operations(small_world.connection, plan.plan_id))
    small_world.now += STALE_AFTER
    for _ in range(10):
        small_world.now += timedelta(minutes=1)
        small_world.plan()
    assert list(read_operations(small_world.connection, plan.plan_id)) == []
    for _ in range(2):
        assert import_plan(small_world.connection, path, plan.hash) == plan
        assert list(read_operations(small_world.connection, plan.plan_id)) == planned


def test_a_file_with_the_id_of_another_plan_is_refused(small_world: World, tmp_path: Path):
    """What was approved is this file: the operations the store has under the id are not."""
    plan = small_world.plan()
    path = tmp_path / "plan.json"
    export_plan(small_world.connection, plan, path)
    small_world.connection.execute("UPDATE sync.plans SET hash = 'another'")
    with pytest.raises(ConfigurationError, match="another plan"):
        import_plan(small_world.connection, path, plan.hash)


def test_a_file_that_was_changed_is_refused(small_world: World, tmp_path: Path):
    """Edited, cut, foreign or not the approved one: nothing of it gets into the store."""
    plan = small_world.plan()
    path = tmp_path / "plan.json"
    export_plan(small_world.connection, plan, path)
    whole = path.read_text()
    small_world.connection.execute("DELETE FROM sync.plans")
    for text, approved, problem in (
        (whole, None, "approve"),
        (whole, "0" * 12, "approve"),
        (whole.replace("Export", "Expert"), plan.hash, "does not have the hash"),
        ("\n".join(whole.splitlines()[:-1]), plan.hash, "does not have the hash"),
        (whole[:-20], plan.hash, "damaged"),
        ("{}", plan.hash, "not a plan file"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=problem):
            import_plan(small_world.connection, path, approved)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        import_plan(small_world.connection, tmp_path / "none.json", plan.hash)
    assert small_world.connection.execute("SELECT count(*) FROM sync.plans").fetchall() == [(0,)]


def test_old_plans_are_forgotten_but_for_their_headers(small_world: World):
    """Operations of the ten newest plans are kept, of others once nobody may approve them any more."""
    first = small_world.plan()
    small_world.now += STALE_AFTER
    for _ in range(10):
        small_world.now += timedelta(minutes=1)
        small_world.plan()
    assert list(read_operations(small_world.connection, first.plan_id)) == []
    assert load_plan(small_world.connection, first.plan_id) == first


def test_a_plan_that_may_be_approved_is_whole_however_many_came_after(small_world: World):
    """Twelve later plans in its four hours do not make an approval one of nothing."""
    first = small_world.plan()
    planned = list(read_operations(small_world.connection, first.plan_id))
    for number in range(12):
        small_world.now += timedelta(minutes=1)
        small_world.requests["r1"].title = f"Title {number}"  # else the later plans have its hash as well
        small_world.plan()
    approve(small_world.connection, first.hash[:12], "ann", now=small_world.now)
    waiting = approved_plan(small_world.connection)
    assert waiting is not None
    assert waiting.plan_id == first.plan_id
    assert list(read_operations(small_world.connection, first.plan_id)) == planned != []
