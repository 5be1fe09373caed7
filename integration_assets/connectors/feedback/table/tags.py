"""The tags of a request as one text of a table: `ui; api`, `ui, api`, or a JSON list of texts, numbers or objects."""

from __future__ import annotations

import re
from typing import Any

import msgspec

_SEPARATORS = re.compile("[;|\n]")
"""Separators that hardly any name of a tag has; where a text has none of them, commas separate."""
_NAMES = ("name", "label", "title", "text", "value")
"""Fields by which an object may tell its name; the first that does counts."""
_UNNAMED = "an entry of the JSON list is neither a text nor a number, and has no " + ", ".join(_NAMES)


def tags_of(text: str, unreadable: dict[str, str]) -> tuple[str, ...]:
    """The names in a text, in their order, each once.

    An entry of a JSON list without a name is left out, and told in `unreadable`. A text that begins like JSON and is
    none is split as any other.
    """
    listed = _listed(text) if text.startswith(("[", "{")) else None
    if listed is None:
        names = _SEPARATORS.split(text) if _SEPARATORS.search(text) else text.split(",")
    else:
        # Lists of databases and Parquet may hold nulls.
        found = [_name(one) for one in listed if one is not None]
        names = [one for one in found if one is not None]
        if len(names) < len(found):
            unreadable["tags"] = _UNNAMED
    return tuple(dict.fromkeys(name for one in names if (name := one.strip())))


def _listed(text: str) -> list[Any] | None:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None
    # A single tag, as some exports write it, is a list of one.
    return found if isinstance(found, list) else [found]


def _name(entry: Any) -> str | None:
    if isinstance(entry, dict):
        fields = {name.lower(): value for name, value in entry.items()}
        return next((name for field in _NAMES if (name := _plain(fields.get(field)))), None)
    return _plain(entry)


def _plain(value: Any) -> str | None:
    # A bool is an int to Python, and no name.
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
