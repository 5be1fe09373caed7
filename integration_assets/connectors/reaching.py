"""A look at a host: its name, address, certificate and clock. Nothing is asked of it but HEAD.

What the outgoing client hides on purpose (certificates, the time of an answer) is looked at here, without a credential.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from integration_assets.connectors.address_guard import AddressGuard, system_resolver
from integration_assets.connectors.exchange import certificate_problem
from integration_assets.connectors.guarded import MOST_DIALLED
from integration_assets.connectors.proxies import Proxy, proxy_for, public_authorities, trusted_authorities
from integration_assets.errors import TransientError

LARGEST_HEAD = 16_384
LOOPBACK = ("127.", "::1")
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Reached(msgspec.Struct, frozen=True):
    """A host that answered. `certificate_until` None: it was reached without TLS. `at`: its clock, None when silent."""

    host: str
    address: str
    certificate_until: datetime | None
    at: datetime | None

    @property
    def on_this_machine(self) -> bool:
        """True if it is a loopback address."""
        return self.address.startswith(LOOPBACK)


async def reach(
    url: str, *, guard: AddressGuard | None = None, seconds: float = 5.0, context: ssl.SSLContext | None = None
) -> Reached:
    """Resolve the host of a URL, connect, shake hands, and read the time off an answer to `HEAD /`.

    Without a `guard` the address is the operator's own, and asked through the proxy of the environment if there is one.
    `context` is by default what a run trusts: the authorities of the environment, behind a guard the public ones alone.

    Raises:
        TransientError: one of these did not work; says which.
        AddressError: the guard does not let its address pass.
    """
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    # A run uses none behind the guard either.
    proxy = proxy_for(url) if guard is None else None
    context = context or (trusted_authorities() if guard is None else public_authorities())
    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            if proxy is not None:
                address = host
                reader, writer = await _through(proxy, host, port, context)
            else:
                resolve = guard.addresses_of if guard is not None else system_resolver
                addresses = list(dict.fromkeys(await resolve(host, port)))[:MOST_DIALLED]
                address, (reader, writer) = await _dialled(addresses, port, began + seconds)
            try:
                if secure:
                    # Against the name, although an address was dialled.
                    await writer.start_tls(context, server_hostname=host)
                until = _until(writer.get_extra_info("peercert"))
                writer.write(f"HEAD / HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
                at = _date(await _head(reader))
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError) as error:
        through = f"through {proxy}: " if proxy else ""
        raise TransientError(f"{parts.netloc}: {through}{_reason(error, seconds, guarded=guard is not None)}") from None
    return Reached(parts.netloc, address, until, at)


async def _dialled(addresses: Sequence[str], port: int, until: float) -> tuple[str, Connection]:
    """The first of these addresses that lets itself be connected to, as a run tries them, and the connection.

    Raises:
        OSError: none of them does before the monotonic clock shows `until`; of the last one.
    """
    problem = OSError("the name has no address")
    for place, address in enumerate(addresses):
        # What is left is shared out: one that never answers must not take the time of those behind it.
        share = max(until - time.monotonic(), 0.01) / (len(addresses) - place)
        try:
            async with asyncio.timeout(share):
                return address, await asyncio.open_connection(address, port)
        except OSError as error:  # a timeout is one
            problem = error
    raise problem


async def _through(proxy: Proxy, host: str, port: int, context: ssl.SSLContext) -> Connection:
    """A tunnel to the host.

    Raises:
        OSError: the proxy cannot be reached, or does not make one.
    """
    url = urlsplit(proxy.url.get_secret_value())
    secure = url.scheme == "https"
    # SOCKS is another protocol, which only the client of a run speaks.
    if url.scheme not in ("http", "https"):
        raise ConnectionError(f"{url.scheme} proxies cannot be tried here; a run can use them")
    reader, writer = await asyncio.open_connection(
        url.hostname, url.port or (443 if secure else 80), ssl=context if secure else None
    )
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    login = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
    with ExitStack() as unless_made:
        # Also where the time is over: nobody else knows of the connection, and it would stay open.
        unless_made.callback(writer.close)
        writer.write(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{login}\r\n".encode())
        status = (await _head(reader))[:12].decode("latin-1").rpartition(" ")[2]
        if not status.startswith("2"):
            raise ConnectionError(f"it answers {status or 'nothing'}")
        unless_made.pop_all()
    return reader, writer


async def answer_to_get(address: str, port: int, path: str, *, seconds: float) -> bytes:
    """The first bytes of the answer to a plain GET at a literal address; empty when there is none."""
    received = b""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: {address}:{port}\r\n\r\n".encode())
                # Enough to know it by; a server without end must not fill the memory.
                while len(received) < LARGEST_HEAD and (more := await reader.read(LARGEST_HEAD)):
                    received += more
            finally:
                writer.close()
    return received


async def _head(reader: asyncio.StreamReader) -> bytes:
    """The head of an answer; a server that ends sooner has said all it will."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError:
        return b""


def _date(head: bytes) -> datetime | None:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"date":
            with suppress(ValueError, TypeError, OverflowError):
                return parsedate_to_datetime(value.strip().decode("latin-1")).astimezone(UTC)
    return None


def _until(certificate: dict[str, Any] | None) -> datetime | None:
    if not certificate or "notAfter" not in certificate:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)


def _reason(error: OSError | TimeoutError, seconds: float, *, guarded: bool) -> str:
    if untrusted := certificate_problem(error, guarded=guarded):
        return untrusted
    # After the certificate: its error is an SSL error as well, with a reason of its own.
    if isinstance(error, ssl.SSLError):
        return "no TLS connection could be made"
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:.0f} s"
    if type(error).__name__ == "gaierror":
        return "the name cannot be resolved"
    return f"no connection ({error.strerror or str(error) or type(error).__name__})"
