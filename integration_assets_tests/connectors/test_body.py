"""Bytes of a body into values: unpacking piece by piece, and how much one text may hold."""

from __future__ import annotations

import gzip
import random
import zlib

import pytest

from integration_assets.connectors.body import (
    MOST_CONTAINERS,
    MOST_SEPARATORS,
    PIECE,
    BodyError,
    BodyReader,
    CutBodyError,
    LargeBodyError,
    parse_json,
)

CAP = 4 * 1024 * 1024


def read(encoding: str, body: bytes, chunk: int) -> bytes:
    reader = BodyReader(encoding, CAP)
    for start in range(0, len(body), chunk):
        reader.feed(body[start : start + chunk])
    return reader.finish()


@pytest.mark.parametrize("chunk", [1_000, 65_536, 10 * CAP])
@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, CAP])
@pytest.mark.parametrize("kind", ["noise", "zeros"])
def test_a_body_is_the_same_however_it_was_packed_and_cut_into_chunks(kind: str, size: int, chunk: int) -> None:
    """Up to the cap and including it, compressible or not."""
    body = random.Random(size).randbytes(size) if kind == "noise" else bytes(size)
    assert read("gzip", gzip.compress(body, 1), chunk) == body
    assert read("deflate", zlib.compress(body, 1), chunk) == body
    assert read("", body, chunk) == body


def test_one_byte_more_than_the_cap_is_too_large() -> None:
    """Packed or not."""
    for encoding, body in (("", bytes(CAP + 1)), ("gzip", gzip.compress(bytes(CAP + 1), 1))):
        with pytest.raises(LargeBodyError):
            read(encoding, body, 65_536)


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_packed_body_that_is_cut_is_never_whole(kept: float) -> None:
    """Whatever could be unpacked of it."""
    packed = gzip.compress(random.Random(1).randbytes(500_000), 1)
    with pytest.raises(CutBodyError):
        read("gzip", packed[: int(len(packed) * kept)], 65_536)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_packed_body_that_is_cut_before_its_first_output_is_no_empty_one(encoding: str) -> None:
    """A header alone unpacks to nothing; only no byte at all is an empty body."""
    packed = gzip.compress(b"{}") if encoding == "gzip" else zlib.compress(b"{}")
    for kept in range(1, len(packed)):
        with pytest.raises(CutBodyError):
            read(encoding, packed[:kept], 1)
    assert read(encoding, b"", 1) == b""


@pytest.mark.parametrize("body", [b"[" + b"{}," * MOST_CONTAINERS + b"{}]", b"[" + b"0," * MOST_SEPARATORS + b"0,0]"])
def test_a_text_of_too_many_values_is_too_large(body: bytes) -> None:
    """A few megabytes of text would be a hundred of values; whoever asked may ask for less."""
    with pytest.raises(LargeBodyError, match="more values"):
        parse_json(body)


def test_what_is_refused_is_told_apart_from_what_was_cut() -> None:
    """Only a text that ends too early is worth another try."""
    for body, kind in ((b'{"a": [1', CutBodyError), (b'{"a": 1}}', BodyError), (b'{"a":1,"a":2}', BodyError)):
        with pytest.raises(BodyError) as caught:
            parse_json(body)
        assert type(caught.value) is kind
