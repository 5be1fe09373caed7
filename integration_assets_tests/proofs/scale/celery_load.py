"""Many tenants on one, two and four Celery workers: each is synced once and right, through a kill and an outage.

Runs are asked for as the pages ask for them, in the registry; Dagster's daemon queues them, the launcher of
`deploy/celery` hands them to Celery, and workers with homes of their own carry them out. Judged by the look-alikes' own
logs and records, and by Dagster's records of the runs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from unittest import mock

import dagster as dg

from integration_assets.config import Settings
from integration_assets.runs.launch import CREDENTIAL_TAG, JOB_TAG, failed_step
from integration_assets.runs.partitions import PARTITION_TAG, PARTITIONS
from integration_assets.runs.state import Mode
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.run_requests import NewRequest, ask_for_run, recent_requests
from integration_assets.tenants.registry.words import Action
from integration_assets.tenants.settings import opened_registry
from integration_assets_tests.proofs.registry import Row, Scale, proof, root
from integration_assets_tests.proofs.running import BrokenError
from integration_assets_tests.proofs.scale.cluster import Cluster, cluster, missing
from integration_assets_tests.proofs.scale.fleet import (
    AWAY_SECONDS,
    Phase,
    Shape,
    Size,
    caught_writing,
    database_size,
    served,
    shape_of,
)
from integration_assets_tests.proofs.scale.scale import FEWEST_MEASURED, SHAPES, SIZE, WORKERS, limits_row, wrongs
from integration_assets_tests.proofs.scale.worker import Try
from integration_assets_tests.support.crm_state import crm_state
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.installation import Installation
from integration_assets_tests.support.postgresql import REGISTRY_URL, Postgresql, running_postgresql
from integration_assets_tests.support.snapshots import folder

TROUBLED_WORKERS = 2
PER_CREDENTIAL = 2
"""Runs of one credential that the instance of `deploy/celery` lets in at a time."""
LOOK_SECONDS = 0.5
LONGEST_SECONDS = 1_800.0
"""A phase that takes longer hangs."""
PERSON = Actor("load test")


@dataclass(frozen=True)
class Ran:
    """One run by Dagster's records: times are those of the machine's monotonic clock, in seconds.

    `began` is None of a run that never began. `credential` is empty where its tenant shares none. `why` it failed.
    """

    tenant: str
    credential: str
    asked: float
    began: float | None
    ended: float
    good: bool
    over: bool
    why: str = ""


@dataclass(frozen=True)
class Loaded:
    """A phase on Celery: the phase, every run, and what was done to them. `restarts` of processes that had ended."""

    phase: Phase
    runs: list[Ran]
    restarts: int
    memory: int


@proof(
    "celery",
    "figures",
    "Tenants on Celery workers are synced once each, through a kill and an outage of PostgreSQL.",
    whole=12,
    small=3,
    unit="tenants",
    alone=True,
)
def measure(scale: Scale) -> Iterator[Row]:
    """The calm phases where there are tenants enough, and always the troubled one."""
    if why := missing():
        yield Row("runs on Celery workers", why, "runs on Celery workers", None)
        return
    counts = WORKERS if scale.count >= FEWEST_MEASURED else ()
    for loaded in run(scale.count, SIZE, counts, scale.seed):
        yield from rows_of(loaded)


def run(tenants: int, size: Size, counts: Iterable[int], seed: int) -> Iterator[Loaded]:
    """A calm phase for each number of workers, then the troubled one."""
    shapes = [shape_of(size, seed + number) for number in range(SHAPES if tenants >= FEWEST_MEASURED else 1)]
    for workers in counts:
        yield load(shapes, tenants, workers)
    yield load(shapes, tenants, TROUBLED_WORKERS, trouble=True)


def load(shapes: Sequence[Shape], tenants: int, workers: int, *, trouble: bool = False) -> Loaded:
    """Let Celery workers sync tenants that were never synced; `trouble`: one is killed, PostgreSQL goes and comes."""
    names = {f"tenant-{number + 1:03}": shapes[number // 2 % len(shapes)] for number in range(tenants)}
    with folder() as place, running_postgresql() as server, served(names, place) as worlds:
        office = Installation(place / "office", worlds, variables={REGISTRY_URL: server.url})
        for name in worlds:
            office.register(name)
        before = database_size(server)
        with cluster(place, server, office.environment(), office.home, workers) as made:
            asking = _Asking(made, office, list(worlds))
            began = time.monotonic()
            killed, killed_at, outage = None, 0.0, None
            if trouble:
                killed, killed_at = _kill_one(asking, worlds, server)
                outage = _outage(asking, server)
            asking.until(asking.is_over)
            seconds = time.monotonic() - began
            runs, memory = asking.runs(), made.memory()
        tries = [judged(one, killed, killed_at, outage) for one in runs if one.began is not None]
        after = database_size(server)
        phase = Phase(workers, seconds, worlds, names, tries, killed, killed_at, outage, before, after)
        phase.states.update({name: crm_state(world.sandbox.sandbox) for name, world in worlds.items()})
    return Loaded(phase, runs, made.restarts, memory)


class _Asking:
    """Whoever wants the tenants synced: asks for a run of each, and again where one has ended without success."""

    def __init__(self, made: Cluster, office: Installation, tenants: Sequence[str]) -> None:
        self.cluster = made
        self._tenants = tenants
        variables = office.environment()
        self._settings = Settings.model_validate(
            {name: value for name, value in variables.items() if name.startswith("INTEGRATION_ASSETS_")}
        )
        with self._instance() as instance:
            # As its sensor does within a minute.
            instance.add_dynamic_partitions(PARTITIONS, list(tenants))
        with self._registry() as registry, directory(registry, PERSON) as opened:
            self._ids = {view.slug: view.id for view in opened.tenants() if view.slug in set(tenants)}
        self._ask()
        made.start_daemon()

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait, ask again, and keep the processes up."""
        deadline = time.monotonic() + LONGEST_SECONDS
        while not reached():
            if time.monotonic() > deadline:
                raise BrokenError(f"the runs have not come to an end within {LONGEST_SECONDS:.0f} s")
            self.cluster.keep_up()
            self._ask()
            time.sleep(LOOK_SECONDS)

    def is_over(self) -> bool:
        """True when each tenant has a run that ended well, and no run is left."""
        runs = self.runs()
        return self.done(runs) == set(self._tenants) and all(one.over for one in runs)

    def done(self, runs: Iterable[Ran]) -> set[str]:
        """Tenants with a run that ended well."""
        return {one.tenant for one in runs if one.good}

    def runs(self) -> list[Ran]:
        """Every sync by Dagster's records, in the order in which they were asked for."""
        # Dagster's clock is that of the day.
        offset = time.time() - time.monotonic()
        with self._instance() as instance:
            records = instance.get_run_records(dg.RunsFilter(tags={JOB_TAG: Mode.SYNC.value}))
            failed = [one.dagster_run for one in records if one.dagster_run.status is dg.DagsterRunStatus.FAILURE]
            whys = {one.run_id: failed_step(instance, one.run_id) or "it died without a word" for one in failed}
        found = [
            Ran(
                record.dagster_run.tags[PARTITION_TAG],
                record.dagster_run.tags.get(CREDENTIAL_TAG, ""),
                record.create_timestamp.timestamp() - offset,
                record.start_time - offset if record.start_time is not None else None,
                (record.end_time or time.time()) - offset,
                record.dagster_run.status is dg.DagsterRunStatus.SUCCESS,
                record.dagster_run.is_finished,
                whys.get(record.dagster_run.run_id, ""),
            )
            for record in records
        ]
        return sorted(found, key=lambda one: one.asked)

    def _ask(self) -> None:
        done = self.done(self.runs())
        with self._registry() as registry:
            for tenant in self._tenants:
                newest = recent_requests(registry, self._ids[tenant], limit=1)
                if tenant not in done and not any(one.is_open for one in newest):
                    ask_for_run(registry, self._ids[tenant], PERSON, NewRequest(Action.SYNC, "sandbox"))

    @contextmanager
    def _instance(self) -> Iterator[dg.DagsterInstance]:
        home = self.cluster.variables["DAGSTER_HOME"]
        # Its launcher is a module of that folder, as on the workers' PYTHONPATH.
        paths = [str(root() / "deploy" / "celery"), *sys.path]
        addresses = {name: value for name, value in self.cluster.variables.items() if name.startswith("CELERY_")}
        with (
            mock.patch.object(sys, "path", paths),
            mock.patch.dict("os.environ", addresses),
            dg.DagsterInstance.from_config(home) as instance,
        ):
            yield instance

    @contextmanager
    def _registry(self) -> Iterator[Registry]:
        with opened_registry(self._settings) as registry:
            if registry is None:
                raise BrokenError("the registry is gone")
            yield registry


def _kill_one(asking: _Asking, worlds: Mapping[str, World], server: Postgresql) -> tuple[tuple[int, str], float]:
    """Kill the worker that is the first to write, in the middle of that write."""
    with caught_writing(worlds, server) as (tenant, run):
        number = asking.cluster.kill(run)
    return (number, tenant), time.monotonic()


def _outage(asking: _Asking, server: Postgresql) -> tuple[float, float]:
    """Stop PostgreSQL while runs are under way, once one has ended well, and start it again."""

    def is_in_the_middle() -> bool:
        runs = asking.runs()
        return any(one.good for one in runs) and any(one.began is not None and not one.over for one in runs)

    asking.until(is_in_the_middle)
    began = time.monotonic()
    server.stop()
    time.sleep(AWAY_SECONDS)
    server.start()
    return began, time.monotonic()


def judged(one: Ran, killed: tuple[int, str] | None, killed_at: float, outage: tuple[float, float] | None) -> Try:
    """A run as the judge of tenants knows it: code None where it was interrupted."""
    began = one.began or one.ended
    if one.good:
        return Try(0, one.tenant, began, one.ended, 0)
    died = killed is not None and one.tenant == killed[1] and began < killed_at < one.ended
    cut_off = outage is not None and began < outage[1] and one.ended > outage[0]
    return Try(killed[0] if killed and died else 0, one.tenant, began, one.ended, None if died or cut_off else 1)


HEAD = "workers | tenants a minute | efficiency | s a run | s in the queue | peak MB of a worker | KB of registry a run"


def line(loaded: Loaded, alone: float) -> str:
    """A phase as a line of the table below `HEAD`; `alone` is what one worker does a minute."""
    ended = [one for one in loaded.runs if one.good]
    phase = loaded.phase
    cells = (
        _named(phase),
        f"{rate(loaded):.1f}",
        f"{rate(loaded) / phase.workers / alone:.0%}",
        f"{median(one.ended - (one.began or one.ended) for one in ended) if ended else 0:.1f}",
        f"{median((one.began or one.ended) - one.asked for one in ended) if ended else 0:.1f}",
        f"{loaded.memory / 1e6:.0f}",
        f"{(phase.bytes_after - phase.bytes_before) / 1e3 / max(1, len(ended)):.1f}",
    )
    return " | ".join(cells)


def rate(loaded: Loaded) -> float:
    """Tenants a minute, from the first run's beginning: that a daemon starts is no work."""
    begins = [one.began for one in loaded.runs if one.began is not None]
    last = max((one.ended for one in loaded.runs), default=0.0)
    return len(loaded.phase.worlds) / max(last - min(begins, default=0.0), 1.0) * 60


def rows_of(loaded: Loaded) -> Iterator[Row]:
    """What of a phase must hold: the work, the limits of systems and queue, and what the trouble left."""
    phase, runs = loaded.phase, loaded.runs
    found, of = wrongs(phase), len(phase.worlds)
    said = "; ".join(f"{tenant}: {what}" for tenant, what in list(found.items())[:3])
    odd = sum(one.code not in (0, None) for one in phase.tries)
    yield Row(
        f"{of} tenants on {_named(phase)}",
        f"{of - len(found)}/{of} synced once and right",
        f"{of}/{of}, no run fails without a cause",
        not found and of > 0 and not odd,
        f"in {phase.seconds:.0f} s with the start of all processes, {rate(loaded):.1f} a minute; {len(runs)} runs, "
        f"{odd} failed without a cause; {loaded.restarts} processes started again; a worker held at most "
        f"{loaded.memory / 1e6:.0f} MB" + (f"; {said}" if said else ""),
        phase.seconds,
    )
    yield limits_row(phase, _named(phase))
    twice, crowds, most = overlaps(runs)
    yield Row(
        f"limits of Dagster's queue on {_named(phase)}",
        f"{twice} runs beside another of their tenant, at most {crowds} of a credential and {most} at all",
        f"0, {PER_CREDENTIAL} and {phase.workers}",
        twice == 0 and crowds <= PER_CREDENTIAL and 0 < most <= phase.workers,
    )
    if phase.killed is not None:
        yield _survived(loaded)


def overlaps(runs: Iterable[Ran]) -> tuple[int, int, int]:
    """Runs that began before an earlier one of their tenant had ended; the most at once of a credential, and at all."""
    begun = [one for one in runs if one.began is not None]
    by_tenant: dict[str, list[Ran]] = {}
    for one in sorted(begun, key=lambda one: one.began or 0.0):
        by_tenant.setdefault(one.tenant, []).append(one)
    twice = sum((after.began or 0.0) < before.ended for of in by_tenant.values() for before, after in pairwise(of))
    credentials = {one.credential for one in begun if one.credential}
    most = max((_at_once([one for one in begun if one.credential == name]) for name in credentials), default=0)
    return twice, most, _at_once(begun)


def _at_once(runs: Sequence[Ran]) -> int:
    changes = sorted(change for one in runs for change in ((one.began or 0.0, 1), (one.ended, -1)))
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def _survived(loaded: Loaded) -> Row:
    """The killed worker's tenant was done by another, what PostgreSQL left was done again, and no run is left."""
    phase = loaded.phase
    if phase.killed is None or phase.outage is None:
        raise BrokenError("nothing was done to this phase that it could survive")
    (number, tenant), (gone, back) = phase.killed, phase.outage
    noticed = [one for one in phase.tries if one.worker == number]
    after = [one for one in phase.tries if one.tenant == tenant and one.code == 0 and one.began > phase.killed_at]
    hit = [one for one in phase.tries if one.began < back and one.ended > gone]
    mended = all(any(one.tenant == other.tenant and other.code == 0 for other in phase.tries) for one in hit)
    finished = sum((bool(noticed) and bool(after), bool(hit) and mended, all(one.over for one in loaded.runs)))
    waited = f"{after[0].ended - phase.killed_at:.0f} s" if after else "never"
    return Row(
        "a Celery worker killed in the middle of a write; PostgreSQL stopped and started",
        f"{finished}/3: another worker did its tenant, runs of the outage ended well, none is left at work",
        "3/3",
        finished == 3,
        f"its tenant was done {waited} after the kill, the outage included; {back - gone:.0f} s without PostgreSQL, "
        f"{len(hit)} runs under way in it, {sum(one.code != 0 for one in hit)} of them begun again",
    )


def _named(phase: Phase) -> str:
    workers = "1 Celery worker" if phase.workers == 1 else f"{phase.workers} Celery workers"
    return workers + (", one killed, PostgreSQL away" if phase.killed else "")
