"""Serving look-alikes on loopback: one server in one thread, one socket for each.

The server understands the extension with which a look-alike cuts a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from integration_assets.sandbox.lookalike import CUT_EXTENSION, Lookalike

LOOPBACK = "127.0.0.1"
START_SECONDS = 60.0
"""Longest wait for the server to listen."""


@contextlib.contextmanager
def listening(lookalikes: Sequence[Lookalike], ports: Sequence[int] | None = None) -> Iterator[list[str]]:
    """Serve look-alikes until the block ends; gives the origin (`http://127.0.0.1:PORT`) of each.

    `ports` has one for each; 0, the default, takes a free one.

    Raises:
        OSError: a port is taken.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(_listen(port)) for port in ports or [0] * len(lookalikes)]
        numbers = [one.getsockname()[1] for one in sockets]
        server = _Server(_config(_by_port(dict(zip(numbers, lookalikes, strict=True)))))
        thread = threading.Thread(target=server.run, args=(sockets,), name="sandbox", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield [f"http://{LOOPBACK}:{number}" for number in numbers]
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """Notices within 20 ms that it shall end; tests start and end many."""

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            await asyncio.sleep(0.02)


def _listen(port: int) -> socket.socket:
    # Without the protocol named, asyncio leaves Nagle's algorithm on and every answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(errno.EADDRINUSE, f"port {port} of {LOOPBACK} is taken; choose another") from error
        raise
    return listener


def _config(app: ASGIApp) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # injected faults are no news
        access_log=False,
        timeout_keep_alive=75,  # longer than clients keep idle connections, so that none is used while being closed
        timeout_graceful_shutdown=1,
    )
    config.load()
    config.http_protocol_class = _cuttable(config.http_protocol_class)
    return config


def _cuttable(protocol_class: Callable[..., Any]) -> Any:
    """Made in place of the class: its protocols' application can drop the connection, for which ASGI has no word."""

    def make(**arguments: Any) -> Any:
        protocol = protocol_class(**arguments)
        application = protocol.app

        async def with_cut(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[CUT_EXTENSION] = protocol.transport.abort
            await application(scope, receive, send)

        protocol.app = with_cut
        return protocol

    return make


def _by_port(apps: Mapping[int, Lookalike]) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await apps[scope["server"][1]](scope, receive, send)

    return application


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the sandbox server did not start; another program may hold its sockets")
        time.sleep(0.005)
