"""How many passwords of one account can be tried in an hour."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from unittest import mock

from integration_assets_tests.proofs.registry import Row, Scale, proof

MOST_GUESSES = 300
HOUR = 3_600.0


@proof("logins", "security", "Passwords cannot be tried quickly.", small=1)
def measure(_scale: Scale) -> Iterator[Row]:
    """Count the guesses of somebody who never rests."""
    guesses = guesses_in_an_hour()
    yield Row("login guesses per hour and account", f"{guesses}", f"at most {MOST_GUESSES}", guesses <= MOST_GUESSES)


def guesses_in_an_hour() -> int:
    """Guesses that are looked at, of somebody who comes from a new address each time and never rests."""
    from integration_assets.web.attempt_limits import TooManyAttemptsError, login_limit

    clock = [1_000_000.0]

    async def sleep(seconds: float) -> None:
        clock[0] += seconds

    async def guess() -> int:
        tries = login_limit()
        tries.sleep, tries.now = sleep, lambda: clock[0]
        end, looked_at, number = clock[0] + HOUR, 0, 0
        while clock[0] < end:
            number += 1
            try:
                await tries.wait(account="ann", address=f"address {number}")
                looked_at += clock[0] < end
            except TooManyAttemptsError as refused:
                clock[0] += min(refused.seconds, 1)
        return looked_at

    with mock.patch("time.time", side_effect=lambda: clock[0]):
        return asyncio.run(guess())
