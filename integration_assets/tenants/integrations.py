"""From a tenant's settings to its connectors. A provider is chosen here; nothing else of the product names one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from integration_assets.config import Environment, Settings
from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.crm.base import CompanyMapping, Crm
from integration_assets.connectors.crm.registry import CRMS
from integration_assets.connectors.feedback.base import FeedbackSystem
from integration_assets.connectors.feedback.registry import FEEDBACK_SYSTEMS
from integration_assets.connectors.internal.connector import InternalSystem, internal_system
from integration_assets.connectors.limiter import credential_digest
from integration_assets.errors import ConfigurationError, CredentialError
from integration_assets.tenants.address_policies import guard_for, internal_policy
from integration_assets.tenants.registry.views import OpenedInternal
from integration_assets.tenants.registry.words import Provider

System = TypeVar("System")
FEEDBACK_PROVIDER = "canny"
CRM_PROVIDER = "hubspot"
LIMITS = "limits"
"""Directory under the home by which all runs of this machine, of whatever tenant, share a credential's limits."""
RECORD_ID_PROPERTY = "hs_object_id"
"""Configured as account id property, it means: the account's id is the CRM's own record id."""


def missing_variables(settings: Settings) -> list[str]:
    """Names of the variables a run of this environment cannot do without and that are not set."""
    token = settings.hubspot(settings.environment)[0]
    missing = [] if settings.canny_api_key else [settings.named("canny_api_key")]
    return missing if token else [*missing, settings.named(f"hubspot_{settings.environment.value}_token")]


def require_configured(settings: Settings) -> None:
    """Check that a run of this environment has its credentials.

    Raises:
        ConfigurationError: names what to set.
    """
    if missing := missing_variables(settings):
        raise ConfigurationError(f"{' and '.join(missing)} must be set: the {settings.environment} run needs it")


def feedback_for(settings: Settings, calls: CallCounter) -> AbstractAsyncContextManager[FeedbackSystem]:
    """The tenant's feedback system, open for the length of an `async with` block.

    Raises:
        ConfigurationError: its key is not set.
    """
    if settings.canny_api_key is None:
        raise ConfigurationError(f"{settings.named('canny_api_key')} must be set")
    opening = FEEDBACK_SYSTEMS[FEEDBACK_PROVIDER](
        base_url=settings.canny_base_url,
        key=settings.canny_api_key,
        calls=calls,
        deadline=settings.request_seconds,
        patience=settings.patience_seconds,
        plan=settings.canny_plan,
        limits_in=settings.home / LIMITS,
        guard=guard_for(settings, Provider(FEEDBACK_PROVIDER)),
    )
    return _naming(settings.named("canny_api_key"), FEEDBACK_PROVIDER, opening)


def feedback_credential(settings: Settings) -> str:
    """A digest of where, and as whom, the feedback system is read: another one means another workspace."""
    key = settings.canny_api_key.get_secret_value() if settings.canny_api_key else ""
    return credential_digest(settings.canny_base_url, key)


def crm_for(
    settings: Settings,
    environment: Environment,
    calls: CallCounter,
    *,
    before_write: Callable[[], None] | None = None,
) -> AbstractAsyncContextManager[Crm]:
    """The CRM portal of one environment, open for the length of an `async with` block.

    Whoever writes passes `before_write`, the check that the run lock is still held: it is called just before each
    request that can change the portal, and what it raises ends the call unsent.

    Raises:
        ConfigurationError: its token is not set.
    """
    token, base_url, _ = settings.hubspot(environment)
    name = settings.named(f"hubspot_{environment.value}_token")
    if token is None:
        raise ConfigurationError(f"{name} must be set")
    crm = CRMS[CRM_PROVIDER](
        base_url=base_url,
        token=token,
        calls=calls,
        before_write=before_write,
        deadline=settings.request_seconds,
        patience=settings.patience_seconds,
        limits_in=settings.home / LIMITS,
        guard=guard_for(settings, Provider(CRM_PROVIDER)),
    )
    return _naming(name, CRM_PROVIDER, crm)


def internal_for(
    settings: Settings, tenant: str, opened: OpenedInternal, calls: CallCounter
) -> AbstractAsyncContextManager[InternalSystem]:
    """An internal system of a tenant, open for the length of an `async with` block.

    Raises:
        DescriptionError: something of its configuration cannot be used; names the field.
        ConfigurationError: its secret is missing, or an address of it may not be asked.
    """
    view = opened.view
    return internal_system(
        base_url=view.base_url,
        flow=view.auth_flow.value,
        auth=view.auth,
        secret=opened.secret,
        endpoints=view.endpoints,
        mappings=view.mappings,
        calls=calls,
        guard=AddressGuard(internal_policy(settings, tenant)),
        deadline=settings.request_seconds,
        patience=settings.patience_seconds,
    )


@asynccontextmanager
async def _naming(name: str, provider: str, opening: AbstractAsyncContextManager[System]) -> AsyncIterator[System]:
    """The system; where it refuses its credential, the error says which variable or integration holds it."""
    try:
        async with opening as system:
            yield system
    except CredentialError as error:
        # Another system's refusal passes through here as well, and a message names its variable once.
        if error.system != provider or name in error.message:
            raise
        raise error.reworded(f"{error.message} (it is in {name})") from error


def company_mapping(settings: Settings) -> CompanyMapping:
    """The company properties the tenant has mapped."""
    account_id = settings.hubspot_account_id_property
    return CompanyMapping(
        arr=settings.hubspot_arr_property,
        currency=settings.hubspot_currency_property,
        # The record's own id is read anyway and is no property to ask for.
        account_id=None if account_id == RECORD_ID_PROPERTY else account_id,
    )
