"""A mapping as the TOML that `read_mapping` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from integration_assets.connectors.feedback.table.mapping import TableMapping

HEAD = """# Where the relations of the table are, and which column is which field. Paths start at this file's folder.
# Every field and setting: docs/reference/table.md.
"""


def mapping_text(mapping: TableMapping) -> str:
    """Write a mapping as TOML; what is as by default is left out."""
    written = msgspec.to_builtins(mapping)
    defaults = msgspec.to_builtins(TableMapping())
    parts = [HEAD]
    for name in mapping.__struct_fields__:
        if written[name] is None or written[name] == defaults[name]:
            continue
        values = dict(written[name])
        columns = values.pop("columns", None)
        parts.append(_section(name, values))
        if columns is not None:
            parts.append(_section(f"{name}.columns", columns))
    return "\n".join(parts)


def quoted(text: str) -> str:
    """A text as a string of TOML, on one line."""
    # A string of JSON is one of TOML; a line end in a name would end a comment, and is escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _section(name: str, values: Mapping[str, Any]) -> str:
    # TOML has no null: what is None is not said.
    lines = [f"{_key(key)} = {_value(value)}" for key, value in values.items() if value is not None]
    return "\n".join((f"[{name}]", *lines, ""))


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").isalnum() else quoted(key)


def _value(value: str | float) -> str:
    return quoted(value) if isinstance(value, str) else repr(value)
