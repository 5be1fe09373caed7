"""The events of runs as plain lists: no table, no connection, nothing written out.

In tables of SQLite in memory, with one connection kept, they are still a quarter of what a small sync costs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Never

import dagster as dg
from dagster._core.event_api import EventLogCursor, EventLogRecord, EventRecordsResult
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.event_log.base import AssetRecord, EventLogConnection


class EventsOfRuns(InMemoryEventLogStorage):
    """The events of each run, as they came; of assets nothing is known.

    What is asked beyond what a run itself asks has no answer here, and raises: a test that looks at Dagster's records
    uses Dagster's own.
    """

    def __init__(self) -> None:
        self._inst_data = None
        self._events: defaultdict[str, list[EventLogRecord]] = defaultdict(list)
        self._stored = 0
        self._partitions: defaultdict[str, list[str]] = defaultdict(list)

    def _connect(self) -> Never:  # it never gives a connection
        raise AssertionError("this test looks at records of Dagster that are not kept: leave out `records_in_memory`")

    def store_event(self, event: EventLogEntry) -> None:
        """Keep one event."""
        self._stored += 1
        self._events[event.run_id].append(EventLogRecord(self._stored, event))

    def get_records_for_run(
        self,
        run_id: str,
        cursor: str | None = None,
        of_type: dg.DagsterEventType | AbstractSet[dg.DagsterEventType] | None = None,
        limit: int | None = None,
        ascending: bool = True,
    ) -> EventLogConnection:
        """The events of one run."""
        assert cursor is None
        wanted = {of_type} if isinstance(of_type, dg.DagsterEventType) else of_type
        found = [
            one
            for one in self._events[run_id]
            if not wanted or (one.event_log_entry.is_dagster_event and one.event_log_entry.dagster_event_type in wanted)
        ]
        shown = (found if ascending else found[::-1])[:limit]
        last = EventLogCursor.from_storage_id(shown[-1].storage_id if shown else -1).to_string()
        return EventLogConnection(shown, last, has_more=len(shown) < len(found))

    def get_dynamic_partitions(self, partitions_def_name: str) -> list[str]:
        """Partitions of one definition, in the order in which they were added."""
        return list(self._partitions[partitions_def_name])

    def has_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> bool:
        """True if it was added."""
        return partition_key in self._partitions[partitions_def_name]

    def add_dynamic_partitions(self, partitions_def_name: str, partition_keys: Sequence[str]) -> None:
        """Add those that are not there."""
        there = self._partitions[partitions_def_name]
        there.extend(key for key in partition_keys if key not in there)

    def delete_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> None:
        """Forget one."""
        self._partitions[partitions_def_name].remove(partition_key)

    def get_asset_records(self, asset_keys: object = None) -> list[AssetRecord]:
        """Nothing: what assets were before has no influence on a run, but on how it is shown."""
        return []

    def fetch_materializations(self, *_: object, **__: object) -> EventRecordsResult:
        """Nothing, as above."""
        return EventRecordsResult([], EventLogCursor.from_storage_id(-1).to_string(), has_more=False)

    def fetch_observations(self, *_: object, **__: object) -> EventRecordsResult:
        """Nothing, as above."""
        return EventRecordsResult([], EventLogCursor.from_storage_id(-1).to_string(), has_more=False)

    def dispose(self) -> None:
        """Nothing to close."""
