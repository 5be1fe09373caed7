"""Productboard as the rest of the product knows it. Imports no part of the connector."""

from __future__ import annotations

from integration_assets.connectors.specs import (
    BOARDS,
    EXCLUDE_BOARDS,
    AddressSpec,
    ProviderKind,
    ProviderSpec,
    SecretSpec,
    SettingSpec,
    VariableSpec,
)

SPEND_FIELD = "spend_field"
_TEXT = r"[^\x00-\x1f\x7f]{1,200}"

PRODUCTBOARD = ProviderSpec(
    name="productboard",
    label="Productboard",
    kind=ProviderKind.FEEDBACK,
    connector="integration_assets.connectors.feedback.productboard.connector:productboard",
    secret=SecretSpec(
        variable=VariableSpec("PRODUCTBOARD_TOKEN"),
        label="access token",
        called="the Productboard token",
        wanted="an access token of Productboard's public API (Workspace settings → Integrations)",
    ),
    address=AddressSpec(
        variable=VariableSpec("PRODUCTBOARD_BASE_URL"),
        default="https://api.productboard.com",
        example="https://api.productboard.com",
        hosts=("api.productboard.com",),
        domains=("productboard.com",),
    ),
    settings=(
        SettingSpec(
            name=BOARDS,
            variable=VariableSpec("PRODUCTBOARD_BOARDS"),
            form=_TEXT,
            hint="must be names or ids of products or components",
            label="Products and components",
            help="Names or ids, separated by commas. Empty: all.",
            many=True,
        ),
        SettingSpec(
            name=EXCLUDE_BOARDS,
            variable=VariableSpec("PRODUCTBOARD_EXCLUDE_BOARDS"),
            form=_TEXT,
            hint="must be names or ids of products or components",
            label="Products and components left out",
            help="Names or ids, separated by commas.",
            many=True,
        ),
        SettingSpec(
            name=SPEND_FIELD,
            variable=VariableSpec("PRODUCTBOARD_SPEND_FIELD"),
            form=r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
            hint="must be the id of a custom field of companies, such as 5d0a4dd4-70a4-4a57-bd8e-5e3ad1ce2b4d",
            label="Field with the monthly spend",
            help="Id of the custom field of companies that holds what they pay a month.",
        ),
    ),
)
