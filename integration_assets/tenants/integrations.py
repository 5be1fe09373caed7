"""From a tenant's settings to its connectors. A provider is chosen here; nothing else of the product names one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from integration_assets.config import Environment, ProviderSettings, Settings, TenantSettings
from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Token
from integration_assets.connectors.crm.base import CompanyMapping, Crm
from integration_assets.connectors.feedback.base import FeedbackSystem
from integration_assets.connectors.internal.connector import InternalSystem, internal_system
from integration_assets.connectors.limiter import credential_digest
from integration_assets.connectors.specs import (
    ACCOUNT_ID_PROPERTY,
    ARR_PROPERTY,
    CURRENCY_PROPERTY,
    LIFECYCLE_PROPERTY,
    OWNER_PROPERTY,
    RENEWAL_PROPERTY,
    SEGMENT_PROPERTIES,
)
from integration_assets.coordination.call_log import call_logs
from integration_assets.errors import ConfigurationError, CredentialError
from integration_assets.providers import crm_factory, feedback_factory
from integration_assets.sync.company_rollups import NAMES as ROLLUP_NAMES
from integration_assets.tenants.address_policies import guard_for, internal_policy
from integration_assets.tenants.registry.views import OpenedInternal
from integration_assets.tenants.registry.words import Provider

System = TypeVar("System")
TENANTS_FILES = "files"
"""Directory under the home, with a folder for each tenant: files that its integrations may name."""


def missing_variables(settings: Settings) -> list[str]:
    """Names of the variables a run of this environment cannot do without and that are not set."""
    missing = [name for feedback in settings.feedbacks for name in feedback.missing]
    return [*missing, *settings.crm(settings.environment).missing]


def require_configured(settings: Settings, *, ranks_only: bool = False) -> None:
    """Check that a run of this environment has its credentials. `ranks_only`: it will write nothing.

    Raises:
        ConfigurationError: names what to set.
    """
    systems = settings.feedbacks
    # Companies beside the votes: whether they are there shows when the tables are opened.
    if ranks_only and any(one.spec.may_hold_companies for one in systems) and all(one.configured for one in systems):
        return
    if missing := missing_variables(settings):
        raise ConfigurationError(f"{' and '.join(missing)} must be set: the {settings.environment} run needs it")


def feedback_for(
    settings: Settings, own: ProviderSettings, calls: CallCounter
) -> AbstractAsyncContextManager[FeedbackSystem]:
    """One of the tenant's feedback systems, `own` of `settings`, open for the length of an `async with` block.

    Raises:
        ConfigurationError: its credential is not set.
    """
    opening = feedback_factory(own.spec.name)(
        base_url=own.base_url,
        credential=own.credential,
        calls=calls,
        deadline=settings.request_seconds,
        patience=settings.patience_seconds,
        limits_in=call_logs(settings),
        guard=guard_for(settings, Provider(own.spec.name)),
        options=_options(settings, own),
    )
    return _naming(own, opening)


def folder_of_tenant(settings: Settings, tenant: str) -> Path:
    """The folder that the operator keeps for a tenant's files; it need not be there."""
    return (settings.home / TENANTS_FILES / tenant).absolute()


def _options(settings: Settings, own: ProviderSettings) -> dict[str, str]:
    """Settings for a connector, the files of a tenant in the folder the operator keeps for them.

    Raises:
        ConfigurationError: a tenant names a file outside of it.
    """
    options = own.options
    for setting in own.spec.settings:
        if setting.is_path and (path := file_of(settings, own, setting.name)) is not None:
            options[setting.name] = str(path)
    return options


def file_of(settings: Settings, own: ProviderSettings, name: str) -> Path | None:
    """The file that a setting names, of a tenant in the folder the operator keeps for it; None where it is not set.

    Raises:
        ConfigurationError: a tenant names a file outside of it.
    """
    given = own.text(name)
    if given is None or not isinstance(settings, TenantSettings):
        return None if given is None else Path(given)
    folder = folder_of_tenant(settings, settings.tenant)
    path = folder / given
    # Links as well: what a tenant may name must not be a way to what the operator may read.
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigurationError(
            f"{own.named(name)} must be the name of a file in the folder {TENANTS_FILES}/{settings.tenant} that the "
            "operator keeps under the home"
        )
    return path


def id_prefix(settings: Settings, own: ProviderSettings) -> str:
    """Beginning of every id of a feedback system in the staging store; empty where it is the only one."""
    return f"{settings.source_names[own.spec.name]}:" if len(settings.feedback_providers) > 1 else ""


def feedback_credential(settings: Settings, own: ProviderSettings) -> str:
    """A digest of where, and as whom, a feedback system is read: another one means another workspace, or other ids."""
    secret = own.secret.get_secret_value() if own.secret else ""
    # Without an address, its settings alone say where it is.
    where = own.base_url or "\n".join(f"{name}={value}" for name, value in sorted(own.options.items()))
    # Ids that begin otherwise are none that an earlier read has stored.
    return credential_digest(f"{id_prefix(settings, own)}{where}", secret)


def crm_for(
    settings: Settings,
    environment: Environment,
    calls: CallCounter,
    *,
    before_write: Callable[[], None] | None = None,
    setting_up: bool = False,
) -> AbstractAsyncContextManager[Crm]:
    """The CRM portal of one environment, open for the length of an `async with` block.

    Whoever writes passes `before_write`, the check that the run lock is still held: it is called just before each
    request that can change the portal, and what it raises ends the call unsent. With `setting_up` our object is created
    by the credential of setup, where there is one.

    Raises:
        ConfigurationError: its credential is not set.
    """
    own = settings.crm(environment)
    crm = crm_factory(own.spec.name)(
        base_url=own.base_url,
        credential=own.credential,
        calls=calls,
        before_write=before_write,
        deadline=settings.request_seconds,
        patience=settings.patience_seconds,
        limits_in=call_logs(settings),
        guard=guard_for(settings, Provider(own.spec.name)),
        options=own.options,
        setup_credential=Token(own.setup_secret) if setting_up and own.setup_secret else None,
    )
    return _naming(own, crm)


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
async def _naming(own: ProviderSettings, opening: AbstractAsyncContextManager[System]) -> AsyncIterator[System]:
    """The system; where it refuses its credential, the error says which variable or integration holds it."""
    name = own.named("secret")
    try:
        async with opening as system:
            yield system
    except CredentialError as error:
        # Another system's refusal passes through here as well, and a message names its variable once.
        if error.system != own.spec.name or name in error.message:
            raise
        raise error.reworded(f"{error.message} (it is in {name})") from error


def company_mapping(settings: Settings) -> CompanyMapping:
    """The company properties the tenant has mapped."""
    own = settings.crm(settings.environment)
    return CompanyMapping(
        arr=own.text(ARR_PROPERTY),
        currency=own.text(CURRENCY_PROPERTY),
        # The record's own id is read anyway and is no property to ask for.
        account_id=None if account_id_is_record_id(settings) else own.text(ACCOUNT_ID_PROPERTY),
        lifecycle=own.text(LIFECYCLE_PROPERTY),
        segments=own.texts(SEGMENT_PROPERTIES),
        owner=own.text(OWNER_PROPERTY),
        renewal=own.text(RENEWAL_PROPERTY),
        rollups=ROLLUP_NAMES if settings.company_rollups else (),
    )


def account_id_is_record_id(settings: Settings) -> bool:
    """True if the feedback system's id of an account is the CRM's own id of the company."""
    own = settings.crm(settings.environment)
    mapped = own.text(ACCOUNT_ID_PROPERTY)
    return mapped is not None and mapped == own.spec.record_id_property
