"""Migrations of the registry by Alembic, run from within the package: no ini file, no command of its own."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from integration_assets.config import variable
from integration_assets.errors import ConfigurationError

MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(connection: Connection, current: str | None) -> None:
    """Migrate to the newest version inside the caller's transaction.

    Raises:
        ConfigurationError: `current` is none of ours: a newer version of the product made it, or another program.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        # Looked up first: alembic's own error names revisions, not what to install.
        if current is not None:
            ScriptDirectory.from_config(config).get_revision(current)
    except CommandError:
        # Ours are numbers. Dagster keeps its records under a table of the same name.
        if current is not None and not current.isdecimal():
            raise ConfigurationError(
                f"the database of {variable('registry_url')} holds the tables of another program, as Dagster's records "
                "are: give the registry a database of its own, on the same server if you like"
            ) from None
        raise ConfigurationError(
            f"the registry has version {current}, made by a newer integration-assets: install that version again"
        ) from None
    command.upgrade(config, "head")
