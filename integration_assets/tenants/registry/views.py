"""Views of the registry's records: everything but the secrets. Frozen, safe to serialise and to log."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec
from pydantic import SecretStr

from integration_assets.tenants.registry.words import AuthFlow, Provider, Role, Scope


class Unset:
    """A field that is not among the changes: it stays as it is."""

    def __repr__(self) -> str:
        """Short, for defaults in signatures."""
        return "UNSET"


UNSET: Final = Unset()


class TenantView(msgspec.Struct, frozen=True):
    """A tenant. `settings` by field name of `config.Settings`, as text, numbers and flags."""

    id: str
    slug: str
    name: str
    settings: dict[str, Any]
    created_at: datetime


class UserView(msgspec.Struct, frozen=True):
    """A user without the password. `tenant_id` None: an operator."""

    id: str
    tenant_id: str | None
    login: str
    role: Role
    enabled: bool
    created_at: datetime
    last_login_at: datetime | None


class SecretView(msgspec.Struct, frozen=True):
    """Facts that may be known of a secret. `last4` only of secrets of at least 20 characters.

    `masked` is how it is shown; sent back as a value it is refused. `expires_at` None and `never_expires` False:
    nobody said when it expires.
    """

    is_set: bool
    masked: str | None
    last4: str | None
    set_at: datetime | None
    set_by: str | None
    expires_at: datetime | None
    never_expires: bool


class ThirdPartyView(msgspec.Struct, frozen=True):
    """A third-party integration."""

    id: str
    provider: Provider
    environment: Scope
    base_url: str
    secret: SecretView
    settings: dict[str, Any]
    enabled: bool
    created_at: datetime
    updated_at: datetime
    last_ok_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None


class InternalView(msgspec.Struct, frozen=True):
    """An internal-system integration. `auth` holds what is not secret of the flow."""

    id: str
    name: str
    base_url: str
    auth_flow: AuthFlow
    auth: dict[str, str]
    secret: SecretView
    endpoints: list[dict[str, Any]]
    mappings: dict[str, Any]
    enabled: bool
    created_at: datetime
    updated_at: datetime
    last_ok_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None


class OpenedThirdParty(msgspec.Struct, frozen=True):
    """A third-party integration with its secret opened, for the length of a run."""

    view: ThirdPartyView
    secret: SecretStr | None


class OpenedInternal(msgspec.Struct, frozen=True):
    """An internal-system integration with its secret opened, for the length of a run."""

    view: InternalView
    secret: SecretStr | None


class AuditView(msgspec.Struct, frozen=True):
    """One entry of the audit trail."""

    number: int
    at: datetime
    actor: str
    action: str
    table: str | None
    record_id: str | None
    fields: list[str]
    request_id: str | None
    result: str
