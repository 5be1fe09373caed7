"""Registered secrets leave no text in any spelling."""

from __future__ import annotations

import base64
import io
import json
import logging
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.connectors import redaction
from integration_assets.connectors.redaction import RedactingFilter, protect, redact, register

SECRET = 'pa/t+ "quoted"\\é-0042=='


@pytest.fixture(autouse=True)
def empty_register(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has its own register."""
    monkeypatch.setattr(redaction, "_forms_by_start", {})


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
    ],
)
def test_every_spelling_is_masked(spelling: str) -> None:
    """Raw, URL-encoded and JSON-escaped forms become stars; the text around stays."""
    register(SECRET)
    assert redact(f"before {spelling} after").replace('"', "") == "before *** after"


@given(before=st.binary(max_size=5), after=st.binary(max_size=5), secret=st.text(min_size=12, max_size=40))
def test_base64_of_a_longer_text_gives_nothing_away(before: bytes, after: bytes, secret: str) -> None:
    """Wherever the secret starts inside what was encoded, most of it is masked."""
    register(secret)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(before + secret.encode() + after).decode()
        assert "***" in redact(encoded)


def test_short_values_are_never_registered() -> None:
    """An empty or short password does not turn all text into stars."""
    register("")
    register("1234567")
    assert redact("text with 1234567 in it") == "text with 1234567 in it"


def test_a_secret_that_contains_another_is_masked_whole() -> None:
    """The longest match wins."""
    register("abcdefgh")
    register("abcdefgh-and-more")
    assert redact("x abcdefgh-and-more y") == "x *** y"


def test_log_records_are_redacted_with_their_arguments_and_tracebacks() -> None:
    """Message, arguments and exception text of a record are clean when a handler writes them."""
    register(SECRET)
    stream = io.StringIO()
    logger = logging.getLogger("integration_assets_tests.redaction")
    logger.propagate = False
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    protect(logger)
    protect(logger)
    try:
        int(SECRET)
    except ValueError:
        logger.exception("key %s of %d", SECRET, 2, stack_info=True)
    finally:
        logger.removeHandler(handler)
    text = stream.getvalue()
    assert SECRET not in text
    assert text.startswith("key *** of 2\n")
    assert "ValueError: invalid literal for int() with base 10:" in text
    assert sum(isinstance(known, RedactingFilter) for known in handler.filters) == 1


class _Unprintable:
    """Has a text that cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("message", "arguments", "written"),
    [
        ("%d of %d", ("one",), "%d of %d (its arguments cannot be shown: TypeError)"),
        ("key %s", (_Unprintable(),), "key %s (its arguments cannot be shown: RuntimeError)"),
        (_Unprintable(), (), "_Unprintable (its arguments cannot be shown: RuntimeError)"),
        (f"{SECRET} %d", ("one",), "*** %d (its arguments cannot be shown: TypeError)"),
        ("half an \ud83d", (), "half an \\ud83d"),
    ],
)
def test_a_line_that_cannot_be_made_breaks_nothing(message: object, arguments: Any, written: str) -> None:
    """A filter runs in the code that logs: whatever is wrong with a line, it is written as well as it can be."""
    register(SECRET)
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, message, arguments, None)
    assert RedactingFilter().filter(record)
    assert (record.getMessage(), record.args) == (written, ())
    record.getMessage().encode()


def test_a_field_that_cannot_be_shown_is_named_by_its_kind() -> None:
    """The other fields of the line are as ever."""
    endless: list[object] = []
    endless.append(endless)
    record = logging.makeLogRecord({"msg": "m", "odd": _Unprintable(), "endless": endless, "fine": [1, "\udc00"]})
    RedactingFilter().filter(record)
    assert vars(record)["odd"] == "(a _Unprintable that cannot be shown: RuntimeError)"
    assert vars(record)["endless"] == "(a list that cannot be shown: RecursionError)"
    assert vars(record)["fine"] == [1, "\\udc00"]
