"""Tenants and users: what the operator of an installation manages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from integration_assets.staging.store import check_tenant
from integration_assets.tenants.registry import audit
from integration_assets.tenants.registry.audit import Actor, Subject
from integration_assets.tenants.registry.changes import FieldError, NotFoundError, TakenError
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.keyring import AUDIT, Keyring
from integration_assets.tenants.registry.login import end_sessions, make_password_link, set_password
from integration_assets.tenants.registry.models import DataKey, Tenant, User, new_id
from integration_assets.tenants.registry.passwords import check_password, hash_password
from integration_assets.tenants.registry.shared_portals import refuse_shared_portal
from integration_assets.tenants.registry.views import AuditView, TenantView, UserView
from integration_assets.tenants.registry.words import NAME_LENGTH, Role

_LOGIN = re.compile(r"[a-z0-9][a-z0-9@._+-]{1,199}")


@contextmanager
def directory(registry: Registry, actor: Actor) -> Iterator[Directory]:
    """Tenants and users for one transaction, committed when the block ends without an error."""
    with registry.session() as session:
        yield Directory(session, registry.keyring, actor)


class Directory:
    """Tenants and users inside one transaction: get one from `directory`.

    Its callers are operators, and the page of a tenant's own choices.

    Errors of its methods: `NotFoundError`, `TakenError`, and `FieldError` with the field.
    """

    def __init__(self, session: Session, keyring: Keyring, actor: Actor) -> None:
        self._session = session
        self._keyring = keyring
        self._actor = actor

    # -- tenants

    def tenants(self) -> list[TenantView]:
        """All tenants by slug."""
        return [_tenant_view(row) for row in self._session.scalars(select(Tenant).order_by(Tenant.slug))]

    def tenant(self, slug: str) -> TenantView:
        """The tenant of this slug."""
        return _tenant_view(self._tenant(slug))

    def add_tenant(self, slug: str, name: str = "") -> TenantView:
        """Make a tenant.

        Raises:
            ConfigurationError: the slug is not of the allowed form, or reserved.
        """
        row = Tenant(
            id=new_id(),
            slug=check_tenant(slug),
            name=_checked_name(name or slug),
            settings={},
            created_at=datetime.now(UTC),
        )
        # The unique index decides, not a look before: two could look at once.
        self._insert(row, TakenError("slug", f"there is a tenant {slug} already"))
        self._audit("tenant.add", row, ["name", "slug"])
        return _tenant_view(row)

    def change_tenant(
        self, slug: str, *, name: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> TenantView:
        """Rename a tenant, or set settings of it: a value of None takes one away, the others stay.

        Whoever calls has checked the settings (`tenant_settings.check_tenant_settings`).
        """
        row = self._tenant(slug)
        fields = []
        if name is not None:
            row.name = _checked_name(name)
            fields.append("name")
        if settings is not None:
            row.settings = {key: value for key, value in {**row.settings, **settings}.items() if value is not None}
            fields += [f"settings.{key}" for key in settings]
        self._session.flush()
        # Another source name can lead into records of another tenant; other settings cannot.
        if "settings.source_name" in fields:
            refuse_shared_portal(self._session, self._keyring, row)
        self._audit("tenant.change", row, fields)
        return _tenant_view(row)

    def remove_tenant(self, slug: str) -> None:
        """Remove a tenant with its users, integrations and keys; its files are the caller's to erase (`removing`)."""
        row = self._tenant(slug)
        # Before the rows are gone, while the entry can still name them.
        self._audit("tenant.remove", row, [])
        # The keys as well: what is left of the tenant's ciphertext in this database opens no more.
        self._session.execute(delete(DataKey).where(DataKey.owner == row.id))
        self._session.execute(delete(Tenant).where(Tenant.id == row.id))

    # -- users

    def users(self, slug: str | None = None) -> list[UserView]:
        """All users, or those of one tenant, by login."""
        wanted = select(User).order_by(User.login)
        if slug is not None:
            wanted = wanted.where(User.tenant_id == self._tenant(slug).id)
        return [_user_view(row) for row in self._session.scalars(wanted)]

    def add_user(self, login: str, password: str, *, tenant: str | None) -> UserView:
        """Make a tenant's admin, or (no tenant) an operator."""
        login = _checked_login(login)
        row = User(
            id=new_id(),
            tenant_id=self._tenant(tenant).id if tenant else None,
            login=login,
            role=(Role.TENANT_ADMIN if tenant else Role.OPERATOR).value,
            password_hash=hash_password(check_password(password, login=login)),
            enabled=True,
            created_at=datetime.now(UTC),
        )
        self._insert(row, TakenError("login", "this login is taken: choose another"))
        self._audit_user("user.add", row, ["login", "password", "role"])
        return _user_view(row)

    def set_password(self, login: str, password: str) -> None:
        """Give a user another password and end all sessions of before."""
        row = self._user(login)
        set_password(self._session, row, hash_password(check_password(password, login=row.login)))
        self._audit_user("user.change", row, ["password"])

    def make_password_link(self, login: str) -> str:
        """Make a link by which a user sets a password once, in the place of an earlier one; return its token."""
        row = self._user(login)
        token = make_password_link(self._session, row.id, now=datetime.now(UTC))
        self._audit_user("user.password_link", row, ["password"])
        return token

    def enable_user(self, login: str, *, enabled: bool) -> UserView:
        """Let a user in, or shut them out at once."""
        row = self._user(login)
        row.enabled = enabled
        self._session.flush()
        # At once, not when the session ends by itself: somebody was shut out for a reason.
        if not enabled:
            end_sessions(self._session, row.id)
        self._audit_user("user.change", row, ["enabled"])
        return _user_view(row)

    def remove_user(self, login: str) -> None:
        """Remove a user with their sessions."""
        row = self._user(login)
        self._audit_user("user.remove", row, [])
        self._session.delete(row)
        self._session.flush()

    # -- audit trail

    def audit_trail(self, slug: str | None = None, *, limit: int = 100) -> list[AuditView]:
        """The newest entries about a tenant, or (None) about the installation, newest first."""
        return audit.trail(self._session, self._tenant(slug).id if slug else None, limit=limit)

    def verify_audit_trail(self) -> int:
        """Check the whole trail; return how many entries it has.

        Raises:
            TamperedError: somebody changed it.
        """
        return audit.verify(self._session, self._keyring.active(self._session, AUDIT))

    def _tenant(self, slug: str) -> Tenant:
        row = self._session.scalars(select(Tenant).where(Tenant.slug == slug)).first()
        if row is None:
            raise NotFoundError(f"there is no tenant {slug:.80}")
        return row

    def _user(self, login: str) -> User:
        row = self._session.scalars(select(User).where(User.login == login.strip().lower())).first()
        if row is None:
            raise NotFoundError("there is no such user")
        return row

    def _insert(self, row: Tenant | User, taken: TakenError) -> None:
        try:
            # A savepoint: the refused row is taken back, and the caller's transaction can go on.
            with self._session.begin_nested():
                self._session.add(row)
                self._session.flush()
        except IntegrityError:
            raise taken from None

    def _audit(self, action: str, row: Tenant, fields: list[str]) -> None:
        self._append(action, Subject(row.id, row.slug), "tenants", row.id, fields)

    def _audit_user(self, action: str, row: User, fields: list[str]) -> None:
        tenant = self._session.get(Tenant, row.tenant_id) if row.tenant_id else None
        self._append(action, Subject(tenant.id, tenant.slug) if tenant else None, "users", row.id, fields)

    def _append(self, action: str, tenant: Subject | None, table: str, record_id: str, fields: list[str]) -> None:
        key = self._keyring.active(self._session, AUDIT)
        audit.append(
            self._session, key, self._actor, action, tenant=tenant, table=table, record_id=record_id, fields=fields
        )


def _checked_name(name: str) -> str:
    if not name.strip() or len(name) > NAME_LENGTH or not name.isprintable():
        raise FieldError("name", f"must be text of 1 to {NAME_LENGTH} characters without control characters")
    return name.strip()


def _checked_login(login: str) -> str:
    login = login.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise FieldError("login", "must be 2 to 200 of a-z, 0-9 and @ . _ + -, beginning with a letter or digit")
    return login


def _tenant_view(row: Tenant) -> TenantView:
    return TenantView(row.id, row.slug, row.name, dict(row.settings), row.created_at)


def _user_view(row: User) -> UserView:
    return UserView(
        id=row.id,
        tenant_id=row.tenant_id,
        login=row.login,
        role=Role(row.role),
        enabled=row.enabled,
        created_at=row.created_at,
        last_login_at=row.last_login_at,
    )
