"""Alerts and unsent messages that machines share: two homes, one PostgreSQL, and Slack's own list of messages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import dagster as dg
import duckdb
import psycopg
import pytest

from integration_assets.automation.announcements import Announcement, announce, post_what_waits
from integration_assets.automation.sensors import speak_for
from integration_assets.config import Settings, load_settings
from integration_assets.coordination.alert_record import AlertRecord, forget_records
from integration_assets.coordination.database import Database, shared_database
from integration_assets.errors import CoordinationError
from integration_assets.reporting.alert_places import SharedAlerts, alerts_of, alerts_path, read_alerts
from integration_assets.reporting.alerts import Alerts, HeldAlerts, note_end
from integration_assets.reporting.outbox import OutboxMessage, StoreOutbox
from integration_assets.reporting.shared_outbox import SharedOutbox, hand_over
from integration_assets.runs.launch import JOB_TAG
from integration_assets.sandbox.lookalike import Fault
from integration_assets.staging.store import open_store
from integration_assets_tests.conftest import Served
from integration_assets_tests.support.postgresql import Postgresql, as_registry
from integration_assets_tests.support.waiting import until

TENANT = "default"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNOUNCER = """
import sys
from integration_assets.automation.announcements import Announcement, announce
from integration_assets.config import load_settings
settings = load_settings()
news = Announcement(subject="credential canny", problem="refused", title="The key is refused", happened="It says no.")
print("ready", flush=True)
sys.stdin.readline()
announce(settings, "default", news)
"""
OVER = Announcement(subject="credential canny", problem=None, title="The key works", happened="It works again.")


class Machines:
    """Machines by name, each with a home of its own, and one PostgreSQL and Slack between them."""

    def __init__(self, served: Served, server: Postgresql, place: Path) -> None:
        self.slack = served.sandbox.slack
        self.team = served.sandbox.team
        self._place = place
        clean = {name: value for name, value in os.environ.items() if not name.startswith("INTEGRATION_ASSETS_")}
        self._variables = {**clean, **served.addresses.environment(), **as_registry(server.url)}

    def environment(self, name: str) -> dict[str, str]:
        """What a process of a machine sees."""
        return {**self._variables, "INTEGRATION_ASSETS_HOME": str(self._place / name)}

    def settings(self, name: str) -> Settings:
        """Settings of a machine."""
        with mock.patch.dict(os.environ, self.environment(name), clear=True):
            return load_settings()

    def announcer(self, name: str) -> subprocess.Popen[str]:
        """A process on a machine that announces a refused key once it is told to."""
        return subprocess.Popen(
            [sys.executable, "-c", ANNOUNCER],
            env=self.environment(name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def heard(self) -> list[str]:
        """Texts of the messages in Slack."""
        return [str(message["text"]) for message in self.team.messages]


@pytest.fixture
def machines(small_sandbox: Served, server: Postgresql, database: Database, tmp_path: Path) -> Iterator[Machines]:
    """Machines on which nothing was announced yet."""
    forget_records(database, f"sandbox/{TENANT}")
    made = Machines(small_sandbox, server, tmp_path)
    yield made
    if shared := shared_database(made.settings("any")):
        shared.close()


@pytest.fixture
def empty_store(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A staging store in which no run was recorded yet."""
    with open_store(tmp_path / "default.duckdb") as connection:
        yield connection


def go(*processes: subprocess.Popen[str]) -> None:
    """Let processes that are ready do what they are there for."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def test_two_machines_tell_an_alert_once_and_its_end_once(machines: Machines) -> None:
    """Both find it at the same time, and one message is posted; whichever finds that it is over, one more."""
    both = [machines.announcer(name) for name in ("one", "two")]
    go(*both)
    for process in both:
        process.communicate()
    assert [process.returncode for process in both] == [0, 0]
    assert machines.heard() == ["The key is refused → sandbox"]
    changes = [announce(machines.settings(name), TENANT, OVER)[0].change for name in ("two", "one")]
    assert changes == ["recovered", "none"]
    assert machines.heard()[1:] == ["The key works → sandbox"]
    assert not alerts_path(machines.settings("one").home, "sandbox", TENANT).exists()


def test_what_a_killed_machine_was_sending_is_sent_by_another_and_says_so(machines: Machines) -> None:
    """At least once: it had arrived, which nobody can know, so that the second one is told as a possible repeat."""
    machines.slack.faults.append(Fault(lambda _: True, status=200, after_commit=True, body_delay=60))
    killed = machines.announcer("one")
    go(killed)
    until(machines.heard, "a message in Slack")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    until(lambda: post_what_waits(machines.settings("two"), TENANT) == [] and len(machines.heard()) > 1, "a repeat")
    assert machines.heard() == [
        "The key is refused → sandbox",
        "This may be a repeat: The key is refused → sandbox",
    ]
    post_what_waits(machines.settings("one"), TENANT)
    assert len(machines.heard()) == 2


def summary(run_id: str) -> OutboxMessage:
    """The message of a run."""
    return OutboxMessage(run_id=run_id, text=f"summary of {run_id}", blocks=[{"type": "divider"}], ended_at=NOON)


def test_summaries_left_by_one_machine_are_posted_by_another(
    machines: Machines, empty_store: duckdb.DuckDBPyConnection
) -> None:
    """What waits goes out once, as late; what was being sent when its run died is named and not repeated."""
    StoreOutbox(empty_store).put(summary("waits"))
    with alerts_of(machines.settings("one"), "sandbox", TENANT).held() as held:
        assert held.is_shared
        hand_over(StoreOutbox(empty_store), held)
        SharedOutbox(held).put(OutboxMessage(run_id="dies", text="t", blocks=[], ended_at=NOON, state="sending"))
    assert StoreOutbox(empty_store).messages() == []
    notes = [post_what_waits(machines.settings(name), TENANT) for name in ("two", "one")]
    assert notes == [
        [
            "the summary of run dies may not have reached Slack: the run died while sending it, it is not repeated",
            "posted the late summary of run waits",
        ],
        [],
    ]
    assert machines.heard() == ["Posted late, run waits: summary of waits"]


def test_a_death_while_handing_over_neither_loses_nor_doubles_a_summary(empty_store: duckdb.DuckDBPyConnection) -> None:
    """Killed once it was there and before it was gone here: it was posted by another machine, and stays posted."""
    alerts = Alerts()

    def die() -> None:
        raise KeyboardInterrupt

    StoreOutbox(empty_store).put(summary("one"))
    with pytest.raises(KeyboardInterrupt):
        hand_over(StoreOutbox(empty_store), HeldAlerts(alerts, die, is_shared=True))
    SharedOutbox(HeldAlerts(alerts, lambda: None)).remove("one")
    hand_over(StoreOutbox(empty_store), HeldAlerts(alerts, lambda: None, is_shared=True))
    assert alerts.summaries == StoreOutbox(empty_store).messages() == []


def test_the_fate_of_a_message_and_what_is_told_are_one_write() -> None:
    """While it is being sent nothing counts as told; with the write that takes it out, it does."""
    alerts, seen = Alerts(), list[tuple[int, bool]]()
    held = HeldAlerts(alerts, lambda: seen.append((len(alerts.summaries), "own" in alerts.ended)))
    outbox = SharedOutbox(held, "own", lambda one: note_end(one, "own"))
    outbox.put(summary("own"))
    outbox.change(OutboxMessage(run_id="own", text="", blocks=[], ended_at=NOON, state="sending"))
    outbox.remove("own")
    assert seen == [(1, False), (1, False), (0, True)]


def test_a_run_that_told_its_end_on_another_machine_is_not_called_dead(machines: Machines) -> None:
    """Its ending is a file of the worker: the daemon's machine asks the database, and knows a dead one from it."""
    with alerts_of(machines.settings("worker"), "sandbox", TENANT).held() as held:
        note_end(held.alerts, "told")
    said = []
    with dg.DagsterInstance.ephemeral() as instance:
        for run_id in ("told", "dead"):
            tags = {"dagster/partition": TENANT, JOB_TAG: "sync"}
            run = dg.DagsterRun(job_name="sync", run_id=run_id, status=dg.DagsterRunStatus.FAILURE, tags=tags)
            with mock.patch.dict(os.environ, machines.environment("daemon"), clear=True):
                said.append(speak_for(run, machines.settings("daemon"), instance))
    assert said == ["run told: it has told it itself, on another machine", "run dead: told"]
    assert machines.heard() == ["Feature requests: a run died → sandbox"]


def test_while_postgresql_is_away_a_machine_goes_on_alone_and_brings_along_what_it_knows(
    machines: Machines, server: Postgresql
) -> None:
    """The problem is told once by it, not at every run; when PostgreSQL is back, all machines know of it."""
    settings = machines.settings("one")
    news = Announcement(subject="runs", problem="RETRY_LATER", title="A run failed", happened="No database.")
    server.stop()
    try:
        changes = [announce(settings, TENANT, news)[0].change for _ in range(2)]
        with alerts_of(settings, "sandbox", TENANT).held() as held:
            note_end(held.alerts, "told alone")
    finally:
        server.start()
    assert changes == ["new", "same"]
    assert read_alerts(alerts_path(settings.home, "sandbox", TENANT)).open.keys() == {"runs"}
    for name in ("one", "two"):
        assert announce(machines.settings(name), TENANT, news)[0].change == "same"
    assert read_alerts(alerts_path(settings.home, "sandbox", TENANT)) == Alerts()
    assert alerts_of(machines.settings("two"), "sandbox", TENANT).read().ended == ["told alone"]
    assert machines.heard() == ["A run failed → sandbox"]


def test_a_holder_cut_off_replaces_nothing(server: Postgresql, database: Database) -> None:
    """Its session ended by the server, another holder writes; what the first one then wants to keep is refused."""
    record = AlertRecord(database, "sandbox/cut-off")
    with closing(Database(server.url)) as other, record.held() as held:
        held.keep("first")
        with psycopg.connect(server.url, autocommit=True) as killer:
            killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database <> 0 "
                "AND pid <> pg_backend_pid()"
            )
        with AlertRecord(other, "sandbox/cut-off").held() as now:
            assert now.content == "first"
            now.keep("second")
        with pytest.raises(CoordinationError):
            held.keep("third")
    assert record.read() == "second"


def test_shared_alerts_are_those_of_the_registry(machines: Machines) -> None:
    """Where the registry is in PostgreSQL they are there, without anything being switched on."""
    assert isinstance(alerts_of(machines.settings("one"), "sandbox", TENANT), SharedAlerts)
