"""Dagster's records of a run, and their removal."""

from __future__ import annotations

from pathlib import Path

import dagster as dg


def erase_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Remove a run from a Dagster instance: its row, tags, events, and what its steps printed."""
    # Slow to import, and every run loads this file.
    from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage  # noqa: PLC0415

    # The logs first: once the run is deleted nothing leads to them any more.
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.delete_run(run_id)
    # On SQLite each run has a file of its own for its events, which Dagster empties and keeps at its full size.
    if isinstance(instance.event_log_storage, SqliteEventLogStorage):
        file = Path(instance.event_log_storage.path_for_shard(run_id))
        for suffix in ("", "-wal", "-shm"):
            file.with_name(f"{file.name}{suffix}").unlink(missing_ok=True)
