"""A look at the credentials a tenant's runs use: does each still work, and until when.

Asks each system for the cheapest thing it answers to nobody else, and writes nothing anywhere but in the registry,
where the outcome is noted beside the integration.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from integration_assets.config import Settings
from integration_assets.errors import IntegrationError
from integration_assets.tenants.outcomes import LookedAt
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.changes import NotFoundError
from integration_assets.tenants.registry.database import registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.words import Provider, Scope
from integration_assets.tenants.settings import chosen_integrations, settings_for
from integration_assets.tenants.trying import try_internal, try_settings, try_third_party


async def look_at_credentials(settings: Settings, tenant: str, used_by: str) -> list[LookedAt]:
    """Try every credential that runs of this tenant and environment use. `settings` are the operator's.

    Raises:
        ConfigurationError: the registry cannot be opened, has no such tenant, or the tenant no integration.
    """
    found = [one async for one in _registered(settings, tenant, used_by)]
    if found:
        return found
    own = settings_for(settings, tenant, used_by)
    systems = [Provider.CANNY, Provider.HUBSPOT]
    if own.slack_bot_token is not None:
        systems.append(Provider.SLACK)
    return [
        LookedAt(system=provider.value, name=provider.capitalize(), outcome=await try_settings(own, provider))
        for provider in systems
    ]


async def _registered(settings: Settings, tenant: str, used_by: str) -> AsyncIterator[LookedAt]:
    """Those of the registry; none when the tenant works on the environment."""
    who = Actor(used_by)
    with registry(settings) as opened:
        if opened is None:
            return
        try:
            with directory(opened, who) as tenants:
                view = tenants.tenant(tenant)
        except NotFoundError:
            return
        with tenant_repository(opened, view.id, who) as repository:
            chosen = chosen_integrations(repository.third_party_integrations(), settings.environment)
            internal = [one for one in repository.internal_integrations() if one.enabled]
        own = (Scope.ANY, Scope(settings.environment.value))
        for third in {one.id: one for one in chosen.values()}.values():
            looked = LookedAt(
                system=third.provider.value if third.environment in own else f"{third.provider} {third.environment}",
                name=f"{third.provider.capitalize()} ({third.environment})",
                outcome=None,
                expires_at=third.secret.expires_at,
            )
            try:
                outcome = await try_third_party(opened, settings, view, third.id, who)
            except IntegrationError as error:
                yield msgspec.structs.replace(looked, problem=error.message)
            else:
                yield msgspec.structs.replace(looked, outcome=outcome)
        for one in internal:
            looked = LookedAt(
                system=f"internal {one.name}",
                name=f"the internal system {one.name}",
                outcome=None,
                expires_at=one.secret.expires_at,
            )
            try:
                outcome = await try_internal(opened, settings, view, one.id, who)
            except IntegrationError as error:
                yield msgspec.structs.replace(looked, problem=error.message)
            else:
                yield msgspec.structs.replace(looked, outcome=outcome)
