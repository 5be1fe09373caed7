"""Serve the application until a signal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TextIO

import uvicorn

from integration_assets.config import Settings, load_metrics_settings
from integration_assets.errors import ConfigurationError
from integration_assets.tenants.registry.database import registry
from integration_assets.web.app import create_app
from integration_assets.web.connections import HEAD_BYTES, IDLE_SECONDS, Connection
from integration_assets.web.one_time_link import LINK_VALID, OneTimeLink
from integration_assets.web.pages_local import PATH
from integration_assets.web.site import NO_REGISTRY, Site, checked_origin, opened_site

LOOPBACK = "127.0.0.1"
LOCAL_ADDRESSES = frozenset({LOOPBACK, "localhost"})
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
            raise ConfigurationError(NO_REGISTRY)
        site = opened_site(settings, opened, seen_as, metrics_token=token)
        server = uvicorn.Server(server_config(site, host=host, port=port, proxy=proxy))
        server.run()


def run_local_pages(
    settings: Settings, *, host: str, port: int, origin: str | None, proxy: str | None, terminal: TextIO
) -> None:
    """Serve what runs of the tenant `default` found, without a registry, until SIGINT or SIGTERM.

    The link that lets one person in is written to `terminal`.

    Raises:
        ConfigurationError: others would reach it (another `host` than loopback, an `origin`, a `proxy`), or what is
            written to `terminal` goes into a file or a log.
    """
    # Whoever comes through a proxy seems to come from this machine.
    if host not in LOCAL_ADDRESSES or origin is not None or proxy is not None:
        raise ConfigurationError(
            f"{NO_REGISTRY}. Until then nobody can log in, and the pages are served to this machine only: leave out "
            "--host, --origin and --proxy"
        )
    # Others may read a log; a service without a registry is one that was set up by half.
    if not terminal.isatty():
        raise ConfigurationError(
            f"{NO_REGISTRY}. Until then a link opens the pages, which is shown on a terminal only: run it in one"
        )
    link = OneTimeLink(datetime.now(UTC))
    site = Site(settings, link, f"http://{host}:{port}")
    minutes = LINK_VALID.total_seconds() / 60
    terminal.write(
        f"open {site.origin}{PATH}#{link.token}\n"
        f"It works once, within {minutes:.0f} minutes. Ctrl-C stops the pages; the next start makes another link.\n"
    )
    terminal.flush()
    uvicorn.Server(server_config(site, host=host, port=port)).run()


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
