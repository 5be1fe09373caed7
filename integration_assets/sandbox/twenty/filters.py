"""Filters of lists: `field[op]:value,field.part[op]:value`, with `and(...)`, `or(...)` and `not(...)`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from integration_assets.sandbox.twenty.errors import refused

Row = Mapping[str, Any]
Predicate = Callable[[Row], bool]

_CONDITION = re.compile(r"(?s)(?P<field>[A-Za-z][A-Za-z0-9.]*)\[(?P<op>[a-zA-Z]+)\]:(?P<value>.*)")
_GROUP = re.compile(r"(?s)(and|or|not)\((.*)\)")


def parse_filter(text: str, known: Callable[[str], bool]) -> tuple[Predicate, bool]:
    """The predicate of a filter, and whether it names `deletedAt`: then soft-deleted records are looked at as well.

    `known` tells whether a field exists.

    Raises:
        ApiError: the filter cannot be read, or names an unknown field.
    """
    parts = [_predicate(part, known) for part in _split(text)]
    return (lambda row: all(part(row) for part in parts)), "deletedAt[" in text


def _predicate(text: str, known: Callable[[str], bool]) -> Predicate:
    if group := _GROUP.fullmatch(text):
        parts = [_predicate(part, known) for part in _split(group[2])]
        if group[1] == "or":
            return lambda row: any(part(row) for part in parts)
        if group[1] == "not":
            return lambda row: not all(part(row) for part in parts)
        return lambda row: all(part(row) for part in parts)
    condition = _CONDITION.fullmatch(text)
    if condition is None:
        raise refused(f"'filter' invalid for '{text}'. eg: price[gte]:10")
    name, op, value = condition["field"], condition["op"], condition["value"]
    if not known(name.partition(".")[0]):
        raise refused(f'Object doesn\'t have any "{name}" field.')
    return _comparison(name, op, value)


def _comparison(name: str, op: str, text: str) -> Predicate:
    if op == "is":
        wanted = {"NULL": True, "NOT_NULL": False}.get(text)
        if wanted is None:
            raise refused(f"'filter' invalid for '{text}': NULL or NOT_NULL")
        return lambda row: (_value(row, name) is None) is wanted
    if op == "in":
        if not (text.startswith("[") and text.endswith("]")):
            raise refused(f"'filter' invalid for '{text}': a list in brackets")
        # A comma in quotes splits as well, and what is quoted keeps its quotes: it finds nothing.
        listed = {
            part if part.startswith('"') != part.endswith('"') else _unquoted(part) for part in text[1:-1].split(",")
        }
        return lambda row: _as_text(_value(row, name)) in listed
    value = _unquoted(text)
    if op not in _ORDERS:
        raise refused(f"'filter' invalid for '{op}'. Available comparators: eq, neq, in, is, gt, gte, lt, lte")
    compare = _ORDERS[op]
    return lambda row: _value(row, name) is not None and compare(_as_text(_value(row, name)), value)


_ORDERS: Mapping[str, Callable[[str, str], bool]] = {
    "eq": lambda have, value: have == value,
    "neq": lambda have, value: have != value,
    "gt": lambda have, value: have > value,
    "gte": lambda have, value: have >= value,
    "lt": lambda have, value: have < value,
    "lte": lambda have, value: have <= value,
}


def _value(row: Row, name: str) -> Any:
    first, _, part = name.partition(".")
    value = row.get(first)
    return value.get(part) if part and isinstance(value, Mapping) else value


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _split(text: str) -> Iterator[str]:
    """Parts between the commas that are in no brackets and no quotes."""
    depth, quoted, start = 0, False, 0
    for place, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "[(":
            depth += 1
        elif not quoted and character in "])":
            depth -= 1
        elif character == "," and depth == 0 and not quoted:
            yield text[start:place]
            start = place + 1
    yield text[start:]
