"""The billing look-alike: what it refuses, and that an OAuth client of others gets along with it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from integration_assets.sandbox.internal import Billing, billing_lookalike
from integration_assets.sandbox.internal.billing import USUAL_ARR, billed_accounts
from integration_assets.sandbox.sample_data import ARR_PROPERTY, CURRENCY_PROPERTY, build_sample
from integration_assets.sandbox.serving import listening
from integration_assets_tests.conftest import Served
from integration_assets_tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture
def billing() -> Billing:
    """With three accounts, whose tokens expire when the test says so."""
    return Billing([{"id": str(number)} for number in range(3)])


@pytest.fixture
def client(billing: Billing) -> Iterator[httpx.Client]:
    """A plain client of it."""
    with (
        listening([billing_lookalike(billing)]) as (url,),
        httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE_SECONDS) as made,
    ):
        yield made


def test_nobody_reads_without_credentials(client: httpx.Client) -> None:
    """No path answers a stranger, nor a wrong password."""
    for path in ("/v1/accounts", "/v1/all", "/v1/offset", "/v1/links"):
        assert client.get(path).status_code == 401
    assert client.post("/v1/search", json={}).status_code == 401
    assert client.get("/v1/all", auth=("reporting", "wrong")).status_code == 401


def test_the_token_endpoint_keeps_to_rfc_6749(client: httpx.Client, billing: Billing) -> None:
    """A token for the right client only, by its errors' own names, and good until it expires."""
    moment = [0.0]
    billing.now = lambda: moment[0]
    auth, form = (billing.client_id, billing.client_secret), {"grant_type": "client_credentials"}
    assert client.post("/oauth/token", json=form, auth=auth).json() == {"error": "invalid_request"}
    other = client.post("/oauth/token", data={"grant_type": "password"}, auth=auth)
    assert other.json() == {"error": "unsupported_grant_type"}
    refused = client.post("/oauth/token", data=form, auth=("x", "y"))
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})
    assert client.post("/oauth/token", data={**form, "scope": "all"}, auth=auth).json() == {"error": "invalid_scope"}
    granted = client.post("/oauth/token", data=form, auth=auth).json()
    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 1800)
    headers = {"authorization": f"Bearer {granted['access_token']}"}
    assert len(client.get("/v1/all", headers=headers).json()) == 3
    moment[0] = 1801.0
    assert client.get("/v1/all", headers=headers).status_code == 401


def test_pages(client: httpx.Client, billing: Billing) -> None:
    """Each list ends where its paging says so; nonsense is refused."""
    billing.public = True
    assert client.get("/v1/accounts", params={"per_page": 2, "page": 2}).json()["data"] == [{"id": "2"}]
    assert client.get("/v1/offset", params={"limit": 2, "offset": 2}).json()["has_more"] is False
    first = client.post("/v1/search", json={"limit": 2}).json()["result"]
    assert client.post("/v1/search", json={"limit": 2, "cursor": first["next"]}).json()["result"]["next"] is None
    link = client.get("/v1/links", params={"limit": 2}).json()["links"]["next"]
    assert client.get(link).json() == {"items": [{"id": "2"}], "links": {"next": None}}
    for wrong in ({"page": 0}, {"per_page": "x"}):
        assert client.get("/v1/accounts", params=wrong).status_code == 400
    assert client.post("/v1/search", json={"cursor": 5}).status_code == 400
    assert client.post("/v1/search", content=b"{").status_code == 400


def test_accounts_are_those_of_the_sample() -> None:
    """Every paying company with a website has one, with the CRM's ARR where that is a figure."""
    sample = build_sample(requests=40, votes=100, companies=200)
    accounts = billed_accounts(sample.companies, ARR_PROPERTY, CURRENCY_PROPERTY)
    by_website = {one["customer"]["websites"][0]: one["subscription"] for one in accounts}
    paying = [one for one in sample.companies if one.get("lifecyclestage") == "customer"]
    assert len(paying) - 10 <= len(accounts) <= len(paying)
    clean = next(one for one in paying if one.get(ARR_PROPERTY, "").removesuffix(".0").isdigit() and one["domain"])
    assert by_website[clean["domain"].strip()]["arr"] == float(clean[ARR_PROPERTY])
    (without,) = [sample.companies[index] for index in sample.dirt["arr.missing"][:1]]
    if without.get("lifecyclestage") == "customer":
        assert by_website[without["domain"]]["arr"] == float(USUAL_ARR)
    assert len({one["id"] for one in accounts}) == len(accounts)


def test_the_sandbox_serves_it(small_sandbox: Served) -> None:
    """It listens beside the other systems, and the guard is told to let its address pass."""
    addresses, billing = small_sandbox.addresses, small_sandbox.sandbox.billing
    host = addresses.internal_base_url.removeprefix("http://")
    assert host in addresses.environment()["INTEGRATION_ASSETS_ALLOWED_HOSTS"].split(",")
    answer = httpx.get(
        f"{addresses.internal_base_url}/v1/all", headers={billing.key_header: billing.key}, timeout=PATIENCE_SECONDS
    )
    assert answer.json() == billing.accounts
    assert billing.accounts
