"""SOQL, as far as integrations use it: one object, its parents' fields, conditions, order, limit, and a count."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integration_assets.sandbox.salesforce.errors import ApiError, refused
from integration_assets.sandbox.salesforce.fields import Field
from integration_assets.sandbox.salesforce.ids import full_id

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')"
    r"|(?P<moment>\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][\w.]*)"
    r"|(?P<sign><=|>=|!=|<>|=|<|>|\(|\)|,))"
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
MOST_OFFSET = 2_000
_IN_LIST = frozenset({"IN", "NOT IN"})

Token = tuple[str, str]
Condition = Callable[[Callable[[str], tuple[Field, Any]]], bool]
"""Decides about one record, which it is handed as a way to look up a field and its value."""


@dataclass
class Query:
    """A parsed query. `fields` are paths; none with `count`. `paths` are all that are named anywhere.

    `filtered` are the paths that are compared, with what.
    """

    fields: list[str]
    count: bool
    object_name: str
    where: Condition | None
    order: list[tuple[str, bool]]
    limit: int | None
    offset: int
    paths: list[str]
    filtered: list[tuple[str, Any]]


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        ApiError: 400 MALFORMED_QUERY.
    """
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._filtered: list[tuple[str, Any]] = []

    def query(self) -> Query:
        self._expect("SELECT")
        count, fields = False, []
        if self._word() == "COUNT":
            self._next()
            self._sign("(")
            self._sign(")")
            count = True
        else:
            fields = self._names()
        self._expect("FROM")
        name = self._name()
        where = self._any_of() if self._taken("WHERE") else None
        order: list[tuple[str, bool]] = []
        if self._taken("ORDER"):
            self._expect("BY")
            order.append(self._ordering())
            while self._comma():
                order.append(self._ordering())
        limit = self._whole() if self._taken("LIMIT") else None
        offset = self._whole() if self._taken("OFFSET") else 0
        if self._at < len(self._tokens):
            raise malformed(f"unexpected token: '{self._tokens[self._at][1]}'")
        if offset > MOST_OFFSET:
            raise refused(400, "NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MOST_OFFSET}")
        named = [*fields, *(path for path, _ in (*order, *self._filtered))]
        return Query(fields, count, name, where, order, limit, offset, named, self._filtered)

    def _ordering(self) -> tuple[str, bool]:
        path = self._name()
        down = self._taken("DESC")
        if not down:
            self._taken("ASC")
        if self._taken("NULLS"):
            self._next()
        return path, down

    # -- conditions

    def _any_of(self) -> Condition:
        parts = [self._all_of()]
        while self._taken("OR"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else lambda look: any(part(look) for part in parts)

    def _all_of(self) -> Condition:
        parts = [self._one()]
        while self._taken("AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda look: all(part(look) for part in parts)

    def _one(self) -> Condition:
        if self._taken("NOT"):
            inner = self._one()
            return lambda look: not inner(look)
        if self._peek() == ("sign", "("):
            self._next()
            inside = self._any_of()
            self._sign(")")
            return inside
        path = self._name()
        operator = self._operator()
        wanted = self._list() if operator in _IN_LIST else self._literal()
        self._filtered.append((path, wanted))
        if operator in _IN_LIST:
            listed = _Listed(wanted)
            return lambda look: listed.holds(*look(path)) is (operator == "IN")
        return lambda look: _holds(*look(path), operator, wanted)

    def _operator(self) -> str:
        kind, text = self._next()
        if kind == "sign" and text not in "(),":
            return "!=" if text == "<>" else text
        word = text.upper()
        if word == "NOT":
            self._expect("IN")
            return "NOT IN"
        if word in ("IN", "LIKE"):
            return word
        raise malformed(f"unknown operator: '{text}'")

    def _list(self) -> list[Any]:
        self._sign("(")
        values = [self._literal()]
        while self._comma():
            values.append(self._literal())
        self._sign(")")
        return values

    def _literal(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1], flags=re.DOTALL)
        if kind == "moment":
            return datetime.fromisoformat(text) if "T" in text else text
        if kind == "number":
            return float(text)
        if kind == "word" and text.lower() in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[text.lower()]
        raise malformed(f"unexpected token: '{text}'")

    # -- tokens

    def _peek(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "<EOF>")

    def _next(self) -> Token:
        found = self._peek()
        self._at += 1
        return found

    def _word(self) -> str:
        kind, text = self._peek()
        return text.upper() if kind == "word" else ""

    def _taken(self, word: str) -> bool:
        if self._word() != word:
            return False
        self._at += 1
        return True

    def _expect(self, word: str) -> None:
        if not self._taken(word):
            raise malformed(f"unexpected token: '{self._peek()[1]}'")

    def _sign(self, sign: str) -> None:
        if self._next() != ("sign", sign):
            raise malformed(f"expecting '{sign}'")

    def _comma(self) -> bool:
        if self._peek() != ("sign", ","):
            return False
        self._at += 1
        return True

    def _name(self) -> str:
        kind, text = self._next()
        if kind != "word":
            raise malformed(f"unexpected token: '{text}'")
        return text

    def _names(self) -> list[str]:
        names = [self._name()]
        while self._comma():
            names.append(self._name())
        return names

    def _whole(self) -> int:
        kind, text = self._next()
        if kind != "number" or not text.isdigit():
            raise malformed(f"unexpected token: '{text}'")
        return int(text)


def _tokens(text: str) -> list[Token]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise malformed(f"unexpected token: '{text[at : at + 10]}'")
        kind = match.lastgroup or ""
        found.append((kind, match[kind]))
        at = match.end()
    return found


class _Listed:
    """The values of an IN list, made ready once for all records."""

    def __init__(self, wanted: list[Any]) -> None:
        self._wanted = wanted
        self._texts: frozenset[Any] | None = None

    def holds(self, field: Field, value: Any) -> bool:
        """True if a value is among them."""
        if any(isinstance(one, datetime) for one in self._wanted):
            return any(_holds(field, value, "=", one) for one in self._wanted)
        folds = isinstance(value, str) and not field.case_sensitive and field.type not in ("id", "reference")
        if self._texts is None:
            self._texts = frozenset(self._ready(field, one) for one in self._wanted)
        return (value.lower() if folds else value) in self._texts

    def _ready(self, field: Field, one: Any) -> Any:
        if not isinstance(one, str):
            return one
        if field.type in ("id", "reference"):
            return _id(field, one)
        return one if field.case_sensitive else one.lower()


def _holds(field: Field, value: Any, operator: str, wanted: Any) -> bool:
    if operator == "!=":
        return not _holds(field, value, "=", wanted)
    if field.type in ("id", "reference") and isinstance(wanted, str):
        wanted = _id(field, wanted)
    if value is None or wanted is None:
        return operator == "=" and value is None and wanted is None
    # Answers hold times as text; a text compares as a time where a time is asked for.
    if isinstance(wanted, datetime):
        value = datetime.fromisoformat(value)
    if isinstance(value, str) and isinstance(wanted, str) and not field.case_sensitive:
        value, wanted = value.lower(), wanted.lower()
    if operator == "LIKE":
        return _like(str(value), str(wanted))
    try:
        return bool(
            {
                "=": lambda: value == wanted,
                "<": lambda: value < wanted,
                "<=": lambda: value <= wanted,
                ">": lambda: value > wanted,
                ">=": lambda: value >= wanted,
            }[operator]()
        )
    except TypeError:
        raise refused(
            400, "INVALID_FIELD", f"value of filter criterion for field '{field.name}' must be of type {field.type}"
        ) from None


def check_filter(field: Field, wanted: Any) -> None:
    """Refuse to compare a field with what it cannot be compared with.

    Raises:
        ApiError: 400, long text, or an id that is none.
    """
    if field.type == "textarea":
        raise refused(400, "INVALID_FIELD", f"field '{field.name}' can not be filtered in a query call")
    if field.type in ("id", "reference"):
        for one in wanted if isinstance(wanted, list) else [wanted]:
            if isinstance(one, str):
                _id(field, one)


def _id(field: Field, text: str) -> str:
    try:
        return full_id(text)
    except ValueError:
        raise refused(400, "INVALID_QUERY_FILTER_OPERATOR", f"{field.name}: invalid ID field: {text}") from None


def _like(value: str, wanted: str) -> bool:
    parts = re.split(r"([%_])", wanted)
    pattern = "".join({"%": ".*", "_": "."}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(pattern, value, re.DOTALL) is not None


def malformed(message: str) -> ApiError:
    """A query that cannot be read."""
    return refused(400, "MALFORMED_QUERY", message)
