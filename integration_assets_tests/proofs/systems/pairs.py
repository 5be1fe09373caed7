"""Every feedback system with every CRM: setup, plan, sync, and a second sync that writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from unittest import mock

from integration_assets.demo import feedback_from
from integration_assets.sandbox.feedback_systems import OTHER_FEEDBACK_SYSTEMS
from integration_assets.sandbox.server import CRM_NAMES, SandboxAddresses, build_sandbox
from integration_assets_tests.proofs.faults.bench import require
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.harness import World, world_of
from integration_assets_tests.support.short_waits import short_waits
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT, folder

FEEDBACK_NAMES = ("canny", "table", *OTHER_FEEDBACK_SYSTEMS)


def carry_out(feedback: str, crm: str) -> str:
    """The core of the demo on the small world; returns what was written.

    Raises:
        BrokenError: something does not hold.
    """
    sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, portal_options=PROMPT, crm=crm)
    with folder() as home, short_waits(), world_of(sandbox, home) as world:
        given = world.addresses.environment()
        with feedback_from(feedback, sandbox, given, home) as ours:
            environment = dict(ours)
            with mock.patch.object(SandboxAddresses, "environment", return_value=environment):
                return _core(world, crm)


def _core(world: World, crm: str) -> str:
    world.set_up()
    planned = world.run("plan", json_file=True)
    require(planned.code == 0, f"the plan ended {planned.code}: {planned.error_lines}")
    first = world.sync().summary
    require(first["feature_requests"]["created"] == 5, f"{first['feature_requests']}")
    require(first["links"]["verified"] > 0, "no link was written")
    again = world.sync().summary["api_calls"][crm]["writes"]
    require(again == 0, f"the second sync wrote {again} times")
    return f"{first['feature_requests']['verified']} records and {first['links']['verified']} links"


def _prove(feedback: str, scale: Scale) -> Iterator[Row]:
    # The last first: those with the fewest other tests.
    for crm in CRM_NAMES[::-1][: scale.count]:
        written = carry_out(feedback, crm)
        yield Row(f"{feedback} to {crm}", written, "all written, and a second sync writes nothing", held=True)


for _feedback in FEEDBACK_NAMES:
    proof(
        f"pairs-{_feedback}",
        "figures",
        f"What is read from {_feedback} is written into every CRM, and a second sync writes nothing.",
        whole=len(CRM_NAMES),
        small=1,
        unit="CRMs",
    )(partial(_prove, _feedback))
