"""A run session on a small sandbox, read without Dagster in between."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from integration_assets.assets.reading import read_both
from integration_assets.assets.run_session import Mode, RunSession, RunState
from integration_assets.config import load_settings
from integration_assets.staging.store import open_store, store_path
from integration_assets_tests.conftest import Served


@dataclass
class Reader:
    """Reads a sandbox into one staging store, as often as asked. `calls` are those of the last read, by endpoint."""

    served: Served
    home: Path

    @contextmanager
    def session(self, *, full: bool = False, **settings: object) -> Iterator[RunSession]:
        """An open run session, its staging store included."""
        environment = {**self.served.addresses.environment(), "INTEGRATION_ASSETS_HOME": str(self.home)}
        with mock.patch.dict(os.environ, environment):
            loaded = load_settings(**settings)
        path = store_path(loaded.home, None, loaded.environment, "default")
        with open_store(path) as connection:
            session = RunSession()
            session._state = RunState(
                run_id=f"run-{time.monotonic_ns()}",
                tenant="default",
                mode=Mode.SYNC,
                started_at=datetime.now(UTC),
                clock_start=time.monotonic(),
                full_read=full,
                settings=loaded,
                environment=loaded.environment,
                connection=connection,
            )
            yield session

    def read(self, *, full: bool = False, **settings: object) -> dict[str, int]:
        """Read both systems; the calls it took, by endpoint."""
        return self.read_with_notes(full=full, **settings)[0]

    def read_with_notes(self, *, full: bool = False, **settings: object) -> tuple[dict[str, int], list[str]]:
        """The same, and what the run has to tell."""
        with self.session(full=full, **settings) as session:
            asyncio.run(read_both(session))
            counts: dict[str, int] = {}
            for call in session.state.calls.snapshot():
                name = call.endpoint.removeprefix("POST ") if call.system == "canny" else call.endpoint
                counts[name] = counts.get(name, 0) + call.total
            return counts, session.state.notes

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the staging store."""
        with self.session() as session:
            return session.connection.execute(query).fetchall()


@pytest.fixture
def reader(small_sandbox: Served, tmp_path: Path) -> Reader:
    """A reader of a fresh small sandbox."""
    return Reader(small_sandbox, tmp_path)
