"""Which tenants ask a feedback system with one credential, for Dagster's queue: their runs share its limit of calls.

Known by the last four characters, which are kept beside a sealed secret: none is opened, and none noted as opened. Two
credentials that end alike count as one, which costs their runs some waiting and nothing else.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict

from integration_assets.config import Settings
from integration_assets.connectors.specs import ProviderKind
from integration_assets.providers import of_kind
from integration_assets.tenants.settings import opened_registry


def shared_credentials(settings: Settings) -> dict[str, str]:
    """A name of the credential by the tenant that shares it with others; tenants with one of their own are left out.

    Raises:
        ConfigurationError: the registry cannot be opened.
        TransientError: its database cannot be reached.
    """
    with opened_registry(settings) as opened:
        if opened is None:
            return {}
        # Only here: an installation without a registry does not load the database's tools.
        from sqlalchemy import select  # noqa: PLC0415

        from integration_assets.tenants.registry.models import Tenant, ThirdPartyIntegration  # noqa: PLC0415

        table, systems = ThirdPartyIntegration, [spec.name for spec in of_kind(ProviderKind.FEEDBACK)]
        wanted = (
            select(Tenant.slug, table.provider, table.base_url, table.secret_last4)
            .join(Tenant, Tenant.id == table.tenant_id)
            .where(table.provider.in_(systems), table.enabled.is_(True), table.secret_last4.is_not(None))
            .order_by(Tenant.slug, table.provider)
        )
        with opened.session() as session:
            rows = [(slug, _name(provider, url, last4 or "")) for slug, provider, url, last4 in session.execute(wanted)]
    tenants: dict[str, set[str]] = defaultdict(set)
    for slug, name in rows:
        tenants[name].add(slug)
    # Backwards: with several systems the first credential that is shared stays, as a run has one tag of this kind.
    return {slug: name for slug, name in reversed(rows) if len(tenants[name]) > 1}


def _name(provider: str, base_url: str, last4: str) -> str:
    digest = hashlib.sha256(f"{provider}\n{base_url}\n{last4}".encode()).hexdigest()
    return f"{provider} {digest[:12]}"
