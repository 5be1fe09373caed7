"""Texts of queries. Pure; every value is escaped, every name is ours or was read from the org's own description."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_ESCAPES = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_RECORD_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def text(value: str) -> str:
    """A text literal."""
    return f"'{''.join(_ESCAPES.get(one, one) for one in value)}'"


def any_of(field: str, values: Iterable[str]) -> str:
    """The condition that a field has one of these values."""
    return f"{field} IN ({','.join(text(value) for value in dict.fromkeys(values))})"


def select(object_name: str, fields: Sequence[str], where: str = "") -> str:
    """A query of these fields, each named once."""
    condition = f" WHERE {where}" if where else ""
    return f"SELECT {', '.join(dict.fromkeys(fields))} FROM {object_name}{condition}"  # noqa: S608  # nosec B608  # SOQL reads only; values are escaped


def record_ids(values: Iterable[str]) -> list[str]:
    """Those values that have the form of a record id: others are of no record, and spoil the query."""
    return [value for value in dict.fromkeys(values) if _RECORD_ID.fullmatch(value)]
