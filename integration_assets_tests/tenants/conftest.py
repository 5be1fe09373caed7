"""A registry to work with: on SQLite, and on a PostgreSQL that the tests start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from integration_assets.config import Settings
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.master import generate
from integration_assets_tests.support.registries import cheap_passwords, with_two_tenants
from integration_assets_tests.support.snapshots import folder


@pytest.fixture(scope="module", autouse=True)
def earnest_hasher() -> Iterator[PasswordHasher]:
    """Passwords are hashed cheaply; this is what hashes them in earnest."""
    with cheap_passwords() as earnest:
        yield earnest


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty home, in memory where there is such a thing: SQLite waits for the disk at every commit otherwise."""
    with folder() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an installation with an empty registry, on either database."""
    return made_settings(request, home, monkeypatch, request.param)


@pytest.fixture
def sqlite_settings(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an installation with an empty registry in its home."""
    return made_settings(request, home, monkeypatch, "sqlite")


def made_settings(
    request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch, database: str
) -> Settings:
    """Settings that read nothing of the machine's environment."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    values: dict[str, Any] = {"INTEGRATION_ASSETS_HOME": home, "INTEGRATION_ASSETS_KEY": generate()}
    if database == "postgresql":
        values["INTEGRATION_ASSETS_REGISTRY_URL"] = new_database(request.getfixturevalue("postgresql"))
    return Settings(**values)


def new_database(url: str) -> str:
    """A fresh database on a PostgreSQL server; its URL."""
    name = f"registry_{uuid4().hex}"
    server = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return str(server.set(drivername="postgresql", database=name).render_as_string(hide_password=False))


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    """An open registry with the tenants acme and globex, on either database."""
    yield from with_two_tenants(settings)


@pytest.fixture
def sqlite_registry(sqlite_settings: Settings) -> Iterator[Registry]:
    """The same on SQLite only."""
    yield from with_two_tenants(sqlite_settings)
