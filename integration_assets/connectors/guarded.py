"""The address guard where connections are opened: names are resolved here, once, and what was checked is dialled.

httpcore asks a network backend for the TCP connection only. The name stays what the certificate is checked against and
what the request's Host says.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterable
from typing import NoReturn

import httpcore

from integration_assets.connectors.address_guard import AddressGuard

MOST_DIALLED = 8
"""Most addresses of one name that are tried. The time there is to connect is shared out between those that are left."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections to checked addresses only, trying the next one when one does not answer."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        self._inner: httpcore.AsyncNetworkBackend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str | bytes,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to one of the host's addresses.

        Raises:
            AddressError: the host, or one of its addresses, may not be asked; nothing was dialled.
            httpcore.ConnectError, httpcore.ConnectTimeout: none of them answers in time.
        """
        began = time.monotonic()
        # Resolved here and dialled as numbers: httpcore would resolve the name once more, unchecked.
        addresses = (await self._resolved(host, port, timeout))[:MOST_DIALLED]
        problem: Exception = httpcore.ConnectError("no address")
        for place, address in enumerate(addresses):
            left = None if timeout is None else max(timeout - (time.monotonic() - began), 0.01)
            # Shared out: an address that never answers must not take the time of those behind it.
            share = None if left is None else left / (len(addresses) - place)
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout=share, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
        raise problem

    async def _resolved(
        self,
        host: str | bytes,
        port: int,
        timeout: float | None,  # noqa: ASYNC109 - handed on to asyncio.timeout
    ) -> list[str]:
        try:
            # A name server that never answers counts towards the same limit as a host that does not.
            async with asyncio.timeout(timeout):
                return await self._guard.addresses_of(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from None
        except OSError as error:
            raise httpcore.ConnectError(f"the name cannot be resolved ({type(error).__name__})") from None

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the same
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> NoReturn:
        """Refuse: no tenant's system is a socket of this machine."""
        raise httpcore.ConnectError("sockets of this machine are not asked")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)


def guarded_pool(guard: AddressGuard, context: ssl.SSLContext, connections: int) -> httpcore.AsyncConnectionPool:
    """A pool of at most `connections` connections, all of them opened through the guard."""
    return httpcore.AsyncConnectionPool(
        ssl_context=context,
        max_connections=connections,
        max_keepalive_connections=connections,
        keepalive_expiry=5.0,
        http1=True,
        http2=False,
        network_backend=GuardedBackend(guard),
    )
