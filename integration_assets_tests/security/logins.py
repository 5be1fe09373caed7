"""How many passwords of one account can be tried in an hour, and what the time of an answer tells."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from unittest import mock

from integration_assets_tests.security.pages import ACME, pages
from integration_assets_tests.web.serving import Client

MOST_GUESSES = 300
ROUNDS = 20
MOST_DIFFERENCE = 0.10
HOUR = 3_600.0


def figures() -> Iterator[tuple[str, int, int]]:
    """Name, whether it is as it should be (1 of 1); the measured value is part of the name."""
    guesses = guesses_in_an_hour()
    yield f"login guesses per hour and account: {guesses} (at most {MOST_GUESSES})", int(guesses <= MOST_GUESSES), 1
    difference = timing_difference()
    fine = int(difference < MOST_DIFFERENCE)
    yield f"time of an unknown user differs by {difference:.1%} (below {MOST_DIFFERENCE:.0%})", fine, 1


def guesses_in_an_hour() -> int:
    """Guesses that are looked at, of somebody who comes from a new address each time and never rests."""
    from integration_assets.web.trying import TooManyTriesError, login_tries

    clock = [1_000_000.0]

    async def sleep(seconds: float) -> None:
        clock[0] += seconds

    async def guess() -> int:
        tries = login_tries()
        tries.sleep, tries.now = sleep, lambda: clock[0]
        end, looked_at, number = clock[0] + HOUR, 0, 0
        while clock[0] < end:
            number += 1
            try:
                await tries.wait(account="ann", address=f"address {number}")
                looked_at += clock[0] < end
            except TooManyTriesError as refused:
                clock[0] += min(refused.seconds, 1)
        return looked_at

    with mock.patch("time.time", side_effect=lambda: clock[0]):
        return asyncio.run(guess())


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
