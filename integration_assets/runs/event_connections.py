"""Connections of Dagster's event log for the length of a run: one per database instead of one per event.

Dagster's SQLite event log opens and closes a connection, and makes an engine with empty caches, each time it reads or
writes: about 900 times in a sync that finds nothing changed, a quarter of its processor time.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine

BUSY_SECONDS = 60
"""How long a statement waits for another process that writes: the Dagster UI and daemon read the same files."""


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

        @contextmanager
        def connect(self: SqliteEventLogStorage, shard: str) -> Iterator[Connection]:
            with self._db_lock:
                engine = engines.get(shard)
                if engine is None:
                    # The pool of SQLAlchemy for files keeps a connection when it is given back.
                    engine = engines[shard] = create_engine(
                        self.conn_string_for_shard(shard), connect_args={"timeout": BUSY_SECONDS}
                    )
                    stack.callback(engine.dispose)
                if shard not in self._initialized_dbs:
                    self._initdb(engine)
                    self._initialized_dbs.add(shard)
                with engine.begin() as connection:
                    yield connection

        def has_table(self: SqliteEventLogStorage, table_name: str) -> bool:
            # By Dagster's own way, which connects anew: it is asked inside other reads and writes, that hold the lock.
            if table_name not in tables and SqliteEventLogStorage.has_table(self, table_name):
                tables.add(table_name)
            return table_name in tables

        # On this object alone: the class is Dagster's, and others in this process use it as it is.
        for name, method in (("_connect", connect), ("has_table", has_table)):
            setattr(storage, name, types.MethodType(method, storage))
            stack.callback(delattr, storage, name)
        yield
