"""The credentials a tenant's runs use: which there are, and a look at each: does it still work, and until when.

A look asks each system for the cheapest thing it answers to nobody else, and writes nothing anywhere but in the
registry, where the outcome is noted beside the integration.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple

import msgspec

from integration_assets.config import Settings
from integration_assets.errors import IntegrationError
from integration_assets.providers import PROVIDERS
from integration_assets.tenants.connection_trials import (
    check_internal_connection,
    check_settings_connection,
    check_third_party_connection,
)
from integration_assets.tenants.outcomes import LookedAt, Outcome
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.changes import NotFoundError
from integration_assets.tenants.registry.database import Registry, registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.views import InternalView, TenantView, ThirdPartyView
from integration_assets.tenants.registry.words import Provider, Scope
from integration_assets.tenants.settings import chosen_integrations, settings_for


class InUse(NamedTuple):
    """A tenant of the registry, and its enabled integrations that a run of one environment uses."""

    tenant: TenantView
    third_party: tuple[ThirdPartyView, ...]
    internal: tuple[InternalView, ...]


def integrations_in_use(opened: Registry, settings: Settings, tenant: str, who: Actor) -> InUse | None:
    """List the integrations runs of a tenant use in the environment of `settings`; None for a tenant not registered."""
    with directory(opened, who) as tenants:
        try:
            view = tenants.tenant(tenant)
        except NotFoundError:
            return None
    with tenant_repository(opened, view.id, who) as repository:
        chosen = chosen_integrations(repository.third_party_integrations(), settings.environment)
        # A disabled integration is not used by runs: that its secret expired is nobody's worry.
        internal = tuple(one for one in repository.internal_integrations() if one.enabled)
    # By id: one integration for any environment stands at both places of the CRM and is to be looked at once.
    return InUse(view, tuple({one.id: one for one in chosen.values()}.values()), internal)


def name_of(view: ThirdPartyView | InternalView) -> str:
    """Return the name people know an integration by."""
    if isinstance(view, InternalView):
        return f"the internal system {view.name}"
    return f"{PROVIDERS[view.provider].label} ({view.environment})"


async def look_at_credentials(settings: Settings, tenant: str, used_by: str) -> list[LookedAt]:
    """Try every credential that runs of this tenant and environment use. `settings` are the operator's.

    Raises:
        ConfigurationError: the registry cannot be opened, has no such tenant, or the tenant no integration.
    """
    with registry(settings) as opened:
        in_use = integrations_in_use(opened, settings, tenant, Actor(used_by)) if opened is not None else None
        # A tenant with a single entry in the registry never falls back to the environment's credentials.
        if opened is not None and in_use is not None and (in_use.third_party or in_use.internal):
            return await _look_at_registered(opened, settings, in_use, Actor(used_by))
    own = settings_for(settings, tenant, used_by)
    systems = [Provider(provider) for provider in (*own.feedback_providers, own.crm_provider)]
    # Slack is optional: without it there is nothing that could expire.
    if own.slack.configured:
        systems.append(Provider(own.slack.spec.name))
    return [
        LookedAt(
            system=provider.value,
            name=PROVIDERS[provider].label,
            outcome=await check_settings_connection(own, provider),
        )
        for provider in systems
    ]


async def _look_at_registered(opened: Registry, settings: Settings, in_use: InUse, who: Actor) -> list[LookedAt]:
    own = (Scope.ANY, Scope(settings.environment.value))
    found = []
    for third in in_use.third_party:
        system = third.provider.value if third.environment in own else f"{third.provider} {third.environment}"
        attempt = check_third_party_connection(opened, settings, in_use.tenant, third.id, who)
        found.append(await _looked_at(third, system, attempt))
    for one in in_use.internal:
        attempt = check_internal_connection(opened, settings, in_use.tenant, one.id, who)
        found.append(await _looked_at(one, f"internal {one.name}", attempt))
    return found


async def _looked_at(view: ThirdPartyView | InternalView, system: str, attempt: Awaitable[Outcome]) -> LookedAt:
    looked = LookedAt(system=system, name=name_of(view), outcome=None, expires_at=view.secret.expires_at)
    try:
        return msgspec.structs.replace(looked, outcome=await attempt)
    # Kept for this one: the other credentials are looked at all the same.
    except IntegrationError as error:
        return msgspec.structs.replace(looked, problem=error.message)
