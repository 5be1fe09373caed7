"""Ticks and short jobs against the look-alikes: what they ask, what they answer, and what Slack gets of it."""

from __future__ import annotations

import itertools
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from unittest import mock

import dagster as dg
import pytest

from integration_assets.assets.names import Names
from integration_assets.automation.credentials import credentials_job
from integration_assets.automation.sensors import due_looks, due_retries, sync_on_change
from integration_assets.runs.launch import JOB_TAG
from integration_assets.sandbox.hubspot.faults import migrating
from integration_assets.sandbox.lookalike import Fault
from integration_assets.staging.store import hold_store
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.short_waits import short_waits

pytestmark = pytest.mark.proof  # runs of every job: part of `make proofs`

CHECK_CREDENTIALS = credentials_job(Names())


def run(world: World, job: dg.JobDefinition, instance: dg.DagsterInstance) -> dict[str, str]:
    """Run a job for the default tenant; returns the tags of its run, with its outcome as `success`."""
    with mock.patch.dict(os.environ, world.environment(), clear=True):
        result = job.execute_in_process(instance=instance, partition_key="default", raise_on_error=False)
    found = instance.get_run_by_id(result.run_id)
    assert found is not None
    return {**found.tags, "success": str(result.success)}


class Ticked(NamedTuple):
    """What a tick of the sensor led to: what it says, and the run it asks for."""

    answer: str
    line: str
    run: dg.RunRequest | None
    cursor: str


def tick(world: World, instance: dg.DagsterInstance, cursor: str | None = None) -> Ticked:
    """A tick of the sensor; without a cursor the default tenant is due."""
    with mock.patch.dict(os.environ, world.environment(), clear=True):
        result = sync_on_change(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    line = result.skip_reason.skip_message if result.skip_reason else ""
    words = {"asked 1 of 1 tenants: 0 changed, 0 failed": "unchanged", "1 with a run under way": "unknown"}
    answer = next((answer for said, answer in words.items() if said in str(line)), "failed")
    run = next(iter(result.run_requests or ()), None)
    return Ticked("changed" if run else answer, str(line), run, str(result.cursor))


def ask(world: World, instance: dg.DagsterInstance) -> str:
    """What asking the default tenant led to: `changed`, `unchanged`, `unknown` or `failed`."""
    return tick(world, instance).answer


def started(instance: dg.DagsterInstance, request: dg.RunRequest | None, status: dg.DagsterRunStatus) -> None:
    """Dagster's record of the run that was asked for."""
    assert request is not None
    tags = {JOB_TAG: "sync", "dagster/run_key": str(request.run_key), "dagster/partition": str(request.partition_key)}
    instance.add_run(dg.DagsterRun(job_name="sync", status=status, tags=tags))


def titles(world: World) -> list[str]:
    """Messages since the first sync."""
    return [str(message["text"]) for message in world.sandbox.team.messages[1:]]


# ------------------------------------------------------------------------------------------------------------- asking


def test_asking_takes_three_calls_and_writes_nothing(synced: World, instance: dg.DagsterInstance) -> None:
    """Of the feedback system; the CRM is not asked at all."""
    synced.forget_requests()
    assert ask(synced, instance) == "unchanged"
    assert [one.path for one in synced.sandbox.canny.requests] == [
        "/api/v1/posts/list",
        "/api/v2/votes/list",
        "/api/v2/status_changes/list",
    ]
    assert synced.lookalike("sandbox").requests == synced.lookalike("production").requests == []
    assert titles(synced) == []


@pytest.mark.parametrize("what", ["a vote", "a request", "a status"])
def test_what_is_new_starts_one_run(synced: World, instance: dg.DagsterInstance, what: str) -> None:
    """With the same key until Dagster has that run, and no second one for what a run cannot use."""
    if what == "a vote":
        synced.vote("themes", "bob")
    elif what == "a request":
        synced.add_request("Webhooks")
    else:
        synced.canny.change_status(synced.request_id("themes"), synced.person("ann"), "planned")
    first, again = tick(synced, instance), tick(synced, instance)
    assert first.run is not None
    assert again.run is not None
    assert first.run.partition_key == "default"
    assert first.run.run_key == again.run.run_key
    started(instance, first.run, dg.DagsterRunStatus.FAILURE)
    assert ask(synced, instance) == "unchanged"
    synced.sync()
    assert ask(synced, instance) == "unchanged"
    synced.vote("dark mode", "gus")
    later = tick(synced, instance)
    assert later.run is not None
    assert later.run.run_key != first.run.run_key


def test_what_a_run_has_read_meanwhile_starts_none(synced: World, instance: dg.DagsterInstance) -> None:
    """It is stored, whoever read it."""
    synced.vote("themes", "bob")
    synced.sync()
    assert ask(synced, instance) == "unchanged"


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_while_dagster_has_a_run_none_is_asked_for(
    synced: World, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    """It reads the change as well; its store is not opened, so that it never finds it taken."""
    synced.vote("themes", "bob")
    instance.add_run(
        dg.DagsterRun(job_name="sync", status=status, tags={JOB_TAG: "sync", "dagster/partition": "default"})
    )
    with mock.patch("integration_assets.automation.polling.open_store", side_effect=AssertionError):
        assert ask(synced, instance) == "unknown"


def test_an_idle_tenant_costs_three_calls_and_no_store(synced: World, instance: dg.DagsterInstance) -> None:
    """Once after a run the store is looked into, for messages that wait; then it stays closed."""
    assert ask(synced, instance) == "unchanged"
    with mock.patch("integration_assets.automation.polling.open_store", side_effect=AssertionError):
        assert ask(synced, instance) == "unchanged"
        assert ask(synced, instance) == "unchanged"
    assert instance.get_runs() == []


def test_between_its_turns_a_tenant_is_left_alone(synced: World, instance: dg.DagsterInstance) -> None:
    """A tick says when the next one is due, and asks nobody; a cursor of another version counts as none."""
    first = tick(synced, instance)
    synced.forget_requests()
    second = tick(synced, instance, first.cursor)
    assert re.fullmatch(
        r"asked 0 of 1 tenants: 0 changed, 0 failed; next due default at \d\d:\d\d:\d\d UTC", second.line
    )
    assert synced.sandbox.canny.requests == []
    assert tick(synced, instance, '{"record_id": 7}').line.startswith("asked 1 of 1")


def test_before_the_first_sync_everything_is_new(ready: World, instance: dg.DagsterInstance) -> None:
    """A fresh installation begins with a run. Asking makes no store."""
    shutil.rmtree(ready.home / "staging")
    assert ask(ready, instance) == "changed"
    assert not (ready.home / "staging").exists()


def test_while_a_run_is_under_way_nothing_is_known(synced: World, instance: dg.DagsterInstance) -> None:
    """The store is the run's; the vote is seen the next time."""
    synced.vote("themes", "bob")
    with hold_store(synced.home / "staging" / "sandbox" / "default.duckdb", "a run"):
        assert ask(synced, instance) == "unknown"
    assert ask(synced, instance) == "changed"


def test_an_outage_is_no_change_and_no_alarm(synced: World, instance: dg.DagsterInstance) -> None:
    """Asked again in a quarter of an hour: the runs say what is worth saying."""
    synced.sandbox.canny.faults.append(Fault(lambda _: True, times=None, status=503))
    with short_waits():
        failed = tick(synced, instance)
    assert failed.answer == "failed"
    assert "0 changed, 1 failed (default: canny (" in failed.line
    assert "answered 503" in failed.line
    assert titles(synced) == []


def test_a_refused_key_is_told_once_and_its_recovery(synced: World, instance: dg.DagsterInstance) -> None:
    """By whoever meets it first; a run that fails for it later adds nothing, and the first good one ends it."""
    key, synced.canny.api_key = synced.canny.api_key, "another key"
    assert ask(synced, instance) == "failed"
    assert ask(synced, instance) == "failed"
    assert run(synced, CHECK_CREDENTIALS, instance)["success"] == "True"
    assert titles(synced) == ["A credential does not work: canny → sandbox"]
    synced.canny.api_key = key
    run(synced, CHECK_CREDENTIALS, instance)
    run(synced, CHECK_CREDENTIALS, instance)
    assert titles(synced)[1:] == ["A credential works again: canny → sandbox"]


def test_a_key_that_a_run_found_refused_is_told_by_runs_alone(synced: World, instance: dg.DagsterInstance) -> None:
    """Neither a look at it nor a question adds a word; the first good run says that it is over."""
    key, synced.canny.api_key = synced.canny.api_key, "another key"
    assert synced.run("sync").code == 1
    assert ask(synced, instance) == "failed"
    run(synced, CHECK_CREDENTIALS, instance)
    synced.canny.api_key = key
    run(synced, CHECK_CREDENTIALS, instance)
    assert titles(synced) == ["Feature requests → sandbox: failed"]
    synced.sync()
    assert titles(synced)[1:] == ["Feature requests → sandbox: recovered, succeeded"]
    run(synced, CHECK_CREDENTIALS, instance)
    assert len(titles(synced)) == 2


def test_messages_of_an_outage_go_out_with_the_next_question(synced: World, instance: dg.DagsterInstance) -> None:
    """The summary of a run and an alert, each once, without waiting for the next run."""
    down = Fault(lambda _: True, times=None, status=503, body=b"Service Unavailable")
    synced.sandbox.slack.faults.append(down)
    synced.vote("themes", "bob")
    synced.sync()
    key, synced.canny.api_key = synced.canny.api_key, "another key"
    assert ask(synced, instance) == "failed"
    assert titles(synced) == []
    synced.canny.api_key = key
    synced.sandbox.slack.faults.remove(down)
    assert ask(synced, instance) == "unchanged"
    assert ask(synced, instance) == "unchanged"
    heard = titles(synced)
    assert len(heard) == 2
    assert heard[0].endswith("Feature requests → sandbox: succeeded")
    assert heard[1].endswith("A credential does not work: canny → sandbox")


# ---------------------------------------------------------------------------------------------------------- retries


def test_a_run_that_is_to_be_tried_again_leaves_an_appointment(synced: World, instance: dg.DagsterInstance) -> None:
    """A real one, of a real run: a retry is due when the time has come, and no more once another run has come."""
    from integration_assets.definitions import defs

    away = migrating(lambda _request: True, 60, times=None)
    synced.sandbox.hubspot_sandbox.faults.append(away)
    with short_waits():
        assert run(synced, defs.resolve_job_def("sync"), instance)["success"] == "False"
    synced.sandbox.hubspot_sandbox.faults.remove(away)
    later = datetime.now(UTC) + timedelta(hours=1)
    assert list(due_retries(instance, synced.home, datetime.now(UTC) - timedelta(minutes=1))) == []
    [retry] = due_retries(instance, synced.home, later)
    assert (retry.partition_key, retry.tags["integration_assets/retry"]) == ("default", "1")
    assert run(synced, defs.resolve_job_def("sync"), instance)["success"] == "True"
    assert list(due_retries(instance, synced.home, later)) == []
    assert not list((synced.home / "retries").glob("*/*.json"))


# -------------------------------------------------------------------------------------------------------- credentials


def test_a_look_asks_each_system_and_writes_nothing(synced: World, instance: dg.DagsterInstance) -> None:
    """One cheap read each; all is well, so nothing is said."""
    synced.forget_requests()
    assert run(synced, CHECK_CREDENTIALS, instance)["success"] == "True"
    sandbox = synced.sandbox
    asked = [one.path for system in (sandbox.canny, sandbox.hubspot_sandbox, sandbox.slack) for one in system.requests]
    assert [path.rpartition("/")[2] for path in asked] == ["list", "details", "auth.test"]
    assert synced.writes() == []
    assert titles(synced) == []


def test_a_token_the_crm_refuses_is_told(synced: World, instance: dg.DagsterInstance) -> None:
    """By name, with what to do, without the token; at once when it is met by a look and no run."""
    synced.portal.token = "another one since, with 20 characters"
    run(synced, CHECK_CREDENTIALS, instance)
    [message] = synced.sandbox.team.messages[1:]
    assert message["text"] == "A credential does not work: hubspot → sandbox"
    assert "Replace it where it comes from" in str(message["blocks"])
    assert synced.addresses.environment()["HUBSPOT_SANDBOX_TOKEN"] not in str(message)


def test_no_credential_is_left_alone_for_a_day(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sensor looks every ten minutes; each tenant has a look every twelve hours, the first one at once."""
    monkeypatch.delenv("CANNY_API_KEY", raising=False)
    begin, taken = datetime(2026, 3, 1, 0, 3, tzinfo=UTC), None
    looks, keys = [], set()
    for number in range(6 * 24 * 5):
        now = begin + timedelta(minutes=10 * number)
        requests, taken = due_looks(instance, taken, now)
        for request in requests:
            assert request.partition_key == "default"
            keys.add(request.run_key)
            looks.append(now)
    pauses = [after - before for before, after in itertools.pairwise(looks)]
    assert looks[0] == begin
    assert len(looks) == len(keys) == 11
    assert max(pauses) <= timedelta(hours=12, minutes=10)
