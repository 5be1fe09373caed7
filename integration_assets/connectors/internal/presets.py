"""Descriptions of billing systems whose documented lists carry a usable figure, to fill the form with.

Each is a description like any other: it is shown, can be changed, and has no code of its own. The facts are from the
public references of the systems.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Preset(msgspec.Struct, frozen=True):
    """Values of the form for one billing system. `hints` say what a person has to know or to replace."""

    label: str
    base_url: str
    endpoint: Mapping[str, Any]
    mappings: Mapping[str, Any]
    hints: tuple[str, ...]
    auth_flow: str = "basic"


KEY_ALONE = "The API key goes into the field of the secret, and the user name stays empty."
SITE = "Put the name of your site in the place of YOUR-SITE in the address, before you enter the key."
BY_ADDRESS = (
    "Companies are found by the host of the customer's e-mail address. Where a field of your own holds the domain, or "
    "the id in the CRM, name that one instead."
)
PRESETS: Mapping[str, Preset] = {
    "chargebee": Preset(
        label="Chargebee",
        base_url="https://YOUR-SITE.chargebee.com",
        # apidocs.chargebee.com: list subscriptions; `next_offset` leads on, 100 are the most of a page.
        endpoint={
            "path": "/api/v2/subscriptions",
            "items": "list",
            "params": {"status[in]": '["active","non_renewing"]'},
            "paging": "cursor",
            "page_size": 100,
            "size_param": "limit",
            "position_param": "offset",
            "next": "next_offset",
        },
        mappings={
            "row_id": "subscription.id",
            "domain": "customer.email",
            # Amounts are in the smallest unit of the currency.
            "arr": {"path": "subscription.mrr", "unit": "cents", "period": "month"},
            "currency": "subscription.currency_code",
        },
        hints=(
            SITE,
            KEY_ALONE,
            BY_ADDRESS,
            "It reads the active and the non-renewing subscriptions, each with its MRR.",
        ),
    ),
    "chartmogul": Preset(
        label="ChartMogul",
        base_url="https://api.chartmogul.com",
        # dev.chartmogul.com: list customers; `cursor` leads on while `has_more` says so.
        endpoint={
            "path": "/v1/customers",
            "items": "entries",
            "paging": "cursor",
            "page_size": 100,
            "size_param": "per_page",
            "position_param": "cursor",
            "next": "cursor",
            "more": "has_more",
        },
        mappings={
            "row_id": "uuid",
            "domain": "email",
            "arr": {"path": "arr", "unit": "cents"},
            "currency": "currency",
        },
        hints=(KEY_ALONE, BY_ADDRESS, "It reads all customers; those that have left have an ARR of zero."),
    ),
}
