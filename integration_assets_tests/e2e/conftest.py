"""Worlds to try the product in. Every test gets one of its own; what many need is made once and copied."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import pytest

from integration_assets.sandbox.hubspot import PortalOptions
from integration_assets.sandbox.server import Sandbox, build_sandbox
from integration_assets_tests.e2e.harness import World, copied, world_of
from integration_assets_tests.e2e.small_world import small_world

IN_MEMORY = Path("/dev/shm")
"""Where it exists, homes live here: Dagster's SQLite files wait for the disk at every event otherwise."""
PROMPT = PortalOptions(search_lag=0, property_lag=0, schema_lag=0, schema_flip=0)
"""A portal that shows every change at once. Tests of `setup` use one that lags."""


class Snapshot(NamedTuple):
    """A sandbox and a home at one moment. Copy both before use."""

    sandbox: Sandbox
    home: Path


@contextmanager
def folder() -> Iterator[Path]:
    """A directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as made:
        yield Path(made)


@contextmanager
def copy_of(snapshot: Snapshot) -> Iterator[World]:
    """A world that goes on from a snapshot."""
    with folder() as home:
        shutil.copytree(snapshot.home, home, dirs_exist_ok=True)
        with world_of(copied(snapshot.sandbox), home) as world:
            yield world


@pytest.fixture
def dagster_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster's own record of runs in memory: a third quicker, for tests that do not look at it."""

    def in_memory(_folder: str) -> dg.DagsterInstance:
        return dg.DagsterInstance.ephemeral()

    monkeypatch.setattr(dg.DagsterInstance, "from_config", in_memory)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's records in memory, with the default tenant."""
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions("tenants", ["default"])
        yield made


@pytest.fixture(scope="session")
def ready_snapshot() -> Iterator[Snapshot]:
    """The small world after `setup` of the sandbox portal."""
    sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, portal_options=PROMPT)
    with folder() as home, world_of(sandbox, home) as world:
        world.set_up()
        yield Snapshot(sandbox, home)


@pytest.fixture(scope="session")
def synced_snapshot(ready_snapshot: Snapshot) -> Iterator[Snapshot]:
    """The small world after its first sync."""
    with copy_of(ready_snapshot) as world:
        world.sync()
        yield Snapshot(world.sandbox, world.home)


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty home for one installation."""
    with folder() as made:
        yield made


@pytest.fixture
def new_world(home: Path) -> Iterator[World]:
    """The small world before anything was done; its portals lag as real ones do."""
    sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0)
    with world_of(sandbox, home) as world:
        yield world


@pytest.fixture
def ready(ready_snapshot: Snapshot) -> Iterator[World]:
    """The small world after `setup`, before any sync."""
    with copy_of(ready_snapshot) as world:
        yield world


@pytest.fixture
def synced(synced_snapshot: Snapshot) -> Iterator[World]:
    """The small world after its first sync."""
    with copy_of(synced_snapshot) as world:
        yield world
