from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_assets_tests.sync.world import Request, World, new_store


@pytest.fixture
def world() -> Iterator[World]:
    """An empty world."""
    connection = new_store()
    yield World(connection)
    connection.close()


@pytest.fixture
def small_world(world: World) -> World:
    """Two requests, three voters at two companies, one author who also votes."""
    world.contacts = {"ann": "c1", "bob": "c2", "eve": "c3"}
    world.requests = {
        "r1": Request("Export", votes=(("ann", "acme"), ("bob", "acme"), ("eve", "bolt")), author="ann", arr="300.00"),
        "r2": Request("Import", votes=(("ann", "acme"),), details="Please", author="eve", arr="100.50"),
    }
    return world
