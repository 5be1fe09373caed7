"""F. Credentials and tenants."""

from __future__ import annotations

from integration_assets_tests.e2e.harness import is_write
from integration_assets_tests.faults.asking import is_upsert
from integration_assets_tests.faults.bench import Bench, fault, require
from integration_assets_tests.faults.starts import SENTINELS

VAULT = "credentials of tenants are not kept yet: there is no vault"
TENANTS = "only the `default` tenant exists yet"
MOST_AFTER_REVOCATION = 12
"""Requests that may still be on their way when a token is revoked."""


@fault(
    "F1",
    "the token expires in the middle of a run",
    not_true="tokens of private apps do not expire; tokens that do, with their renewal, come with the vault",
)
def f1(bench: Bench) -> None:
    """One renewal under a lock, and the run goes on at the same batch."""
    raise NotImplementedError


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


@fault("F3", "the refresh token is not accepted", not_true=VAULT)
def f3(bench: Bench) -> None:
    """One attempt; the credential is marked as broken, and somebody is told."""
    raise NotImplementedError


@fault("F4", "a scope was taken from the token", seconds=60)
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


@fault("F6", "the vault's key is absent, wrong or half rotated", not_true=VAULT)
def f6(bench: Bench) -> None:
    """No start, no plain text; a rotation goes on after a kill."""
    raise NotImplementedError


@fault("F7", "the id of one tenant's record is used by another", not_true=TENANTS)
def f7(bench: Bench) -> None:
    """As if it did not exist."""
    raise NotImplementedError


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


@fault("F9", "one tenant's systems are down or throttled", not_true=TENANTS)
def f9(bench: Bench) -> None:
    """The others end as early as without it."""
    raise NotImplementedError
