"""A served billing system, and the settings that read it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from integration_assets.connectors import limiter
from integration_assets.connectors.address_guard import AddressGuard, AddressPolicy
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.internal.connector import InternalSystem, internal_system
from integration_assets.models import InternalAccount, Page
from integration_assets.sandbox.internal import Billing, billing_lookalike
from integration_assets.sandbox.lookalike import Lookalike
from integration_assets.sandbox.serving import listening
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

MAPPINGS: dict[str, Any] = {
    "row_id": "id",
    "domain": "customer.websites[0]",
    "arr": "subscription.arr",
    "currency": {"path": "subscription.currency", "default": "USD"},
}
BY_PAGE: dict[str, Any] = {
    "path": "/v1/accounts",
    "items": "data",
    "paging": "page",
    "page_size": 10,
    "size_param": "per_page",
}


def accounts(count: int) -> list[dict[str, Any]]:
    """As the billing system lists them."""
    return [
        {
            "id": f"acct_{number:03}",
            "customer": {"name": f"Company {number}", "websites": [f"company-{number}.example"]},
            "subscription": {"arr": 1000.5 + number, "currency": None if number % 2 else "eur"},
        }
        for number in range(1, count + 1)
    ]


@dataclass
class Served:
    """A billing system and where it listens; `counter` counts the calls of all that was opened."""

    billing: Billing
    lookalike: Lookalike
    url: str
    counter: CallCounter = field(default_factory=CallCounter)

    def open(
        self,
        endpoints: Sequence[Mapping[str, Any]] = (BY_PAGE,),
        mappings: Mapping[str, Any] = MAPPINGS,
        *,
        flow: str = "bearer",
        auth: Mapping[str, str] | None = None,
        secret: str | None = None,
        **options: Any,
    ) -> AbstractAsyncContextManager[InternalSystem]:
        """The system as configured, by default with the token that never expires."""
        given = self.billing.bearer_token if secret is None else secret
        settings: dict[str, Any] = {"base_url": self.url, "deadline": PATIENCE_SECONDS, "patience": 2.0, **options}
        return internal_system(
            flow=flow,
            auth=auth or {},
            secret=SecretStr(given) if given else None,
            endpoints=endpoints,
            mappings=mappings,
            calls=self.counter,
            guard=AddressGuard(AddressPolicy(allowed=frozenset({self.url.removeprefix("http://")}))),
            **settings,
        )

    def oauth(self, **auth: str) -> dict[str, Any]:
        """What reads it with a token of its token endpoint."""
        return {
            "flow": "oauth2_client_credentials",
            "auth": {"token_url": f"{self.url}/oauth/token", "client_id": self.billing.client_id, **auth},
            "secret": self.billing.client_secret,
        }

    def paths(self) -> list[str]:
        """Paths of the requests it got, in order."""
        return [request.path for request in self.lookalike.requests]


@pytest.fixture
def served() -> Iterator[Served]:
    """A billing system of 25 accounts."""
    limiter._limiters.clear()
    billing = Billing(accounts(25))
    lookalike = billing_lookalike(billing)
    with listening([lookalike]) as (url,):
        yield Served(billing, lookalike, url)


async def read_all(opening: AbstractAsyncContextManager[InternalSystem]) -> list[Page[InternalAccount]]:
    """All pages."""
    async with opening as system:
        pages: AsyncIterator[Page[InternalAccount]] = system.accounts()
        return [page async for page in pages]


Reader = Callable[[], list[Page[InternalAccount]]]
