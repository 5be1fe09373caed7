"""`integration-assets serve`: the pages and the API for tenants, or without any the pages of what runs found."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Annotated

import typer

from integration_assets.commands.shared import settings_of

DEFAULT_PORT = 8321


def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help="Port to listen on.")] = DEFAULT_PORT,
    origin: Annotated[
        str | None,
        typer.Option("--origin", help="How browsers see it through a proxy with a certificate: https://host."),
    ] = None,
    proxy: Annotated[
        str | None,
        typer.Option("--proxy", help="Address of that proxy: only its word on where a browser comes from is trusted."),
    ] = None,
) -> None:
    """Serve the pages where tenants manage their integrations and see what their runs found.

    Without a registry they show what your own runs found, on this machine only, to whoever opens the link it prints.
    """
    from integration_assets.tenants.registry.place import has_registry
    from integration_assets.web.serving import run_local_pages, run_pages
    from integration_assets.web.site import checked_origin

    settings = settings_of()
    # Both signals arrive as an interrupt, and again after the server has stopped in order: being told to stop is how a
    # service ends well.
    with suppress(KeyboardInterrupt):
        # A registry that is there but does not open, as without its key, is an error and never this.
        if not has_registry(settings):
            run_local_pages(settings, host=host, port=port, origin=origin, proxy=proxy, terminal=sys.stderr)
            return
        # Checked and said before serving begins: afterwards the server holds the terminal.
        typer.echo(f"pages on {checked_origin(origin or f'http://{host}:{port}')}", err=True)
        run_pages(settings, host=host, port=port, origin=origin, proxy=proxy)
