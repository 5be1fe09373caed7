"""Dagster's records in PostgreSQL: the instance of the deployment and the documented one, loaded against a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import pytest
from pydantic import SecretStr

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError
from integration_assets.runs.launch import CREDENTIAL_TAG
from integration_assets.tenants.registry.database import open_registry
from integration_assets.tenants.registry.master import generate
from integration_assets_tests.support.dagster_on_postgres import ROOT, URL, documented_instance, sqlalchemy_url
from integration_assets_tests.tenants.conftest import new_database

TENANTS = "integration_assets_tests_tenants"
LIMITS = [
    {"key": key, "limit": limit, "value": {"applyLimitPerUniqueValue": True}}
    for key, limit in (("dagster/partition", 1), (CREDENTIAL_TAG, 2))
]


def loaded_twice(folder: Path, run_id: str) -> list[Any]:
    """Load the instance of a folder, record a run and a partition, load it anew; return the limits of its queue."""
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        instance.add_dynamic_partitions(TENANTS, ["acme"])
        instance.add_run(dg.DagsterRun(job_name="sync", run_id=run_id, tags={"dagster/partition": "acme"}))
        instance.report_engine_event("begun", job_name="sync", run_id=run_id)
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        kinds = [type(one).__name__ for one in (instance.run_storage, instance.event_log_storage)]
        assert kinds == ["PostgresRunStorage", "PostgresEventLogStorage"]
        assert instance.get_dynamic_partitions(TENANTS) == ["acme"]
        assert [run.run_id for run in instance.get_runs(dg.RunsFilter(tags={"dagster/partition": "acme"}))] == [run_id]
        assert [entry.message for entry in instance.all_logs(run_id)] == ["begun"]
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        return list(queue.tag_concurrency_limits)


def test_the_documented_instance_keeps_its_records_in_postgresql(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the page on several machines has it, with the rest of the project's own."""
    monkeypatch.setenv(URL, sqlalchemy_url(new_database(postgresql)))
    documented_instance(tmp_path)
    assert loaded_twice(tmp_path, "documented") == LIMITS


def test_the_instance_of_the_deployment_keeps_its_records_in_postgresql(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its variables, and its volume elsewhere. The server of the tests is on a socket, which libpq is told."""
    parts = urlsplit(new_database(postgresql))
    monkeypatch.setenv("PGHOST", parse_qs(parts.query)["host"][0])
    variables = {"HOST": "", "USERNAME": parts.username or "", "PASSWORD": "", "DB": parts.path.removeprefix("/")}
    for name, value in variables.items():
        monkeypatch.setenv(f"DAGSTER_PG_{name}", value)
    text = (ROOT / "deploy" / "dagster.yaml").read_text(encoding="utf-8")
    (tmp_path / "dagster.yaml").write_text(text.replace("/var/lib/integration_assets", str(tmp_path)), encoding="utf-8")
    assert loaded_twice(tmp_path, "deployed") == LIMITS


def test_a_registry_in_the_database_of_dagster_is_refused(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both keep their version in a table of one name: what is wrong and what to do is said, and nothing is made."""
    url = new_database(postgresql)
    monkeypatch.setenv(URL, sqlalchemy_url(url))
    documented_instance(tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.get_runs() == []
    settings = Settings.model_construct(registry_url=SecretStr(url), key=SecretStr(generate()))
    with pytest.raises(ConfigurationError, match=r"INTEGRATION_ASSETS_REGISTRY_URL .* give the registry a database of"):
        open_registry(settings, create=True)
