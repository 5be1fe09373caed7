"""Release a held plan by its hash."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from integration_assets.config import Settings, TenantSettings
from integration_assets.errors import ConfigurationError
from integration_assets.staging.store import open_store, store_place
from integration_assets.sync.plan_store import Changed, approve, unchanged
from integration_assets.tenants.plan_settings import changed_settings, plan_settings
from integration_assets.tenants.settings import opened_registry, settings_without_secrets

if TYPE_CHECKING:
    from integration_assets.tenants.registry.database import Registry


def approve_plan(
    settings: Settings, tenant: str, plan_hash: str, by: str | None, registry: Registry | None = None
) -> str:
    """Approve the saved plan whose hash begins with `plan_hash`; return a line that says so.

    A `registry` that is open already is used as it is.

    Raises:
        ConfigurationError: no such plan, several, one that was applied already, one older than four hours, or one made
            with other settings.
    """
    # the settings of a registry tenant are the same wherever one asks; an environment may be that of this shell only,
    # and the sync that is to apply the plan compares it with its own
    changed: Changed = unchanged
    with opened_registry(settings, registry) as opened:
        own = settings_without_secrets(settings, tenant, opened)
        if isinstance(own, TenantSettings):
            changed = partial(changed_settings, own, now=plan_settings(own, tenant, opened))
    place = store_place(settings, settings.environment, tenant)
    if not place.exists():
        raise ConfigurationError(f"there is no staging store at {place}: run `integration-assets plan` first")
    who = by or getpass.getuser()
    with open_store(place, "approve") as connection:
        plan = approve(connection, plan_hash, who, now=datetime.now(UTC), changed=changed)
    return f"plan {plan.hash[:12]} ({plan.operations:,} changes) is approved by {who}: the next sync applies it"
