"""A tenant's own billing system: tried, previewed, and read by a sync as a source of ARR."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from unittest import mock

import duckdb
import msgspec
import pytest

from integration_assets.config import Environment, Settings
from integration_assets.connectors import limiter
from integration_assets.connectors.internal.description import DescriptionError
from integration_assets.sandbox.lookalike import Fault
from integration_assets.staging.store import store_path
from integration_assets.tenants import connection_trials
from integration_assets.tenants.connection_trials import FLOOR_SECONDS, preview_internal
from integration_assets.tenants.outcomes import Outcome
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.changes import InternalChanges, NewInternal, NotFoundError
from integration_assets.tenants.registry.database import Registry, registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.views import InternalView, TenantView
from integration_assets.tenants.registry.words import AuthFlow
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.installation import Installation, installation
from integration_assets_tests.support.short_waits import short_waits
from integration_assets_tests.support.snapshots import folder

ACTOR = Actor("the test")
ENDPOINT = {"path": "/v1/accounts", "items": "data", "paging": "page", "size_param": "per_page", "page_size": 2}
MAPPINGS: dict[str, Any] = {
    "row_id": "id",
    "domain": "customer.websites[0]",
    "arr": "subscription.arr",
    "currency": {"path": "subscription.currency", "default": "USD"},
}


def billed(row_id: str | None, domain: Any, arr: Any) -> dict[str, Any]:
    return {"id": row_id, "customer": {"websites": [domain]}, "subscription": {"arr": arr, "currency": None}}


def noting(waited: list[float]) -> Callable[[float], Awaitable[None]]:
    """A sleep that notes what was slept through to the end."""
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        await sleep(seconds)
        waited.append(seconds)

    return noted


class Tenant:
    """acme of an installation, with one internal system."""

    def __init__(self, made: Installation) -> None:
        self.made = made
        self.world: World = made.worlds["acme"]
        self.billing = self.world.sandbox.billing
        self.lookalike = self.world.sandbox.internal
        self.url = self.world.addresses.internal_base_url
        values: dict[str, Any] = {
            "INTEGRATION_ASSETS_HOME": made.home,
            "INTEGRATION_ASSETS_KEY": made.key,
            "INTEGRATION_ASSETS_ALLOWED_HOSTS": self.url.removeprefix("http://"),
        }
        self.settings = Settings(**values)
        self.integration = self.add()

    @contextlib.contextmanager
    def registry(self) -> Iterator[Registry]:
        with registry(self.settings) as opened:
            assert opened is not None
            yield opened

    def view(self, opened: Registry) -> TenantView:
        with directory(opened, ACTOR) as tenants:
            return tenants.tenant("acme")

    def add(self) -> str:
        new = NewInternal(
            name="Billing",
            base_url=self.url,
            auth_flow=AuthFlow.OAUTH2,
            auth={"token_url": f"{self.url}/oauth/token", "client_id": self.billing.client_id},
            secret=self.billing.client_secret,
            endpoints=[ENDPOINT],
            mappings=MAPPINGS,
        )
        with self.registry() as opened, tenant_repository(opened, self.view(opened).id, ACTOR) as repository:
            return repository.add_internal(new).id

    def change(self, **changes: Any) -> None:
        with self.registry() as opened, tenant_repository(opened, self.view(opened).id, ACTOR) as repository:
            repository.change_internal(self.integration, InternalChanges(**changes))

    def shown(self) -> InternalView:
        with self.registry() as opened, tenant_repository(opened, self.view(opened).id, ACTOR) as repository:
            return repository.internal_integration(self.integration)

    def tried(self) -> Outcome:
        limiter._limiters.clear()
        with self.registry() as opened:
            return asyncio.run(
                connection_trials.check_internal_connection(
                    opened, self.settings, self.view(opened), self.integration, ACTOR
                )
            )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        path = store_path(self.made.home, None, Environment.SANDBOX, "acme")
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    """acme, registered, set up and synced, with a billing system whose accounts are these."""
    with folder() as home, installation(home, "acme") as made:
        made.register("acme")
        made.good("setup", "--tenant", "acme", "--yes")
        one = Tenant(made)
        one.billing.accounts = [
            billed("a1", "acme.com", 999_999),
            billed("a2", "gamma.de", 700.25),
            billed("a3", "www.gamma.de", 77),
            billed("a4", "nobody.example", 5),
            billed(None, "beta.io", 5),
        ]
        yield one


@pytest.fixture(autouse=True)
def undisturbed(tenant: Tenant) -> Iterator[None]:
    """Faults end with their test."""
    yield
    tenant.lookalike.clear()


def test_a_sync_takes_arr_from_it(tenant: Tenant) -> None:
    """What the CRM says counts first; Gamma, of which it says nothing, has what billing says, both rows of it."""
    ran = tenant.made.run("sync", "--tenant", "acme")
    assert ran.code == 0, ran.err
    assert tenant.rows("SELECT * FROM raw.internal_accounts ORDER BY account_row") == [
        ("Billing:a1", None, "acme.com", "999999", "USD"),
        ("Billing:a2", None, "gamma.de", "700.25", "USD"),
        ("Billing:a3", None, "www.gamma.de", "77", "USD"),
        ("Billing:a4", None, "nobody.example", "5", "USD"),
    ]
    arr = dict(tenant.rows("SELECT title, arr::VARCHAR FROM ranked.feature_requests"))
    assert (arr["Export to CSV"], arr["Dark mode"]) == ("777.25", "1500.50")
    assert tenant.rows("SELECT stage, key, reason FROM sync.quarantine WHERE kind = 'internal_account'") == [
        ("raw_internal_accounts", "Billing:row 5 of /v1/accounts", "row_id: nothing stands at `id`")
    ]
    assert tenant.rows("SELECT rows_read FROM raw.reads WHERE input = 'internal_accounts'") == [(4,)]
    paths = [request.path for request in tenant.lookalike.requests]
    assert paths == ["/oauth/token", *["/v1/accounts"] * 4]
    assert tenant.shown().last_ok_at is not None


def test_its_calls_are_in_the_summary(tenant: Tenant) -> None:
    """A second sync writes nothing, and says how often it asked billing."""
    tenant.world.forget_requests()
    path = tenant.made.home / "summary.json"
    tenant.made.good("sync", "--tenant", "acme", "--json", str(path))
    summary = msgspec.json.decode(path.read_bytes())
    assert summary["api_calls"]["internal"]["total"] == 5
    assert tenant.world.writes() == []


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        ({"status": 403}, 1, "internal system Billing: "),
        ({"status": 404}, 1, "check base URL and path"),
        ({"status": 503}, 75, "internal system Billing: "),
        ({"status": 200, "body": b"[]"}, 1, "should be an object and is a list"),
    ],
)
def test_a_sync_without_it_ends_by_name(tenant: Tenant, fault: dict[str, Any], code: int, says: str) -> None:
    """Half of the figures would move the ranking: the run ends, says which system it was, and nothing is written."""
    tenant.world.forget_requests()
    tenant.lookalike.faults.append(Fault(matches=lambda one: one.path == "/v1/accounts", times=None, **fault))
    with short_waits():
        ran = tenant.made.run("sync", "--tenant", "acme")
    assert ran.code == code, ran.err
    assert says in ran.err
    assert tenant.world.writes() == []
    assert tenant.shown().last_error is not None
    assert "Billing:a1" in str(tenant.rows("SELECT account_row FROM raw.internal_accounts"))


def test_a_refused_client_is_noted(tenant: Tenant) -> None:
    """The token endpoint refuses the secret: one attempt, exit 1, and the integration says so."""
    tenant.lookalike.clear()
    secret, tenant.billing.client_secret = tenant.billing.client_secret, "another one since"
    ran = tenant.made.run("sync", "--tenant", "acme")
    tenant.billing.client_secret = secret
    assert ran.code == 1
    assert [request.path for request in tenant.lookalike.requests] == ["/oauth/token"]
    assert "the client id or secret was refused" in str(tenant.shown().last_error)
    assert secret not in ran.out + ran.err


def test_disabled_it_is_left_alone(tenant: Tenant) -> None:
    """A disabled system is not asked, and its figures are gone with the next read."""
    tenant.change(enabled=False)
    tenant.made.good("sync", "--tenant", "acme", "--read-only")
    tenant.change(enabled=True)
    assert tenant.lookalike.requests == []
    assert tenant.rows("SELECT count(*) FROM raw.internal_accounts") == [(0,)]


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (None, Outcome.OK),
        ({"status": 401}, Outcome.REFUSED),
        ({"status": 403}, Outcome.REFUSED),
        ({"status": 404}, Outcome.NOT_FOUND),
        ({"status": 429, "headers": {"retry-after": "60"}}, Outcome.THROTTLED),
        ({"status": 200, "body": b'{"data": 1}'}, Outcome.UNEXPECTED_ANSWER),
        ({"close": True}, Outcome.UNREACHABLE),
    ],
)
def test_trying_it(tenant: Tenant, fault: dict[str, Any] | None, outcome: Outcome) -> None:
    """Each end is one of a few words, noted beside the integration, and none comes sooner than the floor."""
    if fault is not None:
        tenant.lookalike.faults.append(Fault(matches=lambda one: one.path == "/v1/accounts", times=None, **fault))
    waited: list[float] = []
    with mock.patch.object(asyncio, "sleep", noting(waited)):
        assert tenant.tried() is outcome
    assert FLOOR_SECONDS in waited
    assert (tenant.shown().last_error is None) == (outcome is Outcome.OK)


def test_trying_without_a_secret_or_where_nobody_may(tenant: Tenant) -> None:
    """No secret and an address that may not be asked are told apart, and nothing is asked."""
    tenant.change(secret=None)
    assert tenant.tried() is Outcome.NOT_SET
    tenant.change(secret=tenant.billing.client_secret, base_url="https://127.0.0.1:8443")
    assert tenant.tried() is Outcome.NOT_ALLOWED
    tenant.change(secret=tenant.billing.client_secret, base_url=tenant.url)
    assert tenant.lookalike.requests == []


def test_a_preview_shows_rows_and_problems(tenant: Tenant) -> None:
    """The mapped rows, those that cannot be used with the path, and other mappings before they are saved."""
    with tenant.registry() as opened:
        view = tenant.view(opened)

        def preview(**options: Any) -> Any:
            return asyncio.run(preview_internal(opened, tenant.settings, view, tenant.integration, ACTOR, **options))

        outcome, shown = preview()
        assert (outcome, len(shown.rows), len(shown.rejected)) == (Outcome.OK, 4, 1)
        outcome, shown = preview(mappings={**MAPPINGS, "arr": "subscription"}, rows=2)
        assert [one.reason for one in shown.rejected] == [
            "arr: `subscription` should be a number or text and is an object"
        ] * 2
        with pytest.raises(DescriptionError) as refused:
            preview(mappings={**MAPPINGS, "arr": "{{ 7 * 7 }}"})
        assert refused.value.field == "mappings.arr"
        assert preview(endpoints=[{**ENDPOINT, "path": "/nowhere"}]) == (Outcome.NOT_FOUND, None)
        with pytest.raises(NotFoundError):
            asyncio.run(preview_internal(opened, tenant.settings, view, "another", ACTOR))
    assert tenant.shown().mappings == MAPPINGS
