"""Before each batch it is asked whether it may be begun; a refusal ends the work after what is under way."""

from __future__ import annotations

import asyncio

from integration_assets.errors import LockError
from integration_assets.sync.apply import apply_plan
from integration_assets.sync.apply_report import planned_report
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets_tests.sync.world import Request, World


def test_no_batch_is_begun_once_it_may_not(world: World) -> None:
    """Batches before the refusal are written, verified and counted; none after it is sent, and no link is."""
    world.requests = {f"r{number}": Request(f"Request {number}") for number in range(6)}
    world.crm.records_per_write = 1
    plan = world.plan()
    report, asked = planned_report(plan), []

    def may_write() -> None:
        asked.append(1)
        if len(asked) > 3:
            raise LockError("the lock passed on")

    result = asyncio.run(
        apply_plan(
            world.crm,
            FEATURE_REQUEST,
            world.connection,
            plan,
            canary=False,
            in_flight=1,
            may_write=may_write,
            report=report,
            now=lambda: world.now,
        )
    )
    assert result is report
    assert isinstance(report.error, LockError)
    assert (report.created, report.verified, len(asked)) == (3, 3, 4)
    values, links = world.crm.state()
    assert (len(values), len(links)) == (3, 0)
    open_intents = world.connection.execute("SELECT count(*) FROM sync.ledger WHERE outcome IS NULL").fetchall()
    assert open_intents == [(0,)]
