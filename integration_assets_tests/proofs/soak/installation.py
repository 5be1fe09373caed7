"""The installation that is soaked: runs as the daemon starts them, runs that are killed, an upgrade, what it weighs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg
import duckdb

from integration_assets.assets.names import Names
from integration_assets.automation.run_history import prune_job
from integration_assets.config import Environment
from integration_assets.connectors import limiter
from integration_assets.definitions import defs
from integration_assets.runs.in_process import dagster_home, prepared_instance
from integration_assets.runs.result import read_result
from integration_assets.staging.migrations import known_migrations, migrate
from integration_assets_tests.proofs.running import BrokenError
from integration_assets_tests.support.installation import Installation
from integration_assets_tests.support.killing import Place, Watch
from integration_assets_tests.support.short_waits import short_waits
from integration_assets_tests.support.simulated_time import SimulatedTime, stamp_run

BY_SCHEDULE = {"dagster/schedule_name": "sync_schedule"}
QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
KEEP_DAYS = 3
"""Days that runs are kept: short enough for two weeks to show that they go."""
VARIABLES: Mapping[str, str] = {"INTEGRATION_ASSETS_KEEP_RUNS_DAYS": str(KEEP_DAYS)}
MIGRATIONS_BEHIND = 5
"""How many migrations the earlier version had not."""
ROWS = {
    "ledger": "sync.ledger",
    "runs": "ops.runs",
    "quarantine": "sync.quarantine",
    "history": "ranked.rank_history",
    "plans": "sync.plans",
}
"""Tables that runs add to."""


@dataclass(frozen=True)
class Weight:
    """What the installation holds at one moment: bytes by folder of the home, rows by table, files of a tenant's runs,
    runs in Dagster's records, and the most memory of a run, in bytes."""

    folders: Mapping[str, int]
    rows: Mapping[str, int]
    endings: int
    dagster_runs: int
    memory: int

    @property
    def disk(self) -> int:
        """Bytes of the home."""
        return sum(self.folders.values())


@dataclass
class Soaked:
    """An installation and the clock it lives by."""

    made: Installation
    clock: SimulatedTime

    def scheduled(self, tenant: str) -> tuple[int, str | None]:
        """A sync as the daemon starts it, in this process; its exit code, and the line that says why."""
        with self._instance() as instance:
            done = defs.resolve_job_def("sync").execute_in_process(
                instance=instance, partition_key=tenant, raise_on_error=False, tags=BY_SCHEDULE, run_config=QUIET
            )
        stamp_run(dagster_home(self.made.home), done.run_id)
        result = read_result(self.made.home, Environment.SANDBOX, tenant, done.run_id)
        if result is None:
            raise BrokenError(f"{tenant}: a run has left no ending")
        return result.exit_code, result.error

    def typed(self, tenant: str, watch: Watch | None = None, place: Place | None = None) -> tuple[int, int]:
        """A sync in a process of its own, killed at a place; its exit code, or minus the signal, and peak memory."""
        with (self.made.home / "typed.txt").open("wb") as output:
            process = subprocess.Popen(
                [*self.clock.command(), "sync", "--tenant", tenant],
                env={**self.made.environment()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            if watch is not None:
                watch.arm_at(place)
                watch.started(process.pid)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if watch is not None:
            watch.ended()
            watch.settle()
        return process.returncode, used.ru_maxrss * 1024

    def prune(self) -> None:
        """What the daemon does once a day."""
        with self._instance() as instance:
            done = prune_job(Names()).execute_in_process(instance=instance, run_config=QUIET)
        stamp_run(dagster_home(self.made.home), done.run_id)

    def store(self, tenant: str) -> Path:
        """File of a tenant's staging store."""
        return self.made.home / "staging" / "sandbox" / f"{tenant}.duckdb"

    def weight(self, memory: int) -> Weight:
        """What there is now; `memory`: the most of the runs that were measured."""
        home = self.made.home
        rows = dict.fromkeys(ROWS, 0)
        for tenant in self.made.worlds:
            with duckdb.connect(str(self.store(tenant)), read_only=True) as connection:
                for name, table in ROWS.items():
                    rows[name] += _count(connection, f"SELECT count(*) FROM {table}")
        folders = {
            folder.name: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            for folder in sorted(home.iterdir())
            if folder.is_dir()
        }
        with self._instance() as instance:
            runs = instance.get_runs_count()
        endings = max(len(list((home / "runs" / "sandbox" / tenant).glob("*.json"))) for tenant in self.made.worlds)
        return Weight(folders, rows, endings, runs, memory)

    @contextmanager
    def _instance(self) -> Iterator[dg.DagsterInstance]:
        # A process of its own would begin with fresh counters; so does this one.
        limiter._limiters.clear()
        with (
            mock.patch.dict(os.environ, self.made.environment(), clear=True),
            short_waits(),
            prepared_instance(dagster_home(self.made.home), list(self.made.worlds)) as instance,
        ):
            yield instance


def as_before(store: Path, *, begun: int = 0) -> None:
    """Replace a store by what an earlier version, which lacked some migrations, would have kept of the same rows.

    `begun`: how many of those migrations an upgrade that was killed in the middle has carried out.
    """
    migrations = known_migrations()
    older = store.with_suffix(".older")
    with duckdb.connect(str(older)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        migrate(connection, migrations[: len(migrations) - MIGRATIONS_BEHIND])
        kept = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal AND table_name != 'migrations'"
        ).fetchall()
        connection.execute(f"ATTACH '{store}' AS newer (READ_ONLY)")
        for schema, table in kept:
            columns = [
                f'"{name}"'
                for (name,) in connection.execute(
                    """
                    SELECT column_name FROM duckdb_columns() WHERE schema_name = $schema AND table_name = $table
                    GROUP BY column_name HAVING count(DISTINCT database_name) = 2
                    """,
                    {"schema": schema, "table": table},
                ).fetchall()
            ]
            if columns:
                listed = ", ".join(columns)
                connection.execute(
                    f'INSERT INTO "{schema}"."{table}" ({listed}) SELECT {listed} FROM newer."{schema}"."{table}"'
                )
        connection.execute("DETACH newer")
        if begun:
            migrate(connection, migrations[: len(migrations) - MIGRATIONS_BEHIND + begun])
    older.replace(store)


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    [(number,)] = connection.execute(query).fetchall()
    return int(number)
