"""Records that are marked as another tenant's: never retired, updated or linked, and told with the remedy."""

from __future__ import annotations

import pytest

from integration_assets.sync.feature_request_object import (
    MANAGED_STATE,
    managed_state,
    parse_managed_state,
    tenant_mark,
)
from integration_assets.sync.operations import read_operations
from integration_assets_tests.sync.world import Request, World


def mark(world: World, request_id: str) -> str | None:
    return tenant_mark(world.crm.by_key(f"canny:{request_id}").values[MANAGED_STATE])


def taken(world: World, *request_ids: str) -> None:
    """Another installation's tenant keeps these records."""
    for request_id in request_ids:
        values = world.crm.by_key(f"canny:{request_id}").values
        values[MANAGED_STATE] = values[MANAGED_STATE].replace("tenant:default", "tenant:acme")


def test_the_mark_is_read_as_written():
    """It stands beside the digests, and neither spoils the other; a damaged one is none."""
    text = managed_state({"title": "One"}, "acme-2")
    assert (tenant_mark(text), parse_managed_state(text)) == (
        "acme-2",
        parse_managed_state(managed_state({"title": "One"})),
    )
    assert tenant_mark(managed_state({})) is None
    assert [tenant_mark(other) for other in ("", "tenant:", "tenant:A b", "mytenant:x")] == [None] * 4


def test_every_write_marks_the_record(small_world: World):
    """Created records carry the tenant; those of an earlier version get it with their next update, and not before."""
    small_world.sync()
    assert mark(small_world, "r1") == "default"
    values = small_world.crm.by_key("canny:r2").values
    values[MANAGED_STATE] = values[MANAGED_STATE].replace(" tenant:default", "")
    assert small_world.plan().operations == 0
    small_world.requests["r2"].title = "Changed"
    small_world.sync(run_id="run-marking")
    assert mark(small_world, "r2") == "default"
    small_world.undo("run-marking")
    assert mark(small_world, "r2") == "default"


def test_records_of_another_tenant_are_left_alone(small_world: World):
    """Whether wanted here or not: no operation names one, the plan says how many, which, and what to do."""
    small_world.requests |= {f"r{n}": Request(f"Request {n}") for n in range(3, 8)}
    small_world.sync()
    taken(small_world, "r1", "r3", "r4", "r5", "r6")
    for request_id in ("r3", "r4", "r5", "r6"):
        del small_world.requests[request_id]
    small_world.requests["r1"].title = "Ours"
    small_world.requests["r1"].votes = ()
    small_world.requests["r2"].title = "Changed"
    del small_world.requests["r7"]
    plan = small_world.plan()
    operations = list(read_operations(small_world.connection, plan.plan_id))
    assert {(one.action, one.key) for one in operations} == {("update", "canny:r2"), ("retire", "canny:r7")}
    assert (plan.counts.identified, plan.counts.live) == (2, 2)
    (problem,) = plan.problems
    assert problem.startswith(
        "5 records with the source name canny are marked as kept from elsewhere (canny:r1, canny:r3"
    )
    assert "INTEGRATION_ASSETS_SOURCE_NAME" in problem
    assert "acme" not in problem


def test_a_portal_with_another_tenants_records_only_is_a_first_apply(small_world: World):
    """They are none of ours, whatever their key begins with."""
    small_world.sync()
    taken(small_world, "r1", "r2")
    small_world.requests = {"r9": Request("Another")}
    assert small_world.plan().records_held == 0


@pytest.mark.parametrize("former", [(), ("acme",)])
def test_a_successor_takes_over_with_its_next_writes(small_world: World, former: tuple[str, ...]):
    """Where the operator says so, records of the former tenant are ours, and carry our mark once written."""
    small_world.sync()
    taken(small_world, "r1")
    small_world.requests["r1"].title = "Ours"
    plan = small_world.plan(former_tenants=former)
    assert (plan.counts.update, len(plan.problems)) == (len(former), 1 - len(former))
    small_world.apply(plan)
    assert mark(small_world, "r1") == ("default" if former else "acme")
