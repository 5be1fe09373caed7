"""People's edits against ours over many runs: which value both sides had in common last, and who wins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_assets.staging.migrations import known_migrations, migrate
from integration_assets.sync.diff import Conflict, compare_record, new_record
from integration_assets.sync.feature_request_object import (
    COMPARED_FIELDS,
    KEY,
    MANAGED_STATE,
    POLICIES,
    FieldKind,
    digest,
    parse_managed_state,
)
from integration_assets.sync.plan_store import Plan
from integration_assets_tests.sync.fake_crm import FakeCrm, Killed, killed_at
from integration_assets_tests.sync.world import Request, World, new_store

RECORD = "canny:r1"
EDITABLE = [name for name, policy in POLICIES.items() if policy.kind is FieldKind.EDITABLE]
OLD, NEW, NEWEST = "open", "planned", "closed"
"""Words that are a status as well, so that every field people may edit takes them."""


def ours(world: World, field: str, value: str) -> None:
    setattr(world.requests["r1"], field, value)


def theirs(world: World, field: str, value: str) -> None:
    world.crm.by_key(RECORD).values[field] = value


def found(world: World, field: str) -> str:
    return world.crm.by_key(RECORD).values[field]


@pytest.fixture
def edited(world: World) -> World:
    """One request, written once; every field people may edit says `open`."""
    world.requests = {"r1": Request(OLD, status=OLD, category=OLD, board=OLD, details=OLD)}
    world.sync()
    return world


def conflicts(plan: Plan) -> list[tuple[str, str]]:
    return [(one.field, one.action) for one in plan.conflicts]


@pytest.mark.parametrize("field", EDITABLE)
def test_what_both_sides_changed_alike_is_the_new_base(edited: World, field: str):
    """Both say the same, so nothing is written; who then puts the old value back has edited, and keeps it."""
    ours(edited, field, NEW)
    theirs(edited, field, NEW)
    writes = edited.crm.writes
    assert edited.sync().conflicts == []
    theirs(edited, field, OLD)
    for _ in range(2):
        report = edited.sync()
        assert (found(edited, field), report.conflicts) == (OLD, [Conflict(RECORD, field, "kept")])
    assert field == "status" or edited.crm.writes == writes  # the source's own word for it is a field beside it
    ours(edited, field, NEWEST)
    report = edited.sync()
    assert (found(edited, field), report.conflicts) == (NEWEST, [Conflict(RECORD, field, "overwritten")])


def test_values_that_agree_once_normalised_are_agreed(edited: World):
    """White space and line ends make no difference to people, so they make none to the base."""
    ours(edited, "details", "one\ntwo")
    theirs(edited, "details", " one\r\ntwo ")
    edited.sync()
    theirs(edited, "details", OLD)
    assert edited.sync().conflicts == [Conflict(RECORD, "details", "kept")]


@pytest.mark.parametrize("field", [name for name in COMPARED_FIELDS if name != KEY])
@pytest.mark.parametrize("base", [{}, {"title": OLD, "votes": "1", "retired_at": ""}], ids=["no base", "a base"])
def test_what_both_sides_agree_on_is_no_conflict(field: str, base: dict[str, str]):
    """However the value came to be on both sides, there is nothing to write, and nothing to report."""
    record = {**new_record(RECORD, base), field: NEW}
    same = {name: record.get(name, "") for name in COMPARED_FIELDS}
    diff = compare_record(RECORD, same, record, base)
    assert (diff.after, diff.conflicts) == ({}, ())
    assert diff.agreed[field] == NEW


def test_a_plan_that_is_not_applied_learns_what_is_agreed(edited: World):
    """A dry run or a held plan sees both sides as well: the base does not depend on what it writes."""
    ours(edited, "title", NEW)
    theirs(edited, "title", NEW)
    edited.plan()
    theirs(edited, "title", OLD)
    assert conflicts(edited.plan()) == [("title", "kept")]


def lose_store(world: World) -> World:
    """The same source and CRM with a staging store that knows nothing."""
    return World(new_store(), world.crm, world.requests, now=world.now)


def test_without_the_store_the_managed_state_is_the_base(edited: World):
    """An edit of before is still one; and what both sides agree on from then on is known again."""
    theirs(edited, "title", NEWEST)
    fresh = lose_store(edited)
    assert fresh.sync().conflicts == [Conflict(RECORD, "title", "kept")]
    ours(fresh, "title", NEW)
    theirs(fresh, "title", NEW)
    assert fresh.sync().conflicts == []
    theirs(fresh, "title", OLD)
    assert fresh.sync().conflicts == [Conflict(RECORD, "title", "kept")]


def test_an_agreed_value_is_in_the_record_with_its_next_write(edited: World):
    """Whatever else is written takes it along, so that it outlives the store."""
    ours(edited, "title", NEW)
    theirs(edited, "title", NEW)
    edited.sync()
    theirs(edited, "title", OLD)
    ours(edited, "category", NEW)
    edited.sync()
    assert lose_store(edited).sync().conflicts == [Conflict(RECORD, "title", "kept")]


def test_what_was_written_elsewhere_since_is_the_base(edited: World):
    """A store that is behind does not take its own last value for the base: the record carries a newer one."""
    elsewhere = lose_store(edited)
    ours(elsewhere, "title", NEW)
    elsewhere.sync()
    theirs(edited, "title", OLD)
    assert edited.sync().conflicts == [Conflict(RECORD, "title", "kept")]
    assert found(edited, "title") == OLD


def test_a_value_nobody_knows_the_origin_of_is_not_taken_for_ours(edited: World):
    """Somebody spoiled `managed_state`: another field's write does not declare what people typed to be ours."""
    theirs(edited, MANAGED_STATE, "spoiled")
    fresh = lose_store(edited)
    ours(fresh, "category", "")
    theirs(fresh, "category", "Typed")
    ours(fresh, "title", NEW)
    fresh.sync()
    assert "category" not in parse_managed_state(found(fresh, MANAGED_STATE))
    ours(fresh, "category", NEWEST)
    report = fresh.sync()
    assert (found(fresh, "category"), report.conflicts) == (NEWEST, [Conflict(RECORD, "category", "overwritten")])


def test_an_undo_goes_back_to_the_agreed_base(edited: World):
    """What was agreed before the undone run is the base after the undo, though the record itself never knew it."""
    ours(edited, "title", NEW)
    theirs(edited, "title", NEW)
    edited.sync(run_id="run-agreed")
    ours(edited, "title", NEWEST)
    edited.sync(run_id="run-written")
    edited.undo("run-written")
    assert found(edited, "title") == NEW
    ours(edited, "title", NEW)
    theirs(edited, "title", OLD)
    assert conflicts(edited.plan()) == [("title", "kept")]


def test_a_request_that_comes_back_keeps_what_was_typed_meanwhile(edited: World):
    """While it is retired nothing is compared; afterwards the base is the one of before."""
    ours(edited, "title", NEW)
    theirs(edited, "title", NEW)
    edited.sync()
    request = edited.requests.pop("r1")
    edited.sync()
    theirs(edited, "title", OLD)
    edited.requests["r1"] = request
    report = edited.sync()
    assert (found(edited, "retired_at"), found(edited, "title")) == ("", OLD)
    assert report.conflicts == [Conflict(RECORD, "title", "kept")]


def test_a_refused_write_changes_no_base(edited: World):
    """The CRM refuses the record: what was agreed stays agreed, what was not written is still to be written."""
    ours(edited, "title", NEW)
    theirs(edited, "title", NEW)
    ours(edited, "category", NEW)
    edited.crm.poison.add(RECORD)
    assert edited.sync().rejected == 1
    theirs(edited, "title", OLD)
    edited.crm.poison.clear()
    report = edited.sync()
    assert (found(edited, "title"), found(edited, "category")) == (OLD, NEW)
    assert report.conflicts == [Conflict(RECORD, "title", "kept")]


def test_agreements_of_an_earlier_version_are_told_from_writes():
    """Its store knows a value that differs from the state written last: it was agreed, and is the newer one."""
    last = next(number for number, one in enumerate(known_migrations()) if one.name == "0014_agreed_values")
    with duckdb.connect(":memory:") as connection:
        migrate(connection, known_migrations()[:last])
        for name, value in {"title": NEW, "category": OLD}.items():
            connection.execute(
                "INSERT INTO sync.field_bases (portal_id, key, field, value) VALUES ('1', ?, ?, ?)",
                [RECORD, name, value],
            )
        state = f"title:{digest(OLD)} category:{digest(OLD)}"
        connection.execute(
            """
            INSERT INTO sync.ledger (ledger_id, portal_id, action, key, after_values, outcome)
            VALUES (1, '1', 'create', ?, MAP {'managed_state': ?}, 'verified'), (2, '1', 'link', ?, NULL, 'verified')
            """,
            [RECORD, state, RECORD],
        )
        migrate(connection)
        rows = connection.execute("SELECT field, state_digest FROM sync.field_bases ORDER BY field").fetchall()
    assert rows == [("category", None), ("title", digest(OLD))]


# -- random histories of one field, beside a model that knows nothing of digests and tables


@dataclass
class Model:
    """The three-way rule with whole values. `recorded` is the base the record carries, `known` what the store knows."""

    ours: str = OLD
    theirs: str = OLD
    known: str = OLD
    recorded: str = OLD

    def sync(self, *, other_field: bool) -> str | None:
        """What a sync does to the field; returns what it reports."""
        action = None
        written = (
            self.ours != self.theirs and bool(self.ours) and (self.theirs == self.known or self.ours != self.known)
        )
        if written and self.theirs != self.known:
            action = "overwritten"
        elif self.ours != self.theirs and self.ours and not written:
            action = "kept"
        if written:
            self.theirs = self.ours
        if self.ours == self.theirs:
            self.known = self.ours
        if written or other_field:
            self.recorded = self.known
        return action

    def lose_store(self) -> None:
        self.known = self.recorded


values = st.sampled_from([OLD, NEW, NEWEST])
steps = st.lists(
    st.tuples(st.just("ours"), values | st.just(""))
    | st.tuples(st.just("theirs"), values)
    | st.tuples(st.sampled_from(["sync", "sync", "sync with another field", "killed", "plan", "lose"]), st.just("")),
    min_size=4,
    max_size=14,
)


@pytest.fixture(scope="module")
def store() -> Iterator[World]:
    connection = new_store()
    yield World(connection, loaded={})
    connection.close()


def _forget(world: World) -> None:
    for table in ("plans", "plan_operations", "plan_companies", "ledger", "field_bases", "baselines", "quarantine"):
        world.connection.execute(f"DELETE FROM sync.{table}")


def _told(store: World, field: str, story: list[tuple[str, str]]) -> None:
    _forget(store)
    world = World(store.connection, FakeCrm(), loaded=store.loaded)
    world.requests = {"r1": Request(OLD, status=OLD, category=OLD, board=OLD, details=OLD)}
    world.sync()
    model = Model()
    for step, value in story:
        if step == "ours":
            model.ours = value
            ours(world, field, value)
        elif step == "theirs":
            model.theirs = value
            theirs(world, field, value)
        elif step == "lose":
            model.lose_store()
            _forget(world)
        elif step == "plan":
            if model.ours == model.theirs:
                model.known = model.ours
            world.plan()
        else:
            _sync(world, field, model, step)


def _sync(world: World, field: str, model: Model, step: str) -> None:
    if step == "sync with another field":
        world.requests["r1"].arr = str(int(world.requests["r1"].arr) + 1)
    if step == "killed":
        world.crm.fault = killed_at(world.crm.writes + 1, "after")
    reported = None
    with suppress(Killed):
        plan = world.plan()
        reported = next((one.action for one in plan.conflicts if one.field == field), None)
        world.apply(plan, canary=False)
    world.crm.fault = lambda _number, _moment: None
    assert reported == model.sync(other_field=step == "sync with another field")
    assert found(world, field) == model.theirs


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=st.sampled_from(EDITABLE), story=steps)
def test_any_history_of_a_field_is_judged_by_its_last_common_value(
    store: World, field: str, story: list[tuple[str, str]]
):
    """Edits, changes of the source, syncs, killed ones, plans and lost stores, in any order."""
    _told(store, field, story)


@pytest.mark.proof
@pytest.mark.long
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=st.sampled_from(EDITABLE), story=steps)
def test_many_histories_of_a_field_are_judged_by_their_last_common_value(
    store: World, field: str, story: list[tuple[str, str]]
):
    """The same, many times."""
    _told(store, field, story)
