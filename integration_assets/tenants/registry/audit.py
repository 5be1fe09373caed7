"""The audit trail: who did what to which record, when. Entries are added, never changed; each is chained to the last.

The chain's digests are keyed (HMAC-SHA-256) by a key that only the vault opens, so that whoever can write the database
but has not the key cannot rewrite the trail unnoticed. Cutting off its end together with the row that marks it goes
unnoticed: against that helps only a copy elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from integration_assets.tenants.registry.models import AuditEntry, AuditHead
from integration_assets.tenants.registry.vault import Key, TamperedError
from integration_assets.tenants.registry.views import AuditView

START_DIGEST = "0" * 64
PAGE = 1_000


class Subject(msgspec.Struct, frozen=True):
    """The tenant an entry is about."""

    tenant_id: str
    slug: str


class Actor(msgspec.Struct, frozen=True):
    """Person or run that acts: a login, `command line (name)`, or `run <id>`; with the id of a web request."""

    name: str
    request_id: str | None = None


def append(
    session: Session,
    key: Key,
    actor: Actor,
    action: str,
    *,
    tenant: Subject | None = None,
    table: str | None = None,
    record_id: str | None = None,
    fields: Sequence[str] = (),
    serial: int | None = None,
    result: str = "ok",
) -> None:
    """Add an entry in the caller's transaction: what was done and its entry are committed together or not at all."""
    # Locked: two entries with the same predecessor would break the chain for good.
    head = session.execute(select(AuditHead).with_for_update()).scalar_one()
    entry = AuditEntry(
        number=head.number + 1,
        at=datetime.now(UTC),
        actor=actor.name,
        tenant=tenant.slug if tenant else None,
        tenant_id=tenant.tenant_id if tenant else None,
        action=action,
        table=table,
        record_id=record_id,
        fields=sorted(fields),
        serial=serial,
        request_id=actor.request_id,
        result=result,
    )
    entry.digest = _digest(key, head.digest, entry)
    session.add(entry)
    head.number, head.digest = entry.number, entry.digest
    # Here, so that a refusal of the database belongs to the action that caused it.
    session.flush()


def verify(session: Session, key: Key) -> int:
    """Go through the whole trail; return how many entries it has.

    Raises:
        TamperedError: an entry was changed, removed or added by somebody without the key; names the first.
    """
    number, digest = 0, START_DIGEST
    while True:
        entries = session.scalars(
            select(AuditEntry).where(AuditEntry.number > number).order_by(AuditEntry.number).limit(PAGE)
        ).all()
        for entry in entries:
            # The number as well, so that the message can name the first entry that is not in its place.
            if entry.number != number + 1 or not hmac.compare_digest(entry.digest, _digest(key, digest, entry)):
                raise TamperedError(f"the audit trail does not hold from entry {number + 1} on: somebody changed it")
            number, digest = entry.number, entry.digest
        # By pages: a trail of years does not fit into memory.
        if len(entries) < PAGE:
            break
    head = session.execute(select(AuditHead)).scalar_one()
    # The chain holds up to wherever it was cut off; only the head knows how long it was.
    if (head.number, head.digest) != (number, digest):
        raise TamperedError(f"the audit trail ends at entry {number}, not at {head.number}: somebody cut it off")
    return number


def trail(session: Session, tenant_id: str | None, *, limit: int) -> list[AuditView]:
    """The newest entries about a tenant, or (None) about the installation, newest first."""
    rows = session.scalars(
        select(AuditEntry).where(AuditEntry.tenant_id == tenant_id).order_by(AuditEntry.number.desc()).limit(limit)
    )
    return [
        AuditView(
            number=row.number,
            at=row.at,
            actor=row.actor,
            action=row.action,
            table=row.table,
            record_id=row.record_id,
            fields=list(row.fields),
            request_id=row.request_id,
            result=row.result,
        )
        for row in rows
    ]


def latest_serial(session: Session, table: str, record_id: str) -> int | None:
    """Read which `secret_serial` the trail last noted for a record."""
    return session.scalars(
        select(AuditEntry.serial)
        .where(AuditEntry.table == table, AuditEntry.record_id == record_id, AuditEntry.serial.is_not(None))
        .order_by(AuditEntry.number.desc())
        .limit(1)
    ).first()


def _digest(key: Key, before: str, entry: AuditEntry) -> str:
    # JSON, not joined text: no field's content can move the border to the next one.
    content = msgspec.json.encode(
        [
            before,
            entry.number,
            entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
            entry.actor,
            entry.tenant,
            entry.tenant_id,
            entry.action,
            entry.table,
            entry.record_id,
            list(entry.fields),
            entry.serial,
            entry.request_id,
            entry.result,
        ]
    )
    return hmac.new(key.raw, content, hashlib.sha256).hexdigest()
