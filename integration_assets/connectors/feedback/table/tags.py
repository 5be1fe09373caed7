"""The tags of a request as one text of a table: `ui; api`, `ui, api`, or a JSON list."""

from __future__ import annotations

import re

import msgspec

_SEPARATORS = re.compile("[;|\n]")
"""Separators that hardly any name of a tag has; where a text has none of them, commas separate."""


def tags_of(text: str) -> tuple[str, ...]:
    """The names in a text, in their order, each once.

    A text that begins like a list and is none is split as any other.
    """
    names = _listed(text) if text.startswith("[") else None
    if names is None:
        names = _SEPARATORS.split(text) if _SEPARATORS.search(text) else text.split(",")
    return tuple(dict.fromkeys(name for one in names if (name := one.strip())))


def _listed(text: str) -> list[str] | None:
    try:
        # Lists of databases and Parquet may hold nulls.
        return [one for one in msgspec.json.decode(text, type=list[str | None]) if one]
    except msgspec.MsgspecError:
        return None
