"""Reads of a small sandbox, without a run around them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from integration_assets.config import load_settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.ingest.context import IngestInputs
from integration_assets.ingest.raw_tables import ingest
from integration_assets.staging.store import store_path
from integration_assets_tests.conftest import Served
from integration_assets_tests.support.stores import open_tested_store


@dataclass
class Reader:
    """Reads a sandbox into one staging store, as often as asked. `calls` are those of the last read, by endpoint."""

    served: Served
    home: Path

    @contextmanager
    def inputs(self, *, full: bool = False, **settings: object) -> Iterator[IngestInputs]:
        """Inputs of a read, with the staging store open."""
        environment = {**self.served.addresses.environment(), "INTEGRATION_ASSETS_HOME": str(self.home)}
        with mock.patch.dict(os.environ, environment):
            loaded = load_settings(**settings)
        path = store_path(loaded.home, None, loaded.environment, "default")
        with open_tested_store(path) as connection:
            yield IngestInputs(
                settings=loaded,
                tenant="default",
                environment=loaded.environment,
                run_id=f"run-{time.monotonic_ns()}",
                connection=connection,
                calls=CallCounter(),
                notes=[],
                full=full,
            )

    def read(self, *, full: bool = False, **settings: object) -> dict[str, int]:
        """Read both systems; the calls it took, by endpoint."""
        return self.read_with_notes(full=full, **settings)[0]

    def read_with_notes(self, *, full: bool = False, **settings: object) -> tuple[dict[str, int], list[str]]:
        """The same, and what the run has to tell."""
        with self.inputs(full=full, **settings) as inputs:
            asyncio.run(ingest(inputs))
            counts: dict[str, int] = {}
            for call in inputs.calls.snapshot():
                name = call.endpoint.removeprefix("POST ") if call.system == "canny" else call.endpoint
                counts[name] = counts.get(name, 0) + call.total
            return counts, inputs.notes

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the staging store."""
        with self.inputs() as inputs:
            return inputs.connection.execute(query).fetchall()


@pytest.fixture
def reader(small_sandbox: Served, tmp_path: Path) -> Reader:
    """A reader of a fresh small sandbox."""
    return Reader(small_sandbox, tmp_path)
