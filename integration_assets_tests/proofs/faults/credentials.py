"""F. Credentials and tenants."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

from integration_assets.config import load_settings
from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets.tenants.registry import rotation
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.changes import NewInternal, NotFoundError
from integration_assets.tenants.registry.database import Registry, open_registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.master import generate
from integration_assets.tenants.registry.models import new_id
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.words import AuthFlow
from integration_assets_tests.proofs.faults.asking import is_upsert
from integration_assets_tests.proofs.faults.bench import Bench, require
from integration_assets_tests.proofs.faults.case_runs import fault
from integration_assets_tests.proofs.faults.starts import SENTINELS
from integration_assets_tests.support.harness import World, is_write
from integration_assets_tests.support.waiting import until

MOST_AFTER_REVOCATION = 12
"""Requests that may still be on their way when a token is revoked."""


@fault("F1", "the token expires in the middle of a run")
def f1(bench: Bench) -> None:
    """One renewal under a lock, and the read goes on at the page that was refused."""
    key = _registered(bench, "acme", bench.world)
    _with_billing(bench, key, "acme")
    _at_second_page(bench, bench.world.sandbox.billing.revoke_tokens)
    bench.run("sync", "--tenant", "acme")
    bench.expect(state="SUCCEEDED")
    paths = [request.path for request in bench.world.sandbox.internal.requests]
    token, page = "/oauth/token", "/v1/accounts"
    require(paths == [token, page, page, token, page, page, page], f"billing was asked for {paths}")
    bench.run("sync", "--tenant", "acme")
    bench.expect(state="SUCCEEDED")
    require(not bench.last.writes, "a further run of the tenant wrote")


@fault("F2", "the token is revoked in the middle of a run")
def f2(bench: Bench) -> None:
    """The run stops at once and ends FAILED; the tenant and the variable are named, here and in Slack."""
    portal = bench.world.portal
    bench.tamper("hubspot", is_upsert, lambda _answered: setattr(portal, "token", "another one since"))
    bench.run("sync")
    bench.expect(state="FAILED", exit=1, says="HUBSPOT_SANDBOX_TOKEN")
    refused = [request for system, request in bench.last.requests if system == "hubspot" and request.status == 401]
    require(0 < len(refused) <= MOST_AFTER_REVOCATION, f"{len(refused)} requests were sent with the revoked token")
    require("tenant default" in str(bench.last.messages), "Slack was not told which tenant")
    portal.token = SENTINELS["sandbox token"]


@fault("F3", "the refresh token is not accepted")
def f3(bench: Bench) -> None:
    """One attempt; the credential is marked as broken, and somebody is told."""
    key, billing = _registered(bench, "acme", bench.world), bench.world.sandbox.billing
    _with_billing(bench, key, "acme")
    secret = billing.client_secret

    def taken_back() -> None:
        billing.revoke_tokens()
        billing.client_secret = "another one since"

    _at_second_page(bench, taken_back)
    bench.run("sync", "--tenant", "acme")
    bench.expect(state="FAILED", exit=1, says="internal system Billing")
    require(not bench.last.writes, "without the figures something was written")
    paths = [request.path for request in bench.world.sandbox.internal.requests]
    require(paths.count("/oauth/token") == 2, f"the token endpoint was asked {paths.count('/oauth/token')} times")
    require("internal system Billing" in str(bench.last.messages), "Slack was not told which system")
    with _registry(bench, key) as registry, directory(registry, WHO) as tenants:
        tenant_id = tenants.tenant("acme").id
    with _registry(bench, key) as registry, tenant_repository(registry, tenant_id, WHO) as repository:
        (view,) = repository.internal_integrations()
    require("refused" in (view.last_error or ""), "the credential is not marked as broken")
    billing.client_secret = secret


@fault("F4", "a scope was taken from the token")
def f4(bench: Bench) -> None:
    """Whichever it is of those that are needed to write: FAILED before anything is written, and the scope is named."""
    portal = bench.world.portal
    for scope in ("crm.objects.custom.write", "crm.objects.companies.write", "crm.objects.contacts.write"):
        portal.scopes.discard(scope)
        bench.run("sync")
        bench.expect(state="FAILED", exit=1, says=scope)
        require(not bench.last.writes, f"without {scope} something was written")
        portal.scopes.add(scope)


@fault("F5", "the token now leads to another portal", start="synced")
def f5(bench: Bench) -> None:
    """The portal is pinned: a configuration error, exit 2, that names both; neither portal gets a write."""
    settings = bench.world.addresses.environment()
    bench.variable("HUBSPOT_SANDBOX_BASE_URL", settings["HUBSPOT_PRODUCTION_BASE_URL"])
    bench.variable("HUBSPOT_SANDBOX_TOKEN", settings["HUBSPOT_PRODUCTION_TOKEN"])
    bench.variable("HUBSPOT_PRODUCTION_TOKEN", None)
    portal, production = bench.world.portal, bench.world.sandbox.production.portal
    production.account_type = "SANDBOX"  # another portal of the right kind: only its id gives it away
    bench.run("sync")
    bench.expect(exit=2, says=(str(portal.portal_id), str(production.portal_id)))
    production.account_type = "STANDARD"
    bench.run("sync")
    bench.expect(exit=2, says=str(production.portal_id))
    require(not any(is_write(one) for one in bench.world.lookalike("production").requests), "the other was written to")


@fault("F6", "the vault's key is absent, wrong or half rotated")
def f6(bench: Bench) -> None:
    """No start and no request, not even for the tenant that needs no key; half a rotation goes on with both keys."""
    old = _registered(bench, "acme", bench.world)
    for key in (None, generate()):
        bench.run("sync", INTEGRATION_ASSETS_KEY=key)
        bench.expect(exit=2, says="INTEGRATION_ASSETS_KEY")
        require(not bench.last.requests, "without the right key requests were sent")
    new = generate()
    _half_rotated(bench, new, old)
    for key in (new, old):
        bench.run("sync", "--tenant", "acme", INTEGRATION_ASSETS_KEY=key)
        bench.expect(exit=2, says="keys rotate")
        require(not bench.last.requests, "half way through a rotation requests were sent with one key")
    bench.run("keys", "rotate", INTEGRATION_ASSETS_KEY=f"{new},{old}")
    bench.expect(exit=0)
    bench.run("doctor", "--tenant", "acme", INTEGRATION_ASSETS_KEY=old)
    bench.expect(exit=2, says="is not the key of this registry")
    bench.world.extra["INTEGRATION_ASSETS_KEY"] = new
    bench.run("tenants", "integrations", "test", "acme", "hubspot")
    bench.expect(exit=0, says="ok: ")


@fault("F7", "the id of one tenant's record is used by another")
def f7(bench: Bench) -> None:
    """As if it did not exist: the same words as for an id that nobody has; and nothing is opened."""
    key = _registered(bench, "acme", bench.world)
    bench.run("tenants", "add", "globex")
    bench.expect(exit=0)
    with _registry(bench, key) as registry:
        with directory(registry, WHO) as tenants:
            ids = {tenant.slug: tenant.id for tenant in tenants.tenants()}
        with tenant_repository(registry, ids["acme"], WHO) as repository:
            foreign = [one.id for one in repository.third_party_integrations()]
        said = {_refusal(registry, ids["globex"], record_id) for record_id in (*foreign, new_id())}
        require(said == {"there is no such integration"}, f"a foreign id is told from one that nobody has: {said}")
        with directory(registry, WHO) as tenants:
            opened = [entry for entry in tenants.audit_trail("acme") if entry.action == "secret.open"]
        require(not opened, "a secret was opened for another tenant")
    bench.run("sync", "--tenant", "globex")
    bench.expect(exit=2, says="tenant globex has no integrations")
    require(not bench.last.requests, "a run of another tenant sent requests")


@fault("F8", "the credential of a tenant or of an environment is missing")
def f8(bench: Bench) -> None:
    """Exit 2 without a single request: no other tenant's and no other environment's credential takes its place."""
    bench.run("sync", "--tenant", "acme")
    bench.expect(exit=2, says="acme")
    require(not bench.last.requests, "a tenant without integrations sent requests")
    for name in ("HUBSPOT_SANDBOX_TOKEN", "CANNY_API_KEY"):
        bench.run("sync", **{name: None})
        bench.expect(exit=2, says=name)
        require(not bench.last.requests, f"without {name} requests were sent")


@fault("F9", "one tenant's systems are down or throttled")
def f9(bench: Bench) -> None:
    """The others do not wait with it: a run of theirs begins and ends while that one waits."""
    with bench.sibling() as other:
        _registered(bench, "acme", other.world)
        bench.run("sync")
        bench.expect(state="SUCCEEDED")
        throttled = other.inject("canny", lambda _: True, times=None, status=429, headers={"Retry-After": "5"})
        waiting = bench.start("sync", "--tenant", "acme")
        try:
            until(lambda: bool(other.world.sandbox.canny.requests), "a request of acme's run to its Canny")
            bench.run("sync")
            bench.expect(state="SUCCEEDED")
            require(waiting.poll() is None, "acme's run was over before the other one's")
        finally:
            waiting.kill()
            waiting.communicate()
        other.lookalike("canny").faults.remove(throttled)


# -- tenants of the registry


WHO = Actor("the bench")
"""What a run of a second or two may differ by on a machine that does other things as well."""


def _registered(bench: Bench, tenant: str, world: World) -> str:
    """Register a tenant with the systems of a world in the bench's installation; the master key, found there now."""
    key = bench.world.extra.setdefault("INTEGRATION_ASSETS_KEY", generate())
    values = world.addresses.environment()
    mine = bench.world.addresses.environment()
    bench.world.extra["INTEGRATION_ASSETS_ALLOWED_HOSTS"] = ",".join(
        one["INTEGRATION_ASSETS_ALLOWED_HOSTS"] for one in (mine, values)
    )
    if world is bench.world:  # the same portal, in which the default tenant keeps its records before and after
        bench.world.extra["INTEGRATION_ASSETS_FORMER_TENANTS"] = f"{tenant}=default,default={tenant}"
    add = ("tenants", "integrations", "add", tenant)
    for command, secret in (
        (("tenants", "add", tenant), ""),
        ((*add, "canny", "--base-url", values["CANNY_BASE_URL"]), values["CANNY_API_KEY"]),
        ((*add, "hubspot", "--base-url", values["HUBSPOT_SANDBOX_BASE_URL"]), values["HUBSPOT_SANDBOX_TOKEN"]),
    ):
        bench.run(*command, stdin=secret)
        bench.expect(exit=0)
    return key


def _with_billing(bench: Bench, key: str, tenant: str) -> None:
    """Give a tenant the world's billing system, whose token is renewed, and a channel to be told in."""
    values, billing = bench.world.addresses, bench.world.sandbox.billing
    slack = ("slack", "--base-url", values.slack_base_url, f"--set=channel={dict(values.settings)['SLACK_CHANNEL']}")
    bench.run("tenants", "integrations", "add", tenant, *slack, stdin=dict(values.settings)["SLACK_BOT_TOKEN"])
    bench.expect(exit=0)
    with _registry(bench, key) as registry:
        with directory(registry, WHO) as tenants:
            tenant_id = tenants.tenant(tenant).id
        with tenant_repository(registry, tenant_id, WHO) as repository:
            repository.add_internal(
                NewInternal(
                    name="Billing",
                    base_url=values.internal_base_url,
                    auth_flow=AuthFlow.OAUTH2,
                    auth={"token_url": f"{values.internal_base_url}/oauth/token", "client_id": billing.client_id},
                    secret=billing.client_secret,
                    endpoints=[
                        {
                            "path": "/v1/accounts",
                            "items": "data",
                            "paging": "page",
                            "size_param": "per_page",
                            "page_size": 1,
                        }
                    ],
                    mappings={
                        "row_id": "id",
                        "domain": "customer.websites[0]",
                        "arr": "subscription.arr",
                        "currency": {"path": "subscription.currency", "default": "USD"},
                    },
                )
            )


def _at_second_page(bench: Bench, happens: Callable[[], None]) -> None:
    """Let something happen when billing is first asked for its second page."""
    internal = bench.world.sandbox.internal

    def before_it_answers(request: LoggedRequest) -> float:
        if "page=2" in request.query:
            internal.latency = None
            happens()
        return 0.0

    internal.latency = before_it_answers


def _half_rotated(bench: Bench, new: str, old: str) -> None:
    """Rotate one data key, as a rotation does that is killed after its first commit."""
    with _registry(bench, f"{new},{old}") as registry, mock.patch.object(rotation, "BATCH", 1):
        rotation._rotate_batch(registry)


@contextmanager
def _registry(bench: Bench, key: str) -> Iterator[Registry]:
    with mock.patch.dict(os.environ, bench.world.environment(INTEGRATION_ASSETS_KEY=key), clear=True):
        settings = load_settings()
    opened = open_registry(settings)
    require(opened is not None, "there is no registry")
    if opened is not None:
        yield opened
        opened.close()


def _refusal(registry: Registry, tenant_id: str, record_id: str) -> str:
    try:
        with tenant_repository(registry, tenant_id, WHO) as repository:
            repository.open_third_party(record_id)
    except NotFoundError as error:
        return error.message
    return "it was opened"
