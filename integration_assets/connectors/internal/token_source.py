"""Credentials of requests to an internal system: nothing, a name and password, a key, or a token that is renewed.

Tokens are had by the OAuth 2.0 client credentials grant (RFC 6749, section 4.4): the endpoint is asked once under a
lock, before a token expires and when one is refused. An endpoint that refuses the client is not asked again.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import quote_plus, urlsplit

from pydantic import SecretStr

from integration_assets.connectors.http import Call, HttpClient
from integration_assets.connectors.redaction import register
from integration_assets.connectors.rules import Action, Answer, Rule, StatusRules
from integration_assets.errors import ConfigurationError, ContractError, CredentialError

EARLY_SECONDS = 60.0
"""A token is renewed this long before it expires, or after nine tenths of its life when that is later."""
LOGIN_LABEL = "POST token endpoint"
_REFUSALS = frozenset({"invalid_client", "invalid_grant", "unauthorized_client", "invalid_scope", "invalid_request"})
"""Errors of RFC 6749, section 5.2, that a repeat cannot mend."""


class Flow(StrEnum):
    """The way an internal system wants to be authenticated to."""

    NONE = "none"
    BASIC = "basic"
    HEADER = "header"
    BEARER = "bearer"
    OAUTH2 = "oauth2_client_credentials"


def fixed_headers(flow: Flow, auth: Mapping[str, str], secret: SecretStr | None) -> dict[str, SecretStr | str]:
    """The headers of every request, for all flows but OAuth 2.

    Raises:
        ConfigurationError: the flow needs a secret and there is none.
    """
    if flow in (Flow.NONE, Flow.OAUTH2):
        return {}
    value = needed(secret).get_secret_value()
    if flow is Flow.BASIC:
        # Without a user name the secret takes its place, and there is no password: so billing systems take their keys.
        name, password = (auth["username"], value) if auth.get("username") else (value, "")
        return {"authorization": SecretStr(_basic(name, password))}
    if flow is Flow.BEARER:
        return {"authorization": SecretStr(f"Bearer {value}")}
    return {auth["header_name"]: SecretStr(value)}


def needed(secret: SecretStr | None) -> SecretStr:
    """The secret.

    Raises:
        ConfigurationError: there is none.
    """
    if secret is None:
        raise ConfigurationError("the internal system has no secret: enter it, or choose the flow none")
    return secret


def _basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def _said(answer: Answer) -> str:
    """The error code of RFC 6749: one of a few words, never text of the other side's own."""
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    return error if isinstance(error, str) and error in _REFUSALS else ""


TOKEN_RULES = StatusRules(
    rules=(
        Rule(
            statuses=frozenset({400, 401, 403}),
            action=Action.CREDENTIAL,
            advice="the client id or secret was refused: enter them again",
        ),
    ),
    describe=_said,
)


class TokenSource:
    """The access token of one system. `client` talks to the token endpoint's host with `TOKEN_RULES`."""

    def __init__(
        self,
        client: HttpClient,
        token_url: str,
        form: Mapping[str, SecretStr | str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        parts = urlsplit(token_url)
        # With its query, in which some systems are told whose token, or which version of their API, is asked for.
        self._path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        self._form = dict(form)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: SecretStr | None = None
        self._renew_at = 0.0
        self._broken: CredentialError | None = None

    async def token(self) -> SecretStr:
        """A token that has not expired, as far as we were told.

        Raises:
            CredentialError: the endpoint refused us, now or before; it is not asked again.
            ContractError: what it answers is no token.
            TransientError: it cannot be reached.
        """
        # Under the lock, so that requests at the same time ask for one token together.
        async with self._lock:
            if self._token is None or self._clock() >= self._renew_at:
                return await self._renewed()
            return self._token

    async def instead_of(self, refused: SecretStr) -> SecretStr:
        """Another token than the one just refused: the newer one somebody had meanwhile, else a new one.

        Raises:
            CredentialError, ContractError, TransientError: as `token`.
        """
        async with self._lock:
            # Somebody else was refused with the same one, and has a new one already.
            if self._token is not None and self._token is not refused:
                return self._token
            return await self._renewed()

    async def _renewed(self) -> SecretStr:
        if self._broken is not None:
            raise self._broken
        # From before the request: its life began at some moment on the way, the earliest is the safe one.
        asked = self._clock()
        try:
            answer = await self._client.send(
                Call(method="POST", path=self._path, endpoint=LOGIN_LABEL, form=self._form)
            )
        except CredentialError as error:
            self._broken = error
            raise
        self._token, seconds = _token_of(answer.body)
        self._renew_at = asked + max(seconds - EARLY_SECONDS, seconds * 0.9)
        return self._token


def token_request(
    auth: Mapping[str, str], secret: SecretStr
) -> tuple[dict[str, SecretStr | str], dict[str, SecretStr | str]]:
    """Headers and form of the request for a token: by HTTP Basic as RFC 6749 prefers, or all in the form."""
    form: dict[str, SecretStr | str] = {"grant_type": "client_credentials"}
    form |= {name: auth[name] for name in ("scope", "audience") if auth.get(name)}
    if auth.get("credentials_in") == "form":
        return {}, {**form, "client_id": auth["client_id"], "client_secret": secret}
    # Encoded as a form first, as RFC 6749 wants it (section 2.3.1).
    password = quote_plus(secret.get_secret_value())
    return {"authorization": SecretStr(_basic(quote_plus(auth["client_id"]), password))}, form


def _token_of(body: Any) -> tuple[SecretStr, float]:
    """The token and its life in seconds (RFC 6749, section 5.1); without a life it is used until it is refused."""
    token = body.get("access_token") if isinstance(body, dict) else None
    kind = body.get("token_type", "bearer") if isinstance(body, dict) else None
    if (
        not isinstance(token, str)
        or not (token and token.isascii() and token.isprintable() and " " not in token)
        or not isinstance(kind, str)
        or kind.lower() != "bearer"
    ):
        raise ContractError("the token endpoint answered with no bearer token: check the token URL", system="internal")
    # Some systems send the number as text.
    seconds = body.get("expires_in")
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) < 10:
        seconds = int(seconds)
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    # A secret like the one it was had for, from its first moment.
    register(token)
    return SecretStr(token), float(seconds) if known else float("inf")
