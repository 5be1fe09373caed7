"""The pages served on a loopback port of their own, and a browser-like client for them."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
import uvicorn
from pydantic import SecretStr

from integration_assets.config import Settings
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.web.one_time_link import OneTimeLink
from integration_assets.web.serving import server_config
from integration_assets.web.site import Site
from integration_assets_tests.support.registries import ACTOR
from integration_assets_tests.support.waiting import PATIENCE_SECONDS, until

PASSWORD = "correct horse battery staple"
LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def served(
    settings: Settings, people: Registry | OneTimeLink, *, metrics_token: SecretStr | None = None
) -> Iterator[Site]:
    """The application on a free port, for the length of a block."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        origin = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        site = Site(settings, people, origin, metrics_token=metrics_token)
        server = uvicorn.Server(server_config(site, host=LOOPBACK, port=0))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        until(lambda: server.started or not thread.is_alive(), "the start of the pages")
        assert thread.is_alive()
        try:
            yield site
        finally:
            server.should_exit = True
            thread.join()


def add_user(registry: Registry, login: str, tenant: str | None) -> None:
    """Somebody who may log in with PASSWORD."""
    with directory(registry, ACTOR) as users:
        users.add_user(login, PASSWORD, tenant=tenant)


@dataclass
class Client:
    """Somebody with a browser without JavaScript: follows no redirect by itself, sends what browsers send.

    They come from `address`, one of this machine's.
    """

    origin: str
    address: str = LOOPBACK
    http: httpx.Client = field(init=False)
    csrf: str = ""

    def __post_init__(self) -> None:
        transport = httpx.HTTPTransport(local_address=self.address)
        self.http = httpx.Client(base_url=self.origin, trust_env=False, timeout=PATIENCE_SECONDS, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def log_in(self, login: str, password: str = PASSWORD) -> httpx.Response:
        """Log in; note the token that forms carry."""
        answer = self.post("/login", {"login": login, "password": password})
        if answer.status_code == 303:
            self.csrf = str(self.get("/api/session").json()["csrf_token"])
        return answer

    def get(self, path: str) -> httpx.Response:
        """A page."""
        return self.http.get(path)

    def post(self, path: str, fields: Mapping[str, str] | None = None, **headers: str) -> httpx.Response:
        """Send a form of a page of ours."""
        sent = {"origin": "null", "sec-fetch-site": "same-origin", **headers}
        return self.http.post(path, data={"csrf": self.csrf, **(fields or {})}, headers=sent)

    def follow(self, link: str) -> httpx.Response:
        """Open a link whose code is in its fragment, as the script of its page does: the code goes into a form."""
        path, _, code = link.partition("#")
        return self.post(path, {"token": code})

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Call the API as a script of ours would."""
        sent = {"origin": self.origin, "x-csrf-token": self.csrf, **headers}
        return self.http.request(method, path, json=body, headers=sent)


def hidden_field(page: str, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return found[1]
