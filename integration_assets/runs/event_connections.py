"""Connections of Dagster's event log for the length of a run: one per database instead of one per event.

Dagster's SQLite event log opens and closes a connection, and makes an engine with empty caches, each time it reads or
writes: about 900 times in a sync that finds nothing changed, a quarter of its processor time. Events that Dagster has
ready together, those that announce what a run is to make and to check, are stored in one transaction.
"""

from __future__ import annotations

import sqlite3
import threading
import types
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine, event

BUSY_SECONDS = 60
"""How long a statement waits for another process that writes: the Dagster UI and daemon read the same files."""
BATCH_EVENTS = 1_000
"""Events that Dagster hands over together at most: all that announce a run."""


@contextmanager
def kept_connections(instance: dg.DagsterInstance) -> Iterator[None]:
    """Keep the connections of an instance's event log for a block; what is stored, and where, stays the same.

    Nothing changes for an instance whose events are kept elsewhere than in SQLite files.
    """
    storage = instance.event_log_storage
    # Exactly this class: a subclass, or another store, knows better how it connects.
    if type(storage) is not SqliteEventLogStorage:
        yield
        return
    with ExitStack() as stack:
        engines: dict[str, Engine] = {}
        tables: set[str] = set()
        batches: dict[int, _Batch] = {}

        def engine_of(self: SqliteEventLogStorage, shard: str) -> Engine:
            engine = engines.get(shard)
            if engine is None:
                # The pool of SQLAlchemy for files keeps a connection when it is given back.
                engine = engines[shard] = create_engine(
                    self.conn_string_for_shard(shard), connect_args={"timeout": BUSY_SECONDS}
                )
                event.listen(engine, "connect", _wait_for_the_disk_at_checkpoints)
                stack.callback(engine.dispose)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            return engine

        @contextmanager
        def connect(self: SqliteEventLogStorage, shard: str) -> Iterator[Connection]:
            batch = batches.get(threading.get_ident())
            if batch is None:
                with self._db_lock, engine_of(self, shard).begin() as connection:
                    yield connection
                return
            # This thread stores a batch, and holds the lock meanwhile.
            if shard not in batch.begun:
                batch.begun[shard] = batch.enter_context(engine_of(self, shard).begin())
            yield batch.begun[shard]

        def store_event_batch(self: SqliteEventLogStorage, events: Sequence[dg.EventLogEntry]) -> None:
            with self._db_lock, _Batch() as batch:
                batches[threading.get_ident()] = batch
                try:
                    for one in events:
                        self.store_event(one)
                finally:
                    del batches[threading.get_ident()]

        def has_table(self: SqliteEventLogStorage, table_name: str) -> bool:
            # By Dagster's own way, which connects anew: it is asked inside other reads and writes, that hold the lock.
            if table_name not in tables and SqliteEventLogStorage.has_table(self, table_name):
                tables.add(table_name)
            return table_name in tables

        # On these objects alone: the classes are Dagster's, and others in this process use them as they are.
        for owner, name, method in (
            (storage, "_connect", connect),
            (storage, "has_table", has_table),
            (storage, "store_event_batch", store_event_batch),
            (instance, "_get_event_batch_size", lambda _: BATCH_EVENTS),
        ):
            setattr(owner, name, types.MethodType(method, owner))
            stack.callback(delattr, owner, name)
        yield


class _Batch(ExitStack):
    """The transactions of events that are stored together, by database: all of them or, after an error, none."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: dict[str, Connection] = {}


def _wait_for_the_disk_at_checkpoints(connection: sqlite3.Connection, _: object) -> None:
    """Have SQLite flush the log of changes beside a database only when it is moved into the database.

    A run that is killed keeps every event. A machine that loses power may lose the last events, never the database;
    what the run did is in the staging store, which is flushed at each step.
    """
    connection.execute("PRAGMA synchronous = NORMAL")
