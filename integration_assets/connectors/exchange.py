"""One HTTP exchange: a request out, a whole answer in, within a deadline. The only module that imports httpx.

Redirects are not followed, and no proxy, netrc or certificate setting of the environment is read. What can go wrong is
told apart by what it means for a write: `LostError` when the request may have arrived, with `sent` False when it surely
has not; `UnreadableError` when an answer came whose body we refuse.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec
from pydantic import SecretStr

from integration_assets.connectors.addresses import AddressGuard
from integration_assets.connectors.body import BodyError, BodyReader, CutBodyError, LargeBodyError
from integration_assets.connectors.guarded import guarded_pool
from integration_assets.connectors.redaction import register
from integration_assets.errors import ConfigurationError, PermanentError

# At INFO httpx prints whole URLs. The client's own request log is the only one.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

CONNECT_SECONDS = 10.0
"""To open a connection, and again for its TLS handshake."""


class RawAnswer(msgspec.Struct, frozen=True):
    """An answer whose body is still bytes. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class LostError(Exception):
    """No usable answer came. `sent` is False when the request cannot have arrived; `hopeless`: a repeat cannot help."""

    def __init__(self, reason: str, *, sent: bool = True, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.hopeless = hopeless


class UnreadableError(Exception):
    """An answer with this status came, and its body is of no encoding or size that we accept (`large`: its size)."""

    def __init__(self, reason: str, status: int, *, large: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.large = large


class Exchange:
    """Connections to one host with one credential.

    `headers` go with every request, `body_fields` into every JSON object sent; their secrets are unwrapped only while
    sending. `deadline` is in seconds, from sending to the last byte; `body_bytes` is the largest decoded body. With a
    `guard` only what it lets pass is asked; without one the address is the operator's own.

    Raises:
        ConfigurationError: the base URL is none or may not be asked (`AddressError`), or a header value cannot be sent.
    """

    def __init__(
        self,
        *,
        system: str,
        base_url: str,
        headers: Mapping[str, SecretStr | str],
        body_fields: Mapping[str, SecretStr],
        deadline: float,
        connections: int,
        body_bytes: int,
        guard: AddressGuard | None = None,
    ) -> None:
        self._system = system
        self._base_url = _checked_base_url(system, base_url, guard)
        self._guard = guard
        self.host = urlsplit(self._base_url).netloc
        self._headers = {name: _checked_header(system, name, value) for name, value in headers.items()}
        self._body_fields = dict(body_fields)
        self._deadline = deadline
        self._connections = connections
        self._body_bytes = body_bytes
        self._client: httpx.AsyncClient | None = None
        for value in (*headers.values(), *body_fields.values()):
            if isinstance(value, SecretStr):
                _register(value.get_secret_value())

    def open(self) -> None:
        """Get ready to send, in the event loop that is running."""
        self._client = httpx.AsyncClient(
            transport=None if self._guard is None else _GuardedTransport(self._guard, self._connections),
            trust_env=False,
            follow_redirects=False,
            # httpx's read timeout starts again with every byte; the deadline of `send` does not. TCP and TLS have the
            # connect timeout each, and must fail by it: a TLS handshake that is cancelled leaks its socket.
            timeout=httpx.Timeout(None, connect=min(CONNECT_SECONDS, self._deadline * 0.4)),
            limits=httpx.Limits(max_connections=self._connections, max_keepalive_connections=self._connections),
            headers={"accept": "application/json", "accept-encoding": "gzip", "user-agent": "integration-assets"},
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def send(
        self,
        method: str,
        path: str,
        json: Any | None,
        params: Mapping[str, str] | None,
        *,
        form: Mapping[str, SecretStr | str] | None = None,
        headers: Mapping[str, SecretStr | str] | None = None,
        before_bytes: Callable[[], None] | None = None,
    ) -> RawAnswer:
        """Send once and read the whole body. `form` is sent as an HTML form is; `headers` go with this request only.

        `before_bytes` is called when the connection stands, just before head and body leave; what it raises ends the
        exchange, and the peer has no whole request.

        Raises:
            LostError: no answer, or a part of one.
            UnreadableError: an answer with a body we refuse.
            PermanentError: the request cannot be written as HTTP.
            AddressError: the guard lets no connection be opened; nothing was sent.
        """
        if self._client is None:
            raise ConfigurationError(f"the {self._system} client is used outside its `async with` block")
        try:
            async with asyncio.timeout(self._deadline):
                sending = self._sending(json, form, headers)
                return await self._answer(self._client, method, path, params, sending, _traced(before_bytes))
        except TimeoutError:
            raise LostError(f"gave no complete answer within {self._deadline:g} s") from None
        except httpx.ConnectTimeout:
            raise LostError("cannot be reached: connecting took too long", sent=False) from None
        except httpx.ConnectError as error:
            reason = str(error) or type(error).__name__
            untrusted = "CERTIFICATE_VERIFY_FAILED" in reason
            raise LostError(f"cannot be reached: {reason}", sent=False, hopeless=untrusted) from None
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            kind = type(error).__name__
            raise PermanentError(f"a {self._system} request cannot be written as HTTP ({kind})") from None
        except (httpx.TransportError, CutBodyError) as error:
            raise LostError(f"broke the connection ({type(error).__name__})") from None

    async def _answer(
        self,
        client: httpx.AsyncClient,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        sending: tuple[bytes | None, dict[str, str]],
        extensions: dict[str, Any],
    ) -> RawAnswer:
        (content, headers), url = sending, self._base_url + path
        async with client.stream(
            method, url, content=content, params=params, headers=headers, extensions=extensions
        ) as response:
            received = {name.lower(): value for name, value in response.headers.items()}
            try:
                reader = BodyReader(received.get("content-encoding", ""), self._body_bytes)
                async for chunk in response.aiter_raw():
                    reader.feed(chunk)
                return RawAnswer(response.status_code, received, reader.finish())
            except CutBodyError:
                raise
            except BodyError as error:
                large = isinstance(error, LargeBodyError)
                raise UnreadableError(str(error), response.status_code, large=large) from None

    def _sending(
        self,
        json: Any | None,
        form: Mapping[str, SecretStr | str] | None,
        headers: Mapping[str, SecretStr | str] | None,
    ) -> tuple[bytes | None, dict[str, str]]:
        """Body and headers of a request, with their secrets in them."""
        unwrapped = {name: _revealed(value) for name, value in {**self._headers, **(headers or {})}.items()}
        if form is not None:
            body = urlencode({name: _revealed(value) for name, value in form.items()}).encode()
            return body, {**unwrapped, "content-type": "application/x-www-form-urlencoded"}
        content = self._content(json)
        return content, unwrapped if content is None else {**unwrapped, "content-type": "application/json"}

    def _content(self, json: Any | None) -> bytes | None:
        if self._body_fields:
            secrets = {name: value.get_secret_value() for name, value in self._body_fields.items()}
            return msgspec.json.encode({**(json or {}), **secrets})
        return None if json is None else msgspec.json.encode(json)


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over a pool whose connections the guard opens.

    httpx has no word for the network backend of its pool, so the pool is replaced.
    """

    def __init__(self, guard: AddressGuard, connections: int) -> None:
        context = httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        self._pool = guarded_pool(guard, context, connections)


def _traced(before_bytes: Callable[[], None] | None) -> dict[str, Any]:
    """An extension of httpx that calls `before_bytes` at the last moment: waiting for a connection can take long."""
    if before_bytes is None:
        return {}

    async def trace(event: str, _info: Mapping[str, Any]) -> None:
        if event in ("http11.send_request_headers.started", "http11.send_request_body.started"):
            before_bytes()

    return {"trace": trace}


def _checked_base_url(system: str, base_url: str, guard: AddressGuard | None) -> str:
    """The base URL without a final slash; a guarded one also without a final dot of its host."""
    if guard is not None:
        target = guard.check(base_url)
        base_url = f"{target.scheme}://{target.pair}{urlsplit(base_url).path}"
    try:
        parts = urlsplit(base_url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(
            f"the {system} base URL must look like https://host/path, with no user, query or fragment"
        )
    return base_url.rstrip("/")


def _checked_header(system: str, name: str, value: SecretStr | str) -> SecretStr | str:
    """The value as it was given. A key pasted with a line break in it would fail only while sending, every time."""
    text = _revealed(value)
    if not (text.isascii() and text.isprintable()) or text != text.strip():
        raise ConfigurationError(
            f"the {system} key or token ({name} header) holds a line break or another odd character"
        )
    return value


def _register(secret: str) -> None:
    """Register a secret, and its words: `Bearer <token>` hides the token alone as well."""
    for part in {secret, *secret.split()}:
        register(part)


def _revealed(value: SecretStr | str) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
