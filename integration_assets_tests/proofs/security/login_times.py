"""What the time of an answer tells of who has a login. Measured: no test asserts it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.proofs.security.pages import ACME, pages
from integration_assets_tests.support.web_site import Client

MOST_DIFFERENCE = 0.10


@proof(
    "login_times",
    "security",
    "The time of an answer does not tell who has a login.",
    whole=20,
    unit="rounds",
    alone=True,
)
def measure(scale: Scale) -> Iterator[Row]:
    """Compare the medians."""
    difference = timing_difference(scale.count)
    yield Row(
        "time of an unknown user's answer differs",
        f"by {difference:.1%}",
        f"less than {MOST_DIFFERENCE:.0%}",
        difference < MOST_DIFFERENCE,
    )


def timing_difference(rounds: int) -> float:
    """Difference of the median times of a known and an unknown user, over HTTP, as a share of the former."""
    taken: dict[str, list[float]] = {ACME: [], "nobody@acme.example": []}
    with pages() as served, Client(served.site.origin) as client:
        for _ in range(rounds):
            for login, times in taken.items():
                began = time.perf_counter()
                assert client.log_in(login, "not the password at all").status_code == 401
                times.append(time.perf_counter() - began)
    known, unknown = (statistics.median(times) for times in taken.values())
    return abs(known - unknown) / known
