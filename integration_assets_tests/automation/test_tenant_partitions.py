"""The sensor that knows the tenants: their partitions, and the numbers for monitoring."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from integration_assets.automation.tenant_partitions import missing_partitions
from integration_assets.config import Settings
from integration_assets.reporting.metrics import RunQueue
from integration_assets.runs.launch import JOB_TAG

WAITING, STARTED, SUCCESS = (dg.DagsterRunStatus(one) for one in ("NOT_STARTED", "STARTED", "SUCCESS"))


def samples(file: Path) -> dict[tuple[str, ...], float]:
    """Numbers of a file, by name and labels."""
    families = text_string_to_metric_families(file.read_text(encoding="utf-8"))
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no other variable of the product."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_tick_leaves_the_queue_and_the_file_of_numbers(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of ours that wait or are at work, not those of others; the file can be read by another account."""
    file = home.parent / "collected" / "integration_assets.prom"
    file.parent.mkdir()
    monkeypatch.setenv("INTEGRATION_ASSETS_METRICS_FILE", str(file))
    with dg.DagsterInstance.ephemeral() as instance:
        for number, (status, job) in enumerate(
            [(WAITING, "sync"), (WAITING, "undo"), (STARTED, "sync"), (SUCCESS, "sync"), (WAITING, "")]
        ):
            tags = {JOB_TAG: job} if job else {}
            instance.add_run(dg.DagsterRun(job_name=job or "theirs", run_id=f"{number:036}", status=status, tags=tags))
        asked = missing_partitions(dg.build_sensor_context(instance=instance))
    assert isinstance(asked, dg.SensorResult)
    kept = msgspec.json.decode((home / "metrics" / "queue.json").read_bytes(), type=RunQueue)
    assert (kept.queued, kept.started) == (2, 1)
    found = samples(file)
    assert found[("integration_assets_dagster_runs", "queued")] == 2
    assert (found[("integration_assets_tenants",)], found[("integration_assets_tenants_overdue",)]) == (1, 1)
    assert file.stat().st_mode & 0o777 == 0o644


def test_numbers_that_cannot_be_written_keep_no_tenant_from_its_partition(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is not there, or a wrong variable, is said by the tick."""
    with dg.DagsterInstance.ephemeral() as instance:
        for variable, value in (("FILE", str(home / "nowhere" / "numbers.prom")), ("TOKEN", "short")):
            monkeypatch.setenv(f"INTEGRATION_ASSETS_METRICS_{variable}", value)
            asked = missing_partitions(dg.build_sensor_context(instance=instance))
            assert isinstance(asked, dg.SensorResult)
