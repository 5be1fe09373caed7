"""Requests that can change the CRM, sent by a run when nothing has changed since the last one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.proofs.faults.starts import Starts
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.dagster_records import records_in_memory
from integration_assets_tests.support.harness import World, world_of
from integration_assets_tests.support.snapshots import PROMPT, folder


@proof("unchanged", "figures", "A run in which nothing has changed writes nothing.")
def measure(_scale: Scale) -> Iterator[Row]:
    """In two small worlds, in which other people work too, and in the standard sample; the last run reads all anew."""
    with ExitStack() as stack:
        starts = stack.enter_context(Starts())
        home = stack.enter_context(folder())
        sample = stack.enter_context(world_of(build_sandbox(plan=None, slack_interval=0, portal_options=PROMPT), home))
        sample.set_up()
        worlds = [stack.enter_context(starts.copy(start)) for start in ("synced", "hundred synced")]
        stack.enter_context(records_in_memory())
        sample.sync()
        written = [_writes_again(world) for world in (*worlds, sample)]
        requests = [len(world.portal.records("feature_request")) for world in (*worlds, sample)]
    result = f"{sum(written)} in {2 * len(written)} runs over {', '.join(map(str, requests))} records"
    yield Row("write requests of an unchanged re-run", result, "0", not any(written))


def _writes_again(world: World) -> int:
    world.forget_requests()
    world.sync()
    world.sync("--full")
    return len(world.writes()) + len(world.writes("production"))
