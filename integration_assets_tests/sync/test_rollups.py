"""Our properties on companies: planned, guarded, written in batches, read back, on record, and undone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from integration_assets.errors import HeldError, PermanentError
from integration_assets.models import LiveProperty, TypeDifference
from integration_assets.sync.company_rollups import NAMES, OPEN, ROLLUPS, TOP
from integration_assets.sync.drift import target_problems
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets.sync.guard import judge
from integration_assets.sync.operations import COMPANY_ACTIONS, read_operations
from integration_assets.sync.plan_store import drop_moved
from integration_assets.sync.setup import plan_setup
from integration_assets_tests.sync.test_drift import SCHEMA
from integration_assets_tests.sync.world import Request, World

ACME = {OPEN: "2", TOP: "Export\nImport"}
BOLT = {OPEN: "1", TOP: "Export"}


def ledger(world: World) -> list[tuple[Any, ...]]:
    return world.connection.execute(
        "SELECT key, outcome FROM sync.ledger WHERE action = 'roll_up' ORDER BY ledger_id"
    ).fetchall()


def test_companies_say_how_many_requests_wait_and_which(small_world: World) -> None:
    """Each company is written once, read back and on record; unchanged ones are not written again."""
    companies = small_world.with_rollups("acme", "bolt", "idle")
    report = small_world.sync(rollups=True, run_id="first-run")
    assert companies.values == {"acme": ACME, "bolt": BOLT, "idle": {}}
    assert (report.rolled_up, report.error, report.rejected_items) == (2, None, [])
    assert ledger(small_world) == [("company:acme", "verified"), ("company:bolt", "verified")]
    assert companies.writes == [["acme", "bolt"]]
    plan = small_world.plan(rollups=True)
    assert (plan.counts.roll_up, plan.operations) == (0, 0)
    assert small_world.apply(plan).error is None
    assert len(companies.writes) == 1


def test_without_the_option_companies_are_left_alone(small_world: World) -> None:
    """Nothing is planned for them, and what they hold stays."""
    companies = small_world.with_rollups("acme", "bolt")
    companies.values["acme"] = {OPEN: "7"}
    assert small_world.plan().counts.roll_up == 0
    assert small_world.sync().rolled_up == 0
    assert (companies.writes, companies.reads) == ([], 0)


def test_shipped_requests_wait_no_more_and_nothing_left_clears(small_world: World) -> None:
    """A company all of whose requests are done holds nothing, whoever wrote it."""
    companies = small_world.with_rollups("acme", "bolt", "stray")
    companies.values["stray"] = {OPEN: "3", TOP: "Somebody's words"}
    small_world.requests["r1"].status = "complete"
    small_world.sync(rollups=True)
    assert companies.values == {"acme": {OPEN: "1", TOP: "Import"}, "bolt": {}, "stray": {}}


def test_titles_are_one_line_each_and_five_at_most(small_world: World) -> None:
    """The most important first; a line break in a title is a space."""
    companies = small_world.with_rollups("acme")
    small_world.requests = {f"r{number}": Request(f"Title\n{number}", votes=(("ann", "acme"),)) for number in range(7)}
    small_world.sync(rollups=True)
    assert companies.values["acme"] == {OPEN: "7", TOP: "\n".join(f"Title {number}" for number in range(5))}


def test_the_guard_holds_the_first_and_a_mass_clearing(small_world: World) -> None:
    """Nobody writes on companies unseen; later changes pass, unless most companies would lose what they hold."""

    def reasons(**changes: Any) -> list[str]:
        plan = small_world.plan(rollups=True, **changes)
        verdict = judge(
            small_world.connection,
            plan,
            production=False,
            budget=10_000,
            calls_left_today=None,
            now=small_world.now,
        )
        return [reason.partition(":")[0] for reason in verdict.reasons]

    companies = small_world.with_rollups("acme", "bolt")
    assert reasons() == ["first_rollups"]
    small_world.sync(rollups=True)
    assert reasons() == []
    companies.values |= {f"c{number}": {OPEN: "1"} for number in range(60)}
    assert reasons() == ["rollups_cleared"]


def test_what_changed_since_the_plan_is_left_alone(small_world: World) -> None:
    """A value that is another one by now is told; one that is there already is not written; a company may be gone."""
    companies = small_world.with_rollups("acme", "bolt", "gone")
    companies.values["gone"] = {OPEN: "9"}
    plan = small_world.plan(rollups=True)
    companies.values = {"acme": {OPEN: "5"}, "bolt": dict(BOLT)}
    report = small_world.apply(plan)
    assert companies.values == {"acme": {OPEN: "5"}, "bolt": BOLT}
    assert [(one.key, one.field, one.action) for one in report.conflicts] == [
        ("company:acme", OPEN, "moved"),
        ("company:gone", OPEN, "moved"),
    ]
    assert (report.rolled_up, companies.writes) == (0, [])


def test_an_approved_plan_leaves_out_what_no_longer_fits(small_world: World) -> None:
    """Before it is applied it is held against what was just read."""
    companies = small_world.with_rollups("acme", "bolt")
    plan = small_world.plan(rollups=True)
    companies.values["acme"] = {OPEN: "5"}
    small_world.load()
    assert drop_moved(small_world.connection, plan) == 1
    left = read_operations(small_world.connection, plan.plan_id, COMPANY_ACTIONS)
    assert [operation.record_id for operation in left] == ["bolt"]


def test_a_refused_company_is_told_and_the_others_are_written(small_world: World) -> None:
    """With the reason, in the quarantine as well; it does not count as a refused link."""
    companies = small_world.with_rollups("acme", "bolt")
    companies.poison = {"acme"}
    report = small_world.sync(rollups=True, run_id="first-run")
    assert [(one.kind, one.key, one.reason) for one in report.rejected_items] == [
        ("company", "acme", "a value is not valid")
    ]
    assert (report.rolled_up, report.links.rejected) == (1, 0)
    assert ledger(small_world) == [("company:acme", "rejected"), ("company:bolt", "verified")]
    quarantined = small_world.connection.execute("SELECT kind, key FROM sync.quarantine").fetchall()
    assert ("company", "acme") in quarantined


def test_a_value_that_was_not_kept_does_not_count(small_world: World) -> None:
    """What reads back decides, not what the answer says."""
    small_world.with_rollups("acme", "bolt").forgetful = {"bolt"}
    report = small_world.sync(rollups=True)
    assert [(one.key, one.reason) for one in report.rejected_items] == [
        ("bolt", "the CRM did not keep what was written")
    ]
    assert report.rolled_up == 1


@pytest.mark.parametrize(("swallowed", "outcome", "rolled_up"), [(False, "verified", 2), (True, "unknown", 0)])
def test_a_lost_answer_is_looked_for(small_world: World, swallowed: bool, outcome: str, rolled_up: int) -> None:
    """Written all the same, it counts; not there, nobody knows, and the run says to run again."""
    companies = small_world.with_rollups("acme", "bolt")
    companies.lost_answers, companies.swallowed = 99, swallowed
    report = small_world.sync(rollups=True)
    assert report.rolled_up == rolled_up
    assert {what for _, what in ledger(small_world)} == {outcome}
    assert (report.error is None) == (not swallowed)


def test_an_undo_gives_back_what_was_there(small_world: World) -> None:
    """To each field what it held before the run, as far as nobody has changed it since."""
    companies = small_world.with_rollups("acme", "bolt", "cove")
    companies.values["acme"] = {OPEN: "7", TOP: "Old words"}
    small_world.requests["r3"] = Request("Search", votes=(("zed", "cove"),))
    small_world.sync(rollups=True, run_id="first-run")
    companies.values["bolt"][TOP] = "A person's words"
    del companies.values["cove"]
    plan = small_world.plan_undo("first-run")
    assert plan.counts.roll_up == 2
    report = small_world.apply(plan, canary=False)
    assert companies.values == {"acme": {OPEN: "7", TOP: "Old words"}, "bolt": {TOP: "A person's words"}}
    assert report.rolled_up == 2
    left_alone = {(one.key, one.field) for one in report.conflicts if one.key.startswith("company:")}
    assert ("company:bolt", TOP) in left_alone
    assert "company:cove" in {key for key, _ in left_alone}


def test_an_undo_can_be_undone_and_repeated(small_world: World) -> None:
    """It has a ledger of its own; a second time it finds nothing left."""
    companies = small_world.with_rollups("acme", "bolt")
    small_world.sync(rollups=True, run_id="first-run")
    small_world.now += timedelta(minutes=1)
    small_world.apply(small_world.plan_undo("first-run"), canary=False, run_id="undo-one")
    assert companies.values == {"acme": {}, "bolt": {}}
    assert small_world.plan_undo("first-run").counts.roll_up == 0
    small_world.apply(small_world.plan_undo("undo-one"), canary=False, run_id="undo-two")
    assert companies.values == {"acme": ACME, "bolt": BOLT}


def test_a_plan_for_companies_needs_a_crm_that_has_them(small_world: World) -> None:
    """Applied through another connector it says so, and writes nothing."""
    small_world.with_rollups("acme", "bolt")
    plan = small_world.plan(rollups=True)
    small_world.crm.company_writes = None
    error = small_world.apply(plan).error
    assert isinstance(error, PermanentError)
    assert "no roll-ups" in error.message


def test_calls_are_estimated(small_world: World) -> None:
    """A batch is looked at, written and read back: three calls for up to a hundred companies."""
    companies = small_world.with_rollups("acme", "bolt")
    without = small_world.plan().calls
    assert small_world.plan(rollups=True).calls == without + 3
    small_world.sync(rollups=True)
    assert companies.reads + len(companies.writes) == 3


# -- schema


def live_property(name: str, **changes: Any) -> LiveProperty:
    return msgspec.structs.replace(
        LiveProperty(name, "string", "text", unique=False, writable=True, options=None), **changes
    )


def test_drift_looks_at_them_only_when_asked() -> None:
    """Missing ones are an error that `setup` mends; read-only ones one that a person has to."""
    live = msgspec.structs.replace(SCHEMA, rollups=())
    assert target_problems(FEATURE_REQUEST, live, link_contacts=True) == []
    texts = [one.text for one in target_problems(FEATURE_REQUEST, live, link_contacts=True, rollups=ROLLUPS)]
    assert texts == [f"company.{name}: the property is missing; run `setup`" for name in NAMES]
    there = (live_property(OPEN, writable=False), live_property(TOP))
    live = msgspec.structs.replace(live, rollups=there)
    (problem,) = target_problems(FEATURE_REQUEST, live, link_contacts=True, rollups=ROLLUPS)
    assert (problem.name, "read-only" in problem.detail) == (f"company.{OPEN}", True)


def test_setup_creates_what_is_missing_of_them() -> None:
    """Only those that are missing, and none where nobody asked or the CRM has no place for them."""
    live = msgspec.structs.replace(SCHEMA, rollups=(live_property(OPEN),))
    assert plan_setup(FEATURE_REQUEST, live, ()) == []
    assert plan_setup(FEATURE_REQUEST, SCHEMA, (), ROLLUPS) == []
    (step,) = plan_setup(FEATURE_REQUEST, live, (), ROLLUPS)
    assert step.line == f"create 1 properties of companies, in a group {ROLLUPS.name}: {TOP}"
    assert [one.name for one in step.properties] == [TOP]
    ungrouped = msgspec.structs.replace(live, grouped=False)
    assert plan_setup(FEATURE_REQUEST, ungrouped, (), ROLLUPS)[0].line == f"create 1 properties of companies: {TOP}"


def test_setup_creates_nothing_beside_somebody_elses_property_of_our_name() -> None:
    """No sync could write to companies afterwards: it says what is in the way, and what to do."""
    taken = msgspec.structs.replace(live_property(OPEN), difference=TypeDifference("type is date, expected number"))
    live = msgspec.structs.replace(SCHEMA, rollups=(taken,))
    with pytest.raises(
        HeldError, match=f"nothing was created.*company.{OPEN}: type is date, expected number; delete it"
    ):
        plan_setup(FEATURE_REQUEST, live, (), ROLLUPS)
