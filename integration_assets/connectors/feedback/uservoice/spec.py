"""UserVoice as the rest of the product knows it. Imports no part of the connector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from integration_assets.connectors.credential import ClientSecret, Credential, Token
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

if TYPE_CHECKING:
    from pydantic import SecretStr

CLIENT_ID = "client_id"
_FORUM = r"[^\x00-\x1f\x7f]{1,200}"


def credential(secret: SecretStr, settings: Mapping[str, str]) -> Credential:
    """The secret of a client, where its id stands beside it, else an access token."""
    client_id = settings.get(CLIENT_ID)
    return ClientSecret(client_id, secret) if client_id else Token(secret)


USERVOICE = ProviderSpec(
    name="uservoice",
    label="UserVoice",
    kind=ProviderKind.FEEDBACK,
    connector="integration_assets.connectors.feedback.uservoice.connector:uservoice",
    credential=credential,
    secret=SecretSpec(
        variable=VariableSpec("USERVOICE_SECRET"),
        label="API secret or access token",
        called="the UserVoice secret",
        short="secret",
        wanted="the secret of a trusted API key of UserVoice, or a token made with one (Settings → Integrations → "
        "UserVoice API keys)",
    ),
    address=AddressSpec(
        variable=VariableSpec("USERVOICE_BASE_URL"),
        # Each account has a host of its own, some on a domain of their own.
        default=None,
        example="https://acme.uservoice.com",
        hosts=(),
        ends_before=r"/api(/|$)",
    ),
    settings=(
        SettingSpec(
            name=CLIENT_ID,
            variable=VariableSpec("USERVOICE_CLIENT_ID"),
            form=r"[0-9A-Za-z._-]{5,255}",
            hint="must be the API key that the secret belongs to",
            label="API key",
            help="The key that the secret belongs to. Empty: the secret is an access token.",
            shapes_plan=False,
        ),
        SettingSpec(
            name=BOARDS,
            variable=VariableSpec("USERVOICE_FORUMS"),
            form=_FORUM,
            hint="must be names or ids of forums",
            label="Forums",
            help="Names or ids, separated by commas. Empty: all.",
            many=True,
        ),
        SettingSpec(
            name=EXCLUDE_BOARDS,
            variable=VariableSpec("USERVOICE_EXCLUDE_FORUMS"),
            form=_FORUM,
            hint="must be names or ids of forums",
            label="Forums left out",
            help="Names or ids, separated by commas.",
            many=True,
        ),
    ),
)
