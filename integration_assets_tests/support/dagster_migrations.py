"""Migration scripts of Dagster's databases, read once in a process of tests instead of for each database."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory


@cache
def read_migrations_once() -> None:
    """Let this process read the migration scripts of each of Dagster's databases once, for as long as it lives.

    Dagster reads them all for each database of each instance: an eighth of what a small sync costs in a new home.
    """
    from alembic.script import ScriptDirectory

    read, known = ScriptDirectory.from_config, dict[str | None, ScriptDirectory]()

    def from_config(config: Config) -> ScriptDirectory:
        location = config.get_main_option("script_location")
        if location not in known:
            known[location] = read(config)
        return known[location]

    ScriptDirectory.from_config = from_config  # type: ignore[method-assign]
