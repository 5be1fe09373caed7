"""Apply a plan: records, links, companies; every write on record before it is sent, and read back before it counts.

Killed at any moment and run again, it ends in the same state of the CRM: records are written by their unique key,
labels of a pair as a set, and what is there already is not written again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import chain, groupby, islice

import duckdb

from integration_assets.connectors.crm.base import Crm
from integration_assets.errors import PermanentError, TransientError
from integration_assets.models import ObjectDefinition
from integration_assets.sync.application import (
    Application,
    MayWrite,
    Progress,
    allowed,
    batched,
    run_batches,
    utc_now,
)
from integration_assets.sync.apply_links import apply_links
from integration_assets.sync.apply_records import apply_records
from integration_assets.sync.apply_report import ApplyReport, planned_report
from integration_assets.sync.apply_rollups import apply_rollups
from integration_assets.sync.estimate import CANARY_RECORDS, batch_limits
from integration_assets.sync.ledger import open_ledger
from integration_assets.sync.operations import (
    COMPANY_ACTIONS,
    PAIR_ACTIONS,
    RECORD_ACTIONS,
    Operation,
    read_operations,
)
from integration_assets.sync.plan_store import Plan, finish, set_status
from integration_assets.sync.sending import Pause

__all__ = ["ApplyReport", "apply_plan"]

IN_FLIGHT = 4
"""Batches under way at a time, unless the caller knows better; the connector's limiter has the last word."""


async def apply_plan(
    crm: Crm,
    definition: ObjectDefinition,
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    *,
    canary: bool,
    on_progress: Progress = lambda _what, _count: None,
    in_flight: int = IN_FLIGHT,
    run_id: str | None = None,
    pause: Pause = asyncio.sleep,
    now: Callable[[], datetime] = utc_now,
    may_write: MayWrite = allowed,
    report: ApplyReport | None = None,
) -> ApplyReport:
    """Carry out a saved plan and say what came of it.

    `canary` writes the first few records alone and reads them back before the rest. What goes wrong on the way ends up
    in `ApplyReport.error`, so that the numbers are not lost with it: the caller reports first and raises then. The plan
    counts as applied, and its numbers as those of a good run, only when there is no error. The connection must be in
    autocommit; errors of the staging store itself are raised, and nothing more is sent.

    `may_write` is asked before each batch; what it raises ends the work after the batches under way. `report`, the
    `planned_report` of the plan, is filled in place: who passes it has the numbers of work that was cut short.
    """
    report = planned_report(plan) if report is None else report
    ledger = open_ledger(connection, run_id or plan.run_id, plan)
    application = Application(
        crm, definition, connection, ledger, report, in_flight, on_progress, pause, now, may_write
    )
    # before the first write, so that after a crash the next plan knows that this one was begun
    set_status(connection, plan.plan_id, "applying", now=now())
    # records before links: a pair needs the record's id, which a new record gets by being written
    await _records(application, plan, canary=canary)
    if not application.stopped:
        await _links(application, plan)
    if not application.stopped:
        await _companies(application, plan)
    if report.error is None:
        # judged at the end: one lost answer is no reason to leave the other batches unwritten
        report.error = _remaining_error(report)
    if report.error is None:
        finish(connection, plan, now=now())
    return report


async def _records(application: Application, plan: Plan, *, canary: bool) -> None:
    size = application.crm.records_per_write
    operations: Iterator[Operation] = read_operations(application.connection, plan.plan_id, RECORD_ACTIONS)

    async def work(batch: Sequence[Operation]) -> None:
        await apply_records(application, batch)

    if canary:
        first = list(islice(operations, CANARY_RECORDS))
        following = next(operations, None)
        if following is None:  # the canary would be all there is
            operations = iter(first)
        else:
            await run_batches(application, batched(first, size), work)
            _check_canary(application, len(first))
            # the one taken out to look ahead goes back to the front
            operations = chain([following], operations)
    if not application.stopped:
        await run_batches(application, batched(operations, size), work)


def _check_canary(application: Application, written: int) -> None:
    """Stop when most of the first records did not read back as written: the rest would fare no better."""
    verified = application.report.verified
    # more than half, so that a single bad record does not stop a first run
    if application.report.error is None and verified * 2 < written:
        reasons = "; ".join(sorted({item.reason for item in application.report.rejected_items})) or "see the ledger"
        application.report.error = PermanentError(
            f"only {verified} of the first {written} records read back as written, nothing more was sent: {reasons}"
        )


async def _links(application: Application, plan: Plan) -> None:
    """In the order of the plan: links before unlinks, companies before contacts, labels before whole pairs.

    What a portal's limit leaves out is then the least important. One kind is finished before the next is begun.
    """

    async def work(batch: Sequence[Operation]) -> None:
        await apply_links(application, batch)

    # before progress is announced: a plan without links spends no time on them
    if not plan.counts.link + plan.counts.unlink:
        return
    application.on_progress("links", 0)  # from now on, time is spent on links
    operations = read_operations(application.connection, plan.plan_id, PAIR_ACTIONS)
    limits = batch_limits(application.crm)
    # one kind at a time: how much a call may carry depends on it
    for (action, _, whole), of_one_kind in groupby(operations, lambda one: (one.action, one.target, one.whole)):
        size, records = limits.pairs_of(action, whole=whole)
        await run_batches(application, batched(of_one_kind, size, records), work)
        if application.stopped:
            return


async def _companies(application: Application, plan: Plan) -> None:
    """Last: what companies say of requests is worth least when a run is cut short."""
    if not plan.counts.roll_up:
        return
    application.on_progress("companies", 0)  # from now on, time is spent on companies
    operations = read_operations(application.connection, plan.plan_id, COMPANY_ACTIONS)

    async def work(batch: Sequence[Operation]) -> None:
        await apply_rollups(application, batch)

    await run_batches(application, batched(operations, application.crm.records_per_write), work)


def _remaining_error(report: ApplyReport) -> PermanentError | TransientError | None:
    # absent after a second write: running again would not help, a person has to look
    if report.absent:
        return PermanentError(
            f"the CRM says it wrote {len(report.absent)} records that are not there, {report.absent[0]} first: "
            "check the portal before the next run"
        )
    # worth a repeat: records are written by key and labels as a set, so that nothing is doubled
    if report.unknown:
        return TransientError(f"the answers to {report.unknown} writes were lost: run again, nothing is written twice")
    return None
