"""Dagster's records that tests keep in memory hold what Dagster's own do, for a fraction of the connections."""

from __future__ import annotations

import sqlite3
from typing import Any
from unittest import mock

import dagster as dg
import pytest
from alembic.script import ScriptDirectory

from integration_assets_tests.support.dagster_records import in_memory, records_in_memory

MOST_CONNECTIONS = 12
"""Of a run, whatever it tells: the one that is kept, and one for each table that is looked for."""


@dg.asset
def made() -> dg.MaterializeResult[Any]:
    """An asset."""
    return dg.MaterializeResult(metadata={"rows": 3})


defs = dg.Definitions(assets=[made], jobs=[dg.define_asset_job("making")])


def events(instance: dg.DagsterInstance) -> tuple[list[tuple[Any, ...]], dg.DagsterRun]:
    """Materialise the asset: the events without what differs from run to run, and the run as it is kept."""
    ended = defs.resolve_job_def("making").execute_in_process(instance=instance)
    told = [(one.step_key, one.dagster_event_type) for one in instance.all_logs(ended.run_id) if one.is_dagster_event]
    kept = instance.get_run_by_id(ended.run_id)
    assert kept is not None
    return told, kept


def run(instance: dg.DagsterInstance) -> tuple[list[tuple[Any, ...]], dg.DagsterRunStatus, Any]:
    """Materialise the asset: the events without what differs from run to run, the state, and what is remembered."""
    told, kept = events(instance)
    latest = instance.get_latest_materialization_event(made.key)
    assert latest is not None
    assert latest.asset_materialization is not None
    return told, kept.status, latest.asset_materialization.metadata


def test_what_is_kept_is_what_dagster_keeps() -> None:
    """Events, the state of the run and the last materialisation are the same as in an instance of Dagster's own."""
    with in_memory() as ours, dg.DagsterInstance.ephemeral() as theirs:
        assert run(ours) == run(theirs)
        assert run(ours)[0]
        assert len(ours.get_runs()) == 2


def test_two_instances_share_nothing() -> None:
    """A run in one is not in the other: as in two homes."""
    with in_memory() as one, in_memory() as other:
        run(one)
        assert other.get_runs() == []
        assert other.get_latest_materialization_event(made.key) is None


def test_an_instance_of_any_folder_is_in_memory_for_the_block(tmp_path: Any) -> None:
    """Nothing is written into the folder; a run finds its own events and partitions; who looks for more is told."""
    with (
        records_in_memory(),
        dg.DagsterInstance.from_config(str(tmp_path)) as ours,
        dg.DagsterInstance.ephemeral() as theirs,
    ):
        (told, kept), (wanted, _) = events(ours), events(theirs)
        assert told == wanted
        assert kept.status is dg.DagsterRunStatus.SUCCESS
        [success] = ours.all_logs(kept.run_id, of_type=dg.DagsterEventType.RUN_SUCCESS)
        assert success.dagster_event_type is dg.DagsterEventType.RUN_SUCCESS
        for instance in (ours, theirs):
            instance.add_dynamic_partitions("tenants", ["acme", "beta"])
            instance.add_dynamic_partitions("tenants", ["acme"])
            instance.delete_dynamic_partition("tenants", "acme")
            assert instance.get_dynamic_partitions("tenants") == ["beta"]
            assert not instance.has_dynamic_partition("tenants", "acme")
        with pytest.raises(AssertionError, match="records of Dagster that are not kept"):
            ours.get_latest_materialization_event(made.key)
    assert list(tmp_path.iterdir()) == []


def test_events_share_a_connection() -> None:
    """The events of a run are stored by the one that is kept."""
    connect = sqlite3.dbapi2.connect
    with in_memory() as instance:
        with mock.patch.object(sqlite3.dbapi2, "connect", wraps=connect) as opened:
            run(instance)
        to_events = [call for call in opened.call_args_list if "events-" in str(call)]
        assert 0 < len(to_events) <= MOST_CONNECTIONS, len(to_events)


def test_migrations_are_read_once() -> None:
    """A further instance has them."""
    with in_memory():
        pass
    with mock.patch.object(ScriptDirectory, "_load_revisions") as read, in_memory() as instance:
        run(instance)
    assert read.call_count == 0
