"""Help texts: commands in the order in which they are used, one uncut line each, with examples."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

ORDER = (
    "demo",
    "table",
    "doctor",
    "setup",
    "plan",
    "approve",
    "sync",
    "undo",
    "rankings",
    "shipped",
    "report",
    "mcp",
    "overrides",
    "tenants",
    "keys",
    "backup",
    "restore",
    "forget",
    "serve",
    "dev",
    "sandbox",
)


class CommandsInOrder(TyperGroup):
    """The group of all commands, listed as a person meets them and not as they are registered."""

    def list_commands(self, ctx: Any) -> list[str]:  # its class is private to typer
        """Names of the commands in the order of use; a new one that `ORDER` lacks comes last."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


def examples(*lines: str) -> str:
    """The examples at the end of a command's help, one a line, as they are typed."""
    # The mark keeps click from joining the lines to a paragraph.
    return "\b\nExamples:\n" + "\n".join(f"  integration-assets {line}" for line in lines)
