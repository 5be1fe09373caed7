"""Who is told of runs that cannot tell it themselves."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import dagster as dg
import pytest

from integration_assets.automation.sensors import speak_for, sync_on_change
from integration_assets.config import load_settings
from integration_assets.runs.abandoned import PROCESS_TAG
from integration_assets.runs.launch import JOB_TAG
from integration_assets.tenants.registry.master import generate
from integration_assets_tests.support.installation import Installation, installation
from integration_assets_tests.support.snapshots import folder

TENANT = "acme"


@pytest.fixture(scope="module")
def made() -> Iterator[Installation]:
    """An installation of one tenant, and a Slack of its operator: the same look-alike, told apart by its channel."""
    with folder() as home, installation(home, TENANT) as found:
        found.register(TENANT)
        yield found


def spoken(made: Installation, run: dg.DagsterRun, **variables: str) -> tuple[str, list[str]]:
    """What speaking for a run did, and the messages it led to."""
    world = made.worlds[TENANT]
    before = len(world.sandbox.team.messages)
    own = world.addresses.environment()
    slack = {name: own[name] for name in ("SLACK_BOT_TOKEN", "SLACK_CHANNEL", "SLACK_BASE_URL")}
    environment = world.environment(**made._seen({**slack, **variables}))
    with mock.patch.dict(os.environ, environment, clear=True), dg.DagsterInstance.ephemeral() as instance:
        done = speak_for(run, load_settings(), instance)
    return done, [str(message["text"]) for message in world.sandbox.team.messages[before:]]


def failed(run_id: str, job: str = "sync", **tags: str) -> dg.DagsterRun:
    """A failed run of the tenant."""
    return dg.DagsterRun(
        job_name=job,
        run_id=run_id,
        status=dg.DagsterRunStatus.FAILURE,
        tags={"dagster/partition": TENANT, JOB_TAG: job, **tags},
    )


def test_a_dead_run_is_told_once(made: Installation) -> None:
    """The next one that dies the same way is no news."""
    done, heard = spoken(made, failed("one"))
    assert done == "run one: told"
    assert heard == ["Feature requests: a run died → sandbox"]
    assert spoken(made, failed("two")) == ("run two: told", [])


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (failed("r", **{"dagster/will_retry": "true"}), "Dagster tries it again"),
        (failed("r", **{PROCESS_TAG: "host/1"}), "whoever typed it has seen it"),
        (failed("r", "check_credentials"), "a run of check_credentials"),
    ],
)
def test_of_some_nobody_has_to_be_told(made: Installation, run: dg.DagsterRun, why: str) -> None:
    """Those that are tried again, that somebody watches, or that nobody follows."""
    assert spoken(made, run) == (f"run r: {why}", [])


def test_whoever_operates_it_hears_that_runs_cannot_begin(made: Installation) -> None:
    """With another key no tenant's secret opens, that of its Slack neither: the operator's own Slack is told, once."""
    wrong = generate()
    told = []
    for _ in range(2):
        run_id = _a_run(made, wrong)
        _, heard = spoken(made, failed(run_id), INTEGRATION_ASSETS_KEY=wrong)
        told += heard
    assert told == ["Feature requests: runs cannot begin → sandbox"]
    message = str(made.worlds[TENANT].sandbox.team.messages[-1])
    assert "tenant acme: " in message
    assert wrong not in message
    assert made.key not in message


def test_a_secret_that_does_not_open_is_told_once_whoever_meets_it(made: Installation) -> None:
    """The sensor that asks, twice, and a run after it: one message, to whoever operates the installation."""
    file = made.home / "registry.sqlite"
    query = "SELECT secret FROM third_party_integrations WHERE provider = ?"
    change = "UPDATE third_party_integrations SET secret = ? WHERE provider = 'canny'"
    with closing(sqlite3.connect(file)) as registry:
        [(kept,)], [(other,)] = (registry.execute(query, [name]).fetchall() for name in ("canny", "slack"))
        registry.execute(change, [other])
        registry.commit()
    world = made.worlds[TENANT]
    before = len(world.sandbox.team.messages)
    own = world.addresses.environment()
    slack = {name: own[name] for name in ("SLACK_BOT_TOKEN", "SLACK_CHANNEL", "SLACK_BASE_URL")}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("integration_assets_tenants", ["default", TENANT])
        with mock.patch.dict(os.environ, world.environment(**made._seen(slack)), clear=True):
            for _ in range(2):
                ticked = sync_on_change(dg.build_sensor_context(instance=instance))
                assert "asked 1 of 1 tenants: 0 changed, 1 failed (acme: " in str(ticked.skip_reason)
    spoken(made, failed(_a_run(made, made.key)))
    assert [str(message["text"]) for message in world.sandbox.team.messages[before:]] == [
        "Feature requests: runs cannot begin → sandbox"
    ]
    with closing(sqlite3.connect(file)) as registry:
        registry.execute(change, [kept])
        registry.commit()


def _a_run(made: Installation, key: str) -> str:
    """A sync with this key, started as by the daemon; returns its id."""
    from integration_assets.definitions import defs

    environment = made.worlds[TENANT].environment(**made._seen({"INTEGRATION_ASSETS_KEY": key}))
    with dg.DagsterInstance.ephemeral() as instance, mock.patch.dict(os.environ, environment, clear=True):
        instance.add_dynamic_partitions("integration_assets_tenants", [TENANT])
        result = defs.resolve_job_def("sync").execute_in_process(
            instance=instance, partition_key=TENANT, raise_on_error=False, tags={"dagster/schedule_name": "s"}
        )
    assert not result.success
    assert list(Path(made.home, "runs", "sandbox", TENANT).glob(f"{result.run_id}.json"))
    return str(result.run_id)
