"""`integration-assets mcp`: an assistant asks about the ranking, by the Model Context Protocol. Nothing is written."""

from __future__ import annotations

import os
import signal

from integration_assets.commands.shared import DEFAULT, Environment, Tenant, settings_of


def mcp(tenant: Tenant = DEFAULT, environment: Environment = None) -> None:
    """Serve the published ranking to an assistant, read-only, by the Model Context Protocol on stdin and stdout.

    An assistant starts this command itself, from its own configuration.
    """
    from integration_assets.errors import ConfigurationError

    try:
        from integration_assets.commands.assistant_tools import make_server
    except ModuleNotFoundError as error:
        # A module of ours that is missing is another matter, which no installation of an extra mends.
        if (error.name or "").split(".")[0] != "mcp":
            raise
        raise ConfigurationError(
            "the SDK of the Model Context Protocol is not installed: run `pip install 'integration-assets[mcp]'`"
        ) from error
    server = make_server(settings_of(environment), tenant)
    # A thread waits for the next line of stdin and cannot be woken, so that an orderly end would wait for it as well.
    # There is nothing to put in order: no database stays open between two questions, and none is written.
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, lambda *_: os._exit(0))
    server.run("stdio")
