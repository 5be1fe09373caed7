"""Whatever the source, the CRM and our memory say: after one run a second one has nothing to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_assets.errors import EndState
from integration_assets.models import PLAIN_LABEL
from integration_assets_tests.sync.fake_crm import FakeCrm, Killed, StoredRecord, killed_at, lost_answer
from integration_assets_tests.sync.world import NOW, Request, World, new_store

pytestmark = pytest.mark.proof  # many random histories: part of `make proofs`

VOTERS = ("ann", "bob", "eve")
COMPANIES = (None, "acme", "bolt")
LABELS = ("voted", "other:7")
WORDS = st.sampled_from(["", "One", "Two", " padded ", "x\r\ny"])

requests = st.dictionaries(
    st.sampled_from(["r1", "r2", "R3"]),
    st.builds(
        Request,
        title=st.sampled_from(["One", "Two"]),
        status=st.sampled_from(["open", "planned"]),
        category=st.none() | WORDS,
        details=st.none() | WORDS,
        author=st.none() | st.sampled_from(VOTERS),
        arr=st.sampled_from(["0", "10.50", "1000"]),
        votes=st.lists(
            st.tuples(st.sampled_from(VOTERS), st.sampled_from(COMPANIES)), max_size=3, unique_by=lambda vote: vote[0]
        ).map(tuple),
    ),
)
records = st.builds(
    StoredRecord,
    key=st.sampled_from(["canny:r1", "canny:r2", "canny:r4", "jira:r1", None]),
    values=st.fixed_dictionaries(
        {},
        optional={
            "title": WORDS,
            "category": WORDS,
            "votes": st.sampled_from(["", "1", "2.0"]),
            "arr": st.just("10.5"),
            "retired_reason": st.sampled_from(["", "deleted"]),
            "retired_at": st.sampled_from(["", "2026-01-01T00:00:00Z"]),
            "managed_state": st.sampled_from(["", "junk", "title:000000 votes:6b86b2"]),
        },
    ),
    archived=st.booleans(),
)
held = st.lists(records, max_size=4, unique_by=lambda record: (record.key, record.archived))
links = st.sets(
    st.tuples(st.integers(0, 3), st.sampled_from(["acme", "bolt", "gone"]), st.sampled_from(LABELS)), max_size=5
)
bases = st.dictionaries(
    st.tuples(st.sampled_from(["canny:r1", "canny:r2"]), st.sampled_from(["title", "category", "votes"])),
    WORDS,
    max_size=4,
)
edits = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["title", "votes", "details"]), WORDS), max_size=3)


@pytest.fixture(scope="module")
def store() -> Iterator[World]:
    connection = new_store()
    yield World(connection, loaded={})
    connection.close()


def fresh(store: World, source: dict[str, Request], crm: FakeCrm) -> World:
    """A world on an emptied store: making one anew for each example would take most of the time."""
    for table in ("plans", "plan_operations", "plan_companies", "ledger", "field_bases", "baselines", "quarantine"):
        store.connection.execute(f"DELETE FROM sync.{table}")
    return World(store.connection, crm, source, contacts={"ann": "c1", "eve": "c3"}, loaded=store.loaded)


def crm_with(held_records: list[StoredRecord], linked: set[tuple[int, str, str]]) -> FakeCrm:
    crm = FakeCrm(records_per_write=2, pairs_per_write=2, pairs_per_removal=2)
    crm.records = {
        str(100 + n): StoredRecord(record.key, {**record.values}, record.archived)
        for n, record in enumerate(held_records)
    }
    for n, target_id, label in linked:
        if str(100 + n) in crm.records and not crm.records[str(100 + n)].archived:
            # The CRM adds the plain association to each label.
            crm.pairs[str(100 + n), "company", target_id] |= {label, PLAIN_LABEL}
    return crm


def unowned(crm: FakeCrm) -> object:
    """What no run may ever change: records of others, archived ones, foreign labels."""
    return (
        [(r.key, r.values) for r in crm.records.values() if r.archived or not str(r.key).startswith("canny:")],
        {(pair, label) for pair, labels in crm.pairs.items() for label in labels if label.startswith("other:")},
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=requests, held_records=held, linked=links, known=bases, later=requests, edited=edits)
def test_a_second_run_has_nothing_to_do(
    store: World,
    source: dict[str, Request],
    held_records: list[StoredRecord],
    linked: set[tuple[int, str, str]],
    known: dict[tuple[str, str], str],
    later: dict[str, Request],
    edited: list[tuple[int, str, str]],
):
    """From any state, then after any change on both sides, one run settles everything and owns only what is ours."""
    world = fresh(store, source, crm_with(held_records, linked))
    for (key, field), value in known.items():
        if all(record.key != key for record in held_records):
            continue  # what we once verified and is not there was removed by somebody, which only our memory knows
        world.connection.execute(
            "INSERT INTO sync.field_bases VALUES ('1', ?, ?, ?, ?, NULL)", [key, field, value, NOW]
        )
    before = unowned(world.crm)
    assert world.sync().state is EndState.SUCCEEDED
    assert world.plan().operations == 0
    assert unowned(world.crm) == before
    world.requests = later
    ours = [r for r in world.crm.records.values() if str(r.key).startswith("canny:") and not r.archived]
    for n, field, value in edited:
        if n < len(ours):
            ours[n].values[field] = "7" if field == "votes" else value
    assert world.sync().state is EndState.SUCCEEDED
    plan = world.plan()
    assert plan.operations == 0
    world.connection.execute("DELETE FROM sync.field_bases")
    assert world.plan().operations == 0
    assert unowned(world.crm) == before


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    source=requests,
    later=requests,
    first=st.tuples(st.integers(1, 8), st.sampled_from(["before", "after"])),
    second=st.tuples(st.integers(1, 8), st.sampled_from(["before", "after"])),
    in_flight=st.integers(1, 3),
)
def test_two_crashes_in_a_row_leave_no_trace(
    store: World,
    source: dict[str, Request],
    later: dict[str, Request],
    first: tuple[int, str],
    second: tuple[int, str],
    in_flight: int,
):
    """Killed in a run and again in the one that mends it: the third ends as if nothing had happened."""
    calm = fresh(store, source, crm_with([], set()))
    calm.sync()
    calm.requests = later
    calm.sync()
    expected = calm.crm.state()

    world = fresh(store, source, crm_with([], set()))
    world.now = NOW
    world.sync()
    world.requests = later
    world.now = calm.now
    for number, moment in (first, second):
        world.crm.fault = killed_at(world.crm.writes + number, moment)
        try:
            world.apply(world.plan(), in_flight=in_flight)
        except Killed:
            continue
    world.crm.fault = lambda _number, _moment: None
    world.apply(world.plan())
    assert world.plan().operations == 0
    assert world.crm.state() == expected


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=requests, lost=st.sets(st.integers(1, 12), max_size=8), moment=st.sampled_from(["before", "after"]))
def test_lost_answers_cost_nothing_but_time(store: World, source: dict[str, Request], lost: set[int], moment: str):
    """Whichever answers are lost, once the CRM is well again everything is there, once."""
    calm = fresh(store, source, crm_with([], set()))
    calm.sync()
    world = fresh(store, source, crm_with([], set()))
    world.now = NOW
    world.crm.fault = lost_answer(*lost, moment=moment)
    report = world.sync()
    assert report.state in {EndState.SUCCEEDED, EndState.RETRY_LATER}
    world.crm.fault = lambda _number, _moment: None
    world.sync()
    assert world.plan().operations == 0
    assert world.crm.state() == calm.crm.state()
