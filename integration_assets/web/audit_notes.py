"""Entries of the audit trail for what pages do beside the registry."""

from __future__ import annotations

from collections.abc import Sequence

from integration_assets.tenants.registry import audit
from integration_assets.tenants.registry.audit import Subject
from integration_assets.tenants.registry.keyring import AUDIT
from integration_assets.web.request_context import RequestContext


def note(context: RequestContext, action: str, fields: Sequence[str] = (), record_id: str | None = None) -> None:
    """Add an entry about the tenant of a visit."""
    with context.registry.session() as session:
        audit.append(
            session,
            context.registry.keyring.active(session, AUDIT),
            context.actor,
            action,
            tenant=Subject(context.own.id, context.own.slug),
            record_id=record_id,
            fields=fields,
        )
