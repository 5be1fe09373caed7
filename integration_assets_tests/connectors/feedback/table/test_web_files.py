"""A table behind an https address: fetched, followed, and never a web page in its place."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from integration_assets.config import load_settings, tenant_settings
from integration_assets.connectors.address_guard import AddressError, AddressGuard
from integration_assets.connectors.download import download
from integration_assets.connectors.feedback.table import web_files
from integration_assets.errors import ConfigurationError, ContractError, PermanentError
from integration_assets.tenants.address_policies import guard_for
from integration_assets.tenants.registry.words import Provider
from integration_assets_tests.connectors.feedback.table.tables import MAPPING, VOTES, made, votes_of
from integration_assets_tests.proofs.security.holdout_vectors import HOLDOUT
from integration_assets_tests.proofs.security.ssrf_vectors import VECTORS, Vector

URL = "https://sheets.example/export?format=csv&gid=0&key=sesame"
WEB = MAPPING.replace('"votes.csv"', f'"{URL}"')


@contextmanager
def answering(answers: dict[str, tuple[int, str, bytes]]) -> Iterator[str]:
    """A server of these paths: status, location, body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, location, body = answers[self.path]
            self.send_response(status)
            self.send_header("location", location)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_redirects_are_followed_as_often_as_asked_and_each_is_checked(tmp_path: Path) -> None:
    """Spreadsheets hand out their exports from another host; an address that is not ours to ask ends it."""
    answers = {
        "/export": (307, "/file", b""),
        "/file": (200, "", b"a,b"),
        "/circle": (302, "/circle", b""),
        "/away": (302, "ftp://files.example/x", b""),
    }

    def fetch(path: str, redirects: int) -> bytes:
        target = tmp_path / "file"
        asyncio.run(download(base + path, target, most_bytes=100, seconds=10, from_loopback=True, redirects=redirects))
        return target.read_bytes()

    with answering(answers) as base:
        assert fetch("/export", 1) == b"a,b"
        with pytest.raises(PermanentError, match="answers 307"):
            fetch("/export", 0)
        with pytest.raises(PermanentError, match="redirects more than 3 times"):
            fetch("/circle", 3)
        with pytest.raises(PermanentError, match="must begin with https"):
            fetch("/away", 3)


def served(body: bytes, monkeypatch: pytest.MonkeyPatch, *, media_type: str = "text/csv") -> None:
    """Whatever is fetched is this."""

    async def fake(url: str, target: Path, **_: Any) -> str:
        assert url == URL
        await asyncio.to_thread(target.write_bytes, body)
        return media_type

    monkeypatch.setattr(web_files, "download", fake)


def test_an_address_gives_the_same_records_as_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read like any other file, once it is here."""
    expected = votes_of(made(tmp_path))
    served(VOTES.encode(), monkeypatch)
    assert votes_of(made(tmp_path, mapping=WEB)) == expected


def test_a_login_page_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes with status 200; the message holds nothing of the address but its host."""
    served(b"\n<!DOCTYPE html><html>Sign in</html>", monkeypatch)
    with pytest.raises(ContractError, match=r"sheets\.example answers with a web page") as caught:
        votes_of(made(tmp_path, mapping=WEB))
    assert "sesame" not in str(caught.value)


def test_an_address_that_does_not_answer_says_whose_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mapping may have six: the relation and the host, and nothing that opens the file."""

    async def fake(url: str, target: Path, **_: object) -> str:
        raise PermanentError("the file cannot be fetched: its address answers 404")

    monkeypatch.setattr(web_files, "download", fake)
    with pytest.raises(PermanentError, match=r"^\[votes\]\.file: the file cannot.* 404 \(sheets\.example\)$") as caught:
        votes_of(made(tmp_path, mapping=WEB))
    assert "sesame" not in str(caught.value)


def test_a_page_is_known_by_its_type_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it begins with."""
    served(b"id,request_id\n1,2\n", monkeypatch, media_type="text/html")
    with pytest.raises(ContractError, match="answers with a web page"):
        votes_of(made(tmp_path, mapping=WEB))


def test_without_a_guard_a_tenants_mapping_asks_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody checks what it leads to, its tables are the files beside it."""
    served(VOTES.encode(), monkeypatch)
    with pytest.raises(ConfigurationError, match="an address is asked by runs only"):
        votes_of(made(tmp_path, mapping=WEB), confined=True)


def guarded(*answers: str, allowed: str = "") -> AddressGuard:
    """The guard of a tenant's table, where every name has these addresses."""

    async def resolver(_host: str, _port: int) -> Iterable[str]:
        return answers

    settings = tenant_settings(load_settings(allowed_hosts=allowed), "acme")
    guard = guard_for(settings, Provider("table"))
    assert guard is not None
    return AddressGuard(guard.policy, resolver)


def test_a_tenants_address_is_asked_as_its_guard_says(tmp_path: Path) -> None:
    """One that is not public is refused, with the place in the mapping, and never the address itself."""
    with pytest.raises(
        ConfigurationError, match=r"\[votes\].file: the address sheets\.example may not .*loopback"
    ) as no:
        votes_of(made(tmp_path, mapping=WEB), confined=True, guard=guarded("127.0.0.1"))
    assert "sesame" not in str(no.value)


@pytest.mark.parametrize("vector", [*VECTORS, *HOLDOUT], ids=repr)
def test_no_hostile_address_is_fetched(vector: Vector, tmp_path: Path) -> None:
    """Those that the guard is tried with, at first and after a redirect; a query is no harm to a file."""
    guard = guarded(*vector.answers)
    if "?" in vector.url:
        assert guard.check(vector.url, with_query=True).host == "example.com"
        return
    with pytest.raises(AddressError):
        asyncio.run(download(vector.url, tmp_path / "file", most_bytes=100, seconds=10, guard=guard))
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest/meta-data", "https://10.0.0.5/x?y", "http://127.0.0.1:1/", "//[::1]/"]
)
def test_a_redirect_of_a_tenants_address_is_checked_like_the_address(location: str, tmp_path: Path) -> None:
    """A public host that leads to a private one gives nothing."""
    with answering({"/export": (302, location, b""), "/file": (200, "", b"a,b")}) as base:
        guard = guarded(allowed=base.removeprefix("http://"))

        def fetch(path: str) -> str:
            fetching = download(base + path, tmp_path / "file", most_bytes=100, seconds=10, redirects=3, guard=guard)
            return asyncio.run(fetching)

        assert fetch("/file") == ""
        assert (tmp_path / "file").read_bytes() == b"a,b"
        with pytest.raises(AddressError):
            fetch("/export")
