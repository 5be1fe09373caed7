"""Quackback as the rest of the product knows it. Imports no part of the connector."""

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

PORTAL_URL = "portal_url"
PACE = "pace"
_BOARD = r"[^\x00-\x1f\x7f]{1,200}"

QUACKBACK = ProviderSpec(
    name="quackback",
    label="Quackback",
    kind=ProviderKind.FEEDBACK,
    connector="integration_assets.connectors.feedback.quackback.connector:quackback",
    secret=SecretSpec(
        variable=VariableSpec("QUACKBACK_API_KEY"),
        label="API key",
        called="the Quackback key",
        short="key",
        wanted="an API key of Quackback, which begins with qb_ (Settings → API keys)",
        prefixes=("qb_",),
        openings={"qb_": "a key of Quackback"},
        pattern=r"qb_[0-9a-f]{48}",
    ),
    address=AddressSpec(
        variable=VariableSpec("QUACKBACK_BASE_URL"),
        # Everybody runs a server of their own.
        default=None,
        example="https://feedback.example.com",
        hosts=(),
        ends_before=r"/api(/|$)",
    ),
    settings=(
        SettingSpec(
            name=BOARDS,
            variable=VariableSpec("QUACKBACK_BOARDS"),
            form=_BOARD,
            hint="must be names or ids of boards",
            label="Boards",
            help="Names or ids, separated by commas. Empty: all.",
            many=True,
        ),
        SettingSpec(
            name=EXCLUDE_BOARDS,
            variable=VariableSpec("QUACKBACK_EXCLUDE_BOARDS"),
            form=_BOARD,
            hint="must be names or ids of boards",
            label="Boards left out",
            help="Names or ids, separated by commas.",
            many=True,
        ),
        SettingSpec(
            name=PORTAL_URL,
            variable=VariableSpec("QUACKBACK_PORTAL_URL"),
            form=r"https?://[A-Za-z0-9.:_-]+(/[A-Za-z0-9._~/-]*)?",
            hint="must be an address such as https://feedback.example.com",
            label="Address of the portal",
            help="Where people read the posts, for links to them. Empty: the address of the API.",
        ),
        SettingSpec(
            name=PACE,
            variable=VariableSpec("QUACKBACK_PACE"),
            form=r"usual|import",
            hint="must be usual or import",
            label="Pace",
            help="usual: 100 calls a minute. import: 2,000, as the server allows those who say that they import.",
            default="usual",
            shapes_plan=False,
        ),
    ),
)
