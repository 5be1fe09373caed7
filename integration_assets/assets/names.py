"""Names of our jobs, schedules and sensors in the project that loads them: something may be put before them."""

from __future__ import annotations

import msgspec


class Names(msgspec.Struct, frozen=True):
    """Prefixes that a project puts before our names, so that they differ from its own; may be empty."""

    prefix: str = ""

    def of(self, name: str) -> str:
        """A name of ours as the project has it."""
        return f"{self.prefix}_{name}" if self.prefix else name
