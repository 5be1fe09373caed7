"""Worlds that are made once and copied: a snapshot is a sandbox and a home at one moment."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from integration_assets.sandbox.hubspot import PortalOptions
from integration_assets.sandbox.server import Sandbox
from integration_assets_tests.support.harness import World, copied, world_of

IN_MEMORY = Path("/dev/shm")
"""Where it exists, homes live here: Dagster's SQLite files wait for the disk at every event otherwise."""
PROMPT = PortalOptions(search_lag=0, property_lag=0, schema_lag=0, schema_flip=0, ui_domain="app.hubspot.com")
"""A portal that shows every change at once, with links to its pages. Tests of `setup` use one that lags."""


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


def kept(world: World, home: Path) -> Snapshot:
    """A snapshot of a world as it is now, whose home is copied into an empty folder."""
    shutil.copytree(world.home, home, dirs_exist_ok=True)
    return Snapshot(world.sandbox, home)
