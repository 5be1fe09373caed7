"""Requests by bare sockets: nothing tidies them up on their way to the pages."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from integration_assets_tests.support.web_site import LOOPBACK
from integration_assets_tests.web.conftest import Served

PATIENCE = 120.0


@contextlib.contextmanager
def connected(pages: Served, count: int = 1, address: str = LOOPBACK) -> Iterator[list[socket.socket]]:
    """Connections to the pages from an address of this machine."""
    port = int(pages.site.origin.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection((LOOPBACK, port), PATIENCE, source_address=(address, 0)))
            for _ in range(count)
        ]


def head(pages: Served, line: str = "GET /health HTTP/1.1", *headers: str) -> bytes:
    """Line and headers of a request, as somebody types them."""
    host = pages.site.origin.removeprefix("http://")
    return "\r\n".join((line, f"Host: {host}", *headers, "", "")).encode("latin-1")


def received(connection: socket.socket) -> bytes:
    """Everything until the other side closes, also hard."""
    answer = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65_536):
            answer += part
    return answer


def status_of(answer: bytes) -> int:
    """The status of an answer, 0 without one."""
    return int(answer.split(b" ", 2)[1]) if answer else 0
