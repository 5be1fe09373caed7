"""Dagster's own records of runs in memory, for tests that do not look at them.

What Dagster stores, and in which order, stays the same. Left out is what it repeats at each statement: opening a
connection and two settings of it, a tenth of what a small sync costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import mock

import dagster as dg
from dagster._core.storage.event_log import InMemoryEventLogStorage
from sqlalchemy import Connection, StaticPool, create_engine

from integration_assets_tests.support.dagster_events import EventsOfRuns
from integration_assets_tests.support.dagster_migrations import read_migrations_once


def in_memory(*_: object) -> dg.DagsterInstance:
    """An instance whose records are gone with it; takes and ignores what `DagsterInstance.from_config` takes."""
    read_migrations_once()
    instance = dg.DagsterInstance.ephemeral()
    storage = instance.event_log_storage
    assert isinstance(storage, InMemoryEventLogStorage)
    # Steps work in threads. Dagster's lock lets one of them at the connection at a time.
    engine = create_engine(storage._engine.url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    tables: set[str] = set()
    look_for_table = storage.has_table

    @contextmanager
    def connect() -> Iterator[Connection]:
        with storage._db_lock, engine.begin() as connection:
            yield connection

    def has_table(table_name: str) -> bool:
        if table_name not in tables and look_for_table(table_name):
            tables.add(table_name)
        return table_name in tables

    # On this object alone: others in this process use the class as it is.
    for name, method in (("_connect", connect), ("has_table", has_table), ("dispose", engine.dispose)):
        setattr(storage, name, method)
    return instance


def records_in_memory() -> AbstractContextManager[Any]:
    """Keep Dagster's own records of runs in memory for a block, and of their events what runs themselves ask.

    For what does not look at them; where somebody does, it raises.
    """
    return mock.patch.object(dg.DagsterInstance, "from_config", _with_events_in_lists)


def _with_events_in_lists(*_: object) -> dg.DagsterInstance:
    read_migrations_once()
    with mock.patch("dagster._core.storage.event_log.InMemoryEventLogStorage", return_value=EventsOfRuns()):
        return dg.DagsterInstance.ephemeral()
