"""How a bad credential ends a run, and what the doctor finds: seeded faults, false alarms, time and writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple
from unittest import mock

from integration_assets.doctor.table import CHECKS
from integration_assets.sandbox.lookalike import Fault
from integration_assets_tests.doctor.seeded import SEEDED
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.practice import TENANT, Practice, practice, writes_of

NOTICED_SECONDS = 60.0
EXAMINED_SECONDS = 15.0
ANOTHER = "another one since, with 20 characters"
EXPIRED = b'{"status":"error","category":"EXPIRED_AUTHENTICATION","message":"The access token expired"}'


@contextmanager
def _expired(practice: Practice) -> Iterator[None]:
    faults = practice.world.sandbox.hubspot_sandbox.faults
    faults.append(Fault(lambda _: True, times=None, status=401, body=EXPIRED))
    yield
    faults.clear()


BAD: dict[str, Callable[[Practice], AbstractContextManager[object]]] = {
    "the Canny key revoked": lambda made: mock.patch.object(made.world.canny, "api_key", ANOTHER),
    "the HubSpot token revoked": lambda made: mock.patch.object(made.world.portal, "token", ANOTHER),
    "the HubSpot token expired": _expired,
}
"""How a credential goes bad between two runs."""


class Noticed(NamedTuple):
    """A run with a bad credential."""

    code: int
    seconds: float
    writes: int
    said: str

    @property
    def named(self) -> bool:
        """Whether the tenant whose credential it is was named."""
        return self.code == 1 and f"of tenant {TENANT}" in self.said


def noticed(made: Practice, what: str) -> Noticed:
    """Start a run after a credential went bad."""
    made.forget()
    with BAD[what](made):
        began = time.monotonic()
        ran = made.made.run("sync", "--tenant", TENANT)
        seconds = time.monotonic() - began
    writes = len(made.world.writes()) + len(made.world.writes("production"))
    return Noticed(ran.code, seconds, writes, ran.err)


@proof(
    "doctor",
    "figures",
    "The doctor finds every seeded fault, and a run with a bad credential ends at once and names it.",
    alone=True,
)
def measure(_scale: Scale) -> Iterator[Row]:
    """One installation with everything in it; each fault is taken away again before the next."""
    with practice() as made:
        examined = list(_examinations(made))
        yield _at_run_start(made)  # it leaves its traces: what failed last is no false alarm afterwards
        yield from examined


def _at_run_start(made: Practice) -> Row:
    runs = [noticed(made, what) for what in BAD]
    slowest = max(run.seconds for run in runs)
    writes = sum(run.writes for run in runs)
    ended = sum(run.named for run in runs)
    return Row(
        "bad credentials noticed at the start of a run",
        f"{ended} of {len(runs)} ended FAILED and named, {slowest:.1f} s at the most, {writes} writes",
        f"all within {NOTICED_SECONDS:.0f} s, 0 writes",
        ended == len(runs) and slowest <= NOTICED_SECONDS and not writes,
    )


def _examinations(made: Practice) -> Iterator[Row]:
    made.forget()
    taken = []

    def timed(**variables: str | None) -> dict[int, str]:
        began = time.monotonic()
        not_ok = made.examine(**variables).not_ok()
        taken.append(time.monotonic() - began)
        return not_ok

    false_alarms = len(timed())
    found = 0
    for number, fault in SEEDED.items():
        with fault.put(made) as variables:
            not_ok = timed(**variables)
        found += not_ok.get(number, "").startswith(f"{fault.verdict}: ")
    writes = len(writes_of(made.requests()))
    yield Row(
        "faults the doctor finds",
        f"{found} of {len(SEEDED)} seeded ones, {false_alarms} false alarms on a healthy installation",
        f"{len(CHECKS)} of {len(CHECKS)}, 0 false alarms",
        found == len(SEEDED) == len(CHECKS) and not false_alarms,
    )
    yield Row(
        "an examination by the doctor",
        f"{max(taken):.1f} s at the most of {len(taken)}, {writes} write requests",
        f"at most {EXAMINED_SECONDS:.0f} s, 0 writes",
        max(taken) <= EXAMINED_SECONDS and not writes,
    )
