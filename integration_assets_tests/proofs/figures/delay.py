"""How much longer a tenant's run takes while another tenant's runs fail beside it, in costly ways.

Every run is a process of its own, as in production: they share a home with its registry, limiter files and Dagster
records, and nothing else. Processes also share processors, which says nothing about the product: the runs beside have
the lowest priority, the time in which the measured run stood ready but had no processor is left out where the kernel
tells it (Linux), and a healthy run beside is measured as well. Each condition is measured once in every round, together
with a run that is alone, and the median of the rounds counts.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

from integration_assets.sandbox.lookalike import Fault, LoggedRequest, Lookalike
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.installation import Installation, installation
from integration_assets_tests.support.snapshots import folder

MEASURED, BESIDE = "acme", "globex"
MOST = 0.10
LIMIT_SECONDS = 120.0
LOWEST_PRIORITY = 19
PROC = Path("/proc")


class Trouble(NamedTuple):
    """How the runs beside go wrong: what happens at which of their tenant's systems. No fault: they do not."""

    where: Callable[[World], Lookalike]
    fault: Fault | None


def _canny(world: World) -> Lookalike:
    return world.sandbox.canny


def _crm(world: World) -> Lookalike:
    return world.lookalike()


def _any(_request: LoggedRequest) -> bool:
    return True


ALONE, HEALTHY = "alone", "is healthy"
TROUBLES: dict[str, Trouble] = {
    HEALTHY: Trouble(_canny, None),
    "hangs at its Canny": Trouble(_canny, Fault(_any, times=None, delay=LIMIT_SECONDS)),
    "gets 429 only": Trouble(_canny, Fault(_any, times=None, status=429, headers={"retry-after": "1"})),
    "gets 500 from its CRM": Trouble(_crm, Fault(_any, times=None, status=500)),
    "has a revoked token": Trouble(_crm, Fault(_any, times=None, status=401)),
}


class Took(NamedTuple):
    """Seconds of a run: from its start to its end, and those of them in which it waited for a processor."""

    seconds: float
    queued: float

    @property
    def own(self) -> float:
        """Seconds that it would have taken with a processor to itself."""
        return self.seconds - self.queued


@dataclass
class Beside:
    """The runs of the other tenant, one after the other until `stop`."""

    made: Installation
    codes: list[int] = field(default_factory=list)
    """Exit codes of those that ended by themselves."""

    def __post_init__(self) -> None:
        """Start the first."""
        self._stopped = False
        self._lock = threading.Lock()
        self._process = self._start()
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()

    def stop(self) -> None:
        """End the run that goes on, as a supervisor does, and start no other."""
        with self._lock:
            self._stopped = True
            self._process.terminate()
        self._thread.join()

    def _start(self) -> subprocess.Popen[str]:
        process = self.made.start("sync", "--tenant", BESIDE)
        os.setpriority(os.PRIO_PROCESS, process.pid, LOWEST_PRIORITY)
        return process

    def _go_on(self) -> None:
        while True:
            self._process.communicate()
            with self._lock:
                if self._stopped:
                    return
                self.codes.append(self._process.returncode)
                self._process = self._start()


@contextmanager
def beside(made: Installation, trouble: Trouble) -> Iterator[Beside]:
    """Runs of the other tenant, which have asked the system in question before the block begins.

    Raises:
        TimeoutError: they never do.
    """
    system = trouble.where(made.worlds[BESIDE])
    system.clear()
    if trouble.fault:
        system.faults.append(trouble.fault)
    runs = Beside(made)
    try:
        until = time.monotonic() + LIMIT_SECONDS
        while not system.requests:
            if time.monotonic() > until:
                raise TimeoutError("the run beside asked nothing")
            time.sleep(0.05)
        yield runs
    finally:
        runs.stop()
        system.clear()


def run(made: Installation) -> Took:
    """A run of the measured tenant, which must succeed.

    Raises:
        RuntimeError: it failed.
    """
    began = time.monotonic()
    with (made.home / "measured.txt").open("w+b") as said:
        process = made.start("sync", "--tenant", MEASURED, output=said)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        took = Took(time.monotonic() - began, _queued(process.pid))
        if process.wait():
            said.seek(0)
            raise RuntimeError(f"the measured run failed: {said.read().decode()}")
    return took


def _queued(pid: int) -> float:
    """Seconds in which the main thread of a process that has ended, and is not reaped, had no processor; else 0."""
    with suppress(FileNotFoundError):
        return int((PROC / str(pid) / "schedstat").read_text().split()[1]) / 1e9
    return 0.0


def delays(rounds: list[Mapping[str, Took]], name: str, seconds: Callable[[Took], float]) -> float:
    """By which part of itself a run takes longer under a condition than alone: the median of the rounds."""
    return median(seconds(one[name]) / seconds(one[ALONE]) - 1 for one in rounds)


def measured(rounds: int) -> list[Mapping[str, Took]]:
    """Runs of the measured tenant by condition, in rounds; each round begins with another condition.

    Raises:
        RuntimeError: the measured run failed, or one beside did not fail.
    """
    found: list[Mapping[str, Took]] = []
    with folder() as home, installation(home, MEASURED, BESIDE) as made:
        for tenant in made.worlds:
            made.register(tenant)
            made.good("setup", "--tenant", tenant, "--yes")
            made.good("sync", "--tenant", tenant)
        run(made)  # what is compiled or cached once is not measured
        conditions = [ALONE, *TROUBLES]
        for number in range(rounds):
            first = number % len(conditions)
            found.append({name: _under(made, name) for name in [*conditions[first:], *conditions[:first]]})
    return found


def _under(made: Installation, name: str) -> Took:
    if name == ALONE:
        return run(made)
    with beside(made, TROUBLES[name]) as runs:
        took = run(made)
    if name != HEALTHY and 0 in runs.codes:
        raise RuntimeError(f"a run beside that {name} succeeded")
    return took


@proof(
    "delay",
    "figures",
    "A tenant's run takes no longer because another tenant's runs fail beside it.",
    whole=5,
    unit="rounds",
    alone=True,
)
def measure(scale: Scale) -> Iterator[Row]:
    """The worst of the troubles, beside the healthy run; as it would be with enough processors, and as it was."""
    rounds = measured(scale.count)
    yield figure(rounds)


def figure(rounds: list[Mapping[str, Took]]) -> Row:
    """What was measured, in words."""
    own = {name: delays(rounds, name, lambda took: took.own) for name in TROUBLES}
    troubles = [name for name in TROUBLES if name != HEALTHY]
    worst = max(troubles, key=lambda name: own[name])
    by_clock = max(delays(rounds, name, lambda took: took.seconds) for name in troubles)
    healthy = delays(rounds, HEALTHY, lambda took: took.seconds)
    each = ", ".join(f"{name} {own[name]:+.1%}" for name in TROUBLES)
    alone = median(took[ALONE].own for took in rounds)
    return Row(
        "another tenant's run longer when one fails",
        f"{own[worst]:+.1%} at the most ({each}) of {alone:.1f} s alone, {len(rounds)} rounds; with the wait for "
        f"{os.cpu_count()} processors {by_clock:+.1%} at the most, {healthy:+.1%} beside a healthy one",
        f"less than {MOST:.0%}",
        own[worst] < MOST,
    )
