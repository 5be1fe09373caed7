"""Setting and opening the one secret of an integration. Nothing else touches the sealed column but `rotation`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from sqlalchemy.orm import Session

from integration_assets.connectors.redaction import register
from integration_assets.tenants.registry import audit
from integration_assets.tenants.registry.audit import Actor, Subject
from integration_assets.tenants.registry.changes import check_secret, last_four
from integration_assets.tenants.registry.keyring import AUDIT, Keyring
from integration_assets.tenants.registry.models import InternalIntegration, ThirdPartyIntegration
from integration_assets.tenants.registry.providers import SECRET_NAMES
from integration_assets.tenants.registry.vault import SecretContext, TamperedError, seal, unseal
from integration_assets.tenants.registry.words import AuthFlow

Record = ThirdPartyIntegration | InternalIntegration
WITH_SECRETS: tuple[type[Record], ...] = (ThirdPartyIntegration, InternalIntegration)


def secret_name(row: Record) -> str:
    """Name the secret of a record: `secret`, or the flow's own word."""
    return SECRET_NAMES[AuthFlow(row.auth_flow)] if isinstance(row, InternalIntegration) else "secret"


def place_of(row: Record) -> SecretContext:
    """Return the context the secret of a record is bound to."""
    return SecretContext(row.tenant_id, row.__tablename__, row.id, secret_name(row), row.secret_serial)


def set_secret(session: Session, keyring: Keyring, row: Record, value: str, by: str) -> None:
    """Replace the secret of a record.

    Raises:
        FieldError: it is no secret that may be stored.
    """
    check_secret(value)
    # Before it is sealed: the serial is part of what the secret is bound to.
    row.secret_serial += 1
    row.secret = seal(keyring.active(session, row.tenant_id), value.encode(), place_of(row))
    row.secret_last4 = last_four(value)
    row.secret_set_at, row.secret_set_by = datetime.now(UTC), by
    row.secret_expires_at, row.secret_never_expires = None, False  # that was said of the one before
    # How the old secret fared says nothing of the new one.
    row.last_ok_at = row.last_error = row.last_error_at = None


def clear_secret(row: Record) -> None:
    """Take the secret of a record away, and what was known of it."""
    # Also when it is cleared: the sealed secret of before must not open if somebody puts it back.
    if row.secret is not None:
        row.secret_serial += 1
    row.secret = row.secret_last4 = row.secret_set_at = row.secret_set_by = None
    row.secret_expires_at, row.secret_never_expires = None, False


def open_secret(session: Session, keyring: Keyring, row: Record, actor: Actor, tenant: Subject) -> SecretStr | None:
    """The secret of a record, for a run or a test of the connection; None when none is set. It is noted in the trail.

    From then on it is taken out of everything this process says.

    Raises:
        TamperedError: it does not belong there, was changed, or is one that was replaced since.
    """
    if row.secret is None:
        return None
    audit_key = keyring.active(session, AUDIT)
    # A row restored by hand would bring back a secret that was replaced, perhaps because it leaked.
    if audit.latest_serial(session, row.__tablename__, row.id) != row.secret_serial:
        raise TamperedError(
            f"the sealed {secret_name(row)} of {row.__tablename__} {row.id} is an older one: somebody put it back; "
            "enter it again"
        )
    secret = _unsealed(session, keyring, row)
    register(secret)
    audit.append(
        session,
        audit_key,
        actor,
        "secret.open",
        tenant=tenant,
        table=row.__tablename__,
        record_id=row.id,
        fields=[secret_name(row)],
    )
    return SecretStr(secret)


def read_secret(session: Session, keyring: Keyring, row: Record) -> str | None:
    """The secret of a record to be compared with another, never to be used or shown; None when none is set.

    Raises:
        TamperedError: it does not belong there, or was changed.
    """
    return None if row.secret is None else _unsealed(session, keyring, row)


def _unsealed(session: Session, keyring: Keyring, row: Record) -> str:
    sealed: Any = row.secret  # whatever JSON somebody may have put there
    key_id = sealed.get("key_id") if isinstance(sealed, dict) else None
    key = keyring.by_id(session, str(key_id), row.tenant_id)
    return unseal(key, sealed, place_of(row)).decode()
