"""The load test's judge: what it must not overlook, and what it reads of the workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets.sync.feature_request_object import MANAGED_STATE
from integration_assets_tests.proofs.scale.fleet import Phase, Shape
from integration_assets_tests.proofs.scale.scale import busiest, wrong
from integration_assets_tests.proofs.scale.worker import Try, tries_of
from integration_assets_tests.support.crm_state import CrmState
from integration_assets_tests.support.snapshots import folder

WRITE = "/crm/objects/2026-03/feature_request/batch/upsert"


@pytest.fixture
def place() -> Iterator[Path]:
    with folder() as made:
        yield made


def state(tenant: str, votes: str = "3") -> CrmState:
    return CrmState({"canny:1": {MANAGED_STATE: f"votes:1 tenant:{tenant}", "votes": votes}}, {"canny:1": set()}, set())


def done(
    *tries: Try, left: CrmState, stored: int = 1, writes: int = 1, outage: tuple[float, float] | None = None
) -> str:
    """What is said of one tenant that one sync leaves with one record by one write."""
    log = [LoggedRequest(number, "POST", WRITE, "", b"", float(number)) for number in range(writes)]
    world = SimpleNamespace(
        portal=SimpleNamespace(records=lambda _name: [{}] * stored),
        object_name="feature_request",
        lookalike=lambda: SimpleNamespace(requests=log),
    )
    shape = Shape(cast("Any", None), state("default"), 1)
    phase = Phase(2, 9.0, {"a": cast("Any", world)}, {"a": shape}, list(tries), None, 0.0, outage, 0, 0, {"a": left})
    return wrong(phase, "a")


def test_a_tenant_is_right_when_it_is_as_one_sync_leaves_it() -> None:
    """Neither another tenant's records, nor wrong, doubled or missing ones, nor a write too many pass."""
    good = Try(1, "a", 1.0, 2.0, 0)
    assert not done(good, left=state("a"))
    assert done(left=state("a")) == "no run ended well"
    assert done(good, left=state("b")).startswith("1 records differ from those of one sync (managed_state)")
    assert "(votes)" in done(good, left=state("a", votes="4"))
    assert done(good, left=CrmState({}, {}, set())) == "1 records missing, 0 too many"
    assert done(good, left=state("a"), stored=2) == "2 records of 1 keys"
    assert done(good, left=state("a"), writes=2) == "2 write requests, one sync takes 1"


def test_only_an_interrupted_run_may_send_a_write_again() -> None:
    """A killed one, and one that PostgreSQL left; a run that the lock refused wrote nothing and excuses nothing."""
    good, refused = Try(1, "a", 5.0, 6.0, 0), Try(2, "a", 1.0, 2.0, 75)
    assert not done(Try(2, "a", 1.0), good, left=state("a"), writes=2)
    assert not done(refused, good, left=state("a"), writes=2, outage=(1.5, 3.0))
    assert done(refused, good, left=state("a"), writes=2, outage=(2.5, 3.0))
    assert done(refused, good, left=state("a"), writes=2)


def test_the_busiest_window_is_found() -> None:
    """Wherever it begins; what is exactly a window apart is not in one."""
    moments = (0.0, 0.5, 0.9, 1.2, 1.4, 3.0)
    requests = [LoggedRequest(number, "GET", "/", "", b"", at) for number, at in enumerate(moments)]
    assert busiest(requests, 1.0) == 4
    assert busiest(requests[:1], 1.0) == 1
    assert busiest([], 1.0) == 0
    assert busiest([requests[0], LoggedRequest(9, "GET", "/", "", b"", 1.0)], 1.0) == 1


def test_a_run_whose_worker_was_killed_has_no_exit_code(place: Path) -> None:
    """Its beginning is all that was noted; of a run that ended, the end counts."""
    begun, ended = Try(1, "a", 1.0), Try(1, "a", 1.0, 3.0, 0, 5)
    killed = Try(2, "b", 2.0)
    for one in (begun, ended, killed):
        with (place / f"worker-{one.worker}.jsonl").open("ab") as file:
            file.write(msgspec.json.encode(one) + b"\n")
    assert tries_of(place) == [ended, killed]
    assert ended.seconds == 2.0
