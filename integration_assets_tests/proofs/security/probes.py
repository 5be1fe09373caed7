"""What scanners ask a public host for, byte by byte over a socket: nothing may be told, and nothing is there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from integration_assets.doctor.exposure import probes
from integration_assets_tests.proofs.registry import Row, Scale, counted, proof
from integration_assets_tests.proofs.security.pages import Pages, pages
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

METHODS = ("GET", "HEAD", "POST", "TRACE")
PATHS = tuple(probes())
REFUSALS = frozenset({400, 401, 403, 404, 405, 410})
LONGEST_BODY = 1_024
PLANTED = "PLANTED-0123456789-abcdef"
TELLING = (PLANTED, "uvicorn", "starlette", "python/", "traceback", "h11", "httptools", "dagster", "sqlite")


class Answer(NamedTuple):
    """What came over the socket."""

    status: int
    head: str
    body: bytes


@proof("probes", "security", "A scanner is told nothing, and finds nothing.", small=1)
def measure(_scale: Scale) -> Iterator[Row]:
    """Count how many are as they must be, and of how many."""
    with pages() as served, _planted(served.home):
        shape = {method: ask(served, method, f"/{uuid4()}") for method in METHODS}
        results = [_tells_nothing(ask(served, method, path), shape[method]) for path in PATHS for method in METHODS]
        yield counted(
            f"probe paths content-free, {len(PATHS)} paths x {len(METHODS)} methods", sum(results), len(results)
        )
        random = [ask(served, "GET", f"/{prefix}{uuid4()}").status for prefix in ("", "static/", "api/", "settings/")]
        yield counted("random paths that are not 200", sum(status in REFUSALS for status in random), len(random))
        tricks = list(_tricks(served, shape["GET"]))
    yield counted("probes by odd spellings and headers content-free", sum(tricks), len(tricks))


def ask(served: Pages, method: str, path: str, *, host: str | None = None, extra: str = "") -> Answer:
    """One request as it stands, without a client that tidies it up."""
    name, port = served.site.origin.removeprefix("http://").split(":")
    sent = f"{method} {path} HTTP/1.1\r\nHost: {host or f'{name}:{port}'}\r\n{extra}Connection: close\r\n"
    sent += "Content-Length: 0\r\n\r\n" if method == "POST" else "\r\n"
    with socket.create_connection((name, int(port)), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(sent.encode("latin-1"))
        whole = b""
        while part := connection.recv(65_536):
            whole += part
    head, _, body = whole.partition(b"\r\n\r\n")
    return Answer(int(head.split(b" ", 2)[1]), head.decode("latin-1"), body)


def _tells_nothing(answer: Answer, random: Answer) -> bool:
    """A refusal that is either as that of a random path, or of the server's own, and short."""
    text = (answer.head + answer.body.decode("latin-1")).lower()
    same = answer.status != random.status or answer.body == random.body
    return (
        answer.status in REFUSALS
        and len(answer.body) <= LONGEST_BODY
        and same
        and not any(word.lower() in text for word in TELLING)
    )


def _tricks(served: Pages, random: Answer) -> Iterator[bool]:
    for path in ("/.env", "/.git/config", "/data.duckdb", "/pyproject.toml"):
        spellings = (
            f"/{path}",
            f"/.{path}",
            f"/static/..{path}",
            f"/static/%2e%2e{path}",
            f"/static/..;{path}",
            f"/health/..{path}",
            f"/login{path}",
            path.upper(),
            f"{path}/",
            f"{path}?x=1",
            f"{path};health",
            f"{path}/health",
            f"{path}%00",
            f"{path}#",
            f"http://evil.example{path}",
        )
        for spelling in spellings:
            yield _tells_nothing(ask(served, "GET", spelling), random)
        for extra in (
            f"X-Original-URL: {path}\r\n",
            f"X-Rewrite-URL: {path}\r\n",
            "X-Forwarded-Host: evil.example\r\n",
        ):
            yield _tells_nothing(ask(served, "GET", f"/{uuid4()}", extra=extra), random)
        yield _tells_nothing(ask(served, "GET", path, host="evil.example"), random)


@contextmanager
def _planted(home: Path) -> Iterator[None]:
    """A working directory full of what must not be served."""
    place = home / "work"
    for name in (".env", ".git/config", "data.duckdb", "pyproject.toml", "static/x.env", "backup.zip", "app.py"):
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(PLANTED)
    with chdir(place):
        yield
