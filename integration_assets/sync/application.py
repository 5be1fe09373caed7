"""Shared state of the steps of one application: the CRM, the store, the ledger and the report they fill."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import duckdb
import msgspec

from integration_assets.connectors.crm.base import Crm
from integration_assets.errors import IntegrationError
from integration_assets.models import ObjectDefinition, Rejected
from integration_assets.sync.apply_report import ApplyReport
from integration_assets.sync.ledger import Ledger
from integration_assets.sync.operations import Operation, one_per_place
from integration_assets.sync.sending import Pause

T = TypeVar("T")

Progress = Callable[[str, int], None]
"""Called with what was worked on (`records` or `links`) and how many operations were finished."""


MayWrite = Callable[[], None]
"""Returns while a further batch may be begun; raises an `IntegrationError` that says why not."""


def allowed() -> None:
    """Nothing stands in the way of a further batch."""


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


class Application(msgspec.Struct):
    """One plan being applied. `stopped` is set by the first error; batches under way are finished, none is begun."""

    crm: Crm
    definition: ObjectDefinition
    connection: duckdb.DuckDBPyConnection
    ledger: Ledger
    report: ApplyReport
    in_flight: int
    on_progress: Progress
    pause: Pause = asyncio.sleep
    now: Callable[[], datetime] = utc_now
    may_write: MayWrite = allowed

    @property
    def stopped(self) -> bool:
        """Tell whether no further batch may be begun."""
        return self.report.error is not None

    def reject(self, kind: str, key: str, reason: str) -> Rejected:
        """Note in the report that something could not be written; return it for the quarantine."""
        rejected = Rejected(kind, key, reason)
        self.report.rejected_items.append(rejected)
        return rejected


async def run_batches(
    application: Application, batches: Iterable[Sequence[T]], work: Callable[[Sequence[T]], Awaitable[None]]
) -> None:
    """Work on batches, `in_flight` at a time; the first error on purpose stops the others after their batch.

    Before each one it is asked whether it may be begun.
    """
    # one iterator for all workers: a batch is cut when somebody is free for it, so that a plan is never held whole
    queue = iter(batches)

    async def worker() -> None:
        for batch in queue:
            # asked between batches, never within one: what is begun is also read back and recorded
            if application.stopped:
                return
            try:
                application.may_write()
                await work(batch)
            except IntegrationError as error:
                # the first error is why the work ended; later ones come from batches that were under way by then
                if application.report.error is None:
                    application.report.error = error

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(application.in_flight):
                group.create_task(worker())
    except BaseExceptionGroup as failures:
        # what comes this far is a failing store or a bug: the first says it all
        raise failures.exceptions[0] from None


def batched(operations: Iterable[Operation], size: int, records: int | None = None) -> Iterator[list[Operation]]:
    """Cut an ordered stream into batches of at most `size` operations of one action, repeats within one dropped.

    `records`: the most records of ours that one batch may name, where that is fewer.
    """
    batch: list[Operation] = []
    keys: set[str] = set()
    for operation in operations:
        # a further pair of a record already in the batch does not count towards the limit of records
        full = len(batch) >= size or (records is not None and operation.key not in keys and len(keys) >= records)
        if batch and (full or operation.action != batch[0].action):
            yield list(one_per_place(batch))
            batch, keys = [], set()
        batch.append(operation)
        keys.add(operation.key)
    if batch:
        yield list(one_per_place(batch))
