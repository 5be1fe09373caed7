"""Any run, then its undo: everything the run wrote is as before unless changed since, nothing else moved."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_assets.errors import EndState
from integration_assets.models import PLAIN_LABEL
from integration_assets.sync.feature_request_object import (
    MANAGED_STATE,
    RETIRED_AT,
    RETIRED_REASON,
    STATE_FIELDS,
    normalise,
)
from integration_assets_tests.sync.fake_crm import FakeCrm, Killed, StoredRecord, killed_at
from integration_assets_tests.sync.test_convergence import (
    crm_with,
    edits,
    fresh,
    held,
    links,
    requests,
)
from integration_assets_tests.sync.world import NOW, Request, World, new_store

pytestmark = pytest.mark.proof  # many random histories: part of `make proofs`

RUN, UNDO = "run-to-undo", "undo-of-it"
Records = dict[str, StoredRecord]


@dataclass
class Story:
    """What happens: a first run on a used CRM, edits, the run to undo, edits again, perhaps an archived record."""

    source: dict[str, Request]
    held_records: list[StoredRecord]
    linked: set[tuple[int, str, str]]
    edited: list[tuple[int, str, str]]
    later: dict[str, Request]
    edited_since: list[tuple[int, str, str]]
    archived_since: int | None


stories = st.builds(Story, requests, held, links, edits, requests, edits, archived_since=st.none() | st.integers(0, 2))


@pytest.fixture(scope="module")
def store() -> Iterator[World]:
    connection = new_store()
    yield World(connection, loaded={})
    connection.close()


def ours(crm: FakeCrm) -> list[StoredRecord]:
    return [record for record in crm.records.values() if str(record.key).startswith("canny:") and not record.archived]


def edit(crm: FakeCrm, made: list[tuple[int, str, str]]) -> None:
    for n, field, value in made:
        if n < len(ours(crm)):
            ours(crm)[n].values[field] = "7" if field == "votes" else value


def told(store: World, story: Story) -> tuple[World, Records, Records]:
    """The story up to the undo; the records before the run and right after it."""
    world = fresh(store, story.source, crm_with(story.held_records, story.linked))
    world.now = NOW
    world.sync(run_id="run-before")
    edit(world.crm, story.edited)
    before = copy.deepcopy(world.crm.records)
    world.requests = story.later
    assert world.sync(run_id=RUN).state is EndState.SUCCEEDED
    after = copy.deepcopy(world.crm.records)
    edit(world.crm, story.edited_since)
    if story.archived_since is not None and story.archived_since < len(ours(world.crm)):
        ours(world.crm)[story.archived_since].archived = True
    return world, before, after


def wrote(world: World) -> bool:
    count = world.connection.execute("SELECT count(*) FROM sync.ledger WHERE run_id = ?", [RUN]).fetchall()
    return bool(count[0][0])


def fields(record: StoredRecord) -> dict[str, str]:
    return {field: normalise(field, record.values.get(field)) for field in STATE_FIELDS}


def labels(crm: FakeCrm) -> dict[tuple[str, str, str], set[str]]:
    return {pair: set(have) for pair, have in crm.pairs.items() if have}


def comparable(crm: FakeCrm) -> object:
    return {i: (fields(r), r.values.get(MANAGED_STATE), r.archived) for i, r in crm.records.items()}, labels(crm)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories)
def test_what_the_run_wrote_is_as_before_unless_changed_since(store: World, story: Story):
    """Field by field: put back where it still is as the run left it, untouched everywhere else; new records retired."""
    world, before, after = told(store, story)
    if not wrote(world):
        return
    since, linked_since = copy.deepcopy(world.crm.records), labels(world.crm)
    report = world.undo(RUN, run_id=UNDO)
    assert report.state is EndState.SUCCEEDED
    changed = set()
    for record_id, record in world.crm.records.items():
        final, now = fields(record), fields(since[record_id])
        if record.archived:
            assert record == since[record_id]
            continue
        if record_id not in before:
            if not (now[RETIRED_AT] and now[RETIRED_REASON]):
                assert (final.pop(RETIRED_REASON), now.pop(RETIRED_REASON)) == ("undone", "")
                assert final.pop(RETIRED_AT) != now.pop(RETIRED_AT)
            assert final == now
            continue
        old, written = fields(before[record_id]), fields(after[record_id])
        expected = {
            field: old[field] if old[field] != written[field] and now[field] == written[field] else now[field]
            for field in STATE_FIELDS
        }
        assert final == expected
        changed |= {
            (record.key, field)
            for field in STATE_FIELDS
            if old[field] != written[field] and now[field] not in {old[field], written[field]}
        }
    named = {(one.key, one.field) for one in report.conflicts if one.action == "changed"}
    assert named == changed
    assert {pair for pair in labels(world.crm) if world.crm.records[pair[0]].archived} == {
        pair for pair in linked_since if world.crm.records[pair[0]].archived
    }
    assert world.plan_undo(RUN, run_id="again").operations == 0


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories)
def test_labels_are_those_of_before_and_undone_twice_those_of_after(store: World, story: Story):
    """Labels go back exactly; the undo of the undo brings values, bookkeeping and labels to where they were."""
    world = fresh(store, story.source, crm_with(story.held_records, story.linked))
    world.now = NOW
    world.sync(run_id="run-before")
    edit(world.crm, story.edited)
    linked_before = labels(world.crm)
    world.requests = story.later
    world.sync(run_id=RUN)
    if not wrote(world):
        return
    edit(world.crm, story.edited_since)
    after = comparable(world.crm)
    world.undo(RUN, run_id=UNDO)
    assert labels(world.crm) == linked_before
    if world.connection.execute("SELECT count(*) FROM sync.ledger WHERE run_id = ?", [UNDO]).fetchall()[0][0]:
        labelled = {pair for pair, have in labels(world.crm).items() if have != {PLAIN_LABEL}}
        report = world.undo(UNDO, run_id="undo-of-the-undo")
        # A pair that was associated before our first link stays so without a label, and that is said of each.
        stay = {pair for pair, have in labels(world.crm).items() if have == {PLAIN_LABEL} and pair in labelled}
        assert {(one.key, one.field, one.action) for one in report.conflicts} == {
            (world.crm.records[record_id].key, f"{target}:{target_id}", "kept") for record_id, target, target_id in stay
        }
    assert comparable(world.crm) == after


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    story=stories,
    kills=st.lists(st.tuples(st.integers(1, 8), st.sampled_from(["before", "after"])), min_size=1, max_size=3),
    in_flight=st.integers(1, 3),
)
def test_killed_and_repeated_it_ends_where_a_calm_one_ends(
    store: World, story: Story, kills: list[tuple[int, str]], in_flight: int
):
    """Killed at any writes and begun again each time, the undo leaves what it leaves undisturbed."""
    world, _, _ = told(store, story)
    if not wrote(world):
        return
    world.apply(world.plan_undo(RUN, run_id=UNDO), canary=False)
    calm = comparable(world.crm)

    world, _, _ = told(store, story)
    for n, (number, moment) in enumerate(kills):
        world.crm.fault = killed_at(world.crm.writes + number, moment)
        try:
            world.apply(world.plan_undo(RUN, run_id=f"{UNDO}-{n}"), canary=False, in_flight=in_flight)
        except Killed:
            continue
    world.crm.fault = lambda _number, _moment: None
    world.apply(world.plan_undo(RUN, run_id=UNDO), canary=False)
    assert comparable(world.crm) == calm


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    story=stories, number=st.integers(1, 8), moment=st.sampled_from(["before", "after"]), in_flight=st.integers(1, 3)
)
def test_a_killed_run_is_undone_as_far_as_it_got(store: World, story: Story, number: int, moment: str, in_flight: int):
    """Killed at any write, then undone: what was there before it is back, and what it made is retired."""
    world = fresh(store, story.source, crm_with(story.held_records, story.linked))
    world.now = NOW
    world.sync(run_id="run-before")
    edit(world.crm, story.edited)
    before, linked_before = copy.deepcopy(world.crm.records), labels(world.crm)
    world.requests = story.later
    world.crm.fault = killed_at(world.crm.writes + number, moment)
    with suppress(Killed):  # if it ended before that write, it is undone as a whole
        world.apply(world.plan(run_id=RUN), in_flight=in_flight)
    world.crm.fault = lambda _number, _moment: None
    if not wrote(world):
        return
    assert world.undo(RUN, run_id=UNDO).conflicts == []
    for record_id, record in world.crm.records.items():
        if record_id in before:
            assert fields(record) == fields(before[record_id])
        else:
            assert record.values[RETIRED_REASON] == "undone"
    assert labels(world.crm) == linked_before
