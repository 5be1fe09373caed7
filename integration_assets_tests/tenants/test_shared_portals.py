"""Two tenants of one registry, one portal: refused where it is configured, whichever of them comes second."""

from __future__ import annotations

import pytest

from integration_assets.tenants.registry.changes import NewThirdParty, SharedPortalError, ThirdPartyChanges
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.views import ThirdPartyView
from integration_assets.tenants.registry.words import Provider, Scope
from integration_assets_tests.support.installation import installation
from integration_assets_tests.support.registries import ACTOR, tenant_id
from integration_assets_tests.support.snapshots import folder

TOKEN = "pat-na1-the-same-token-0123456789"


def add(registry: Registry, tenant: str, secret: str = TOKEN, **values: object) -> ThirdPartyView:
    new = {"provider": Provider("hubspot"), "environment": Scope.SANDBOX, "secret": secret, **values}
    with tenant_repository(registry, tenant_id(registry, tenant), ACTOR) as repository:
        return repository.add_third_party(NewThirdParty(**new))  # type: ignore[arg-type]


def change(registry: Registry, tenant: str, view: ThirdPartyView, **values: object) -> None:
    with tenant_repository(registry, tenant_id(registry, tenant), ACTOR) as repository:
        repository.change_third_party(view.id, ThirdPartyChanges(**values))  # type: ignore[arg-type]


def set_source(registry: Registry, tenant: str, name: str | None) -> None:
    with directory(registry, ACTOR) as tenants:
        tenants.change_tenant(tenant, settings={"source_name": name})


def count(registry: Registry, tenant: str) -> int:
    with tenant_repository(registry, tenant_id(registry, tenant), ACTOR) as repository:
        return len(repository.third_party_integrations())


def test_the_same_token_is_refused(registry: Registry):
    """In any environment; nothing is stored; the message has the remedy and not the other's name."""
    add(registry, "acme")
    for scope in (Scope.SANDBOX, Scope.PRODUCTION):
        with pytest.raises(SharedPortalError) as raised:
            add(registry, "globex", environment=scope)
        assert "choose another source_name" in raised.value.message
        assert "acme" not in raised.value.message
        assert raised.value.tenant == "acme"
    assert count(registry, "globex") == 0


def test_another_source_name_or_another_host_is_no_sharing(registry: Registry):
    """Records of two source names do not meet; nor do the portals of two hosts."""
    add(registry, "acme")
    add(registry, "globex", base_url="https://elsewhere.example")
    set_source(registry, "globex", "ideas")
    view = add(registry, "globex", environment=Scope.PRODUCTION)
    with pytest.raises(SharedPortalError):
        set_source(registry, "globex", None)
    with pytest.raises(SharedPortalError):
        set_source(registry, "acme", "ideas")
    change(registry, "globex", view, enabled=False)
    set_source(registry, "globex", None)
    with pytest.raises(SharedPortalError):
        change(registry, "globex", view, enabled=True)


def test_a_token_that_is_changed_is_looked_at_as_well(registry: Registry):
    """As are portal ids that both name, whatever the tokens."""
    add(registry, "acme", settings={"portal_id": "7"})
    view = add(registry, "globex", secret="pat-na1-of-globex-alone-0123456789")
    with pytest.raises(SharedPortalError):
        change(registry, "globex", view, secret=TOKEN)
    with pytest.raises(SharedPortalError):
        change(registry, "globex", view, settings={"portal_id": "7"})
    change(registry, "globex", view, settings={"portal_id": "8"})
    change(registry, "globex", view, secret=TOKEN)  # a portal id is surer than a token: a run compares it


@pytest.mark.proof  # a registration, a setup, three runs and an examination
def test_the_default_tenant_on_the_environment_is_refused_as_well():
    """acme writes first; with acme's variables default cannot sync, plan or set up, the doctor says why, and nobody
    registers the environment's token."""
    with folder() as home, installation(home, "acme") as made:
        made.register("acme")
        made.good("setup", "--tenant", "acme", "--yes")
        made.good("sync", "--tenant", "acme")
        world = made.worlds["acme"]
        before = world.in_crm().records
        values = world.addresses.environment()
        operators = {name: value for name, value in values.items() if name.startswith(("CANNY_", "HUBSPOT_"))}
        operators |= {"CANNY_EXCLUDE_BOARDS": "Bugs"}
        for command in (("sync",), ("plan",), ("setup", "--yes")):
            ran = made.run(*command, **operators)
            assert ran.code == 2, command
            assert "choose another source name (INTEGRATION_ASSETS_SOURCE_NAME) or another portal" in ran.err
            assert "acme" not in ran.err
        doctor = made.run("doctor", **operators)
        assert doctor.code in {1, 2}
        assert "INTEGRATION_ASSETS_SOURCE_NAME" in doctor.out
        assert world.in_crm().records == before
        made.good("tenants", "add", "globex")
        add = ("tenants", "integrations", "add", "globex", "hubspot", "--base-url", values["HUBSPOT_SANDBOX_BASE_URL"])
        ran = made.run(*add, stdin=values["HUBSPOT_SANDBOX_TOKEN"], **operators)
        assert (ran.code, "keeps them)" in ran.err) == (2, True)
        assert made.run("sync", "--read-only", **operators).code == 0
        made.good("sync", "--tenant", "acme")
