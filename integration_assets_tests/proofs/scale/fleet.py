"""Tenants with look-alikes of their own, workers with homes of their own, one PostgreSQL, and what is done to them.

All look-alikes are served by one process. Every two tenants read one Canny workspace with one key, as departments of
one company may, so that its limits have to be kept by several workers together.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from benchmarks.world import is_write, latency
from integration_assets.sandbox.canny.limits import PRO
from integration_assets.sandbox.lookalike import Fault, LoggedRequest
from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import Sandbox, build_sandbox, serving_all
from integration_assets_tests.proofs.running import BrokenError
from integration_assets_tests.proofs.scale.worker import DONE, Try, tries_of
from integration_assets_tests.support.crm_state import CrmState, crm_state
from integration_assets_tests.support.harness import World, copied, world_of
from integration_assets_tests.support.installation import Installation
from integration_assets_tests.support.postgresql import REGISTRY_URL, Postgresql, running_postgresql
from integration_assets_tests.support.snapshots import PROMPT, folder

Size = tuple[int, int, int]
"""Requests, votes and companies of each tenant."""
SLOW_SECONDS = 10.0
"""How long the write takes during which a worker is killed: long enough to find out which one it is."""
AWAY_SECONDS = 5.0
"""How long PostgreSQL is away."""
LOOK_SECONDS = 0.1
LONGEST_SECONDS = 3_600.0
"""A phase that takes longer hangs."""


@dataclass(frozen=True)
class Shape:
    """A world before its first sync, and what one sync alone, without a registry, made of a copy of it."""

    sandbox: Sandbox
    state: CrmState
    writes: int


@dataclass
class Phase:
    """What some workers did to a fleet, and what the look-alikes say of it.

    `killed` is the worker that was killed, and the tenant it was writing. `bytes_before` and `bytes_after` are the size
    of the database.
    """

    workers: int
    seconds: float
    worlds: Mapping[str, World]
    shapes: Mapping[str, Shape]
    tries: list[Try]
    killed: tuple[int, str] | None
    killed_at: float
    outage: tuple[float, float] | None
    bytes_before: int
    bytes_after: int
    states: dict[str, CrmState] = field(default_factory=dict)


def shape_of(size: Size, seed: int) -> Shape:
    """A world whose portal is set up, and what a sync makes of it."""
    made = build_sandbox(build_sample(seed, *size), plan=PRO, portal_options=PROMPT, slack_interval=0)
    with folder() as home, world_of(made, home) as world:
        world.set_up()
    with folder() as home, world_of(copied(made), home) as alone:
        alone.sync()
        return Shape(made, crm_state(alone.sandbox.sandbox), len(written(alone)))


def written(world: World) -> list[LoggedRequest]:
    """Requests that could change the records of the tenant's portal."""
    return [request for request in world.lookalike().requests if is_write(request)]


def phase(shapes: Sequence[Shape], tenants: int, workers: int, seed: int, *, trouble: bool = False) -> Phase:
    """Let workers sync tenants that were never synced; `trouble`: one is killed, and PostgreSQL goes and comes."""
    names = {f"tenant-{number + 1:03}": shapes[number // 2 % len(shapes)] for number in range(tenants)}
    with folder() as place, running_postgresql() as server, served(names, place) as worlds:
        office = Installation(place / "office", worlds, variables={REGISTRY_URL: server.url})
        for name in worlds:
            office.register(name)
        before = database_size(server)
        began = time.monotonic()
        with _working(office, place, workers, seed) as processes:
            killed = _kill_one(worlds, server, processes) if trouble else None
            killed_at = time.monotonic()
            outage = _outage(server, place, worlds) if trouble else None
            _wait(processes, {number for number in processes if killed is None or number != killed[0]}, place)
        seconds = time.monotonic() - began
        done = Phase(
            workers, seconds, worlds, names, tries_of(place), killed, killed_at, outage, before, database_size(server)
        )
        done.states.update({name: crm_state(world.sandbox.sandbox) for name, world in worlds.items()})
    return done


@contextmanager
def served(names: Mapping[str, Shape], place: Path) -> Iterator[dict[str, World]]:
    """A world for each tenant; the second of every two reads the workspace of the first."""
    sandboxes: list[Sandbox] = []
    for number, (name, shape) in enumerate(names.items()):
        sandbox = copied(shape.sandbox)
        if number % 2:
            sandbox = replace(sandbox, sample=sandboxes[-1].sample, canny=sandboxes[-1].canny)
        else:
            sandbox.sample.workspace.api_key = f"canny-key-of-{name}-0123456789"
        sandbox.sandbox.portal.token = f"pat-na1-sandbox-of-{name}-0123456789"
        sandbox.production.portal.token = f"pat-na1-production-of-{name}-0123456789"
        sandbox.team.token = f"xoxb-of-{name}-0123456789"
        # As far away as the real systems: a run is mostly waiting.
        for one in (sandbox.canny, sandbox.hubspot_sandbox, sandbox.hubspot_production, sandbox.slack):
            one.latency = latency
        sandboxes.append(sandbox)
    with serving_all(sandboxes) as addresses:
        worlds: dict[str, World] = {}
        for number, name in enumerate(names):
            # One workspace has one address, and with its key that is what its calls are counted by.
            canny = addresses[number - number % 2].canny_base_url
            own = replace(addresses[number], canny_base_url=canny)
            worlds[name] = World(sandboxes[number], own, place / "office")
        yield worlds


@contextmanager
def _working(
    office: Installation, place: Path, workers: int, seed: int
) -> Iterator[dict[int, subprocess.Popen[bytes]]]:
    """Workers by number, each a session of its own, so that its runs die with it."""
    command = [sys.executable, "-m", "integration_assets_tests.proofs.scale.worker"]
    processes = {
        number: subprocess.Popen(
            [*command, str(number), str(place), str(seed), *office.worlds],
            env={**office.environment(), "INTEGRATION_ASSETS_HOME": str(place / f"machine-{number}")},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        for number in range(1, workers + 1)
    }
    try:
        yield processes
    finally:
        for process in processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _kill_one(
    worlds: Mapping[str, World], server: Postgresql, processes: Mapping[int, subprocess.Popen[bytes]]
) -> tuple[int, str]:
    """Kill the worker that is the first to write, in the middle of that write; its number and the tenant."""
    with caught_writing(worlds, server) as (tenant, run):
        group = os.getpgid(run)
        number = next(number for number, process in processes.items() if process.pid == group)
        os.killpg(group, signal.SIGKILL)
    return number, tenant


@contextmanager
def caught_writing(worlds: Mapping[str, World], server: Postgresql) -> Iterator[tuple[str, int]]:
    """The first tenant that is written, and the process of its run, while that write takes `SLOW_SECONDS`."""
    arrived: list[str] = []
    reached = threading.Event()

    def first_write(name: str, request: LoggedRequest) -> bool:
        if reached.is_set() or not is_write(request):
            return False
        arrived.append(name)
        reached.set()
        return True

    faults = {
        name: Fault(lambda request, name=name: first_write(name, request), delay=SLOW_SECONDS)  # type: ignore[misc]
        for name in worlds
    }
    for name, fault in faults.items():
        worlds[name].lookalike().faults.append(fault)
    if not reached.wait(LONGEST_SECONDS):
        raise BrokenError("no worker has written anything")
    tenant = arrived[0]
    with psycopg.connect(server.url) as connection:
        row = connection.execute("SELECT pid FROM run_locks WHERE name = %s", [f"sandbox/{tenant}"]).fetchone()
    if row is None:
        raise BrokenError(f"{tenant} is written, and nobody has its run lock")
    yield tenant, row[0]
    for name, fault in faults.items():
        if fault in worlds[name].lookalike().faults:
            worlds[name].lookalike().faults.remove(fault)


def _outage(server: Postgresql, place: Path, worlds: Mapping[str, World]) -> tuple[float, float]:
    """Stop PostgreSQL when the next tenant is done, and start it again; from when until when it was away."""
    done = len(list(place.glob(f"*{DONE}")))
    _until(lambda: len(list(place.glob(f"*{DONE}"))) > done or done >= len(worlds) - 1)
    began = time.monotonic()
    server.stop()
    time.sleep(AWAY_SECONDS)
    server.start()
    return began, time.monotonic()


def _wait(processes: Mapping[int, subprocess.Popen[bytes]], alive: set[int], place: Path) -> None:
    _until(lambda: all(process.poll() is not None for process in processes.values()))
    if failed := [number for number in sorted(alive) if processes[number].returncode]:
        said = (place / f"worker-{failed[0]}.log").read_text(encoding="utf-8")[-1_000:]
        raise BrokenError(f"worker {failed[0]} ended with {processes[failed[0]].returncode}: {said}")


def _until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not reached():
        if time.monotonic() > deadline:
            raise BrokenError(f"the workers have not come to an end within {LONGEST_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)


def database_size(server: Postgresql) -> int:
    """Bytes of the database that the server's URL names."""
    with psycopg.connect(server.url) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0
