"""The Dagster instance as the command line and the UI find it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import dagster as dg
import pytest
import yaml

from integration_assets.errors import ConfigurationError, TransientError
from integration_assets.runs.abandoned import PROCESS_TAG, close_abandoned_runs, run_tags
from integration_assets.runs.in_process import config_file, dagster_home, prepared_instance
from integration_assets_tests.support.harness import NOBODY_LISTENS


@dg.op
def nothing():
    """Does nothing."""


@dg.job
def idle():
    """A job to have runs of."""
    nothing()


def started(instance: dg.DagsterInstance, process: str) -> dg.DagsterRun:
    """A run that Dagster believes is going on in a process."""
    tags = {PROCESS_TAG: process} if process else {}
    return instance.create_run_for_job(idle, tags=tags, status=dg.DagsterRunStatus.STARTED)


def dead_process() -> int:
    """Id of a process that was there and is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("process", "ends"),
    [
        (lambda: f"{socket.gethostname()}/{dead_process()}", True),
        (lambda: run_tags()[PROCESS_TAG], True),
        (lambda: f"{socket.gethostname()}/{os.getppid()}", False),
        (lambda: f"elsewhere/{dead_process()}", False),
        (lambda: "", False),
        (lambda: "nonsense", False),
    ],
    ids=["gone", "an earlier process with our id", "alive", "another machine", "started by Dagster", "unreadable"],
)
def test_only_runs_whose_process_is_gone_are_ended(process, ends):
    """A run that was killed must not keep the tenant's next run waiting; all others are left alone."""
    with dg.DagsterInstance.ephemeral() as instance:
        run = started(instance, process())
        assert close_abandoned_runs(instance) == ([run.run_id] if ends else [])
        (after,) = instance.get_runs()
        assert after.status is (dg.DagsterRunStatus.FAILURE if ends else dg.DagsterRunStatus.STARTED)


def test_a_killed_run_is_not_repeated_by_dagster():
    """Whoever started the command decides whether to start it again."""
    assert run_tags()["dagster/max_retries"] == "0"


def test_a_fresh_home_has_our_configuration_and_the_default_partition(tmp_path, monkeypatch):
    """The UI can start a run right away."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    folder = dagster_home(tmp_path)
    assert folder == tmp_path / "dagster"
    assert (folder / "dagster.yaml").read_bytes() == config_file("dagster.yaml").read_bytes()
    with prepared_instance(folder) as instance:
        assert instance.get_dynamic_partitions("integration_assets_tenants") == ["default"]
        assert not instance.telemetry_enabled
    with prepared_instance(folder) as instance:
        assert instance.get_dynamic_partitions("integration_assets_tenants") == ["default"]


def test_a_dagster_home_that_is_configured_is_used_as_it_is(tmp_path, monkeypatch):
    """An operator's own instance is not written over."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert dagster_home(tmp_path / "home") == tmp_path
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"hostname": {"env": "DAGSTER_NO_SUCH_HOST"}}, "DAGSTER_NO_SUCH_HOST is not set"),
        ({"no_such_key": "hidden-word"}, "Dagster does not take it"),
    ],
)
def test_an_instance_that_cannot_be_used_is_told_in_one_line(tmp_path, config, said):
    """As by a container that is started without the variables of its dagster.yaml; no value of it is repeated."""
    postgres = {"username": "ann", "password": "hidden-word", "hostname": "127.0.0.1", "db_name": "dagster", **config}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"storage": {"postgres": {"postgres_db": postgres}}}))
    with pytest.raises(ConfigurationError, match=said) as caught, prepared_instance(tmp_path):
        pass
    assert "hidden-word" not in caught.value.message
    assert "\n" not in caught.value.message


def test_a_postgresql_that_is_away_is_worth_another_try(tmp_path, monkeypatch):
    """Dagster's own error says too many retries, and no more."""
    monkeypatch.setattr("dagster_postgres.utils.time.sleep", lambda _seconds: None)
    where = {"username": "ann", "password": "x", "hostname": "127.0.0.1", "port": NOBODY_LISTENS, "db_name": "dagster"}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"storage": {"postgres": {"postgres_db": where}}}))
    with pytest.raises(TransientError, match="PostgreSQL cannot be reached"), prepared_instance(tmp_path):
        pass
