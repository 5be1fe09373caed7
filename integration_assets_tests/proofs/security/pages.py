"""The application served for a measurement: acme and globex with an admin each, a secret in every place of acme's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from secrets import token_urlsafe
from threading import Thread
from typing import Any
from unittest import mock

from pydantic import SecretStr

from integration_assets.config import Settings, load_settings
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.master import generate
from integration_assets.web.site import Site
from integration_assets_tests.support.harness import PREFIXES
from integration_assets_tests.support.registries import with_two_tenants
from integration_assets_tests.support.snapshots import folder
from integration_assets_tests.support.web_site import Client, add_user, served

ACME, GLOBEX = "ann@acme.example", "gus@globex.example"
THIRD, INTERNAL = "/api/third-party-integrations", "/api/internal-integrations"
DESCRIPTION: dict[str, Any] = {
    "endpoints": [{"path": "/v1/accounts"}],
    "mappings": {"row_id": "id", "domain": "domain", "arr": "arr"},
}


@dataclass(frozen=True)
class Pages:
    """What is measured."""

    site: Site
    registry: Registry
    home: Path
    own: str
    """Where integrations of these tests may be: a server of this machine that refuses everybody, so none calls out."""

    @contextmanager
    def client(self, login: str | None = None) -> Iterator[Client]:
        """Somebody who looks at it, logged in or not."""
        with Client(self.site.origin) as client:
            if login is not None:
                assert client.log_in(login).status_code == 303
            yield client


@contextmanager
def listening(heard: list[str], status: int) -> Iterator[str]:
    """A server on loopback that answers everything with this status and notes what it heard; its address."""

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(f"{self.path} {self.headers}")
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the base class finds its methods by these names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def pages() -> Iterator[Pages]:
    """The application; nobody's tries are counted as too many."""
    with ExitStack() as stack:
        home, own = stack.enter_context(folder()), stack.enter_context(listening([], 401))
        settings = installation_settings(home, generate(), allowed_hosts=own.removeprefix("http://"))
        for registry in with_two_tenants(settings):
            add_user(registry, ACME, "acme")
            add_user(registry, GLOBEX, "globex")
            # A scanner comes from elsewhere: without a token the numbers would be shown to this machine.
            site = stack.enter_context(served(settings, registry, metrics_token=SecretStr(token_urlsafe(32))))
            site.logins.limits.update(account=100_000, address=100_000)
            site.tests.limits["tenant"] = 100_000
            yield Pages(site, registry, home, own)


def installation_settings(home: Path, key: str, **values: str) -> Settings:
    """Settings that read nothing of the machine's environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
    with mock.patch.dict(os.environ, clean, clear=True):
        return load_settings(home=home, key=key, **values)


def made(client: Client, group: str, body: dict[str, Any]) -> str:
    """Make an integration; its id."""
    answer = client.call("POST", group, body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
