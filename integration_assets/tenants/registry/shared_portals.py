"""Two tenants never keep records of one source name in one portal: looked at whenever a way into a portal changes."""

from __future__ import annotations

import hmac

from sqlalchemy import select
from sqlalchemy.orm import Session

from integration_assets.connectors.specs import PORTAL_ID, ProviderKind
from integration_assets.providers import of_kind
from integration_assets.tenants.registry.changes import SharedPortalError, source_names_in, target
from integration_assets.tenants.registry.keyring import Keyring
from integration_assets.tenants.registry.models import Tenant, ThirdPartyIntegration
from integration_assets.tenants.registry.secrets import read_secret
from integration_assets.tenants.registry.vault import TamperedError


def refuse_shared_portal(session: Session, keyring: Keyring, tenant: Tenant) -> None:
    """See that none of a tenant's ways into a portal is another tenant's as well, with the same source name.

    A way is known by its token, or by the portal id that both name. Nothing is noted as opened: the secrets are
    compared and forgotten.

    Raises:
        SharedPortalError: one is.
    """
    mine, sources = _ways(session, tenant), _source_names(session, tenant)
    others = [one for one in session.scalars(select(Tenant).where(Tenant.id != tenant.id)) if mine]
    for other in others:
        # Different source names keep different records, even in one portal.
        shared = sources & _source_names(session, other)
        if not shared:
            continue
        for theirs in _ways(session, other):
            if any(_same_portal(session, keyring, own, theirs) for own in mine):
                raise SharedPortalError(min(shared), other.slug)


def _ways(session: Session, tenant: Tenant) -> list[ThirdPartyIntegration]:
    table = ThirdPartyIntegration
    crms = [spec.name for spec in of_kind(ProviderKind.CRM)]
    wanted = select(table).where(table.tenant_id == tenant.id, table.provider.in_(crms), table.enabled.is_(True))
    return list(session.scalars(wanted))


def _source_names(session: Session, tenant: Tenant) -> set[str]:
    table, systems = ThirdPartyIntegration, [spec.name for spec in of_kind(ProviderKind.FEEDBACK)]
    wanted = select(table.provider).where(
        table.tenant_id == tenant.id, table.provider.in_(systems), table.enabled.is_(True)
    )
    return {*source_names_in(tenant.settings, sorted(set(session.scalars(wanted))))}


def _same_portal(session: Session, keyring: Keyring, one: ThirdPartyIntegration, other: ThirdPartyIntegration) -> bool:
    # The same number at another host is another portal, as in the sandbox.
    if one.provider != other.provider or target(one.base_url) != target(other.base_url):
        return False
    named = one.settings.get(PORTAL_ID), other.settings.get(PORTAL_ID)
    # Both name it: no secret has to be opened.
    if None not in named:
        return named[0] == named[1]
    try:
        secrets = [read_secret(session, keyring, row) for row in (one, other)]
    except TamperedError:  # whose it is learns of it when a run opens it
        return False
    return None not in secrets and hmac.compare_digest(*(str(secret).encode() for secret in secrets))
