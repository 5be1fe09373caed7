"""Bytes of an HTTP body into JSON values, strictly.

What other parsers let through and later stages choke on is refused here: duplicate keys, NaN and Infinity, numbers
out of range, bytes that are not UTF-8, nesting deep enough to exhaust the stack, and compressed bodies that unpack to
more than the cap. Half of a surrogate pair, which is left where a text was cut in the middle of an emoji, becomes
U+FFFD: one such title must not cost a whole page.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

import msgspec

GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
"""zlib's way to say: recognise the gzip or zlib header by yourself."""
PIECE = 256 * 1024
"""Most bytes unpacked at a time, so that a bomb is noticed before it is whole in memory."""
MOST_CONTAINERS, MOST_SEPARATORS = 800_000, 1_000_000
"""Most objects and lists, and most commas, of one JSON text. Empty objects take 24 times the memory of their text; the
densest answers we know, 20 MB of associations, have half as many."""


SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<alone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""Escaped backslashes and whole pairs, which stay, and surrogates that stand alone."""


class BodyError(ValueError):
    """The body is not what we accept. The message names the reason and holds nothing of the body."""


class CutBodyError(BodyError):
    """The body ends before it is complete: a broken transfer, worth another try."""


class LargeBodyError(BodyError):
    """The body is larger than the cap. Asking for less may help."""


class BodyReader:
    """Collects a body chunk by chunk, unpacking it, and stops as soon as it grows beyond `cap` bytes."""

    def __init__(self, encoding: str, cap: int) -> None:
        # An encoding we cannot unpack would reach the JSON parser as noise, and be told as malformed JSON.
        if encoding.lower() not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise BodyError(f"content encoding that was not asked for ({encoding[:20]!r})")
        packed = encoding.lower() not in ("", "identity")
        self._unpacker = zlib.decompressobj(GZIP_OR_ZLIB) if packed else None
        self._begun = False
        self._cap = cap
        self._body = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Add a chunk as it came over the wire."""
        self._begun = self._begun or bool(chunk)
        if self._unpacker is None:
            self._add(chunk)
            return
        try:
            while not self._unpacker.eof:
                # At most a piece at a time: the cap must be noticed before a bomb is whole in memory.
                piece = self._unpacker.decompress(chunk, PIECE)
                self._add(piece)
                chunk = self._unpacker.unconsumed_tail
                # Less than a piece came out and nothing is left to go in: the rest is in chunks to come.
                if not chunk and len(piece) < PIECE:
                    return
        except zlib.error:
            raise BodyError("a compressed body that cannot be unpacked") from None

    def _add(self, piece: bytes) -> None:
        self._body += piece
        if len(self._body) > self._cap:
            raise LargeBodyError(f"a body of more than {self._cap // (1024 * 1024)} MiB")

    def finish(self) -> bytes:
        """The whole body; the reader has it no longer.

        Raises:
            CutBodyError: it was packed, and ends before what was packed does.
        """
        # No byte at all is an empty body, which answers without content name an encoding for as well; a header alone is
        # a cut one, and must not pass for an empty answer.
        if self._unpacker is not None and self._begun and not self._unpacker.eof:
            raise CutBodyError("a compressed body that ends too early")
        body = bytes(self._body)
        self._body.clear()
        return body


def parse_json(body: bytes) -> Any:
    """The value of a JSON text, with U+FFFD in the place of each escaped surrogate that stands alone.

    Raises:
        CutBodyError: the text ends too early.
        LargeBodyError: it holds more values than we have memory for.
        BodyError: any other reason to refuse it.
    """
    # Counted in the bytes, brackets inside texts included: an upper bound, had before any memory is spent.
    if body.count(b"{") + body.count(b"[") > MOST_CONTAINERS or body.count(b",") > MOST_SEPARATORS:
        raise LargeBodyError("JSON of more values than one answer may hold")
    # Looked for first: the replacement makes the whole body anew.
    if SURROGATE.search(body):
        body = ESCAPES.sub(_paired, body)
    try:
        # Twice: msgspec is strict and fast but keeps the last of two equal keys, which only the other can be made to
        # see.
        value = msgspec.json.decode(body)
        json.loads(body, object_pairs_hook=_without_duplicates)
    except msgspec.ValidationError:
        raise BodyError("JSON with a number out of range") from None
    except msgspec.DecodeError as error:
        # msgspec tells a cut text by its message alone; a whole one is not worth another try.
        if "truncated" in str(error) and not _is_complete(body):
            raise CutBodyError("JSON that ends too early") from None
        raise BodyError("malformed JSON") from None
    except UnicodeDecodeError:
        raise BodyError("text that is not UTF-8") from None
    except RecursionError:
        raise BodyError("JSON nested too deeply") from None
    return value


def _paired(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape["alone"] else escape[0]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise BodyError("JSON with a repeated key")


def _is_complete(body: bytes) -> bool:
    """True if the standard library's lax parser reads the text to its end: msgspec calls a lone surrogate cut."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True
