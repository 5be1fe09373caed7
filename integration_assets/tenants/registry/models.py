"""Tables of the registry. Ids are random UUIDs as text, times are UTC, secrets are sealed (see `vault`).

Third-party and internal integrations are two tables: a service of others needs a key and an address, a system of the
tenant's own needs endpoints, a way to authenticate and field mappings.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from integration_assets.tenants.registry.words import ID_LENGTH, NAME_LENGTH, SLUG_LENGTH, URL_LENGTH


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC, timezone-aware on the way in and out, whatever the database keeps."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store in UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite forgets the time zone: it is UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of all tables. Constraints have names, so that migrations can speak of them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def new_id() -> str:
    """A random id."""
    return str(uuid4())


def _id() -> Mapped[str]:
    return mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)


def _tenant() -> Mapped[str]:
    return mapped_column(String(ID_LENGTH), ForeignKey("tenants.id", ondelete="CASCADE"), index=True)


class Tenant(Base):
    """A customer of this installation. `slug` is its partition, folder and command-line name.

    `settings` are the tenant's own choices (see `tenant_settings.TENANT_FIELDS`), none of them secret.
    """

    __tablename__ = "tenants"

    id: Mapped[str] = _id()
    slug: Mapped[str] = mapped_column(String(SLUG_LENGTH), unique=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class User(Base):
    """Somebody who may log in. `login` is lower-case and unique; an operator belongs to no tenant."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("(role = 'operator') = (tenant_id IS NULL)", name="operator_has_no_tenant"),
        CheckConstraint("role IN ('operator', 'tenant_admin')", name="role"),
    )

    id: Mapped[str] = _id()
    tenant_id: Mapped[str | None] = mapped_column(
        String(ID_LENGTH), ForeignKey("tenants.id", ondelete="CASCADE"), index=True
    )
    login: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str] = mapped_column(String(300))
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    last_login_at: Mapped[datetime | None] = mapped_column(UtcTime)


class Integration:
    """Columns both kinds of integration have. At most one secret each; `secret_serial` grows whenever it is replaced.

    `secret_expires_at` None with `secret_never_expires` False: nobody said yet.
    """

    id: Mapped[str] = _id()
    base_url: Mapped[str] = mapped_column(String(URL_LENGTH))
    secret: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    secret_serial: Mapped[int] = mapped_column(Integer, default=0)
    secret_last4: Mapped[str | None] = mapped_column(String(4))
    secret_set_at: Mapped[datetime | None] = mapped_column(UtcTime)
    secret_set_by: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    secret_expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    secret_never_expires: Mapped[bool] = mapped_column(Boolean, default=False)
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    last_ok_at: Mapped[datetime | None] = mapped_column(UtcTime)
    last_error: Mapped[str | None] = mapped_column(String(300))
    last_error_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ThirdPartyIntegration(Integration, Base):
    """A key or token of a service of others, for one environment or any."""

    __tablename__ = "third_party_integrations"
    __table_args__ = (
        UniqueConstraint("tenant_id", "provider", "environment", name="uq_third_party_integrations_place"),
        CheckConstraint("environment IN ('sandbox', 'production', 'any')", name="environment"),
    )

    tenant_id: Mapped[str] = _tenant()
    provider: Mapped[str] = mapped_column(String(20))
    environment: Mapped[str] = mapped_column(String(20))
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class InternalIntegration(Integration, Base):
    """A system of the tenant's own: where it is, how to authenticate, what to ask, what the answer means.

    `auth` holds what is not secret of the flow (user name, header name, token URL, client id, scope).
    """

    __tablename__ = "internal_integrations"
    __table_args__ = (
        UniqueConstraint("tenant_id", "name", name="uq_internal_integrations_name"),
        CheckConstraint(
            "auth_flow IN ('none', 'basic', 'header', 'bearer', 'oauth2_client_credentials')", name="auth_flow"
        ),
    )

    tenant_id: Mapped[str] = _tenant()
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    auth_flow: Mapped[str] = mapped_column(String(30))
    auth: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    endpoints: Mapped[list[Any]] = mapped_column(JSON, default=list)
    mappings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class LoginSession(Base):
    """A logged-in browser. `digest` is the SHA-256 of its 256-bit id: the id itself is nowhere but in the cookie."""

    __tablename__ = "sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(ID_LENGTH), ForeignKey("users.id", ondelete="CASCADE"), index=True)
    csrf_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    seen_at: Mapped[datetime] = mapped_column(UtcTime)
    authenticated_at: Mapped[datetime] = mapped_column(UtcTime)


class PasswordLink(Base):
    """A link by which a user sets a password, once. `digest` is the SHA-256 of its token, which is nowhere kept."""

    __tablename__ = "password_links"

    user_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)


class RunRequest(Base):
    """A run that somebody asked for on the pages; a tenant has at most one that has not ended.

    `run` is the run to undo, `digest` what was shown of an undo or a setup that is to be done. `run_id` is the run that
    was started; `outcome` its end state, or why there is none, and `note` the line about it.
    """

    __tablename__ = "run_requests"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'queued', 'running', 'ended')", name="state"),
        Index(
            "ix_run_requests_one_open",
            "tenant_id",
            unique=True,
            sqlite_where=text("state != 'ended'"),
            postgresql_where=text("state != 'ended'"),
        ),
    )

    id: Mapped[str] = _id()
    tenant_id: Mapped[str] = _tenant()
    environment: Mapped[str] = mapped_column(String(20))
    action: Mapped[str] = mapped_column(String(20))
    run: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    digest: Mapped[str | None] = mapped_column(String(64))
    asked_by: Mapped[str] = mapped_column(String(NAME_LENGTH))
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    taken_at: Mapped[datetime | None] = mapped_column(UtcTime)
    run_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    outcome: Mapped[str | None] = mapped_column(String(40))
    note: Mapped[str | None] = mapped_column(String(500))


class Heartbeat(Base):
    """The last sign of life of a process that others wait for."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)


class DataKey(Base):
    """A key that seals, itself sealed by the master key. `owner` is a tenant's id, or `audit`.

    Each owner has one active key; a retiring one only opens what is not sealed anew yet.
    """

    __tablename__ = "data_keys"
    __table_args__ = (
        Index(
            "ix_data_keys_one_active",
            "owner",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
        CheckConstraint("state IN ('active', 'retiring')", name="state"),
    )

    id: Mapped[str] = _id()
    owner: Mapped[str] = mapped_column(String(ID_LENGTH), index=True)
    state: Mapped[str] = mapped_column(String(10), default="active")
    wrapped: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class VaultCheck(Base):
    """A known text sealed by a master key: whoever opens it has the right key."""

    __tablename__ = "vault_checks"

    master_key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    sealed: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class AuditEntry(Base):
    """One line of the audit trail. Fields are named, never valued; `digest` chains it to the entry before.

    It outlives its tenant, whose slug it keeps, and no other tenant of that slug sees it; no tenant: about the
    installation. `serial` is the `secret_serial` a record has afterwards, where a record was written.
    """

    __tablename__ = "audit_trail"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcTime)
    actor: Mapped[str] = mapped_column(String(NAME_LENGTH))
    tenant: Mapped[str | None] = mapped_column(String(SLUG_LENGTH))
    tenant_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), index=True)
    action: Mapped[str] = mapped_column(String(60))
    table: Mapped[str | None] = mapped_column("record_table", String(40))
    record_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), index=True)
    fields: Mapped[list[str]] = mapped_column(JSON, default=list)
    serial: Mapped[int | None] = mapped_column(Integer)
    request_id: Mapped[str | None] = mapped_column(String(100))
    result: Mapped[str] = mapped_column(String(40))
    digest: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The end of the audit trail: one row, locked by whoever appends."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64))
