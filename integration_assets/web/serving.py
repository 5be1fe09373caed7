"""Serve the application until a signal."""

from __future__ import annotations

import uvicorn

from integration_assets.config import Settings, load_metrics_settings
from integration_assets.errors import ConfigurationError
from integration_assets.tenants.registry.database import registry
from integration_assets.web.app import create_app
from integration_assets.web.connections import HEAD_BYTES, IDLE_SECONDS, Connection
from integration_assets.web.site import Site, checked_origin, opened_site

LOOPBACK = "127.0.0.1"
STOP_SECONDS = 5
BACKLOG = 128
"""Connections that the system takes before we do: few, so that a flood never uses up our file descriptors."""


def run_pages(settings: Settings, *, host: str, port: int, origin: str | None, proxy: str | None) -> None:
    """Serve pages and API until SIGINT or SIGTERM.

    `origin` is how browsers see them, when a proxy with a certificate stands before; `proxy` is that proxy's address:
    only from there is the browser's own address believed.

    Raises:
        ConfigurationError: there is no registry or key; or plain http beyond this machine.
    """
    seen_as = checked_origin(origin or f"http://{host}:{port}")
    token = load_metrics_settings().token
    with registry(settings) as opened:
        if opened is None:
            raise ConfigurationError("there is no registry yet: `integration-assets tenants add` makes one")
        site = opened_site(settings, opened, seen_as, metrics_token=token)
        server = uvicorn.Server(server_config(site, host=host, port=port, proxy=proxy))
        server.run()


def server_config(site: Site, *, host: str, port: int, proxy: str | None = None) -> uvicorn.Config:
    """Of a server that says neither its name nor its version, and waits for nobody for long."""
    return uvicorn.Config(
        create_app(site),
        http=Connection,
        host=host,
        port=port,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Only behind a named proxy: a client that forges X-Forwarded-For would choose its own counter of logins.
        proxy_headers=proxy is not None,
        forwarded_allow_ips=proxy or "",
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
