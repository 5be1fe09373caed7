"""What can be wrong with the body of an answer: a seeded choice among everything a broken server has ever sent.

A mutation takes a random source, a good body and gives the bytes as they come over the wire, with the encoding that the
answer's head names. `CUT` are those that end an answer early: whatever comes of them, it is no success.
"""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

Path = tuple[Any, ...]
Damaged = tuple[bytes, str]
"""Bytes on the wire, and the content encoding."""
Mutation = Callable[[random.Random, bytes], Damaged]

STRANGE_VALUES: tuple[Any, ...] = (
    None, True, False, "false", "", " ", 0, -1, 1.5, 1e308, 2**31, 2**63, 2**64, 10**40, "0", "NaN", "null", [], {},
    [[]], [None], {"id": None}, {"id": ""}, {"id": "x"}, "\u0000", "\u202e\u200bx", "<script>", "=HYPERLINK(1)",
    "a" * 70_000, "2026-13-45T99:99:99Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30",
    1_767_225_600_000,
)  # fmt: skip
WHOLE_BODIES = (
    b"", b" ", b"null", b"true", b"0", b'""', b"[]", b"{}", b"[{}]", b'"success"', b"success", b"\xef\xbb\xbf{}",
    b"\x00", b"<!doctype html><html><body>Checking your browser</body></html>", b"<?xml version='1.0'?><a/>", b"{]",
    b"{}{}",
    b'{"error":"internal"}', b'{"status":"error","message":"x","category":"y"}', b'{"a":1}garbage',
    b"\xff\xfe{\x00}\x00",
)  # fmt: skip
BAD_LITERALS = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "01", "0x10", "1_0", "9" * 5_000, "'x'", "undefined")


def cut(draw: random.Random, body: bytes) -> Damaged:
    """The connection was lost in the middle of the body."""
    return body[: draw.randrange(len(body))], ""


def cut_when_packed(draw: random.Random, body: bytes) -> Damaged:
    """The same, of a compressed body; at least its first byte came."""
    packed = gzip.compress(body, 1)
    return packed[: draw.randrange(1, len(packed))], "gzip"


def bytes_flipped(draw: random.Random, body: bytes) -> Damaged:
    """A few bytes are others."""
    damaged = bytearray(body)
    for _ in range(draw.randint(1, 4)):
        damaged[draw.randrange(len(damaged))] = draw.randrange(256)
    return bytes(damaged), ""


def bytes_moved(draw: random.Random, body: bytes) -> Damaged:
    """A piece is missing, doubled, or elsewhere."""
    start = draw.randrange(len(body))
    piece = body[start : start + draw.randint(1, 40)]
    rest = body[:start] + body[start + len(piece) :]
    place = draw.randrange(len(rest) + 1)
    return draw.choice((rest, body[:place] + piece + body[place:], rest[:place] + piece + rest[place:])), ""


def another_body(draw: random.Random, _body: bytes) -> Damaged:
    """Something else altogether."""
    return draw.choice(WHOLE_BODIES), ""


def value_drifted(draw: random.Random, body: bytes) -> Damaged:
    """One to three values are of another type, or strange ones of their own."""
    value = json.loads(body)
    for _ in range(draw.randint(1, 3)):
        path = draw.choice(list(_paths(value)) or [()])
        value = _replaced(value, path, deepcopy(draw.choice(STRANGE_VALUES)))
    return _text(value), ""


def shape_drifted(draw: random.Random, body: bytes) -> Damaged:
    """A list is an object, a number or a boolean a text, a text a number, an object the list of its values."""
    value = json.loads(body)
    path = draw.choice(list(_paths(value)) or [()])
    old = _at(value, path)
    drifted: Any
    match old:
        case bool():
            drifted = str(old).lower()
        case int() | float():
            drifted = draw.choice((str(old), [old], float(old), bool(old)))
        case str():
            drifted = draw.choice(([old], {"value": old}, len(old), old.encode().hex()))
        case list():
            drifted = draw.choice((dict(enumerate(old)), old[0] if old else None, [old], len(old)))
        case dict():
            drifted = draw.choice((list(old.values()), [old], list(old), json.dumps(old)))
        case _:
            drifted = deepcopy(draw.choice(STRANGE_VALUES))
    return _text(_replaced(value, path, drifted)), ""


def key_changed(draw: random.Random, body: bytes) -> Damaged:
    """A field is missing, has another name, or is new."""
    value = json.loads(body)
    path = draw.choice([path for path in _paths(value) if isinstance(path[-1], str)] or [()])
    if path:
        holder = _at(value, path[:-1])
        old = holder.pop(path[-1])
        if draw.random() < 0.5:
            holder[draw.choice((path[-1].upper(), path[-1] + "s", "", "__proto__", "\u00e9"))] = old
    return _text(value), ""


def literal_no_json(draw: random.Random, body: bytes) -> Damaged:
    """A value is written as JSON does not allow, or as it does and nobody can hold."""
    return _with_literal(draw, body, draw.choice(BAD_LITERALS)), ""


def key_doubled(draw: random.Random, body: bytes) -> Damaged:
    """An object has one key twice, with different values."""
    mark = draw.choice([place for place, byte in enumerate(body) if byte == ord("{")])
    return body[: mark + 1] + b'"id":"first","id":"second"' + _comma(body, mark) + body[mark + 1 :], ""


def text_no_unicode(draw: random.Random, body: bytes) -> Damaged:
    """A text holds half a character, or bytes that are no UTF-8."""
    return _with_literal(draw, body, draw.choice(('"\\ud800"', '"\\udc00x"', '"\\ud83d"', '"\\u0000"'))), ""


def bytes_no_utf8(draw: random.Random, body: bytes) -> Damaged:
    """Some bytes are in no encoding we know."""
    place = draw.randrange(len(body))
    return body[:place] + draw.choice((b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf0\x9f")) + body[place:], ""


def nested_deeply(draw: random.Random, body: bytes) -> Damaged:
    """A value has so many levels that a parser may run out of stack."""
    depth = draw.choice((30, 990, 5_000, 50_000))
    left, right = draw.choice((("[", "]"), ('{"a":', "}")))
    return _with_literal(draw, body, left * depth + "0" + right * depth), ""


def packed(draw: random.Random, body: bytes) -> Damaged:
    """Compressed as promised, otherwise than promised, or not at all; or a small bomb."""
    return draw.choice(
        (
            (gzip.compress(body, 1), "gzip"),
            (zlib.compress(body, 1), "deflate"),
            (body, "gzip"),
            (gzip.compress(body, 1), ""),
            (body, "br"),
            (gzip.compress(body, 1) + b"tail", "gzip"),
            (BOMB, "gzip"),
        )
    )


BOMB = gzip.compress(b" " * 4_000_000, 9)
"""Unpacks to more than the cap of the fuzzed clients."""

CUT: tuple[Mutation, ...] = (cut, cut_when_packed)
MUTATIONS: tuple[Mutation, ...] = (
    *CUT, bytes_flipped, bytes_moved, another_body, value_drifted, value_drifted, shape_drifted, shape_drifted,
    key_changed, literal_no_json, key_doubled, text_no_unicode, bytes_no_utf8, nested_deeply, packed,
)  # fmt: skip


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Paths of everything inside a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*path, key)
        yield from _paths(inner, (*path, key))


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _replaced(value: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    _at(value, path[:-1])[path[-1]] = new
    return value


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _with_literal(draw: random.Random, body: bytes, literal: str) -> bytes:
    """The body with a value written as `literal`."""
    value = json.loads(body)
    path = draw.choice(list(_paths(value)) or [()])
    mark = "b0f1a2c3d4"
    return _text(_replaced(value, path, mark)).replace(f'"{mark}"'.encode(), literal.encode())


def _comma(body: bytes, mark: int) -> bytes:
    return b"" if body[mark + 1 :].lstrip()[:1] == b"}" else b","
