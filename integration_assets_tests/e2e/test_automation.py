"""Nobody at the keyboard: a real daemon on a sandbox in which things happen, and the messages a person gets of it.

Schedules tick once a minute here, and sensors as often as they may. What is read back are the messages in the Slack
look-alike: each problem once, each recovery once, a summary of every run that went well, and nothing else.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from integration_assets.reporting.alert_places import alerts_path, read_alerts
from integration_assets.reporting.alerts import credential_problem
from integration_assets.sandbox.hubspot.faults import migrating
from integration_assets.sandbox.lookalike import Fault
from integration_assets_tests.support.dagster_ui import REPOSITORY, Ui, running_ui
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.schema_changes import with_a_requirement, without_the_requirement
from integration_assets_tests.support.snapshots import Snapshot, copy_of, folder
from integration_assets_tests.support.waiting import until

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(1500),
    pytest.mark.long,  # nine minutes with the real daemon
]

LONGEST_WAIT = 600.0
"""Seconds for one thing to happen; on an idle machine the slowest takes a little more than a minute."""
DAGSTER_YAML = Path(__file__).parents[2] / "dagster.yaml"
SHORTER = {"poll_interval_seconds: 30": "poll_interval_seconds: 2", "max_retries: 2": "max_retries: 1"}
"""Of Dagster's settings: how often it looks for dead runs, and how often it tries them again."""

START_SCHEDULE = """
mutation ($selector: ScheduleSelector!) {startSchedule(scheduleSelector: $selector) {__typename}}
"""
START_SENSOR = """
mutation ($selector: SensorSelector!) {startSensor(sensorSelector: $selector) {__typename}}
"""
RUNS = """
{runsOrError(limit: 500) {... on Runs {results {runId jobName status startTime tags {key value}}}}}
"""
TICKS = """
query ($selector: RepositorySelector!) {
  sensorsOrError(repositorySelector: $selector) {... on Sensors {results {
    name sensorState {ticks(limit: 500) {status error {message} runIds}}
  }}}
  schedulesOrError(repositorySelector: $selector) {... on Schedules {results {
    name scheduleState {ticks(limit: 500) {status error {message} runIds}}
  }}}
}
"""


class Run(NamedTuple):
    """A run as Dagster knows it."""

    run_id: str
    job: str
    status: str
    tags: dict[str, str]


class Office(NamedTuple):
    """A world with a running UI and daemon."""

    world: World
    ui: Ui

    def titles(self) -> list[str]:
        """Texts of all messages Slack accepted, oldest first."""
        return [str(message["text"]) for message in self.world.sandbox.team.messages]

    def news(self) -> list[str]:
        """The messages that are not the plain summary of a good run."""
        return [title for title in self.titles() if not title.endswith("sandbox: succeeded")]

    def runs(self, job: str | None = None) -> list[Run]:
        """All runs, newest first."""
        results = self.ui.ask(RUNS)["runsOrError"]["results"]
        found = [
            Run(one["runId"], one["jobName"], one["status"], {tag["key"]: tag["value"] for tag in one["tags"]})
            for one in results
        ]
        return [run for run in found if job in (None, run.job)]

    def ended(self, job: str, status: str) -> list[Run]:
        """Runs of a job in this status, newest first."""
        return [run for run in self.runs(job) if run.status == status]

    def started_by(self, sensor: str, status: str) -> list[Run]:
        """Syncs that a sensor started and that are in this status, newest first."""
        return [run for run in self.ended("sync", status) if run.tags.get("dagster/sensor_name") == sensor]

    def switch_on(self, *, schedule: str = "", sensor: str = "") -> None:
        """Flip a switch of the Automation page."""
        if schedule:
            self.ui.ask(START_SCHEDULE, selector={**REPOSITORY, "scheduleName": schedule})
        else:
            self.ui.ask(START_SENSOR, selector={**REPOSITORY, "sensorName": sensor})

    def until(self, what: str, happened: Callable[[], Any]) -> Any:
        """Wait for something to be true; returns what it was."""
        seen = lambda: f"{self.titles()}; {self.runs()[:5]}; {what}"  # noqa: E731 - asked only when it fails
        return until(happened, seen, patience=LONGEST_WAIT, every=0.5)

    def until_news(self, words: str) -> None:
        """Wait until the newest message that is news says this."""
        self.until(f"message {words!r}", lambda: words in (self.news() or [""])[-1])


@pytest.fixture(scope="module")
def office(ready_snapshot: Snapshot) -> Iterator[Office]:
    """The small world after setup; a daemon with short intervals, and one retry of a crashed run instead of two."""
    with copy_of(ready_snapshot) as world, folder() as place:
        config = DAGSTER_YAML.read_text(encoding="utf-8")
        for long, short in SHORTER.items():
            assert long in config
            config = config.replace(long, short)
        (place / "dagster.yaml").write_text(config, encoding="utf-8")
        environment = world.environment(
            DAGSTER_HOME=str(place),
            INTEGRATION_ASSETS_ENVIRONMENT="sandbox",
            INTEGRATION_ASSETS_SYNC_MINUTES="1",
            INTEGRATION_ASSETS_ASK_MINUTES="1",
        )
        with running_ui(environment, place) as ui:
            yield Office(world, ui)


def kill(office: Office, run_id: str) -> None:
    """kill -9 of the process in which Dagster executes this run."""

    def process() -> str:
        lines = [str(event.get("message")) for event in office.ui.events(run_id)]
        return next((found[1] for line in lines if (found := re.search(r"in process \(pid: (\d+)\)", line))), "")

    os.kill(int(office.until("the start of its steps", process)), signal.SIGKILL)


def test_things_happen_and_a_person_hears_of_each_of_them_once(office: Office) -> None:
    """Edits, an outage with an appointment, a crash, a refused key while Slack is down, a drift: told and recovered."""
    world, expected = office.world, []

    # Somebody starts a sync by hand, and switches on what looks for changes.
    office.ui.launch("sync")
    office.until("the first summary", office.titles)
    office.switch_on(sensor="sync_on_change")

    # A vote: the sensor asks and starts a sync, before the schedule is switched on.
    world.vote("dark mode", "gus")
    office.until("a sync on change", lambda: office.started_by("sync_on_change", "SUCCESS"))
    assert office.news() == []

    # The portal asks to come back in a while; a sensor does, when it is time.
    away = migrating(lambda _request: True, 10, times=None)
    world.sandbox.hubspot_sandbox.faults.append(away)
    office.ui.launch("sync")
    office.until_news("not finished, will be tried again")
    expected.append("not finished, will be tried again")
    world.sandbox.hubspot_sandbox.faults.remove(away)
    office.until_news("recovered, succeeded")
    expected.append("recovered, succeeded")
    [again] = office.until("the end of the retry", lambda: office.started_by("retry_later", "SUCCESS"))
    assert again.tags["integration_assets/retry"] == "1"

    # A run dies, and so does the one with which Dagster tries it again.
    slow = Fault(matches=lambda _request: True, times=None, delay=60.0)
    world.sandbox.hubspot_sandbox.faults.append(slow)
    first = office.ui.launch("sync")
    killed: set[str] = set()
    while len(killed) < 2:
        victim = office.until("a run to kill", lambda: office.ended("sync", "STARTED"))[0]
        if victim.run_id in killed:  # nobody has noticed yet
            time.sleep(0.5)
            continue
        kill(office, victim.run_id)
        killed.add(victim.run_id)
        if len(killed) == 1:
            assert victim.run_id == first
    office.until_news("a run died")
    expected.append("a run died")
    world.sandbox.hubspot_sandbox.faults.remove(slow)
    office.ui.launch("sync")
    office.until_news("recovered, succeeded")
    expected.append("recovered, succeeded")

    # While Slack is down, the key of the feedback system is taken away. It is told when Slack is back, once.
    down = Fault(matches=lambda _request: True, times=None, status=503, body=b"Service Unavailable")
    world.sandbox.slack.faults.append(down)
    key, world.canny.api_key = world.canny.api_key, "another key"
    alerts = alerts_path(world.home, "sandbox", "default")
    office.until("a question that is refused", lambda: credential_problem("canny") in read_alerts(alerts).open)
    office.switch_on(schedule="sync_schedule")
    before = len(office.ended("sync", "FAILURE"))
    office.until("two syncs that are refused", lambda: len(office.ended("sync", "FAILURE")) >= before + 2)
    assert len(office.news()) == len(expected)
    world.sandbox.slack.faults.remove(down)
    office.until_news("A credential does not work: canny")
    expected.append("A credential does not work: canny")
    world.canny.api_key = key
    office.until_news("recovered, succeeded")
    expected.append("recovered, succeeded")

    # Somebody makes a property of our object required in the CRM: the gate holds every run until it is not.
    with_a_requirement(world)
    office.until_news("held, nothing written")
    expected.append("held, nothing written")
    held = len(office.ended("sync", "FAILURE"))
    office.until("another run that is held", lambda: len(office.ended("sync", "FAILURE")) > held)
    without_the_requirement(world)
    office.until_news("recovered, succeeded")
    expected.append("recovered, succeeded")

    # An edit while everything is well, and the turn after it.
    good = len(office.ended("sync", "SUCCESS"))
    key_of_it = world.add_request("Export to spreadsheets", voters=["gus"])
    office.until("two more good runs", lambda: len(office.ended("sync", "SUCCESS")) >= good + 2)
    assert key_of_it in world.in_crm().records

    heard = [next((words for words in expected if words in title), title) for title in office.news()]
    assert heard == expected
    told = Counter(str(message["metadata"]["event_payload"]["run_id"]) for message in world.sandbox.team.messages)
    assert set(told.values()) == {1}
    well = {run.run_id for run in office.ended("sync", "SUCCESS")}
    office.until("the last summary", lambda: well <= set(_told(world)))
    assert not {run.run_id for run in office.runs() if run.job != "sync"} & set(told)


def _told(world: World) -> list[str]:
    return [str(message["metadata"]["event_payload"]["run_id"]) for message in world.sandbox.team.messages]


def test_no_tick_failed(office: Office) -> None:
    """Every schedule and sensor has ticked, and none of them raised."""
    found = office.ui.ask(TICKS, selector=REPOSITORY)
    states = {one["name"]: one["sensorState"] for one in found["sensorsOrError"]["results"]}
    states |= {one["name"]: one["scheduleState"] for one in found["schedulesOrError"]["results"]}
    assert set(states) == {
        "sync_schedule",
        "prune_run_history",
        "sync_on_change",
        "retry_later",
        "dead_runs",
        "credentials",
        "tenants",
        "requested_runs",
    }
    for name, state in states.items():
        # Once a day, at night: this day is shorter.
        assert state["ticks"] or name == "prune_run_history", name
        assert [tick["error"] for tick in state["ticks"] if tick["status"] == "FAILURE"] == [], name
    assert [run.status for run in office.runs("check_credentials")] == ["SUCCESS"]
    # More than an hour of the intervals a fresh installation has: a quarter of a sync, and no run for a question.
    assert {run.job for run in office.runs()} == {"sync", "check_credentials"}
    assert len([run for run in office.runs("sync") if "dagster/schedule_name" in run.tags]) >= 4
