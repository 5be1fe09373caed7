"""Checks of what others could see of this installation: Dagster's own pages, and ours asked for what bots ask for."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from starlette.types import ASGIApp, Message

from integration_assets.connectors.reaching import answer_to_get
from integration_assets.doctor.context import DoctorContext, in_thread
from integration_assets.doctor.findings import CheckOutcome, fail, failed, ok, skipped
from integration_assets.doctor.keys import NO_REGISTRY
from integration_assets.errors import IntegrationError
from integration_assets.tenants.registry.database import Registry, registry
from integration_assets.web.app import create_app
from integration_assets.web.site import Site

PROC = Path("/proc")
WEBSERVER_PORT = 3000
"""Dagster's own default; beside it every port that a process of ours with `dagster` in its command listens on."""
SERVER_INFO, VERSION_WORD = "/server_info", b"dagster_version"
SECONDS = 1.0
LISTENING = "0A"
"""State of a listening socket in the kernel's table."""
ORIGIN = "https://doctor.invalid"
METHODS = ("GET", "HEAD", "POST", "TRACE")
FINE = frozenset({400, 401, 403, 404, 405, 410})
MOST_BYTES = 1_024


# ------------------------------------------------------------------------------------------------ Dagster's webserver


async def webserver(_case: DoctorContext) -> CheckOutcome:
    """24: Dagster's pages, which have no login, answer to this machine only."""
    ports = await in_thread(lambda: open_ports(PROC))
    # By the address others see: on loopback the pages are meant to answer.
    here = await in_thread(_own_address)
    answers = await asyncio.gather(*(answer_to_get(here, port, SERVER_INFO, seconds=SECONDS) for port in ports))
    exposed = [port for port, answer in zip(ports, answers, strict=True) if _is_dagster(answer)]
    if exposed:
        where = ", ".join(f"{here}:{port}" for port in exposed)
        return fail(
            f"Dagster's pages answer at {where} without a login: who reaches them can run and read everything",
            "start them with `-h 127.0.0.1` (`make dev` does), or behind a proxy that asks who it is",
        )
    return ok("Dagster's pages do not answer beyond this machine")


def _is_dagster(answer: bytes) -> bool:
    return answer[9:12] == b"200" and VERSION_WORD in answer


def open_ports(proc: Path) -> list[int]:
    """Ports open beyond loopback that may be Dagster's: the default one, and those of processes that name it.

    Where the kernel does not tell (no /proc), only the default one.
    """
    listening: dict[int, set[str]] = {}
    told = False
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            lines = (proc / "net" / table).read_text(encoding="ascii").splitlines()[1:]
            told = True
            for line in lines:
                fields = line.split()
                address, _, port = fields[1].partition(":")
                # The kernel's table, not a scan of ports: a scan takes minutes and alarms whoever watches the network.
                if fields[3] == LISTENING and not _is_loopback(address):
                    listening.setdefault(int(port, 16), set()).add(fields[9])
    # No /proc, as on macOS: only the default port can be tried.
    if not told:
        return [WEBSERVER_PORT]
    ours = _sockets_of_dagster(proc) if listening else set()
    return sorted(port for port, sockets in listening.items() if port == WEBSERVER_PORT or sockets & ours)


def _is_loopback(address: str) -> bool:
    """An address as the kernel writes it: hexadecimal, each group of four bytes the other way round."""
    return address.endswith("7F") if len(address) == 8 else address == "0" * 24 + "01000000"


def _sockets_of_dagster(proc: Path) -> set[str]:
    """Inodes of the sockets of processes whose command names Dagster, as far as we may look."""
    found: set[str] = set()
    for process in proc.glob("[0-9]*"):
        # Processes end while they are looked at, and those of other accounts do not show their files.
        with suppress(OSError):
            if b"dagster" not in (process / "cmdline").read_bytes():
                continue
            for descriptor in (process / "fd").iterdir():
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    found.add(target.removeprefix("socket:[").removesuffix("]"))
    return found


def _own_address() -> str:
    """An address of this machine that others see. Choosing the way to a far address sends nothing."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # A datagram socket: connecting only makes the kernel choose the address it would send from.
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return "127.0.0.1"


# ------------------------------------------------------------------------------------------------------ our own pages


def probes() -> list[str]:
    """Paths that bots ask every host for, with their query where they have one."""
    lines = files("integration_assets.doctor").joinpath("probes.txt").read_text(encoding="ascii").splitlines()
    return [line for line in lines if line.startswith("/")]


async def own_pages(context: DoctorContext) -> CheckOutcome:
    """25: our own pages give nothing away to whoever guesses paths."""
    # Without a registry that opens, `serve` refuses to start: there are no pages to look at.
    if (await context.opened()).keys is None:
        return skipped(f"{NO_REGISTRY}, and without one the pages are not served")
    try:
        told = await in_thread(lambda: _asked(context))
    except IntegrationError as error:
        return failed(error, "do what the message says")
    if told:
        more = f" and {len(told) - 5} more" if len(told) > 5 else ""
        return fail(
            f"answered without a login: {', '.join(told[:5])}{more}", "do not serve the pages; report it as a defect"
        )
    return ok(f"{len(probes())} paths by {len(METHODS)} methods tell nothing, like a path nobody made")


def _asked(context: DoctorContext) -> list[str]:
    with registry(context.operator) as opened:
        if opened is None:
            return []
        return asyncio.run(answered_paths(_application(context, opened)))


def _application(context: DoctorContext, opened: Registry) -> ASGIApp:
    return create_app(Site(context.operator, opened, ORIGIN))


async def answered_paths(app: ASGIApp) -> list[str]:
    """List what an application answers with something, of the probes and a path that nobody made: method and path."""
    told = []
    with _quiet():
        # The path nobody made goes first: an application that answers everything with a page fails right there.
        for path in (f"/{uuid4()}", *probes()):
            for method in METHODS:
                status, size = await _ask(app, method, path)
                # A large refusal tells too much as well, such as a page with a stack trace.
                if status not in FINE or size > MOST_BYTES:
                    told.append(f"{method} {path} ({status}, {size:,} bytes)")
    return told


@contextmanager
def _quiet() -> Iterator[None]:
    """No line of log for requests that nobody sent."""
    logger = logging.getLogger("integration_assets.web")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


async def _ask(app: ASGIApp, method: str, target: str) -> tuple[int, int]:
    """Status and size of the body of one answer, the path as typed: nothing tidies it up on the way."""
    path, _, query = target.partition("?")
    host = ORIGIN.removeprefix("https://").encode()
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "root_path": "",
        "query_string": query.encode("ascii"),
        "headers": [(b"host", host)],
        "client": ("192.0.2.1", 50_000),
        "server": ("127.0.0.1", 443),
    }
    status, size = 0, 0

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, size
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            size += len(message.get("body", b""))

    await app(scope, receive, send)
    return status, size
