"""A thousand tenants of whom there is no news: what it costs to ask their feedback systems for changes.

`python -m benchmarks.idle_tenants` serves one Canny look-alike, 60 ms away, which takes every key for its own: each
tenant has another, and so a limiter of its own, as in earnest. It prints its address and ends with its stdin.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from sqlalchemy import insert

from benchmarks.base import Row, run
from benchmarks.world import SMALL, latency, served

if TYPE_CHECKING:
    import dagster as dg

    from integration_assets.config import Settings
    from integration_assets.tenants.registry.changes import NewThirdParty
    from integration_assets.tenants.registry.repository import TenantRepository

TENANTS = 1_000
PERIOD, TICK = timedelta(minutes=15), timedelta(seconds=30)
TICKS = 10
"""Of so many in a row the average is told."""
QUEUE_INTERVAL, QUEUE_LOOKS = timedelta(seconds=5), 20
"""How often Dagster's daemon looks at its queue, and of how many looks the average is told."""
LOOKS_EVERY = timedelta(hours=12)
"""How often the credentials of a tenant are tried."""
LOOK = """
import dagster as dg
from integration_assets.definitions import defs
with dg.DagsterInstance.ephemeral() as instance:
    instance.add_dynamic_partitions("integration_assets_tenants", ["default"])
    defs.resolve_job_def("check_credentials").execute_in_process(instance=instance, partition_key="default")
"""


class _AnyKey(str):
    """Equal to every key."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    def __ne__(self, other: object) -> bool:
        return not isinstance(other, str)


def measure(seed: int) -> Iterator[Row]:
    """Ticks of the sensor without Dagster around them; processor time is of the asking side alone."""
    import dagster as dg

    from integration_assets.automation.poll_tick import Tick, tick
    from integration_assets.automation.polling import Runs

    command = [sys.executable, "-m", "benchmarks.idle_tenants", str(seed)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        url = _first_line(server)
        settings, tenants = _installed(Path(folder, "files"), url)
        now, runs = datetime.now(UTC), Runs(instance)

        def ticked(taken: datetime | None, at: datetime) -> tuple[Tick, float, float]:
            wall, processor = time.monotonic(), time.process_time()
            found = tick(tenants, taken, at, PERIOD, settings, runs)
            if found.failed or found.changed or found.unknown:
                raise RuntimeError(found.line)
            return found, time.monotonic() - wall, time.process_time() - processor

        found, wall, processor = ticked(None, now)
        yield Row(
            f"{TENANTS:,} tenants due at once: the first tick",
            f"{found.calm:,} asked in {wall:.1f} s, {processor:.1f} s of processor time",
            "under 45 s",
            wall < 45,
        )
        walls, processors, asked, taken = 0.0, 0.0, 0, now
        for number in range(1, TICKS + 1):
            found, wall, processor = ticked(taken, now + TICK * number)
            walls, processors, asked, taken = walls + wall, processors + processor, asked + found.calm, found.taken
        yield Row(
            f"a tick every 30 s, as {TENANTS:,} tenants spread over 15 minutes",
            f"{asked / TICKS:.0f} asked in {walls / TICKS:.1f} s, {processors / TICKS:.2f} s of processor time",
            "under 10 s",
            walls / TICKS < 10,
        )
        hour = processors / TICKS * (timedelta(hours=1) / TICK)
        yield Row(
            f"an idle hour of {TENANTS:,} tenants", f"{hour:.0f} s of one processor, no run", "under 360 s", hour < 360
        )
        _, wall, _ = ticked(taken, taken)
        yield Row("a tick in which nobody is due", f"{wall * 1000:.0f} ms", "under 100 ms", wall < 0.1)
        yield from _with_postgresql(Path(folder), url, seed)
        if server.stdin is not None:
            server.stdin.close()


@dataclass(frozen=True)
class Cost:
    """What work has cost: seconds of this process's processor and of PostgreSQL's, and transactions."""

    processor: float
    server: float = 0.0
    transactions: float = 0.0

    def __mul__(self, times: float) -> Cost:
        return Cost(self.processor * times, self.server * times, self.transactions * times)

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.processor + other.processor, self.server + other.server, self.transactions + other.transactions
        )

    def __str__(self) -> str:
        return (
            f"{self.processor:.3f} s of processor time, {self.server:.3f} s of PostgreSQL's, "
            f"{self.transactions:,.0f} transactions"
        )


def _with_postgresql(folder: Path, url: str, seed: int) -> Iterator[Row]:
    """The same tenants with registry, alerts and Dagster's records in PostgreSQL, and the hour as a sum."""
    # Only here: nothing else that is measured needs a database.
    import dagster as dg

    from integration_assets.automation.poll_tick import tick
    from integration_assets.automation.polling import Runs
    from integration_assets_tests.support.dagster_on_postgres import URL, documented_instance, sqlalchemy_url
    from integration_assets_tests.support.postgresql import running_postgresql
    from integration_assets_tests.tenants.conftest import new_database

    home, dagster_home = folder / "shared", folder / "dagster"
    dagster_home.mkdir()
    documented_instance(dagster_home)
    with (
        running_postgresql() as postgresql,
        mock.patch.dict(os.environ, {URL: sqlalchemy_url(new_database(postgresql.url))}),
        dg.DagsterInstance.from_config(str(dagster_home)) as instance,
    ):
        settings, tenants = _installed(home, url, postgresql.url)
        now, runs = datetime.now(UTC), Runs(instance)

        def cost_of(work: Callable[[], None]) -> Cost:
            before = Cost(time.process_time(), postgresql.processor_seconds(), postgresql.transactions())
            work()
            after = Cost(time.process_time(), postgresql.processor_seconds(), postgresql.transactions())
            return after + before * -1

        def ticks() -> None:
            taken = now
            for number in range(1, TICKS + 1):
                found = tick(tenants, taken, now + TICK * number, PERIOD, settings, runs)
                taken = found.taken
                if found.failed or found.changed or found.unknown:
                    raise RuntimeError(found.line)

        asking = cost_of(ticks) * (1 / TICKS)
        looking = cost_of(partial(_look_at_queue, instance)) * (1 / QUEUE_LOOKS)
        yield Row("the same tick with registry, alerts and Dagster's records in PostgreSQL", str(asking))
        yield Row("a look of the daemon at a queue in which nobody waits", str(looking))
    look = _look_at_credentials(folder / "credentials", seed)
    yield Row("a look at the credentials of a tenant, as a run of its own", f"{look:.1f} s of processor time")
    hour = asking * (timedelta(hours=1) / TICK) + looking * (timedelta(hours=1) / QUEUE_INTERVAL)
    looks = TENANTS * (timedelta(hours=1) / LOOKS_EVERY)
    yield Row(
        f"an idle hour of {TENANTS:,} tenants with PostgreSQL: {timedelta(hours=1) / TICK:.0f} ticks and "
        f"{timedelta(hours=1) / QUEUE_INTERVAL:.0f} looks at the queue",
        f"{hour}; {looks:.0f} runs look at credentials, {looks * look:.0f} s of processor time",
        "under 720 s in all: a tenth of two processors",
        hour.processor + hour.server + looks * look < 720,
    )


def _look_at_queue(instance: dg.DagsterInstance) -> None:
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import EmptyWorkspaceTarget
    from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

    with (
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as workspace,
        QueuedRunCoordinatorDaemon(interval_seconds=5) as daemon,
    ):
        for _ in range(QUEUE_LOOKS):
            for _ in daemon.run_iteration(workspace):
                pass


def _look_at_credentials(home: Path, seed: int) -> float:
    """Seconds of processor time of one run of the job, in a process as Dagster starts one."""
    with served(SMALL, seed) as world:
        ended = run([sys.executable, "-c", LOOK], world.environment(home), home.parent)
    return ended.processor


def _first_line(server: subprocess.Popen[str]) -> str:
    line = server.stdout.readline().strip() if server.stdout is not None else ""
    if not line:
        raise RuntimeError("the look-alike did not start")
    return line


def _installed(home: Path, url: str, registry_url: str | None = None) -> tuple[Settings, list[str]]:
    """An installation whose tenants have keys of their own, and whose newest records are known."""
    from integration_assets.automation.polling import Asked, asked_path, newest_records, write_asked
    from integration_assets.config import Settings
    from integration_assets.connectors.calls import CallCounter
    from integration_assets.tenants.integrations import feedback_for
    from integration_assets.tenants.registry.audit import Actor
    from integration_assets.tenants.registry.changes import NewThirdParty
    from integration_assets.tenants.registry.database import open_registry
    from integration_assets.tenants.registry.directory import directory
    from integration_assets.tenants.registry.master import generate
    from integration_assets.tenants.registry.models import ThirdPartyIntegration, new_id
    from integration_assets.tenants.registry.repository import in_repository
    from integration_assets.tenants.registry.words import Provider, Scope

    values = {
        "INTEGRATION_ASSETS_HOME": home,
        "INTEGRATION_ASSETS_KEY": generate(),
        "INTEGRATION_ASSETS_ALLOWED_HOSTS": url.split("/")[2],
        "CANNY_API_KEY": "the-key-of-the-operator",
        "CANNY_BASE_URL": url,
        "INTEGRATION_ASSETS_REGISTRY_URL": registry_url,
    }
    settings, actor = Settings.model_validate(values), Actor("the bench")
    tenants = [f"tenant-{number}" for number in range(TENANTS)]

    async def newest() -> dict[str, str | None]:
        async with feedback_for(settings, settings.feedbacks[0], CallCounter()) as feedback:
            return dict(await newest_records(feedback))

    registry = open_registry(settings, create=True)
    if registry is None:
        raise RuntimeError("no registry was made")
    asked = Asked(asyncio.run(newest()))  # once there are tables: calls are counted in them
    with directory(registry, actor) as everybody:
        owners = [everybody.add_tenant(tenant).id for tenant in tenants]
    for tenant, owner in zip(tenants, owners, strict=True):
        key = NewThirdParty(
            provider=Provider("canny"), environment=Scope.ANY, secret=f"key-of-{tenant}-0123456789", base_url=url
        )
        in_repository(registry, owner, actor, partial(_add, key))
        write_asked(asked_path(settings, tenant), asked)
    # Only that there is one is looked at: made past the repository, which would compare it with everybody else's.
    portal = {
        "provider": Provider("hubspot").value,
        "environment": Scope.SANDBOX.value,
        "base_url": "https://api.hubapi.com",
        "secret": {"sealed": "never opened"},
        "secret_serial": 1,
        "created_at": datetime.now(UTC),
        "updated_at": datetime.now(UTC),
    }
    with registry.session() as session:
        session.execute(
            insert(ThirdPartyIntegration), [{**portal, "id": new_id(), "tenant_id": owner} for owner in owners]
        )
    registry.close()
    return settings, tenants


def _add(new: NewThirdParty, repository: TenantRepository) -> None:
    repository.add_third_party(new)


def _serve(seed: int) -> None:
    from integration_assets.sandbox.canny import canny_lookalike
    from integration_assets.sandbox.canny.limits import RateLimiter
    from integration_assets.sandbox.sample_data import build_sample
    from integration_assets.sandbox.serving import listening

    workspace = build_sample(seed, *SMALL).workspace
    workspace.api_key, workspace.limiter = _AnyKey(), RateLimiter(None)
    with listening([canny_lookalike(workspace, latency)]) as [origin], contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"{origin}/api\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
