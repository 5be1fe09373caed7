"""Release a held plan by its hash."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError
from integration_assets.staging.store import open_store, store_path
from integration_assets.sync.plan_store import approve


def approve_plan(settings: Settings, tenant: str, plan_hash: str, by: str | None) -> str:
    """Approve the saved plan whose hash begins with `plan_hash`; return a line that says so.

    Raises:
        ConfigurationError: no such plan, several, one that was applied already, or one older than four hours.
    """
    path = store_path(settings.home, settings.store_url, settings.environment, tenant)
    if not path.exists():
        raise ConfigurationError(f"there is no staging store at {path}: run `integration-assets plan` first")
    who = by or getpass.getuser()
    with open_store(path, "approve") as connection:
        plan = approve(connection, plan_hash, who, now=datetime.now(UTC))
    return f"plan {plan.hash[:12]} ({plan.operations:,} changes) is approved by {who}: the next sync applies it"
