"""Facts of the registry about a tenant, its keys and its credentials; and the settings that follow from it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError, IntegrationError
from integration_assets.tenants.credentials import integrations_in_use, name_of
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.database import registry
from integration_assets.tenants.registry.place import has_registry
from integration_assets.tenants.registry.rotation import KeyStatus, key_status
from integration_assets.tenants.registry.views import InternalView, SecretView, ThirdPartyView
from integration_assets.tenants.settings import settings_for

WHO = "command line (doctor)"


class Credential(msgspec.Struct, frozen=True):
    """A stored credential of a tenant, by the name people know it by; how to replace it, and how to try it.

    `place` is `<provider>/<environment>`, empty for an internal system.
    """

    name: str
    place: str
    change: str
    test: str
    secret: SecretView
    last_ok_at: datetime | None
    last_error: str | None


class Opened(msgspec.Struct, frozen=True):
    """`settings` None: `problem` says why the secrets do not open. `keys` None: there is no registry, or no opening it.

    `registered`: the tenant's integrations are in the registry, and the environment is never asked for them.
    """

    settings: Settings | None
    problem: IntegrationError | None = None
    has_registry: bool = False
    keys: KeyStatus | None = None
    registered: bool = False
    credentials: tuple[Credential, ...] = ()
    internal: tuple[InternalView, ...] = ()


def open_tenant(operator: Settings, tenant: str) -> Opened:
    """Open the registry, where there is one, and the tenant's secrets.

    Raises:
        ConfigurationError: there is no such tenant, or it has no integration.
    """
    if not has_registry(operator):
        return Opened(settings_for(operator, tenant, WHO))
    try:
        with registry(operator) as opened:
            if opened is None:
                return Opened(settings_for(operator, tenant, WHO))
            keys = key_status(opened)
            in_use = integrations_in_use(opened, operator, tenant, Actor(WHO))
    # Kept, not raised: the checks of machine and network work without the registry.
    except IntegrationError as problem:
        return Opened(None, problem, has_registry=True)
    third, internal = (in_use.third_party, in_use.internal) if in_use is not None else ((), ())
    credentials = [_third_party(one, tenant) for one in third] + [_internal(one) for one in internal]
    known = Opened(
        None,
        has_registry=True,
        keys=keys,
        registered=bool(third or internal),
        credentials=tuple(credentials),
        internal=internal,
    )
    try:
        return msgspec.structs.replace(known, settings=settings_for(operator, tenant, WHO))
    # No such tenant: nothing the doctor could look at.
    except ConfigurationError:
        raise
    except IntegrationError as problem:
        return msgspec.structs.replace(known, problem=problem)


def _third_party(view: ThirdPartyView, tenant: str) -> Credential:
    environment = "" if view.environment == "any" else f" --environment {view.environment}"
    named = f"{tenant} {view.provider}{environment}"
    return Credential(
        name=name_of(view),
        place=f"{view.provider}/{view.environment}",
        change=f"integration-assets tenants integrations change {named}",
        test=f"`integration-assets tenants integrations test {named}`",
        secret=view.secret,
        last_ok_at=view.last_ok_at,
        last_error=view.last_error,
    )


def _internal(view: InternalView) -> Credential:
    return Credential(
        name=name_of(view),
        place="",
        change="",
        test=f"Settings → Internal systems → {view.name} → Test",
        secret=view.secret,
        last_ok_at=view.last_ok_at,
        last_error=view.last_error,
    )
