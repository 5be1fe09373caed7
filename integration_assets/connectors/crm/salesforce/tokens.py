"""Tokens of an org: one that is given, or one that is had by an app's secret or key and had anew when it ends.

Source: "OAuth 2.0 Client Credentials Flow" and "OAuth 2.0 JWT Bearer Flow" of Salesforce Help.
"""

from __future__ import annotations

import asyncio
import base64
import re
import textwrap
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

from integration_assets.connectors.credential import ClientSecret, Credential, JwtKey, Token, secret_of
from integration_assets.connectors.crm.salesforce import endpoints
from integration_assets.connectors.crm.salesforce.wire import SYSTEM, TokenAnswer, decode
from integration_assets.connectors.http import Call, HttpClient
from integration_assets.connectors.redaction import register
from integration_assets.errors import ConfigurationError, ContractError, CredentialError

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_SECONDS = 170.0
"""Life of an assertion. Salesforce takes three minutes at most, and clocks differ."""
PRODUCTION_AUDIENCE = "https://login.salesforce.com"
SANDBOX_AUDIENCE = "https://test.salesforce.com"
PEM_COLUMNS = 64
"""Characters of a line of a PEM file (RFC 7468)."""
_PEM = re.compile(r"(-----BEGIN [A-Z ]+-----)(.*?)(-----END [A-Z ]+-----)", re.DOTALL)
_LINE_BREAKS = re.compile(r"\s|\\[nr]")
_SANDBOX_HOST = ".sandbox.my.salesforce.com"
SHARED_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com"})
"""Hosts of no org of its own: an org may refuse to be signed in to there, and has its data elsewhere."""


class Identity(msgspec.Struct, frozen=True):
    """Ids of the org and the user that a token is of."""

    org_id: str
    user_id: str


class TokenSource:
    """The token of one credential. `client` talks to the org's token endpoint with `status_rules.TOKEN_RULES`.

    `audience` is whom an assertion is for; None: as the host says. `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        client: HttpClient,
        credential: Credential,
        base_url: str,
        *,
        audience: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._credential = credential
        self.base_url = base_url
        self._audience = audience or audience_of(base_url)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = credential.token if isinstance(credential, Token) else None
        self._broken: CredentialError | None = None
        # Registered where it is first held: it travels in single calls, of which the client knows nothing.
        text = secret_of(credential).get_secret_value()
        # Of a key also each line, but for those round it, which are the same in all keys.
        lines = (*text.splitlines(), *with_line_breaks(text).splitlines())
        for part in {text, *(line for line in lines if "-----" not in line)}:
            register(part)
        self.identity: Identity | None = None
        """Whose the latest token is, where it was had here."""

    async def token(self) -> SecretStr:
        """A token, had when there is none yet.

        Raises:
            CredentialError: the org refuses to sign us in, now or before; it is not asked again.
            ConfigurationError: the base URL is not that of the org, or the private key is none.
            ContractError: what it answers is no token.
            TransientError: it cannot be reached.
        """
        async with self._lock:
            return self._token or await self._renewed()

    async def instead_of(self, refused: SecretStr) -> SecretStr:
        """Another token than the one just refused: the newer one somebody had meanwhile, else a new one.

        Raises:
            CredentialError: the token was given, and there is no other.
            ConfigurationError, ContractError, TransientError: as `token`.
        """
        if isinstance(self._credential, Token):
            raise CredentialError(
                f"{SYSTEM}: the token has ended, or was revoked: give another, or the credentials of an app",
                system=SYSTEM,
            )
        async with self._lock:
            # Somebody else was refused with the same one, and has a new one already.
            if self._token is not None and self._token is not refused:
                return self._token
            return await self._renewed()

    async def _renewed(self) -> SecretStr:
        if self._broken is not None:
            raise self._broken
        call = Call(
            method="POST",
            path=endpoints.TOKEN.path,
            endpoint=f"POST {endpoints.TOKEN.template}",
            form=self._form(),
        )
        try:
            answer = await self._client.send(call)
        except CredentialError as error:
            # A wrong secret does not become right: asked again and again, it would lock the user out.
            self._broken = error
            raise
        told = decode(answer.body, TokenAnswer, endpoint=call.endpoint)
        self._check_host(told.instance_url)
        self.identity = _identity(told.id)
        # A secret like the one it was had for, from its first moment.
        register(told.access_token)
        self._token = SecretStr(told.access_token)
        return self._token

    def _form(self) -> Mapping[str, SecretStr | str]:
        match self._credential:
            case ClientSecret(client_id=client_id, client_secret=secret):
                return {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
            case JwtKey():
                return {
                    "grant_type": JWT_BEARER,
                    "assertion": assertion(self._credential, self._audience, self._clock()),
                }
        raise ConfigurationError(f"{SYSTEM}: a token cannot be had for a token")

    def _check_host(self, instance_url: str) -> None:
        """Refuse to send the token to another host than the one that was configured."""
        told, configured = (urlsplit(url).netloc.lower() for url in (instance_url, self.base_url))
        if told != configured:
            raise ConfigurationError(
                f"{SYSTEM}: the org has its data at {told}, not at {configured}: set the base URL to https://{told}",
                system=SYSTEM,
            )


def audience_of(base_url: str) -> str:
    """Whom an assertion is for: one of two hosts that all sandboxes, and all other orgs, share."""
    host = (urlsplit(base_url).hostname or "").lower()
    return SANDBOX_AUDIENCE if host.endswith(_SANDBOX_HOST) or host == "test.salesforce.com" else PRODUCTION_AUDIENCE


def assertion(key: JwtKey, audience: str, now: float) -> SecretStr:
    """A signed statement that the app acts for the user (RFC 7523), by RS256.

    Raises:
        ConfigurationError: the private key is none, or not of RSA.
    """
    claims = {"iss": key.client_id, "sub": key.username, "aud": audience, "exp": int(now + ASSERTION_SECONDS)}
    signed = f"{_encoded(msgspec.json.encode({'alg': 'RS256'}))}.{_encoded(msgspec.json.encode(claims))}"
    try:
        private = load_pem_private_key(with_line_breaks(key.private_key.get_secret_value()).encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, RSAPrivateKey):
        raise ConfigurationError(
            f"{SYSTEM}: the private key is no RSA key in PEM form without a passphrase: enter the whole file, from "
            "-----BEGIN to -----END"
        )
    signature = private.sign(signed.encode(), PKCS1v15(), SHA256())
    return SecretStr(f"{signed}.{_encoded(signature)}")


def with_line_breaks(key: str) -> str:
    """A key in PEM form with its line breaks, which forms drop and files of variables write as two letters."""
    found = _PEM.search(key)
    if found is None:
        return key
    before, content, after = found.groups()
    return "\n".join((before, *textwrap.wrap(_LINE_BREAKS.sub("", content), PEM_COLUMNS), after))


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _identity(address: str) -> Identity:
    parts = address.rstrip("/").split("/")
    if len(parts) < 2 or not (parts[-1].startswith("005") and parts[-2].startswith("00D")):
        raise ContractError(f"{SYSTEM} does not say which org the token is of", system=SYSTEM)
    return Identity(parts[-2], parts[-1])
