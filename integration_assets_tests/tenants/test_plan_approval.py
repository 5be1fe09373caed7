"""A plan is released with one look at the registry, or none where it is open already."""

from __future__ import annotations

import pytest

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError
from integration_assets.tenants.plan_approval import approve_plan
from integration_assets.tenants.registry import database
from integration_assets.tenants.registry.database import Registry
from integration_assets_tests.support.filled_registry import filled


@pytest.mark.parametrize("is_open", [True, False])
def test_the_registry_is_opened_at_most_once(
    sqlite_registry: Registry, sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    """Each opening looks for migrations and tries the key: a page has done that, a command does it once."""
    filled(sqlite_registry)
    opened: list[Settings] = []
    open_registry = database.open_registry

    def counting(settings: Settings, *, create: bool = False) -> Registry | None:
        opened.append(settings)
        return open_registry(settings, create=create)

    monkeypatch.setattr(database, "open_registry", counting)
    with pytest.raises(ConfigurationError, match="there is no staging store"):
        approve_plan(sqlite_settings, "acme", "0" * 64, "ann", *([sqlite_registry] if is_open else []))
    assert len(opened) == (0 if is_open else 1)
