"""A registry of tenants to work with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from argon2 import PasswordHasher

from integration_assets.config import Settings
from integration_assets.tenants.registry import passwords
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.database import Registry, open_registry
from integration_assets.tenants.registry.directory import directory

ACTOR = Actor("the test")


@contextmanager
def cheap_passwords() -> Iterator[PasswordHasher]:
    """Hash passwords at the least cost there is; gives the hasher of the product, which takes 0.2 s for each."""
    earnest = passwords._hasher
    with mock.patch.object(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)):
        # The hash that stands for nobody's was made by the other one.
        passwords._nobodys.cache_clear()
        yield earnest
    passwords._nobodys.cache_clear()


def opened(settings: Settings, *, create: bool = True) -> Registry:
    """The registry of these settings."""
    registry = open_registry(settings, create=create)
    assert registry is not None
    return registry


def with_two_tenants(settings: Settings) -> Iterator[Registry]:
    """An open registry with two tenants."""
    registry = opened(settings)
    with directory(registry, ACTOR) as tenants:
        tenants.add_tenant("acme", "Acme")
        tenants.add_tenant("globex")
    yield registry
    registry.close()


def tenant_id(registry: Registry, slug: str) -> str:
    """The id of a tenant."""
    with directory(registry, ACTOR) as tenants:
        return tenants.tenant(slug).id
