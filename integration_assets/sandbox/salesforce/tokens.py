"""Tokens: the client credentials flow, and the JWT bearer flow."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from integration_assets.sandbox.salesforce.errors import Json, no_token
from integration_assets.sandbox.salesforce.org import API_ENABLED, App, Org, User

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LONGEST_ASSERTION = 240.0
"""Seconds that an assertion may have left: about three minutes, and what clocks are apart."""


def token_answer(org: Org, raw: bytes, authorization: str, origin: str) -> Json:
    """Answer a request for a token, with the credentials of the app in the form or in an authorization header.

    Raises:
        ApiError: 400, in the shape of this endpoint alone.
    """
    form = {**dict(parse_qsl(raw.decode("utf-8", "replace"))), **_basic(authorization)}
    user = _user(org, form)
    if not user.active:
        raise no_token("inactive_user", "user is inactive")
    if API_ENABLED not in user.permissions:
        raise no_token("invalid_grant", "user hasn't approved this consumer")
    return {
        "access_token": org.mint(user),
        "signature": "c2lnbmF0dXJl",
        "scope": "api",
        "instance_url": origin,
        "id": f"{origin}/id/{org.org_id}/{user.id}",
        "token_type": "Bearer",
        "issued_at": str(int(org.clock() * 1000)),
    }


def _basic(authorization: str) -> dict[str, str]:
    kind, _, encoded = authorization.partition(" ")
    if kind != "Basic":
        return {}
    try:
        client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
    except ValueError:
        raise no_token("invalid_client", "invalid client credentials") from None
    return {"client_id": client_id, "client_secret": secret}


def _user(org: Org, form: Mapping[str, str]) -> User:
    grant = form.get("grant_type")
    if grant == "client_credentials":
        app = _app(org, form.get("client_id", ""))
        if app.secret is None or form.get("client_secret") != app.secret:
            raise no_token("invalid_client", "invalid client credentials")
        return app.user
    if grant == JWT_BEARER:
        return _asserted(org, form.get("assertion", ""))
    raise no_token("unsupported_grant_type", "grant type not supported")


def _app(org: Org, client_id: str) -> App:
    app = org.apps.get(client_id)
    if app is None:
        raise no_token("invalid_client_id", "client identifier invalid")
    return app


def _asserted(org: Org, assertion: str) -> User:
    header, claims, signed, signature = _parts(assertion)
    app = _app(org, str(claims.get("iss", "")))
    if app.public_key is None or header.get("alg") != "RS256":
        raise no_token("invalid_grant", "invalid assertion")
    key = load_pem_public_key(app.public_key)
    if not isinstance(key, RSAPublicKey):
        raise no_token("invalid_grant", "invalid assertion")
    try:
        key.verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise no_token("invalid_grant", "invalid assertion") from None
    host = "test" if org.is_sandbox else "login"
    if claims.get("aud") != f"https://{host}.salesforce.com":
        raise no_token("invalid_grant", "audience is invalid")
    # Some clients send the number as text.
    expires = str(claims.get("exp", ""))
    left = (float(expires) if expires.replace(".", "", 1).isdigit() else 0.0) - org.clock()
    if not 0 < left <= LONGEST_ASSERTION:
        raise no_token("invalid_grant", "expired authorization code")
    if claims.get("sub") != app.user.username:
        raise no_token("invalid_grant", "user hasn't approved this consumer")
    return app.user


def _parts(assertion: str) -> tuple[Any, Any, bytes, bytes]:
    try:
        head, body, signature = assertion.split(".")
        decoded = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (head, body, signature)]
        return (
            msgspec.json.decode(decoded[0]),
            msgspec.json.decode(decoded[1]),
            f"{head}.{body}".encode(),
            decoded[2],
        )
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise no_token("invalid_grant", "invalid assertion") from None
