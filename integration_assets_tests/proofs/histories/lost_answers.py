"""Records there twice, or not at all, after answers to writes were lost: the run that lost them, and a later one.

Of the write requests 5 % take effect and lose their answer, 2 % take effect 25 seconds after it was given up, and 3 %
never do. The CRM's clock is virtual, so that every wait of the product counts and none is waited for. Lists of records
lag behind by so many seconds; reads by key do not.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from multiprocessing import get_context

from integration_assets.models import CrmFeatureRequest, ObjectDefinition, Page
from integration_assets_tests.proofs.histories.virtual_crm import Fate, VirtualCrm
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.sync.fake_crm import StoredRecord
from integration_assets_tests.sync.world import Request, World, new_store

RECORDS_PER_WRITE = 100
"""The most HubSpot takes."""
LAGS_SECONDS = (0, 10, 30, 300)
SECOND_RUN_AFTER_SECONDS = 5
"""Soon enough for the longer lags to hide what the first run wrote."""
FATES: tuple[tuple[Fate, float], ...] = (("committed", 0.05), ("late", 0.02), ("never", 0.03), ("answered", 0.90))


@dataclass
class LaggingCrm(VirtualCrm):
    """A large CRM whose lists of records are `lag` seconds old."""

    lag: float = 0.0
    ids: dict[str | None, str] = field(default_factory=dict)
    made_at: dict[str, float] = field(default_factory=dict)
    doubled: int = 0

    def live_ids(self, keys: Collection[str]) -> dict[str | None, str]:
        return {key: self.ids[key] for key in keys if key in self.ids}

    def add(self, record: StoredRecord) -> str:
        record_id = super().add(record)
        self.doubled += record.key in self.ids
        self.ids[record.key] = record_id
        self.made_at[record_id] = self.clock
        return record_id

    def listed_ids(self) -> list[str]:
        return [record_id for record_id in self.records if self.made_at[record_id] <= self.clock - self.lag]

    async def feature_requests(
        self, definition: ObjectDefinition, *, archived: bool
    ) -> AsyncIterator[Page[CrmFeatureRequest]]:
        yield Page(() if archived else tuple(self.seen(record_id) for record_id in self.listed_ids()))


@dataclass
class Outcome:
    """What two runs left: records there twice, records not there or not as they should be, and answers lost by kind."""

    doubled: int
    missing: int
    lost: Counter[Fate]


def two_runs(records: int, lag: float, seed: int) -> Outcome:
    """Write so many records while answers are lost, run again, and look."""
    draw = random.Random(f"{seed}/{lag}")
    lost: Counter[Fate] = Counter()

    def fate(_number: int) -> Fate:
        drawn = draw.choices([name for name, _ in FATES], [share for _, share in FATES])[0]
        lost[drawn] += 1
        return drawn

    crm = LaggingCrm(records_per_write=RECORDS_PER_WRITE, lag=lag, fate=fate)
    requests = {f"r{n:06}": Request(f"Request {n}") for n in range(records)}
    world = World(new_store(), crm, requests, loaded={})
    try:
        world.sync(run_id="first")
        crm.pass_time(SECOND_RUN_AFTER_SECONDS)
        world.now += timedelta(seconds=SECOND_RUN_AFTER_SECONDS)
        world.sync(run_id="second")
        crm.pass_time(60)
    finally:
        world.connection.close()
    by_key = Counter(record.key for record in crm.records.values())
    doubled = sum(count - 1 for count in by_key.values())
    there = {record.key for record in crm.records.values() if record.values.get("title", "").startswith("Request ")}
    return Outcome(max(doubled, crm.doubled), records - len(there), lost)


@proof(
    "lost_answers",
    "histories",
    "Lost and late answers to writes leave no record twice and none out.",
    whole=60_000,
    small=3_000,
    unit="writes at each lag",
    alone=True,
)
def measure(scale: Scale) -> Iterator[Row]:
    """One figure per lag, two of them measured at a time."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        for lag, outcome in zip(
            LAGS_SECONDS, processes.map(partial(two_runs, scale.count, seed=scale.seed), LAGS_SECONDS), strict=True
        ):
            yield Row(
                f"lost answers, lists {lag} s behind: records doubled or lost per {scale.count:,} writes",
                f"{outcome.doubled} doubled, {outcome.missing} lost ({outcome.lost['committed']:,} answers lost after "
                f"the write, {outcome.lost['late']:,} writes done late, {outcome.lost['never']:,} never, of "
                f"{outcome.lost.total():,} requests)",
                "0 doubled, 0 lost",
                outcome.doubled == 0 and outcome.missing == 0,
            )
