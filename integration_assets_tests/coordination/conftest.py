"""A PostgreSQL with the tables of the registry, and a second one that may be stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from pydantic import SecretStr

from integration_assets.config import Settings
from integration_assets.coordination.database import Database
from integration_assets_tests.support.postgresql import KEY, REGISTRY_URL, Postgresql, as_registry, running_postgresql
from integration_assets_tests.support.registries import opened


@pytest.fixture(scope="session")
def server() -> Iterator[Postgresql]:
    """A server with a registry in it. Who stops it starts it again."""
    with running_postgresql() as made:
        opened(settings_of(made)).close()
        yield made


@pytest.fixture
def database(server: Postgresql) -> Iterator[Database]:
    """As a process of its own would use it."""
    with closing(Database(server.url)) as made:
        yield made


def settings_of(server: Postgresql) -> Settings:
    """Settings of an installation with its registry there."""
    variables = as_registry(server.url)
    return Settings.model_construct(registry_url=SecretStr(variables[REGISTRY_URL]), key=SecretStr(variables[KEY]))
