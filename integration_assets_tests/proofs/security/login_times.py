"""What the time of an answer tells of who has a login. Measured: no test asserts it, `make security` prints it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from integration_assets_tests.proofs.security.pages import ACME, pages
from integration_assets_tests.support.web_site import Client

ROUNDS = 20
MOST_DIFFERENCE = 0.10


def figures() -> Iterator[tuple[str, int, int]]:
    """Name, whether it is as it should be (1 of 1); the measured value is part of the name."""
    difference = timing_difference()
    fine = int(difference < MOST_DIFFERENCE)
    yield f"time of an unknown user differs by {difference:.1%} (below {MOST_DIFFERENCE:.0%})", fine, 1


def timing_difference() -> float:
    """Difference of the median times of a known and an unknown user, over HTTP, as a share of the former."""
    taken: dict[str, list[float]] = {ACME: [], "nobody@acme.example": []}
    with pages() as served, Client(served.site.origin) as client:
        for _ in range(ROUNDS):
            for login, times in taken.items():
                began = time.perf_counter()
                assert client.log_in(login, "not the password at all").status_code == 401
                times.append(time.perf_counter() - began)
    known, unknown = (statistics.median(times) for times in taken.values())
    return abs(known - unknown) / known
