"""Each clause of the guard at its boundary: the most that passes, and one more."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from integration_assets.sync.guard import Baseline, Circumstances, PlanEffects, guard, guard_inputs, judge
from integration_assets.sync.plan_store import Plan, PlanCounts, PlanNumbers, approve, approved_plan, set_status
from integration_assets_tests.sync.fake_crm import Killed, killed_at
from integration_assets_tests.sync.world import NOW, Request, World

NUMBERS = PlanNumbers(1000, 1000, 1000, 500, Decimal("1000.00"), 100)
COUNTS = PlanCounts(
    identified=1000, create=0, update=1, retire=0, unchanged=0, archived=0, live=1000, active=1000, links_desired=0,
    link=0, unlink=0, links_unchanged=0, live_links=1000, merged=0, retired_before=0,
)  # fmt: skip
QUIET = Circumstances(production=False, first_apply=False, budget=1000)


def plan(counts: PlanCounts = COUNTS, calls: int = 10, held: int = 1000, **numbers: Any) -> Plan:
    return Plan(
        plan_id="p", run_id="r", hash="h", kind="sync", tenant="default", environment="sandbox", portal_id="1",
        source_name="canny", link_contacts=True, mapping_version="m", code_version="c", created_at=NOW, counts=counts,
        calls=calls, numbers=msgspec.structs.replace(NUMBERS, **numbers), records_held=held,
    )  # fmt: skip


def with_numbers(**numbers: Any) -> Plan:
    return plan(**numbers)


def names(
    this: Plan,
    *,
    base: Baseline | None = Baseline(NUMBERS, 0),  # noqa: B008  # immutable
    circumstances: Circumstances = QUIET,
    **effects: Any,
) -> list[str]:
    found = PlanEffects(**{"creates": 0, "retirements": 0, "unlinks": 0, "changed_fields": {}, **effects})
    return [reason.partition(":")[0] for reason in guard(this, found, base, circumstances).reasons]


@pytest.mark.parametrize("what", ["requests", "votes", "companies"])
def test_shrinking_inputs(what: str):
    """A fifth fewer passes, one more does not; none at all never does."""
    assert names(with_numbers(**{what: 800})) == []
    assert names(with_numbers(**{what: 799})) == [f"{what}_shrank"]
    assert names(with_numbers(**{what: 0})) == [f"{what}_empty"]
    few = Baseline(msgspec.structs.replace(NUMBERS, **{what: 11}), 0)
    assert names(with_numbers(**{what: 1}), base=few) == []
    assert names(with_numbers(**{what: 0}), base=few) == [f"{what}_empty"]
    one = Baseline(msgspec.structs.replace(NUMBERS, **{what: 12}), 0)
    assert names(with_numbers(**{what: 1}), base=one) == [f"{what}_shrank"]


def test_retirements():
    """Five percent or ten, whichever is more."""
    assert names(plan(), retirements=50) == []
    assert names(plan(), retirements=51) == ["retirements"]
    small = msgspec.structs.replace(COUNTS, live=20)
    assert names(plan(small), retirements=10) == []
    assert names(plan(small), retirements=11) == ["retirements"]


def test_unlinks():
    """Five percent of our labels or ten, whichever is more."""
    assert names(plan(), unlinks=50) == []
    assert names(plan(), unlinks=51) == ["unlinks"]
    small = msgspec.structs.replace(COUNTS, live_links=20)
    assert names(plan(small), unlinks=10) == []
    assert names(plan(small), unlinks=11) == ["unlinks"]


def test_creates():
    """A quarter or fifty, whichever is more; the first apply may create everything."""
    assert names(plan(), creates=250) == []
    assert names(plan(), creates=251) == ["creates"]
    small = msgspec.structs.replace(COUNTS, live=10)
    assert names(plan(small), creates=50) == []
    assert names(plan(small), creates=51) == ["creates"]
    first = msgspec.structs.replace(QUIET, first_apply=True)
    assert names(plan(), creates=5000, circumstances=first) == []


@pytest.mark.parametrize("field", ["title", "status", "board", "category", "url", "details"])
def test_field_changes(field: str):
    """A fifth or fifty, whichever is more, for each watched field alone."""
    assert names(plan(), changed_fields={field: 200}) == []
    assert names(plan(), changed_fields={field: 201}) == [f"{field}_changes"]
    small = msgspec.structs.replace(COUNTS, live=100)
    assert names(plan(small), changed_fields={field: 50}) == []
    assert names(plan(small), changed_fields={field: 51}) == [f"{field}_changes"]
    assert names(plan(), changed_fields={"votes": 1000}) == []


@pytest.mark.parametrize("moved", ["1300.01", "699.99"])
def test_arr_moves(moved: str):
    """Thirty percent either way passes; more is held once ten companies changed."""
    for within in ("1300.00", "700.00"):
        assert names(plan(voted_arr=Decimal(within)), base=Baseline(NUMBERS, 10)) == []
    assert names(plan(voted_arr=Decimal(moved)), base=Baseline(NUMBERS, 9)) == []
    assert names(plan(voted_arr=Decimal(moved)), base=Baseline(NUMBERS, 10)) == ["arr_moved"]


def test_unmatched_votes_rise():
    """Ten points more pass; more is held from a hundred votes on."""
    assert names(plan(unmatched_votes=200)) == []
    assert names(plan(unmatched_votes=201)) == ["unmatched_rose"]
    base = Baseline(msgspec.structs.replace(NUMBERS, votes=99, unmatched_votes=0), 0)
    assert names(plan(votes=99, unmatched_votes=99), base=base) == []
    assert names(plan(votes=100, unmatched_votes=11), base=base) == ["unmatched_rose"]


def test_occasions_hold_and_the_rest_of_a_released_plan_does_not():
    """First apply to production, a changed mapping and an undo hold, each by itself, but for what was released."""
    for name, changes in (
        ("first_apply", {"first_apply": True, "production": True}),
        ("mapping_changed", {"mapping_changed": True}),
        ("after_undo", {"after_undo": True}),
    ):
        occasion = msgspec.structs.replace(QUIET, **changes)
        assert names(plan(), circumstances=occasion) == [name]
        assert names(plan(), circumstances=msgspec.structs.replace(occasion, going_on=True)) == []
    assert names(plan(), circumstances=msgspec.structs.replace(QUIET, first_apply=True)) == []


def test_call_budget():
    """The budget is the setting, else half of what is left today, else a warning."""
    assert names(plan(calls=1000)) == []
    assert names(plan(calls=1001)) == ["budget"]
    half = Circumstances(production=False, first_apply=False, calls_left_today=100)
    assert names(plan(calls=50), circumstances=half) == []
    assert names(plan(calls=51), circumstances=half) == ["budget"]
    unknown = Circumstances(production=False, first_apply=False)
    verdict = guard(plan(calls=10**6), PlanEffects(0, 0, 0, {}), Baseline(NUMBERS, 0), unknown)
    assert not verdict.held
    assert verdict.warnings == ("no budget: the CRM does not say how many calls are left today",)


def test_without_a_base_our_own_records_are_the_base():
    """Requests are compared with our live records, the rest warns."""
    assert names(plan(requests=800), base=None) == []
    assert names(plan(requests=799), base=None) == ["requests_shrank"]
    assert names(plan(requests=0), base=None) == ["requests_empty"]
    assert names(plan(votes=0, companies=0), base=None) == []
    verdict = guard(plan(), PlanEffects(0, 0, 0, {}), None, QUIET)
    assert verdict.warnings[0].startswith("no base")


def test_problems_of_the_plan_hold_it():
    """Our key twice in the CRM is never written around."""
    assert names(msgspec.structs.replace(plan(), problems=("2 records have the key x",))) == ["problem"]


# ---------------------------------------------------------------------------------------------- with the staging store


def judged(world: World, this: Plan, **changes: Any) -> list[str]:
    circumstances = {"production": False, "budget": 10_000, "calls_left_today": None, "now": world.now, **changes}
    verdict = judge(world.connection, this, **circumstances)
    return [reason.partition(":")[0] for reason in verdict.reasons]


def many(count: int) -> dict[str, Request]:
    return {f"r{n}": Request(f"Request {n}", votes=((f"v{n}", f"company{n}"),)) for n in range(count)}


def test_the_first_apply_to_production_is_held_until_approved(world: World):
    """Held, approved, applied: after that the same portal is no news."""
    world.requests = many(3)
    this = world.plan()
    assert judged(world, this, production=True) == ["first_apply"]
    status = world.connection.execute("SELECT status, held_reasons FROM sync.plans").fetchall()
    assert status[0][0] == "held"
    assert approve(world.connection, this.hash[:12], "kim", now=world.now) == this
    world.apply(this)
    world.requests["r9"] = Request("Another")
    world.now += timedelta(minutes=1)
    assert judged(world, world.plan(), production=True) == []


def test_the_first_apply_to_a_sandbox_is_not_held(world: World):
    """However many records it creates."""
    world.requests = many(120)
    assert judged(world, world.plan()) == []


def test_the_rest_of_an_interrupted_first_apply_goes_on(world: World):
    """Killed in the middle of a released plan, the next run is not held, neither as first nor for its creates."""
    world.requests = many(120)
    this = world.plan()
    approve_and_start = approve(world.connection, this.hash[:8], "kim", now=world.now)
    world.crm.fault = killed_at(2, "after")
    with pytest.raises(Killed):
        world.apply(approve_and_start, canary=False, in_flight=1)
    world.crm.fault = lambda _number, _moment: None
    world.now += timedelta(hours=5)
    rest = world.plan()
    assert rest.operations > 0
    assert judged(world, rest, production=True) == []
    world.apply(rest)
    assert world.plan().operations == 0


def test_the_rest_of_an_interrupted_plan_is_held_with_other_settings(world: World):
    """What is left is not what was released: it is judged as the first apply that it is."""
    world.requests = many(120)
    released = world.plan(settings={"link_contacts": "1"})
    world.crm.fault = killed_at(2, "after")
    with pytest.raises(Killed):
        world.apply(released, canary=False, in_flight=1)
    world.crm.fault = lambda _number, _moment: None
    world.now += timedelta(minutes=5)
    assert judged(world, world.plan(settings={"link_contacts": "1"}), production=True) == []
    assert judged(world, world.plan(settings={"link_contacts": "2"}), production=True) == ["first_apply"]


def test_a_plan_instead_of_one_whose_settings_changed_is_held(world: World):
    """Somebody approved another plan than this one: it waits for them, unless it changes nothing."""
    world.requests = many(3)
    verdict = judge(
        world.connection,
        world.plan(),
        production=False,
        budget=None,
        calls_left_today=None,
        now=world.now,
        changed_settings="CANNY_BOARDS",
    )
    assert verdict.reasons == ("settings_changed: CANNY_BOARDS changed since a plan was approved",)


def test_what_an_interrupted_plan_did_not_contain_is_guarded(world: World):
    """Retirements beyond the released plan count on their own."""
    world.requests = many(60)
    world.sync()
    world.requests["r0"].title = "Changed"
    this = world.plan()
    set_status(world.connection, this.plan_id, "applying", now=world.now)
    for n in range(20, 31):
        del world.requests[f"r{n}"]
    world.now += timedelta(minutes=1)
    assert judged(world, world.plan()) == ["retirements"]


def test_merges_do_not_count_as_retirements(world: World):
    """Merged requests whose survivor is known are retired however many they are."""
    world.requests = many(60)
    world.sync()
    for n in range(20, 31):
        del world.requests[f"r{n}"]
        world.merged[f"r{n}"] = "r1"
    this = world.plan()
    assert this.counts.retire == 11
    assert judged(world, this) == []


def test_the_base_is_the_last_good_run_never_a_held_one(world: World):
    """A held shrink is held again; it does not become the new normal."""
    world.requests = many(60)
    world.sync()
    for n in range(13):
        del world.requests[f"r{n}"]
    for _ in range(2):
        world.now += timedelta(minutes=1)
        this = world.plan()
        assert {"requests_shrank", "votes_shrank", "companies_shrank"} <= set(judged(world, this))


def test_arr_of_companies_is_compared_one_by_one(world: World):
    """A jump of the total is held when it comes from ten companies, not when it comes from one."""
    world.requests = many(20)
    world.sync()
    world.arr = {"company1": "5000"}
    assert judged(world, world.plan()) == []
    world.arr = {f"company{n}": "500" for n in range(10)}
    assert judged(world, world.plan()) == ["arr_moved"]


def test_a_changed_mapping_and_an_undo_hold_the_next_plan(small_world: World):
    """The first plan after either is held, and after one was applied no more."""
    small_world.sync()
    small_world.requests["r1"].title = "New"
    small_world.connection.execute("UPDATE sync.plans SET mapping_version = 'older'")
    this = small_world.plan()
    assert judged(small_world, this) == ["mapping_changed"]
    small_world.connection.execute("UPDATE sync.plans SET mapping_version = ?", [this.mapping_version])
    undo = small_world.plan(run_id="undo")
    small_world.connection.execute("UPDATE sync.plans SET kind = 'undo' WHERE plan_id = ?", [undo.plan_id])
    set_status(small_world.connection, undo.plan_id, "applied", now=small_world.now + timedelta(minutes=1))
    small_world.connection.execute("UPDATE sync.plans SET started_at = finished_at WHERE plan_id = ?", [undo.plan_id])
    small_world.now += timedelta(minutes=2)
    this = small_world.plan()
    assert judged(small_world, this) == ["after_undo"]
    small_world.apply(this)
    small_world.requests["r1"].title = "Newer"
    small_world.now += timedelta(minutes=1)
    assert judged(small_world, small_world.plan()) == []


AHEAD = timedelta(days=400)


def test_an_undo_by_a_clock_that_was_ahead_does_not_hold_every_plan(small_world: World):
    """The plan after it is held once, as after any undo: what is applied then comes later, whatever the clock says."""
    small_world.sync(run_id="first-run")
    small_world.now += AHEAD
    small_world.undo("first-run")
    small_world.now -= AHEAD
    this = small_world.plan(run_id="next")
    assert judged(small_world, this) == ["after_undo"]
    small_world.apply(this)
    small_world.requests["r1"].title = "Newer"
    assert judged(small_world, small_world.plan()) == []


def test_an_undo_after_a_sync_by_a_clock_that_was_ahead_holds_the_next_plan(small_world: World):
    """Else a schedule would write again what somebody has just taken back."""
    small_world.now += AHEAD
    small_world.sync(run_id="first-run")
    small_world.now -= AHEAD
    small_world.undo("first-run")
    small_world.now += timedelta(minutes=1)
    assert judged(small_world, small_world.plan()) == ["after_undo"]


def test_a_good_run_by_a_clock_that_was_ahead_does_not_stay_the_base(small_world: World):
    """It would hold whatever grew or shrank since, again and again: the base is the last one, whatever its clock."""
    small_world.now += AHEAD
    small_world.sync()
    small_world.now -= AHEAD
    small_world.requests["r1"].votes = (("ann", "10"), ("bea", "20"), ("new", "10"))
    small_world.sync()
    plan = small_world.plan()
    _, base, _ = guard_inputs(small_world.connection, plan, production=False, budget=None, calls_left_today=None)
    assert base is not None
    assert base.numbers == plan.numbers


def test_an_undo_ends_what_an_interrupted_plan_was_released_for(small_world: World):
    """After an undo, even one that was cut short, the interrupted plan does not go on unasked."""
    small_world.sync()
    small_world.requests["r1"].title = "New"
    small_world.now += timedelta(minutes=1)
    begun = small_world.plan()
    set_status(small_world.connection, begun.plan_id, "applying", now=small_world.now)
    assert judged(small_world, small_world.plan()) == []
    small_world.now += timedelta(minutes=1)
    undo = small_world.plan()
    small_world.connection.execute("UPDATE sync.plans SET kind = 'undo' WHERE plan_id = ?", [undo.plan_id])
    set_status(small_world.connection, undo.plan_id, "applying", now=small_world.now)
    small_world.now += timedelta(minutes=1)
    assert judged(small_world, small_world.plan()) == ["after_undo"]


def test_an_approval_replaces_the_one_before(world: World):
    """Only the plan approved last waits to be applied."""
    world.requests = many(3)
    first = world.plan()
    world.requests = many(4)
    second = world.plan()
    for this in (first, second):
        approve(world.connection, this.hash, "kim", now=world.now)
    assert approved_plan(world.connection) == second
    world.apply(second)
    assert approved_plan(world.connection) is None
