"""Names and texts as SQL writes them, for statements that take no parameters there."""

from __future__ import annotations


def identifier(name: str) -> str:
    """Write a name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Write a text in single quotes."""
    return "'" + value.replace("'", "''") + "'"
