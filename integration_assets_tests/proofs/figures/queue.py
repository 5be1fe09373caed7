"""A thousand tenants in Dagster's queue, with its records in PostgreSQL, as the page on several machines has it.

The daemon's own code takes runs out of the queue; a launcher that starts no process takes its place beside it, so that
what is measured is the queue. After each tick the limits are counted anew, from the runs.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.launcher import LaunchRunContext, RunLauncher
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES
from dagster._core.utils import make_new_run_id
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from integration_assets.runs.launch import CREDENTIAL_TAG
from integration_assets.runs.partitions import PARTITION_TAG
from integration_assets_tests.proofs.registry import Row, Scale, counted, proof
from integration_assets_tests.support.dagster_on_postgres import URL, documented_instance, sqlalchemy_url
from integration_assets_tests.support.postgresql import Postgresql, running_postgresql

PER_CREDENTIAL = 10
"""Tenants that share a credential, where not more do."""
CROWD = 10
"""One in so many tenants has the same credential as all of those: they stand first in the queue."""
TWICE = 10
"""One in so many tenants has a second run."""
ENDS = 0.75
"""Share of the runs under way that end between two ticks."""
MOST_PROCESSOR_SECONDS = 5.0
"""Of a tick while everybody waits. The daemon looks every five seconds."""


class NoLauncher(RunLauncher, ConfigurableClass):
    """Says that a run has begun, and starts nothing."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        super().__init__()  # type: ignore[no-untyped-call]  # Dagster's own

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """As Dagster wants to know it."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> Any:
        """No options."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> NoLauncher:
        """Make one by `dagster.yaml`."""
        assert not config_value
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Begin."""
        _happened(self._instance, context.dagster_run, DagsterEventType.RUN_START)

    def terminate(self, run_id: str) -> bool:
        """Nothing is ended here."""
        raise NotImplementedError(run_id)


@dataclass(frozen=True)
class Ticked:
    """One tick of the daemon: how many runs waited before it and were launched, and what it cost.

    `processor` and `server` are seconds of this process's and of PostgreSQL's processors. `wrong`: what broke a limit,
    or waits though it may run.
    """

    waiting: int
    launched: int
    processor: float
    server: float
    transactions: int
    wrong: tuple[str, ...]


@dataclass
class Queue:
    """The queue of an instance, and what may run of it at a time."""

    instance: dg.DagsterInstance
    server: Postgresql
    most: int
    limits: Mapping[str, int]
    ticks: list[Ticked] = field(default_factory=list)

    def enter(self, tenants: int) -> int:
        """Let a run of each tenant wait, and a second one of some; return how many."""
        crowd = tenants // CROWD
        wanted = [*range(tenants), *range(0, tenants, TWICE)]
        code = JobPythonOrigin("sync", RepositoryPythonOrigin("python", ModuleCodePointer("no_module", "defs")))
        origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("nowhere"), "defs"), "sync")
        for number in wanted:
            credential = "crowd" if number < crowd else f"shared-{number // PER_CREDENTIAL}"
            tags = {PARTITION_TAG: f"tenant-{number:04}", CREDENTIAL_TAG: credential}
            self.instance.add_run(
                dg.DagsterRun(
                    job_name="sync",
                    run_id=make_new_run_id(),
                    tags=tags,
                    status=dg.DagsterRunStatus.QUEUED,
                    remote_job_origin=origin,
                    job_code_origin=code,
                )
            )
        return len(wanted)

    def tick(self, daemon: QueuedRunCoordinatorDaemon, workspace: WorkspaceProcessContext) -> Ticked:
        """Let the daemon look once."""
        waiting, under_way = self.of(dg.DagsterRunStatus.QUEUED), self.under_way()
        transactions, server, processor = (
            self.server.transactions(),
            self.server.processor_seconds(),
            time.process_time(),
        )
        for _ in daemon.run_iteration(workspace):
            pass
        processor = time.process_time() - processor
        server, transactions = self.server.processor_seconds() - server, self.server.transactions() - transactions
        now, left = self.under_way(), self.of(dg.DagsterRunStatus.QUEUED)
        return Ticked(
            len(waiting), len(now) - len(under_way), processor, server, transactions, tuple(self._wrong(now, left))
        )

    def of(self, *statuses: dg.DagsterRunStatus) -> Sequence[dg.DagsterRun]:
        """The runs in these states."""
        return self.instance.get_runs(dg.RunsFilter(statuses=list(statuses)))

    def under_way(self) -> Sequence[dg.DagsterRun]:
        """The runs that have begun and not ended."""
        return self.of(*ACTIVE_RUN_STATUSES)

    def end_some(self, draw: random.Random) -> None:
        """End some of what is under way, at least one."""
        runs = self.under_way()
        for run in [one for one in runs if draw.random() < ENDS] or runs[:1]:
            _happened(self.instance, run, DagsterEventType.RUN_SUCCESS)

    def _wrong(self, under_way: Sequence[dg.DagsterRun], left: Sequence[dg.DagsterRun]) -> Iterator[str]:
        if len(under_way) > self.most:
            yield f"{len(under_way)} runs under way, {self.most} may be"
        taken = {key: Counter(run.tags[key] for run in under_way) for key in self.limits}
        for key, most in self.limits.items():
            yield from (f"{count} runs of {key} {name}" for name, count in taken[key].items() if count > most)
        # A place that stays free while somebody may run is a limit nobody asked for.
        free = [run for run in left if all(taken[key][run.tags[key]] < most for key, most in self.limits.items())]
        if free and len(under_way) < self.most:
            yield f"{self.most - len(under_way)} places stay free, {len(free)} runs could have them"


@proof(
    "queue",
    "figures",
    "A thousand tenants in Dagster's queue: the limits of tenants and credentials hold, and what a look at it costs.",
    whole=1_000,
    small=60,
    unit="tenants",
    alone=True,
)
def measure(scale: Scale) -> Iterator[Row]:
    """Fill the queue, and let the daemon empty it."""
    draw = random.Random(scale.seed)
    with tempfile.TemporaryDirectory() as folder, running_postgresql() as server:
        launcher = {"module": NoLauncher.__module__, "class": NoLauncher.__name__}
        documented_instance(Path(folder), run_launcher=launcher)
        with (
            mock.patch.dict("os.environ", {URL: sqlalchemy_url(server.url)}),
            dg.DagsterInstance.from_config(folder) as instance,
            WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as workspace,
            QueuedRunCoordinatorDaemon(interval_seconds=5) as daemon,
        ):
            queue = _queue(instance, server)
            runs = queue.enter(scale.count)
            yield from _emptied(queue, runs, draw, daemon, workspace)


def _emptied(
    queue: Queue,
    runs: int,
    draw: random.Random,
    daemon: QueuedRunCoordinatorDaemon,
    workspace: WorkspaceProcessContext,
) -> Iterator[Row]:
    while queue.of(dg.DagsterRunStatus.QUEUED):
        queue.ticks.append(queue.tick(daemon, workspace))
        if not queue.under_way():
            break  # nothing begins any more: what is left shows in the rows
        if len(queue.ticks) == 1:
            full = queue.tick(daemon, workspace)
        queue.end_some(draw)
    idle = queue.tick(daemon, workspace)
    ticks = queue.ticks
    wrong = [line for one in (*ticks, full) for line in one.wrong]
    good = counted(f"ticks in which every limit held and no place stayed free, {runs} runs", *_right([*ticks, full]))
    yield Row(good.name, good.measured, good.goal, good.held, "; ".join(wrong[:3]))
    ended = len(queue.of(dg.DagsterRunStatus.SUCCESS)) + len(queue.under_way())
    yield counted("runs that had their turn, once each", min(ended, sum(one.launched for one in ticks)), runs)
    crowded = [one for one in ticks if one.waiting > runs * 3 // 4]
    seconds = median(one.processor for one in crowded)
    yield Row(
        f"a tick while {min(one.waiting for one in crowded):,} to {runs:,} runs wait",
        f"{seconds:.2f} s of processor time for {median(one.launched for one in crowded):.0f} launched runs",
        f"under {MOST_PROCESSOR_SECONDS:.0f} s",
        seconds < MOST_PROCESSOR_SECONDS,
        f"{median(one.server for one in crowded):.2f} s of PostgreSQL's, "
        f"{median(one.transactions for one in crowded):.0f} transactions; all places taken: {_cost(full)}; "
        f"nobody waits: {_cost(idle)}",
    )


def _right(ticks: Sequence[Ticked]) -> tuple[int, int]:
    return sum(not one.wrong for one in ticks), len(ticks)


def _cost(one: Ticked) -> str:
    return f"{one.processor * 1000:.0f} ms, {one.transactions} transactions"


def _queue(instance: dg.DagsterInstance, server: Postgresql) -> Queue:
    """The queue with the limits that the instance was given."""
    config = instance.get_concurrency_config().run_queue_config
    assert config is not None
    assert all(limit["value"] == {"applyLimitPerUniqueValue": True} for limit in config.tag_concurrency_limits)
    limits = {limit["key"]: limit["limit"] for limit in config.tag_concurrency_limits}
    assert limits.keys() == {PARTITION_TAG, CREDENTIAL_TAG}
    return Queue(instance, server, config.max_concurrent_runs, limits)


def _happened(instance: dg.DagsterInstance, run: dg.DagsterRun, kind: DagsterEventType) -> None:
    instance.report_dagster_event(DagsterEvent(event_type_value=kind.value, job_name=run.job_name), run_id=run.run_id)
