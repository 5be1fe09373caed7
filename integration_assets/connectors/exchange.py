"""One HTTP exchange: a request out, a whole answer in, within a deadline.

Redirects are not followed. The operator's own addresses are asked as `proxies` reads it from the environment; what the
guard checks is asked directly. What can go wrong is told apart by what it means for a write: `LostError` when the
request may have arrived, with `sent` False when it surely has not; `UnreadableError` when an answer came whose body we
refuse.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec
from pydantic import SecretStr

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.body import BodyError, BodyReader, CutBodyError, LargeBodyError
from integration_assets.connectors.guarded import guarded_pool
from integration_assets.connectors.proxies import (
    CERT_FILE,
    NO_PROXY,
    Proxy,
    proxy_for,
    public_authorities,
    trusted_authorities,
)
from integration_assets.connectors.redaction import register
from integration_assets.errors import ConfigurationError, PermanentError

# At INFO httpx prints whole URLs. The client's own request log is the only one.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

X509_NOT_YET_VALID, X509_EXPIRED, X509_OTHER_HOST, X509_OTHER_ADDRESS = 9, 10, 62, 64
"""OpenSSL's codes of verification (x509_vfy.h)."""
_HEADERS = {"accept": "application/json", "accept-encoding": "gzip", "user-agent": "integration-assets"}
CONNECT_SECONDS = 10.0
"""To open a connection, and again for its TLS handshake."""


class RawAnswer(msgspec.Struct, frozen=True):
    """An answer whose body is still bytes. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class FormFile(msgspec.Struct, frozen=True):
    """One part of a form with files (RFC 7578). Without a `filename` it is a field that has a type of its own."""

    name: str
    filename: str
    content_type: str
    content: bytes


class LostError(Exception):
    """No usable answer came.

    `sent` is False when the request cannot have arrived; `permanent`: it will not until a person has done something.
    """

    def __init__(self, reason: str, *, sent: bool = True, permanent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.permanent = permanent


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
        self._proxy: Proxy | None = None
        self._transport: httpx.AsyncHTTPTransport | None = None
        # Registered where they are first held: from here on they could get into a text.
        for value in (*headers.values(), *body_fields.values()):
            if isinstance(value, SecretStr):
                _register(value.get_secret_value())

    def open(self) -> None:
        """Get ready to send, in the event loop that is running.

        Raises:
            ConfigurationError: the environment names a proxy or authorities that cannot be used.
        """
        # No proxy behind the guard: it would resolve the name itself, and go round what was checked.
        if self._guard is not None:
            self._transport = _GuardedTransport(self._guard, self._connections)
        else:
            self._proxy = proxy_for(self._base_url)
            self._transport = direct_transport(self._proxy, self._connections)

    async def close(self) -> None:
        """Close all connections, also when the task is cancelled meanwhile."""
        if self._transport is None:
            return
        closing = asyncio.create_task(self._transport.aclose())
        self._transport = None
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            # The pool closes one connection after the other: ended between two, it would leave the rest open for good.
            await asyncio.wait([closing])
            raise

    async def send(
        self,
        method: str,
        path: str,
        json: Any | None,
        params: Mapping[str, str] | None,
        *,
        form: Mapping[str, SecretStr | str] | None = None,
        files: Sequence[FormFile] = (),
        headers: Mapping[str, SecretStr | str] | None = None,
        before_bytes: Callable[[], None] | None = None,
    ) -> RawAnswer:
        """Send once and read the whole body. `form` and `files` are sent as HTML forms are.

        `headers` go with this request only.

        `before_bytes` is called when the connection stands, just before head and body leave; what it raises ends the
        exchange, and the peer has no whole request.

        Raises:
            LostError: no answer, or a part of one.
            UnreadableError: an answer with a body we refuse.
            PermanentError: the request cannot be written as HTTP.
            AddressError: the guard lets no connection be opened; nothing was sent.
        """
        if self._transport is None:
            raise ConfigurationError(f"the {self._system} client is used outside its `async with` block")
        try:
            async with asyncio.timeout(self._deadline):
                sending = self._sending(json, form, files, headers)
                return await self._answer(self._transport, method, path, params, sending, _traced(before_bytes))
        except TimeoutError:
            # The request may have arrived: only the steps before its first byte can say that it did not.
            raise LostError(f"gave no complete answer within {self._deadline:g} s") from None
        # A connection that never stood carried no byte of the request.
        except httpx.ConnectTimeout:
            through = f"; {self._proxy} is in between" if self._proxy else ""
            raise LostError(f"cannot be reached: connecting took too long{through}", sent=False) from None
        except httpx.ProxyError as error:
            raise _refused_by(self._proxy, error) from None
        except httpx.ConnectError as error:
            raise _unconnected(self._proxy, error, guarded=self._guard is not None) from None
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            kind = type(error).__name__
            raise PermanentError(f"a {self._system} request cannot be written as HTTP ({kind})") from None
        except (httpx.TransportError, CutBodyError) as error:
            raise LostError(f"broke the connection ({type(error).__name__})") from None

    async def _answer(
        self,
        transport: httpx.AsyncHTTPTransport,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        sending: tuple[bytes | None, dict[str, str]],
        extensions: dict[str, Any],
    ) -> RawAnswer:
        content, headers = sending
        # httpx's read timeout starts again with every byte; the deadline of `send` does not. TCP and TLS have the
        # connect timeout each, and must fail by it: a TLS handshake that is cancelled leaks its socket.
        timeout = httpx.Timeout(None, connect=min(CONNECT_SECONDS, self._deadline * 0.4))
        request = httpx.Request(
            method,
            self._base_url + path,
            content=content,
            params=params,
            headers={**_HEADERS, **headers},
            extensions={"timeout": timeout.as_dict(), **extensions},
        )
        # Not through httpx's client: it reads the target of a redirect even when it is not to follow it, fails on odd
        # ones, and keeps cookies.
        response = await transport.handle_async_request(request)
        try:
            received = {name.lower(): value for name, value in response.headers.items()}
            try:
                reader = BodyReader(received.get("content-encoding", ""), self._body_bytes)
                async for chunk in response.aiter_raw():
                    reader.feed(chunk)
                return RawAnswer(response.status_code, received, reader.finish())
            # A broken transfer, as a reset is: it is told to `send`, which knows what it means for a write.
            except CutBodyError:
                raise
            except BodyError as error:
                large = isinstance(error, LargeBodyError)
                raise UnreadableError(str(error), response.status_code, large=large) from None
        finally:
            # Also after a body that was refused: its connection is in the middle of it, and must be given up.
            await response.aclose()

    def _sending(
        self,
        json: Any | None,
        form: Mapping[str, SecretStr | str] | None,
        files: Sequence[FormFile],
        headers: Mapping[str, SecretStr | str] | None,
    ) -> tuple[bytes | None, dict[str, str]]:
        """Body and headers of a request, with their secrets in them."""
        unwrapped = {name: _revealed(value) for name, value in {**self._headers, **(headers or {})}.items()}
        if files:
            kind, parts = _multipart(files)
            return parts, {**unwrapped, "content-type": kind}
        # Secrets of a form travel in it, and need no body fields beside it.
        if form is not None:
            body = urlencode({name: _revealed(value) for name, value in form.items()}).encode()
            return body, {**unwrapped, "content-type": "application/x-www-form-urlencoded"}
        content = self._content(json)
        return content, unwrapped if content is None else {**unwrapped, "content-type": "application/json"}

    def _content(self, json: Any | None) -> bytes | None:
        # Added at the last moment, so that a call can be shown without its keys.
        if self._body_fields:
            secrets = {name: value.get_secret_value() for name, value in self._body_fields.items()}
            return msgspec.json.encode({**(json or {}), **secrets})
        return None if json is None else msgspec.json.encode(json)


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over a pool whose connections the guard opens.

    httpx has no word for the network backend of its pool, so the pool is replaced.
    """

    def __init__(self, guard: AddressGuard, connections: int) -> None:
        context = public_authorities()
        super().__init__(verify=context, trust_env=False)
        self._pool = guarded_pool(guard, context, connections)


def guarded_transport(guard: AddressGuard, connections: int) -> httpx.AsyncHTTPTransport:
    """The transport of httpx to addresses that the guard checks, never through a proxy."""
    return _GuardedTransport(guard, connections)


def direct_transport(proxy: Proxy | None, connections: int) -> httpx.AsyncHTTPTransport:
    """The transport of httpx to an address of the operator's own, through its proxy if there is one."""
    context = trusted_authorities()
    through = None
    if proxy is not None:
        url = proxy.url.get_secret_value()
        through = httpx.Proxy(url, ssl_context=context if url.startswith("https://") else None)
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits, proxy=through)


def _refused_by(proxy: Proxy | None, error: httpx.ProxyError) -> LostError:
    """Translate a proxy's refusal to connect into an error. Nothing has reached the system."""
    # httpx tells the status of a proxy by the text of its error alone.
    said = str(error)
    status = int(said[:3]) if said[:3].isdigit() else 0
    # A person has to act: the password does not become right by waiting.
    if status == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
        return LostError(f"{proxy} asks for a user and a password, or refuses them (407)", sent=False, permanent=True)
    what = f"cannot be reached: {proxy} does not connect to it"
    # A rule of the proxy, but for 429, which passes.
    if 400 <= status < 500 and status != httpx.codes.TOO_MANY_REQUESTS:
        advice = f"have it allowed there, or name the host in {NO_PROXY}"
        return LostError(f"{what} ({status}): {advice}", sent=False, permanent=True)
    return LostError(f"{what} ({status or 'no answer of HTTP'})", sent=False)


def _unconnected(proxy: Proxy | None, error: httpx.ConnectError, *, guarded: bool) -> LostError:
    """Translate a failed connection into an error: a certificate does not become good by waiting, all else may."""
    if untrusted := certificate_problem(error, guarded=guarded):
        return LostError(untrusted, sent=False, permanent=True)
    reason = str(error) or type(error).__name__
    # Without an inner TLS error it is the proxy that was dialled, and nothing else.
    missing = f"{proxy} cannot be reached" if proxy and not _caused_by(error, ssl.SSLError) else "cannot be reached"
    return LostError(f"{missing}: {reason}", sent=False)


def certificate_problem(error: BaseException, *, guarded: bool = False) -> str | None:
    """Say why a certificate was refused and what to do, when that is what an error comes from.

    `guarded`: it is of an address that the guard checks, where the authorities of the environment are not trusted.
    """
    cause = _caused_by(error, ssl.SSLCertVerificationError)
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return None
    if cause.verify_code in (X509_NOT_YET_VALID, X509_EXPIRED):
        return (
            f"its certificate is out of date ({cause.verify_message}): it must be renewed, or this machine's clock set"
        )
    if cause.verify_code in (X509_OTHER_HOST, X509_OTHER_ADDRESS):
        return f"its certificate is another host's ({cause.verify_message}): check the base URL"
    if guarded:
        return f"its certificate is not trusted ({cause.verify_message}): it must be of a public authority"
    return (
        f"its certificate is not trusted ({cause.verify_message}): if a proxy or the system has an authority of its "
        f"own, name the file of its certificate in {CERT_FILE}"
    )


def _caused_by(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    """The first error of a kind among an error and what it was raised from."""
    # httpx and httpcore wrap what ssl raised; its code is on the innermost error.
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _traced(before_bytes: Callable[[], None] | None) -> dict[str, Any]:
    """An extension of httpx that calls `before_bytes` at the last moment: waiting for a connection can take long."""
    if before_bytes is None:
        return {}

    async def trace(event: str, _info: Mapping[str, Any]) -> None:
        # Before the head, and before the body once more: without its body the peer has no whole request.
        if event in ("http11.send_request_headers.started", "http11.send_request_body.started"):
            before_bytes()

    return {"trace": trace}


def _multipart(files: Sequence[FormFile]) -> tuple[str, bytes]:
    """Type and body of a form with files. The boundary is by chance, so that no part holds it."""
    boundary = secrets.token_hex(16)
    body = bytearray()
    for one in files:
        filename = f'; filename="{one.filename}"' if one.filename else ""
        head = f'--{boundary}\r\ncontent-disposition: form-data; name="{one.name}"{filename}\r\n'
        body += f"{head}content-type: {one.content_type}\r\n\r\n".encode() + one.content + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", bytes(body + f"--{boundary}--\r\n".encode())


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
    # A path is appended to it: behind a query or fragment it would be lost.
    if not fine or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(
            f"the {system} base URL must look like https://host/path, with no user, query or fragment"
        )
    return base_url.rstrip("/")


def _checked_header(system: str, name: str, value: SecretStr | str) -> SecretStr | str:
    """The value as it was given. A key pasted with a line break in it would fail only while sending, every time."""
    text = _revealed(value)
    # The value itself is not told: it is a secret.
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
