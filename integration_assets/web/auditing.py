"""Entries of the audit trail for what pages do beside the registry."""

from __future__ import annotations

from collections.abc import Sequence

from integration_assets.tenants.registry import audit
from integration_assets.tenants.registry.audit import Subject
from integration_assets.tenants.registry.keyring import AUDIT
from integration_assets.web.visit import Visit


def note(visit: Visit, action: str, fields: Sequence[str] = (), record_id: str | None = None) -> None:
    """Add an entry about the tenant of a visit."""
    with visit.registry.session() as session:
        audit.append(
            session,
            visit.registry.keyring.active(session, AUDIT),
            visit.actor,
            action,
            tenant=Subject(visit.own.id, visit.own.slug),
            record_id=record_id,
            fields=fields,
        )
