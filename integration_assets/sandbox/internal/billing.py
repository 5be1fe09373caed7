"""The state of the billing system: its accounts, the credentials it takes, and the tokens it gave out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from integration_assets.sandbox.made_up import credential

USUAL_ARR = "4800"
"""Of a paying company whose CRM record says nothing usable."""
TOKEN_SECONDS = 1800


@dataclass
class Billing:
    """A billing system. `accounts` are as it lists them; credentials may be changed while it is served.

    `now` is in seconds; `token_seconds` is the life of a token. `tokens` maps each token given out to when it expires.
    """

    accounts: list[dict[str, Any]] = field(default_factory=list)
    client_id: str = "integration-assets"
    client_secret: str = credential("billing-client-secret")
    bearer_token: str = credential("billing-bearer-token")
    username: str = "reporting"
    password: str = credential("billing-password")
    key_header: str = "x-billing-key"
    key: str = credential("billing-api-key")
    scope: str = "accounts.read"
    public: bool = False
    token_seconds: int = TOKEN_SECONDS
    largest_page: int = 200
    now: Callable[[], float] = time.monotonic
    tokens: dict[str, float] = field(default_factory=dict)

    def new_token(self) -> str:
        """A token that is good from now on."""
        token = secrets.token_urlsafe(24)
        self.tokens[token] = self.now() + self.token_seconds
        return token

    def knows(self, token: str) -> bool:
        """True for a bearer token that may read: one given out that has not expired, or the one that never does."""
        return token == self.bearer_token or self.tokens.get(token, 0.0) > self.now()

    def revoke_tokens(self) -> None:
        """Let every token given out so far be refused."""
        self.tokens.clear()


def billed_accounts(
    companies: Iterable[Mapping[str, str]], arr_property: str, currency_property: str
) -> list[dict[str, Any]]:
    """An account for each company of a sample that pays, by its website, with the ARR the CRM should know.

    `companies` are CRM property values. Where the CRM's figure is missing or no figure, billing has one nevertheless.
    """
    accounts = []
    for number, company in enumerate(companies, 1):
        website = company.get("domain", "").strip()
        if company.get("lifecyclestage") != "customer" or "." not in website:
            continue
        accounts.append(
            {
                "id": f"acct_{number:05}",
                "customer": {"name": company.get("name"), "websites": [website], "billing e-mail": None},
                "subscription": {
                    "state": "active",
                    "arr": float(_figure(company.get(arr_property, ""))),
                    "currency": company.get(currency_property) or None,
                },
            }
        )
    return accounts


def _figure(text: str) -> Decimal:
    try:
        figure = Decimal(text)
    except InvalidOperation:
        return Decimal(USUAL_ARR)
    return figure if figure.is_finite() and 0 <= figure < Decimal(10) ** 9 else Decimal(USUAL_ARR)
