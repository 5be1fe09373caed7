"""Dagster's event log keeps its connections for a run, and is the same to whoever reads it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg
import pytest
from dagster_shared.check import ParameterCheckError

from integration_assets.runs.event_connections import kept_connections

MOST_CONNECTIONS = 6
"""Per database of events, in a run: the one that is kept, one that makes the file, one per table that is looked for."""


@dg.asset
def made() -> None:
    """An asset."""


@dg.asset_check(asset=made)
def good() -> dg.AssetCheckResult:
    """A check of it."""
    return dg.AssetCheckResult(passed=True)


defs = dg.Definitions(assets=[made], asset_checks=[good], jobs=[dg.define_asset_job("making")])


def told(instance: dg.DagsterInstance, run_id: str) -> list[tuple[Any, ...]]:
    """The events of a run, without what differs from run to run."""
    return [(entry.step_key, entry.dagster_event_type) for entry in instance.all_logs(run_id) if entry.is_dagster_event]


def materialized(instance: dg.DagsterInstance, run_id: str, *, kept: bool) -> Counter[str]:
    """Materialise the asset; count the connections to each database of events."""
    opened: Counter[str] = Counter()
    connect = sqlite3.dbapi2.connect

    def counting(database: str, *arguments: Any, **named: Any) -> Any:
        opened[Path(database).name] += 1
        return connect(database, *arguments, **named)

    job = defs.resolve_job_def("making")
    with (
        mock.patch.object(sqlite3.dbapi2, "connect", counting),
        kept_connections(instance) if kept else contextlib.nullcontext(),
    ):
        assert job.execute_in_process(instance=instance, run_id=run_id).success
    return Counter({name: count for name, count in opened.items() if name == "index.db" or name.startswith(run_id)})


def test_a_run_connects_once_to_each_database_and_tells_the_same(tmp_path: Path) -> None:
    """Events, materialisation and check are read by an instance that opens the files anew."""
    runs = {True: "a0000000-0000-0000-0000-000000000001", False: "a0000000-0000-0000-0000-000000000002"}
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        opened = {kept: materialized(instance, run_id, kept=kept) for kept, run_id in runs.items()}
        assert "_connect" not in vars(instance.event_log_storage)
    assert max(opened[True].values()) <= MOST_CONNECTIONS
    assert min(opened[False].values()) > 10
    with dg.DagsterInstance.local_temp(str(tmp_path)) as reader:
        assert told(reader, runs[True]) == told(reader, runs[False])
        event = reader.get_latest_materialization_event(dg.AssetKey("made"))
        assert event is not None
        assert event.run_id == runs[False]
        key = dg.AssetCheckKey(dg.AssetKey("made"), "good")
        assert reader.event_log_storage.get_latest_asset_check_execution_by_key([key])[key].run_id == runs[False]


def test_events_of_a_batch_are_stored_all_or_none(tmp_path: Path) -> None:
    """Dagster stores them one by one after a batch that failed: none may be there twice."""
    run_id = "a0000000-0000-0000-0000-000000000003"
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance, kept_connections(instance):
        run = instance.create_run_for_job(defs.resolve_job_def("making"), run_id=run_id)
        announced = instance.all_logs(run.run_id)
        kinds = Counter(entry.dagster_event_type for entry in announced)
        assert kinds[dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED] == 1
        assert kinds[dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED] == 1

        storage = instance.event_log_storage
        broken: list[Any] = [announced[0], None]
        with pytest.raises(ParameterCheckError, match="EventLogEntry"):
            storage.store_event_batch(broken)
        assert len(instance.all_logs(run.run_id)) == len(announced)

        storage.store_event_batch(announced)
        assert len(instance.all_logs(run.run_id)) == 2 * len(announced)


def test_an_instance_that_keeps_its_events_elsewhere_is_left_alone() -> None:
    """In memory, as tests keep them."""
    with dg.DagsterInstance.ephemeral() as instance:
        before = dict(vars(instance.event_log_storage))
        with kept_connections(instance):
            assert vars(instance.event_log_storage) == before
