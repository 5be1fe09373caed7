"""Credentials a connector signs its calls with. Imports nothing of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    # Its library takes longer to import than the help of the command line may take.
    from pydantic import SecretStr


class Token(msgspec.Struct, frozen=True):
    """A key or token that is sent as it is."""

    token: SecretStr


class ClientSecret(msgspec.Struct, frozen=True):
    """An application's id and secret, for which the connector gets a token (OAuth 2 client credentials)."""

    client_id: str
    client_secret: SecretStr


class JwtKey(msgspec.Struct, frozen=True):
    """An application's private key (PEM), by which the connector signs in as a user (OAuth 2 JWT bearer)."""

    client_id: str
    username: str
    private_key: SecretStr


Credential = Token | ClientSecret | JwtKey
"""What a connector is opened with; each connector says which of them it takes."""


def secret_of(credential: Credential) -> SecretStr:
    """The one secret of a credential."""
    match credential:
        case Token(token=secret) | ClientSecret(client_secret=secret) | JwtKey(private_key=secret):
            return secret
