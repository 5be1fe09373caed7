"""Addresses each kind of integration may ask: the policies of the address guard, and its check at saving."""

from __future__ import annotations

from collections.abc import Mapping

from integration_assets.config import Settings, TenantSettings
from integration_assets.connectors.address_guard import AddressError, AddressGuard, AddressPolicy, check_address
from integration_assets.provider_values import why_no_base_url
from integration_assets.providers import PROVIDERS
from integration_assets.tenants.registry.changes import FieldError
from integration_assets.tenants.registry.words import Provider


def third_party_policy(settings: Settings, provider: Provider) -> AddressPolicy:
    """A third-party service is asked at its provider's own hosts, or where the operator allows it.

    One that has none, because everybody runs a server of their own, is asked at any public address.
    """
    address = PROVIDERS[provider].address
    hosts = frozenset(address.hosts if address is not None else ())
    anywhere = address is not None and not address.hosts
    return AddressPolicy(hosts=None if anywhere else hosts, allowed=frozenset(settings.allowed_hosts))


def internal_policy(settings: Settings, tenant: str) -> AddressPolicy:
    """An internal system is asked at public addresses, and in the networks the operator opened to this tenant."""
    return AddressPolicy(networks=settings.networks_of(tenant), allowed=frozenset(settings.allowed_hosts))


def guard_for(settings: Settings, provider: Provider) -> AddressGuard | None:
    """The guard of a run's client; None for settings of the environment, which are the operator's own."""
    if not isinstance(settings, TenantSettings):
        return None
    # Without a service's address, what is asked is the tenant's own: a table behind an address in its mapping.
    if PROVIDERS[provider].address is None:
        return AddressGuard(internal_policy(settings, settings.tenant))
    return AddressGuard(third_party_policy(settings, provider))


def check_third_party_url(settings: Settings, provider: Provider, url: str, *, field: str = "base_url") -> None:
    """See that an address may be saved for a third-party integration.

    Raises:
        FieldError: it may not, and why.
    """
    # The guard before the form of the provider's address: that an address may not be asked is the graver message.
    _check(url, third_party_policy(settings, provider), field)
    address = PROVIDERS[provider].address
    if address is None:
        raise FieldError(field, f"{PROVIDERS[provider].label} has no address")
    if why := why_no_base_url(address, url):
        raise FieldError(field, why)


def check_internal_urls(settings: Settings, tenant: str, base_url: str, auth: Mapping[str, str]) -> None:
    """See that the addresses of an internal system, that of its token endpoint included, may be saved.

    Raises:
        FieldError: one may not, and why.
    """
    policy = internal_policy(settings, tenant)
    _check(base_url, policy, "base_url")
    # It gets the client secret, so that it needs the guard as much as the base URL.
    if token_url := auth.get("token_url"):
        _check(token_url, policy, "auth.token_url")


def _check(url: str, policy: AddressPolicy, field: str) -> None:
    try:
        check_address(url, policy)
    except AddressError as error:
        raise FieldError(field, error.reason) from None
