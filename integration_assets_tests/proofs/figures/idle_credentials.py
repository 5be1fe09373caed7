"""How a credential that goes bad, or will, is noticed while no run needs it: by the regular look, told once."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import ceil
from unittest import mock

import dagster as dg

from integration_assets.assets.names import Names
from integration_assets.automation.credentials import credentials_job
from integration_assets.automation.sensors import due_looks
from integration_assets.sandbox.lookalike import Fault
from integration_assets.tenants.outcomes import EXPIRY_NOTICE
from integration_assets_tests.proofs.registry import Row, Scale, proof
from integration_assets_tests.support.practice import INTEGRATIONS, TENANT, Practice, practice, writes_of

IDLE = timedelta(hours=24)
TICK = timedelta(minutes=10)
"""The sensor's interval."""
DAYS_AHEAD, FROM_DAYS = 14, 33
REFUSED = {
    "canny": b'{"error":"invalid api key"}',
    "hubspot": b'{"status":"error","category":"EXPIRED_AUTHENTICATION"}',
}


def longest_pause(days: int) -> timedelta:
    """Between two looks at one tenant's credentials, when nothing else happens. `days` of ticks are gone through."""
    begin, looked = datetime(2026, 3, 1, 0, 7, tzinfo=UTC), []
    taken: datetime | None = None
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("integration_assets_tenants", [TENANT])
        for number in range(int(timedelta(days=days) / TICK)):
            requests, taken = due_looks(instance, taken, begin + number * TICK)
            looked += [begin + number * TICK] * len(requests)
    return max(after - before for before, after in itertools.pairwise(looked))


def seen(made: Practice) -> dict[str, str]:
    """The environment of a process of this installation."""
    return made.world.environment(**made.made._seen({}))


def look(made: Practice) -> list[str]:
    """One look, as the sensor starts it; the texts of the messages it led to."""
    team = made.world.sandbox.team
    before = len(team.messages)
    with dg.DagsterInstance.ephemeral() as instance, mock.patch.dict(os.environ, seen(made), clear=True):
        instance.add_dynamic_partitions("integration_assets_tenants", [TENANT])
        job = credentials_job(Names())
        result = job.execute_in_process(instance=instance, partition_key=TENANT, raise_on_error=False)
    assert result.success
    return [str(message["text"]) for message in team.messages[before:]]


def told_of_refusals(made: Practice) -> Iterator[bool]:
    """For each system: whether its refusal was told at the first look, not again, and its end once."""
    lookalikes = {"canny": made.world.sandbox.canny, "hubspot": made.world.sandbox.hubspot_sandbox}
    for system, lookalike in lookalikes.items():
        lookalike.faults.append(Fault(lambda _: True, times=None, status=401, body=REFUSED[system]))
        heard = [look(made), look(made)]
        lookalike.faults.clear()
        heard += [look(made), look(made)]
        bad, well = f"A credential does not work: {system} → sandbox", f"A credential works again: {system} → sandbox"
        yield heard == [[bad], [], [well], []]


def told_ahead(made: Practice) -> list[int]:
    """Days left of a credential at each look that warned of it, of a look a day."""
    place, today = INTEGRATIONS[0], datetime.now(UTC)
    over = (today + timedelta(days=FROM_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
    made.made.good("tenants", "integrations", "change", TENANT, *place, "--expires", f"{over:%Y-%m-%d}")
    warned = []
    for day in range(FROM_DAYS + 1):
        then = today + timedelta(days=day)
        with mock.patch("integration_assets.automation.credentials.datetime") as clock:
            clock.now.return_value = then
            heard = look(made)
        warned += [ceil((over - then) / timedelta(days=1)) for text in heard if text.startswith("A credential expire")]
    made.made.good("tenants", "integrations", "change", TENANT, *place, "--expires", "never")
    return warned


@proof(
    "idle_credentials",
    "figures",
    "A credential that goes bad, or will, is noticed while no run needs it, and told once.",
)
def measure(_scale: Scale) -> Iterator[Row]:
    """One installation; the looks are made as the sensor's job makes them."""
    pause = longest_pause(days=14)
    with practice() as made:
        made.forget()
        told = list(told_of_refusals(made))
        writes = len([one for one in writes_of(made.requests()) if not one.endswith("/chat.postMessage")])
        ahead = told_ahead(made)
    yield Row(
        "refused credentials noticed while idle",
        f"{sum(told)} of {len(told)} told at the first look, once, and recovered once; looks at most "
        f"{pause.total_seconds() / 3600:.1f} h apart, {writes} writes",
        f"all, at most {IDLE.total_seconds() / 3600:.0f} h, 0 writes",
        all(told) and pause <= IDLE and not writes,
    )
    yield Row(
        "known expiry told ahead",
        f"with {', '.join(map(str, ahead))} days left, of a look a day",
        f"once each with {', '.join(map(str, EXPIRY_NOTICE))}, the first at least {DAYS_AHEAD} days ahead",
        ahead == list(EXPIRY_NOTICE) and ahead[0] >= DAYS_AHEAD,
    )
