"""The place of an installation's registry, if there is one: known without the library that opens it."""

from __future__ import annotations

from integration_assets.config import Settings

FILE = "registry.sqlite"
"""Below the home, where no URL names another database."""


def has_registry(settings: Settings) -> bool:
    """True if this installation keeps a registry: one is configured, or the default file is there."""
    return settings.registry_url is not None or (settings.home / FILE).exists()
