"""Worlds to try the product in. Every test gets one of its own; what many need is made once and copied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.support.dagster_records import records_in_memory
from integration_assets_tests.support.harness import World, world_of
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT, Snapshot, copy_of, folder


@pytest.fixture
def dagster_in_memory() -> Iterator[None]:
    """Dagster's own record of runs in memory: quicker, for tests that do not look at it."""
    with records_in_memory():
        yield


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's records in memory, with the default tenant."""
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions("integration_assets_tenants", ["default"])
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
