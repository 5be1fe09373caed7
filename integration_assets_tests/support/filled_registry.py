"""A registry full of secrets, and what opens of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import select, update

from integration_assets.tenants.registry.changes import NewInternal, NewThirdParty
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.models import InternalIntegration, ThirdPartyIntegration
from integration_assets.tenants.registry.repository import TenantRepository, tenant_repository
from integration_assets.tenants.registry.vault import TamperedError
from integration_assets.tenants.registry.words import AuthFlow, Provider, Scope
from integration_assets_tests.support.registries import ACTOR, tenant_id

Spot = tuple[str, str, str]
"""Tenant, table and id of a record with a secret."""
TABLES: dict[str, type[ThirdPartyIntegration | InternalIntegration]] = {
    "third": ThirdPartyIntegration,
    "internal": InternalIntegration,
}
AUTH: dict[AuthFlow, dict[str, str]] = {
    AuthFlow.BASIC: {"username": "reader"},
    AuthFlow.HEADER: {"header_name": "X-Api-Key"},
    AuthFlow.BEARER: {},
    AuthFlow.OAUTH2: {"token_url": "https://login.example/token", "client_id": "us"},
}
PLACES = (
    (Provider("canny"), Scope.ANY),
    (Provider("hubspot"), Scope.SANDBOX),
    (Provider("hubspot"), Scope.PRODUCTION),
    (Provider("slack"), Scope.ANY),
)


def filled(registry: Registry, tenants: Iterable[str] = ("acme", "globex")) -> dict[Spot, str]:
    """Give each tenant a secret in every place there is; the secrets by spot."""
    secrets: dict[Spot, str] = {}
    for tenant in tenants:
        with tenant_repository(registry, tenant_id(registry, tenant), ACTOR) as repository:
            for provider, scope in PLACES:
                secret = f"secret-of-{tenant}-{provider}-{scope}-0123456789"
                new = NewThirdParty(provider=provider, environment=scope, secret=secret)
                secrets[tenant, "third", repository.add_third_party(new).id] = secret
            for flow, auth in AUTH.items():
                secret = f"secret-of-{tenant}-{flow}-0123456789"
                system = NewInternal(
                    name=flow.value, base_url="https://x.example", auth_flow=flow, auth=auth, secret=secret
                )
                secrets[tenant, "internal", repository.add_internal(system).id] = secret
    return secrets


def open_spot(registry: Registry, spot: Spot) -> str | None:
    """Open the secret of a spot as a run does."""
    tenant, table, record_id = spot
    with tenant_repository(registry, tenant_id(registry, tenant), ACTOR) as repository:
        opened = opening(repository, table)(record_id)
        return opened.secret.get_secret_value() if opened.secret else None


def open_all(registry: Registry, spots: Iterable[Spot]) -> dict[Spot, str | None]:
    """Open the secrets of these spots, one transaction per tenant."""
    found: dict[Spot, str | None] = {}
    for tenant in {spot[0] for spot in spots}:
        with tenant_repository(registry, tenant_id(registry, tenant), ACTOR) as repository:
            for spot in spots:
                if spot[0] == tenant:
                    secret = opening(repository, spot[1])(spot[2]).secret
                    found[spot] = secret.get_secret_value() if secret else None
    return found


def opening(repository: TenantRepository, table: str) -> Any:
    """The method that opens a record of that table."""
    return repository.open_third_party if table == "third" else repository.open_internal


def sealed(registry: Registry, spot: Spot) -> Any:
    """What the database holds of a secret."""
    table = TABLES[spot[1]]
    with registry.session() as session:
        return session.scalars(select(table.secret).where(table.id == spot[2])).one()


def put(registry: Registry, spot: Spot, value: Any, **columns: Any) -> None:
    """Write into the database what somebody with access to it could write."""
    table = TABLES[spot[1]]
    with registry.session() as session:
        session.execute(update(table).where(table.id == spot[2]).values(secret=value, **columns))


def noticed(registry: Registry, spot: Spot) -> bool:
    """Whether what now stands in a spot is refused as tampered with."""
    try:
        open_spot(registry, spot)
    except TamperedError:
        return True
    return False


def swaps_noticed(registry: Registry, secrets: Iterable[Spot]) -> Iterator[bool]:
    """Put every sealed secret into every other spot and back again: whether each is noticed."""
    values = {spot: sealed(registry, spot) for spot in secrets}
    for one, other in itertools.permutations(values, 2):
        put(registry, one, values[other])
        yield noticed(registry, one)
        put(registry, one, values[one])
