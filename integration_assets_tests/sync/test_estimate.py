"""The estimate of a plan's calls is what applying it takes, whatever hangs on one record or one company."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from integration_assets.errors import EndState
from integration_assets.sync.estimate import BatchLimits, record_calls
from integration_assets.sync.pair_reads import ReadLimits, plan_reads
from integration_assets.sync.plan_store import Plan
from integration_assets_tests.sync.fake_crm import FakeCrm
from integration_assets_tests.sync.world import Request, World

LIMITS = BatchLimits(
    records_per_write=10,
    pairs_per_write=60,
    pairs_per_removal=10,
    pairs_per_archive=60,
    records_per_archive=10,
    records_per_link_read=30,
    links_per_page=15,
    starting=0,
    labels=0,
)
"""The proportions of HubSpot's, small enough for a test; here nothing comes before the first write."""
PEOPLE = 180
HOT_REQUEST = {"hot": Request(votes=tuple((f"v{n}", f"company{n}") for n in range(PEOPLE)))}
HOT_COMPANY = {f"r{n}": Request(votes=(("v0", "acme"),)) for n in range(PEOPLE)}
BOTH = HOT_REQUEST | {f"r{n}": Request(votes=(("v0", "company0"), (f"v{n}", None))) for n in range(70)}
EVEN = {f"r{n}": Request(votes=tuple((f"v{n + m}", f"company{m}") for m in range(9))) for n in range(40)}


@pytest.fixture
def small_batches(world: World) -> World:
    """A world whose voters are all contacts, and whose CRM takes little at a time."""
    crm = FakeCrm(
        records_per_write=LIMITS.records_per_write,
        pairs_per_write=LIMITS.pairs_per_write,
        pairs_per_removal=LIMITS.pairs_per_removal,
        pairs_per_archive=LIMITS.pairs_per_archive,
        records_per_archive=LIMITS.records_per_archive,
        records_per_link_read=LIMITS.records_per_link_read,
    )
    crm.costs = msgspec.structs.replace(crm.costs, links_per_page=LIMITS.links_per_page)
    world.crm, world.contacts = crm, {f"v{n}": f"c{n}" for n in range(PEOPLE)}
    return world


def calls_made(world: World, plan: Plan) -> int:
    """Calls that applying a plan takes: every page of links is one."""
    world.crm.calls.clear()
    world.crm.link_pages = 0
    assert world.apply(plan, in_flight=1).state is EndState.SUCCEEDED
    return sum(not call.startswith("read links") for call in world.crm.calls) + world.crm.link_pages


def close(estimate: int, made: int) -> bool:
    """Within ten per cent, and one call where that is less."""
    return abs(estimate - made) <= max(1, made // 10)


@pytest.mark.parametrize("requests", [HOT_REQUEST, HOT_COMPANY, BOTH, EVEN], ids=["request", "company", "both", "even"])
def test_the_estimate_is_what_is_called(small_batches: World, requests: dict[str, Request]):
    """First sync with its canary, one vote more, votes taken back, and the undo of all."""
    world = small_batches
    world.requests = dict(requests)
    first = world.plan(run_id="run-one", limits=LIMITS)
    assert close(first.calls, calls_made(world, first))
    one = next(iter(requests))
    world.requests[one] = replace(requests[one], votes=(*requests[one].votes, ("v1", "late"), ("v2", "later")))
    more = world.plan(run_id="run-two", limits=LIMITS)
    assert close(more.calls, calls_made(world, more))
    world.requests = {key: replace(request, votes=request.votes[:1]) for key, request in requests.items()}
    fewer = world.plan(run_id="run-three", limits=LIMITS)
    assert close(fewer.calls, calls_made(world, fewer))
    undo = world.plan_undo("run-one", run_id="undo-one")
    assert close(undo.calls, calls_made(world, undo) + 1)  # an undo asks who the portal is


def test_a_hot_request_is_not_read_whole_for_each_batch(small_batches: World):
    """180 contacts in three batches of 60: each is read back in two calls, not in up to twelve pages."""
    world = small_batches
    world.requests = {"hot": Request(votes=tuple((f"v{n}", None) for n in range(PEOPLE)))}
    plan = world.plan(run_id="run-one", limits=LIMITS)
    assert calls_made(world, plan) == 2 + 3 + 3 * 2
    assert plan.calls == 2 + 3 + 3 * 2


@pytest.mark.parametrize(
    ("counts", "canary", "calls"),
    [
        ((0, 0, 0), True, 0),
        ((5, 0, 0), True, 2),
        ((6, 0, 0), True, 2 + 2),
        ((105, 0, 0), True, 2 + 2),
        ((106, 0, 0), True, 2 + 4),
        ((101, 0, 0), False, 4),
        ((3, 3, 1), True, 2 + 3 + 3 + 3),
        ((0, 101, 1), False, 6 + 3),
    ],
)
def test_records(counts: tuple[int, int, int], canary: bool, calls: int):
    """Creates are written and read back, updates and retirements read before; five go ahead of a first apply."""
    assert record_calls(*counts, canary=canary, size=100) == calls


def test_pairs_are_read_from_the_side_that_takes_fewer_calls():
    """A record with many links is read from its contacts, a company with many requests from these, else from ours."""
    limits = ReadLimits(ids_per_read=10, links_per_page=5)
    pairs = [("hot", f"c{n}") for n in range(8)]
    assert plan_reads(pairs, {"hot": 40}, {}, limits).pairs == tuple(pairs)
    assert plan_reads(pairs, {"hot": 5}, {}, limits).record_ids == ("hot",)
    assert plan_reads(pairs, {"hot": 40}, {"c0": 90}, limits).record_ids == ("hot",)
    mixed = [*pairs, *((f"r{n}", "acme") for n in range(8))]
    reads = plan_reads(mixed, {"hot": 40}, {"acme": 90}, limits)
    assert (reads.record_ids, reads.pairs, reads.calls) == (tuple(f"r{n}" for n in range(8)), tuple(pairs), 2)
