"""Canny as the rest of the product knows it. Imports no part of the connector."""

from __future__ import annotations

from integration_assets.connectors.specs import (
    BOARDS,
    EXCLUDE_BOARDS,
    STATUSES,
    AddressSpec,
    ProviderKind,
    ProviderSpec,
    SecretSpec,
    SettingSpec,
    VariableSpec,
)

_TEXT = r"[^\x00-\x1f\x7f]{1,200}"

CANNY = ProviderSpec(
    name="canny",
    label="Canny",
    kind=ProviderKind.FEEDBACK,
    connector="integration_assets.connectors.feedback.canny.connector:canny",
    secret=SecretSpec(
        variable=VariableSpec("CANNY_API_KEY"),
        label="API key",
        called="the Canny key",
        # Canny's keys have no form of their own.
        short="key",
        wanted="Canny's key (Settings → API)",
    ),
    address=AddressSpec(
        variable=VariableSpec("CANNY_BASE_URL"),
        default="https://canny.io/api",
        example="https://canny.io/api",
        hosts=("canny.io",),
        domains=("canny.io",),
    ),
    settings=(
        SettingSpec(
            name=BOARDS,
            variable=VariableSpec("CANNY_BOARDS"),
            form=_TEXT,
            hint="must be names or ids of boards",
            label="Boards",
            help="Names or ids, separated by commas. Empty: all.",
            many=True,
        ),
        SettingSpec(
            name=EXCLUDE_BOARDS,
            variable=VariableSpec("CANNY_EXCLUDE_BOARDS"),
            form=_TEXT,
            hint="must be names or ids of boards",
            label="Boards left out",
            help="Names or ids, separated by commas.",
            many=True,
        ),
        SettingSpec(
            name=STATUSES,
            variable=VariableSpec("CANNY_STATUSES"),
            form=_TEXT,
            hint="must be names of statuses",
            label="Further statuses",
            help="Custom statuses that no vote or change has shown yet, separated by commas.",
            many=True,
        ),
        SettingSpec(
            name="plan",
            variable=VariableSpec("CANNY_PLAN"),
            form=r"free|pro|business",
            hint="must be free, pro or business",
            label="Canny plan",
            help="free, pro or business: how many requests a minute Canny allows.",
            default="pro",
            shapes_plan=False,
        ),
    ),
)
