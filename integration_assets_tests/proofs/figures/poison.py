"""One record the CRM refuses among 560, whichever batch it is in: what is written all the same, and what that costs."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from integration_assets.sandbox.hubspot.errors import validation
from integration_assets.sandbox.lookalike import Fault
from integration_assets_tests.proofs.faults.asking import holding, is_upsert
from integration_assets_tests.proofs.faults.starts import Starts, add_requests
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.dagster_records import records_in_memory
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.snapshots import Snapshot, copy_of, folder, kept

RECORDS = 560
MOST_EXTRA = 20


@proof(
    "poison",
    "figures",
    "One record the CRM refuses costs itself and a few requests, and no other record.",
    whole=3,
    unit="places",
)
def measure(scale: Scale) -> Iterator[Row]:
    """Records written and named, and requests beyond those of a run without a bad record, at worst."""
    with Starts() as starts, folder() as home, records_in_memory():
        with starts.copy("ready") as world:
            add_requests(world.sandbox.sample, RECORDS - len(world.canny.posts))
            start = kept(world, home)
            keys = sorted(f"canny:{post_id}" for post_id in world.canny.posts)
        _, _, usual = _sync(start, None)
        tried = [_sync(start, key) for key in random.Random(scale.seed).sample(keys, scale.count)]
    written, named = {one[0] for one in tried}, all(one[1] for one in tried)
    extra = max(one[2] for one in tried) - usual
    yield Row(
        f"one poison record among {RECORDS}",
        f"{', '.join(map(str, sorted(written)))} written, the bad one {'named' if named else 'NOT named'}, "
        f"{extra} requests more than the usual {usual}, in {scale.count} places",
        f"{RECORDS - 1} written, 1 named, at most {MOST_EXTRA} more",
        written == {RECORDS - 1} and named and extra <= MOST_EXTRA,
    )


def _sync(start: Snapshot, poison: str | None) -> tuple[int, bool, int]:
    """Records there after a first sync, whether exactly the bad one was named, and the requests the portal was sent."""
    with copy_of(start) as world:
        if poison is not None:
            refusal = json.dumps(validation("Property values were not valid").body).encode()
            fault = Fault(matches=holding(is_upsert, poison), times=None, status=400, body=refusal)
            world.lookalike().faults.append(fault)
        summary = world.sync().summary
        # Links of a record that is not there are rejected with it, and named beside it.
        named = [item["key"] for item in summary["rejected"] if item["kind"] == "feature_request"] == [poison]
        assert summary["feature_requests"]["verified"] == _there(world)
        return _there(world), named, len(world.lookalike().requests)


def _there(world: World) -> int:
    return len(world.portal.records("feature_request"))
