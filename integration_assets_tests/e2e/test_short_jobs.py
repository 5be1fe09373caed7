"""The short jobs against the look-alikes: what they ask, what they answer, and what Slack gets of it."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime, timedelta
from unittest import mock

import dagster as dg
import pytest

from integration_assets.assets.names import Names
from integration_assets.automation.credentials import credentials_job
from integration_assets.automation.polling import ANSWER_TAG, asking_job
from integration_assets.automation.sensors import due_looks
from integration_assets.sandbox.lookalike import Fault
from integration_assets.staging.store import hold_store
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.short_waits import short_waits

CHECK_CREDENTIALS, FEEDBACK_CHANGES = credentials_job(Names()), asking_job(Names())


def run(world: World, job: dg.JobDefinition, instance: dg.DagsterInstance) -> dict[str, str]:
    """Run a job for the default tenant; returns the tags of its run, with its outcome as `success`."""
    with mock.patch.dict(os.environ, world.environment(), clear=True):
        result = job.execute_in_process(instance=instance, partition_key="default", raise_on_error=False)
    found = instance.get_run_by_id(result.run_id)
    assert found is not None
    return {**found.tags, "success": str(result.success)}


def ask(world: World, instance: dg.DagsterInstance) -> str | None:
    """What an asking run answers; None when it failed."""
    return run(world, FEEDBACK_CHANGES, instance).get(ANSWER_TAG)


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
def test_what_is_new_is_seen_once(synced: World, instance: dg.DagsterInstance, what: str) -> None:
    """The answer is `changed`, until a run has read it, and no second time for what a run cannot use."""
    if what == "a vote":
        synced.vote("themes", "bob")
    elif what == "a request":
        synced.add_request("Webhooks")
    else:
        synced.canny.change_status(synced.request_id("themes"), synced.person("ann"), "planned")
    assert ask(synced, instance) == "changed"
    assert ask(synced, instance) == "unchanged"
    synced.sync()
    assert ask(synced, instance) == "unchanged"


def test_before_the_first_sync_everything_is_new(ready: World, instance: dg.DagsterInstance) -> None:
    """A fresh installation begins with a run."""
    assert ask(ready, instance) == "changed"


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
        assert ask(synced, instance) == "unknown"
    assert titles(synced) == []


def test_a_refused_key_is_told_once_and_its_recovery(synced: World, instance: dg.DagsterInstance) -> None:
    """By whoever meets it first; a run that fails for it later adds nothing, and the first good one ends it."""
    key, synced.canny.api_key = synced.canny.api_key, "another key"
    assert ask(synced, instance) is None
    assert ask(synced, instance) is None
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
    assert ask(synced, instance) is None
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
    assert ask(synced, instance) is None
    assert titles(synced) == []
    synced.canny.api_key = key
    synced.sandbox.slack.faults.remove(down)
    assert ask(synced, instance) == "unchanged"
    assert ask(synced, instance) == "unchanged"
    heard = titles(synced)
    assert len(heard) == 2
    assert heard[0].endswith("Feature requests → sandbox: succeeded")
    assert heard[1].endswith("A credential does not work: canny → sandbox")


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
    """Whenever the sensor ticks, every ten minutes: the longest pause between two looks is under 24 hours."""
    monkeypatch.delenv("CANNY_API_KEY", raising=False)
    begin = datetime(2026, 3, 1, 0, 3, tzinfo=UTC)
    looks, seen = [], set()
    for number in range(6 * 24 * 5):
        now = begin + timedelta(minutes=10 * number)
        [request] = due_looks(instance, now)
        assert request.partition_key == "default"
        if request.run_key not in seen:
            seen.add(request.run_key)
            looks.append(now)
    pauses = [after - before for before, after in itertools.pairwise(looks)]
    assert len(looks) == 10
    assert max(pauses) <= timedelta(hours=12, minutes=10)
