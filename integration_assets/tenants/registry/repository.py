"""The one way to a tenant's integrations: every look-up is by tenant and id, so a foreign id does not exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from integration_assets.connectors.specs import ProviderKind
from integration_assets.providers import PROVIDERS
from integration_assets.tenants.registry import audit
from integration_assets.tenants.registry.audit import Actor, Subject
from integration_assets.tenants.registry.changes import (
    FieldError,
    InternalChanges,
    NewInternal,
    NewThirdParty,
    NotFoundError,
    SecretNeededError,
    TakenError,
    ThirdPartyChanges,
    check_url,
    mask,
    target,
)
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.keyring import AUDIT, Keyring
from integration_assets.tenants.registry.models import InternalIntegration, Tenant, ThirdPartyIntegration, new_id
from integration_assets.tenants.registry.providers import (
    check_auth,
    check_endpoints,
    check_environment,
    check_key,
    check_settings,
    is_crm,
    usual_address,
)
from integration_assets.tenants.registry.secrets import Record, clear_secret, open_secret, secret_name, set_secret
from integration_assets.tenants.registry.shared_portals import refuse_shared_portal
from integration_assets.tenants.registry.views import (
    AuditView,
    InternalView,
    OpenedInternal,
    OpenedThirdParty,
    SecretView,
    ThirdPartyView,
    Unset,
)
from integration_assets.tenants.registry.words import NAME_LENGTH, AuthFlow, Provider, Scope

T = TypeVar("T")
R = TypeVar("R", ThirdPartyIntegration, InternalIntegration)
LONGEST_NOTE = 300


@contextmanager
def tenant_repository(registry: Registry, tenant_id: str, actor: Actor) -> Iterator[TenantRepository]:
    """The integrations of one tenant for one transaction, committed when the block ends without an error.

    Raises:
        NotFoundError: there is no such tenant.
    """
    with registry.session() as session:
        yield _repository_of(registry, session, tenant_id, actor)


def in_repository(registry: Registry, tenant_id: str, actor: Actor, work: Callable[[TenantRepository], T]) -> T:
    """Do work on the integrations of one tenant in a transaction that is tried again where the database asks for it.

    Raises:
        NotFoundError: there is no such tenant.
    """
    return registry.transact(lambda session: work(_repository_of(registry, session, tenant_id, actor)))


def _repository_of(registry: Registry, session: Session, tenant_id: str, actor: Actor) -> TenantRepository:
    tenant = session.get(Tenant, tenant_id)
    if tenant is None:
        raise NotFoundError("there is no such tenant")
    return TenantRepository(session, registry.keyring, tenant, actor)


class TenantRepository:
    """The integrations of one tenant inside one transaction: get one from `tenant_repository`.

    Errors of its methods: `NotFoundError` for an id that is not this tenant's; `FieldError` for a value, with its
    field; `TakenError` for a second one of the same place or name; `SecretNeededError` when an address or the way to
    authenticate changes while a secret is stored and none is given.
    """

    def __init__(self, session: Session, keyring: Keyring, tenant: Tenant, actor: Actor) -> None:
        self._session = session
        self._keyring = keyring
        self._tenant = tenant
        self._tenant_id = tenant.id
        self._subject = Subject(tenant.id, tenant.slug)
        self._actor = actor

    # -- third-party integrations

    def third_party_integrations(self) -> list[ThirdPartyView]:
        """All, by provider and environment."""
        table = ThirdPartyIntegration
        return [third_party_view(row) for row in self._all(table, table.provider, table.environment)]

    def third_party_integration(self, record_id: str) -> ThirdPartyView:
        """One of them."""
        return third_party_view(self._get(ThirdPartyIntegration, record_id))

    def add_third_party(self, new: NewThirdParty) -> ThirdPartyView:
        """Make one. There can be one per provider and environment."""
        row = ThirdPartyIntegration(
            **self._common(new.base_url or usual_address(new.provider), new),
            provider=new.provider.value,
            environment=check_environment(new.provider, new.environment).value,
            settings=check_settings(new.provider, new.settings),
        )
        spec = PROVIDERS[new.provider]
        second = (
            f"; a second workspace of {spec.label} is for a tenant of its own, with a source name of its own"
            if spec.kind is ProviderKind.FEEDBACK
            else ""
        )
        taken = TakenError(
            "environment", f"there is one for {spec.label} and {new.environment} already: change that one{second}"
        )
        fields = ["provider", "environment", "base_url", *(f"settings.{name}" for name in row.settings)]
        self._add(row, new, fields, taken)
        # After it is in the session: the comparison reads the rows as they will be.
        self._refuse_shared(row)
        return third_party_view(row)

    def change_third_party(self, record_id: str, changes: ThirdPartyChanges) -> ThirdPartyView:
        """Change what is not UNSET. `settings` are replaced as a whole."""
        row = self._get(ThirdPartyIntegration, record_id)
        # Before anything is set: afterwards both addresses are the same.
        moved = _moved(row, changes.base_url)
        fields = _set(row, {"base_url": _checked_url(changes.base_url), "enabled": changes.enabled})
        if not isinstance(changes.settings, Unset):
            fields += _set(row, {"settings": check_settings(Provider(row.provider), changes.settings)})
        fields += self._change_secret(row, changes.secret, moved)
        fields += _set_expiry(row, changes.expires_at, changes.never_expires)
        self._changed(row, fields)
        # Nothing changed: comparing would open secrets of others for no reason.
        if fields:
            self._refuse_shared(row)
        return third_party_view(row)

    def remove_third_party(self, record_id: str) -> None:
        """Remove one, its secret included."""
        self._remove(self._get(ThirdPartyIntegration, record_id))

    def open_third_party(self, record_id: str) -> OpenedThirdParty:
        """One of them with its secret, to be used at once. Noted in the audit trail.

        Raises:
            TamperedError: the sealed secret was changed, moved, or is an older one.
        """
        row = self._get(ThirdPartyIntegration, record_id)
        return OpenedThirdParty(third_party_view(row), self._open(row))

    def note_third_party(self, record_id: str, error: str | None) -> None:
        """Note that one was used just now: with success, or the line that says what went wrong (no secret in it)."""
        _note(self._get(ThirdPartyIntegration, record_id), error)

    # -- internal-system integrations

    def internal_integrations(self) -> list[InternalView]:
        """All, by name."""
        return [internal_view(row) for row in self._all(InternalIntegration, InternalIntegration.name)]

    def internal_integration(self, record_id: str) -> InternalView:
        """One of them."""
        return internal_view(self._get(InternalIntegration, record_id))

    def add_internal(self, new: NewInternal) -> InternalView:
        """Make one. Its name is its tenant's only one of that name."""
        row = InternalIntegration(
            **self._common(new.base_url, new),
            name=_checked_name(new.name),
            auth_flow=new.auth_flow.value,
            auth=check_auth(new.auth_flow, new.auth),
            endpoints=check_endpoints(new.endpoints),
            mappings=dict(new.mappings),
        )
        fields = ["name", "base_url", "auth_flow", "endpoints", "mappings", *(f"auth.{name}" for name in row.auth)]
        self._add(row, new, fields, TakenError("name", "there is one of this name already"))
        return internal_view(row)

    def change_internal(self, record_id: str, changes: InternalChanges) -> InternalView:
        """Change what is not UNSET. `auth`, `endpoints` and `mappings` are replaced as a whole.

        With another flow, what belonged to the old one is dropped.
        """
        row = self._get(InternalIntegration, record_id)
        moved = _moved(row, changes.base_url)
        fields = _set(row, {"base_url": _checked_url(changes.base_url), "enabled": changes.enabled})
        moved += self._change_auth(row, changes, fields)
        if not isinstance(changes.name, Unset):
            fields += _set(row, {"name": _checked_name(changes.name)})
        if not isinstance(changes.endpoints, Unset):
            fields += _set(row, {"endpoints": check_endpoints(changes.endpoints)})
        if not isinstance(changes.mappings, Unset):
            fields += _set(row, {"mappings": dict(changes.mappings)})
        fields += self._change_secret(row, changes.secret, moved)
        fields += _set_expiry(row, changes.expires_at, changes.never_expires)
        with self._unless_taken(TakenError("name", "there is one of this name already")):
            self._changed(row, fields)
        return internal_view(row)

    def remove_internal(self, record_id: str) -> None:
        """Remove one, its secret included."""
        self._remove(self._get(InternalIntegration, record_id))

    def open_internal(self, record_id: str) -> OpenedInternal:
        """One of them with its secret, to be used at once. Noted in the audit trail.

        Raises:
            TamperedError: the sealed secret was changed, moved, or is an older one.
        """
        row = self._get(InternalIntegration, record_id)
        return OpenedInternal(internal_view(row), self._open(row))

    def note_internal(self, record_id: str, error: str | None) -> None:
        """Note that one was used just now: with success, or the line that says what went wrong (no secret in it)."""
        _note(self._get(InternalIntegration, record_id), error)

    # -- audit trail

    def audit_trail(self, *, limit: int = 100) -> list[AuditView]:
        """The newest entries about this tenant, newest first."""
        return audit.trail(self._session, self._tenant_id, limit=limit)

    # -- both kinds

    def _refuse_shared(self, row: ThirdPartyIntegration) -> None:
        if is_crm(Provider(row.provider)):
            refuse_shared_portal(self._session, self._keyring, self._tenant)

    def _all(self, table: type[R], *order: Any) -> Sequence[R]:
        return self._session.scalars(select(table).where(table.tenant_id == self._tenant_id).order_by(*order)).all()

    def _get(self, table: type[R], record_id: str) -> R:
        row = self._session.scalars(
            # By tenant and id together: the id of a foreign record is as unknown as one that does not exist.
            select(table).where(table.tenant_id == self._tenant_id, table.id == record_id).with_for_update()
        ).first()
        if row is None:
            raise NotFoundError("there is no such integration")
        return row

    def _common(self, base_url: str, new: NewThirdParty | NewInternal) -> dict[str, Any]:
        now = datetime.now(UTC)
        return {
            "id": new_id(),
            "tenant_id": self._tenant_id,
            # A provider without an address has none to check.
            "base_url": check_url(base_url) if base_url or isinstance(new, NewInternal) else _no_address(new.provider),
            "secret_serial": 0,
            "secret_never_expires": False,
            "enabled": new.enabled,
            "created_at": now,
            "updated_at": now,
        }

    def _add(self, row: Record, new: NewThirdParty | NewInternal, fields: list[str], taken: TakenError) -> None:
        if new.secret is not None:
            fields = [*fields, *self._set_secret(row, new.secret)]
        fields = [*fields, *_set_expiry(row, new.expires_at, new.never_expires)]
        with self._unless_taken(taken):
            self._session.add(row)
            self._session.flush()
        self._audit("integration.add", row, fields, serial=row.secret_serial)

    def _changed(self, row: Record, fields: list[str]) -> None:
        if not fields:
            return
        row.updated_at = datetime.now(UTC)
        self._session.flush()
        self._audit("integration.change", row, fields, serial=row.secret_serial)

    def _remove(self, row: Record) -> None:
        self._audit("integration.remove", row, [])
        self._session.delete(row)
        self._session.flush()

    def _change_auth(self, row: InternalIntegration, changes: InternalChanges, fields: list[str]) -> list[str]:
        """Take over another flow or other fields of it; return what of that makes the stored secret unusable."""
        before_flow, before = AuthFlow(row.auth_flow), dict(row.auth)
        flow = before_flow if isinstance(changes.auth_flow, Unset) else changes.auth_flow
        kept = before if flow is before_flow else {}
        auth = check_auth(flow, kept if isinstance(changes.auth, Unset) else changes.auth)
        secret_goes_elsewhere = ["auth.token_url"] if auth.get("token_url") != before.get("token_url") else []
        # A secret sealed as a password is no token: it does not open under the new name.
        if flow is not before_flow:
            if changes.secret is None or flow is AuthFlow.NONE:
                fields += [secret_name(row)] if row.secret is not None else []
                clear_secret(row)
            secret_goes_elsewhere = ["auth_flow"]
        fields += _set(row, {"auth_flow": flow.value, "auth": auth})
        return secret_goes_elsewhere

    def _change_secret(self, row: Record, secret: str | Unset | None, moved: list[str]) -> list[str]:
        if isinstance(secret, Unset):
            # Otherwise whoever may change an address could have the stored secret sent to a host of their own.
            if moved and row.secret is not None:
                raise SecretNeededError(tuple(moved))
            return []
        if secret is None:
            changed = [secret_name(row)] if row.secret is not None else []
            clear_secret(row)
            return changed
        return self._set_secret(row, secret)

    def _set_secret(self, row: Record, secret: str) -> list[str]:
        if isinstance(row, InternalIntegration) and row.auth_flow == AuthFlow.NONE:
            raise FieldError("secret", "the flow none has no secret: choose how the system authenticates first")
        if isinstance(row, ThirdPartyIntegration):
            secret = check_key(Provider(row.provider), secret)
        set_secret(self._session, self._keyring, row, secret, self._actor.name)
        return [secret_name(row)]

    def _open(self, row: Record) -> Any:
        return open_secret(self._session, self._keyring, row, self._actor, self._subject)

    def _audit(self, action: str, row: Record, fields: list[str], serial: int | None = None) -> None:
        audit.append(
            self._session,
            self._keyring.active(self._session, AUDIT),
            self._actor,
            action,
            tenant=self._subject,
            table=row.__tablename__,
            record_id=row.id,
            fields=fields,
            serial=serial,
        )

    @contextmanager
    def _unless_taken(self, taken: TakenError) -> Iterator[None]:
        try:
            with self._session.begin_nested():
                yield
        except IntegrityError:
            raise taken from None


def third_party_view(row: ThirdPartyIntegration) -> ThirdPartyView:
    """Return what is shown of a third-party integration."""
    return ThirdPartyView(
        provider=Provider(row.provider),
        environment=Scope(row.environment),
        settings=dict(row.settings),
        **_common_view(row),
    )


def internal_view(row: InternalIntegration) -> InternalView:
    """Return what is shown of an internal-system integration."""
    return InternalView(
        name=row.name,
        auth_flow=AuthFlow(row.auth_flow),
        auth=dict(row.auth),
        endpoints=list(row.endpoints),
        mappings=dict(row.mappings),
        **_common_view(row),
    )


def _common_view(row: Record) -> dict[str, Any]:
    is_set = row.secret is not None
    return {
        "id": row.id,
        "base_url": row.base_url,
        "enabled": row.enabled,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "last_ok_at": row.last_ok_at,
        "last_error": row.last_error,
        "last_error_at": row.last_error_at,
        "secret": SecretView(
            is_set=is_set,
            masked=mask(row.secret_last4) if is_set else None,
            last4=row.secret_last4,
            set_at=row.secret_set_at,
            set_by=row.secret_set_by,
            expires_at=row.secret_expires_at,
            never_expires=row.secret_never_expires,
        ),
    }


def _set(row: Record, values: Mapping[str, Any]) -> list[str]:
    """Set what is given and differs; return the names of what changed."""
    changed = [name for name, value in values.items() if not isinstance(value, Unset) and getattr(row, name) != value]
    for name in changed:
        setattr(row, name, values[name])
    return changed


def _set_expiry(row: Record, expires_at: datetime | Unset | None, never_expires: bool | Unset) -> list[str]:
    """Set when the secret expires. A day and "never" exclude each other: what is given replaces the other."""
    if isinstance(expires_at, datetime):
        # Both at once is a mistake; guessing which is meant could hide an expiry.
        if never_expires is True:
            raise FieldError("expires_at", "a secret that never expires has no day on which it does: choose one")
        if expires_at.tzinfo is None:
            raise FieldError("expires_at", "must say its time zone")
        never_expires = False
    elif never_expires is True:
        expires_at = None
    return _set(row, {"secret_expires_at": expires_at, "secret_never_expires": never_expires})


def _moved(row: Record, base_url: str | Unset) -> list[str]:
    """True if another base URL leads a secret to another place."""
    # Another path at the same host still reaches who had the secret already.
    if isinstance(base_url, Unset) or target(check_url(base_url)) == target(row.base_url):
        return []
    return ["base_url"]


def _no_address(provider: Provider) -> str:
    """The address of a provider that has none.

    Raises:
        FieldError: it needs one.
    """
    return "" if PROVIDERS[provider].address is None else check_url("")


def _checked_url(base_url: str | Unset) -> str | Unset:
    return base_url if isinstance(base_url, Unset) else check_url(base_url)


def _checked_name(name: str) -> str:
    if not name.strip() or len(name) > NAME_LENGTH or not name.isprintable():
        raise FieldError("name", f"must be text of 1 to {NAME_LENGTH} characters without control characters")
    return name.strip()


def _note(row: Record, error: str | None) -> None:
    if error is None:
        row.last_ok_at, row.last_error, row.last_error_at = datetime.now(UTC), None, None
    else:
        # Cut to the column: PostgreSQL refuses a longer text, and with it the outcome.
        row.last_error, row.last_error_at = error[:LONGEST_NOTE], datetime.now(UTC)
