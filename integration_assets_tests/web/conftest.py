"""A registry with two tenants and an admin of each, served; no systems behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from argon2 import PasswordHasher

from integration_assets.config import Settings, load_settings
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.master import generate
from integration_assets.web.site import Site
from integration_assets_tests.support.registries import cheap_passwords, with_two_tenants
from integration_assets_tests.support.snapshots import folder
from integration_assets_tests.support.web_site import Client, add_user, served

ACME, GLOBEX, OPERATOR = "ann@acme.example", "gus@globex.example", "olga"


class Served(NamedTuple):
    """The application and what is behind it."""

    site: Site
    registry: Registry
    home: Path


@pytest.fixture(scope="module", autouse=True)
def earnest_hasher() -> Iterator[PasswordHasher]:
    """Passwords are hashed cheaply; this is what hashes them in earnest."""
    with cheap_passwords() as earnest:
        yield earnest


@pytest.fixture(scope="module")
def pages() -> Iterator[Served]:
    """The application with users of acme and globex, and an operator."""
    with ExitStack() as stack:
        home = stack.enter_context(folder())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for field in Settings.model_fields.values():
            patch.delenv(str(field.validation_alias), raising=False)
        settings = load_settings(home=home, key=generate())
        for registry in with_two_tenants(settings):
            add_user(registry, ACME, "acme")
            add_user(registry, GLOBEX, "globex")
            add_user(registry, OPERATOR, None)
            yield Served(stack.enter_context(served(settings, registry)), registry, home)


@pytest.fixture
def stranger(pages: Served) -> Iterator[Client]:
    """Somebody who is not logged in."""
    with Client(pages.site.origin) as client:
        yield client


@pytest.fixture(scope="module")
def ann(pages: Served) -> Iterator[Client]:
    """acme's admin, logged in."""
    with Client(pages.site.origin) as client:
        assert client.log_in(ACME).status_code == 303
        yield client


@pytest.fixture(scope="module")
def gus(pages: Served) -> Iterator[Client]:
    """globex's admin, logged in."""
    with Client(pages.site.origin) as client:
        assert client.log_in(GLOBEX).status_code == 303
        yield client
