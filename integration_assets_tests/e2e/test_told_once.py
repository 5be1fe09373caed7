"""What Slack gets of runs that a schedule starts: each ending once, read back from the Slack look-alike."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import dagster as dg
import pytest

from integration_assets.sandbox.hubspot.faults import migrating, rate_limit
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.schema_changes import with_a_requirement, without_the_requirement

pytestmark = pytest.mark.proof  # four syncs for each ending: part of `make proofs`

BY_SCHEDULE = {"dagster/schedule_name": "sync_schedule"}


class Scheduled:
    """Syncs of one world as the daemon starts them."""

    def __init__(self, world: World, instance: dg.DagsterInstance) -> None:
        self.world, self.instance = world, instance

    def run(self, **tags: str) -> list[dict[str, Any]]:
        """One run; the messages it led to."""
        from integration_assets.definitions import defs

        messages = self.world.sandbox.team.messages
        before = len(messages)
        environment = self.world.environment(INTEGRATION_ASSETS_UI_URL="http://127.0.0.1:3000/")
        with mock.patch.dict(os.environ, environment, clear=True):
            defs.resolve_job_def("sync").execute_in_process(
                instance=self.instance, partition_key="default", raise_on_error=False, tags={**BY_SCHEDULE, **tags}
            )
        return messages[before:]

    def title(self) -> str:
        """The text of the one message of a run."""
        [message] = self.run()
        return str(message["text"]).removeprefix("Feature requests → sandbox: ")


@pytest.fixture
def scheduled(synced: World, instance: dg.DagsterInstance) -> Scheduled:
    """The small world after its first sync."""
    return Scheduled(synced, instance)


def _refused(world: World) -> Callable[[], None]:
    key, world.canny.api_key = world.canny.api_key, "another key"
    return lambda: setattr(world.canny, "api_key", key)


def _held(world: World) -> Callable[[], None]:
    with_a_requirement(world)
    return lambda: without_the_requirement(world)


def _away(world: World) -> Callable[[], None]:
    fault = migrating(lambda _: True, 3_600, times=None)
    world.sandbox.hubspot_sandbox.faults.append(fault)
    return lambda: world.sandbox.hubspot_sandbox.faults.remove(fault)


ENDINGS = {
    "failed": (_refused, "failed"),
    "held": (_held, "held, nothing written"),
    "retry later": (_away, "not finished, will be tried again"),
}


@pytest.mark.parametrize(
    "ending",
    ["failed", *(pytest.param(ending, marks=pytest.mark.long) for ending in ENDINGS if ending != "failed")],
)
def test_a_problem_is_told_once_and_its_recovery(scheduled: Scheduled, ending: str) -> None:
    """Three runs that end the same way are one message; the first good one says what is over; then it is as always."""
    spoil, title = ENDINGS[ending]
    mend = spoil(scheduled.world)
    [first] = scheduled.run()
    assert first["text"].endswith(title)
    shown = str(first["blocks"])
    assert "*What happened*" in shown
    assert "*What to do*" in shown
    assert "The next message comes when this changes." in shown
    assert "http://127.0.0.1:3000/runs/" in shown
    assert scheduled.run() == []
    assert scheduled.run() == []
    mend()
    [over] = scheduled.run()
    assert over["text"].endswith("recovered, succeeded")
    assert re.search(
        r"\*Recovered\*\\n3 runs since 20\d\d-\d\d-\d\d \d\d:\d\d UTC did not get through: ", str(over["blocks"])
    )
    assert scheduled.title() == "succeeded"


def test_another_problem_is_told_anew(scheduled: Scheduled) -> None:
    """A run that fails for one reason after another is not the same news twice."""
    back = _away(scheduled.world)
    assert scheduled.title() == "not finished, will be tried again"
    back()
    mend = _held(scheduled.world)
    assert scheduled.title() == "held, nothing written"
    mend()
    assert scheduled.title() == "recovered, succeeded"


def test_a_run_by_hand_is_always_answered(scheduled: Scheduled) -> None:
    """Whoever starts a run is told how it ended, known or not."""
    _refused(scheduled.world)
    assert scheduled.title() == "failed"
    assert scheduled.run() == []
    messages = scheduled.world.sandbox.team.messages
    before = len(messages)
    assert scheduled.world.run("sync").code == 1
    assert [message["text"] for message in messages[before:]] == ["Feature requests → sandbox: failed"]


@pytest.mark.parametrize(
    ("fault", "after"),
    [
        (migrating(lambda _: True, 3_600, times=None), timedelta(hours=1)),
        (rate_limit(lambda _: True, "DAILY", times=None), None),
    ],
)
def test_the_message_names_the_time_of_the_next_try(scheduled: Scheduled, fault: Any, after: timedelta | None) -> None:
    """The one the other side named, or the next midnight of the portal; the third retry promises no fourth."""
    scheduled.world.sandbox.hubspot_sandbox.faults.append(fault)
    begun = datetime.now(UTC)
    [message] = scheduled.run()
    found = re.search(r"tried again by itself at (\S+ \S+) UTC, try 1 of 3\.", str(message["blocks"]))
    assert found is not None
    named = datetime.strptime(found[1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    if after is not None:
        assert timedelta() <= named + timedelta(minutes=1) - (begun + after) <= timedelta(minutes=2)
    else:
        assert timedelta() < named - begun <= timedelta(hours=24, minutes=2)
        assert named.minute in (1, 31)  # a minute after midnight, in a time zone of whole or half hours
    scheduled.world.sandbox.hubspot_sandbox.faults.clear()
    scheduled.run()
    scheduled.world.sandbox.hubspot_sandbox.faults.append(fault)
    [last] = scheduled.run(**{"integration_assets/retry": "3"})
    assert "tried again by itself" not in str(last["blocks"])
