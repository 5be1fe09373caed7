"""Texts that are JSON and not quite Unicode."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.connectors.body import BodyError, parse_json


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"\ud83d x", "\ufffd x"),
        (r"x\udE00", "x\ufffd"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd\N{GRINNING FACE}"),
        (r"\uD83D\uDE00", "\N{GRINNING FACE}"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d", "\\\ufffd"),
        (r"\\\\ud83d", r"\\ud83d"),
    ],
)
def test_half_a_character_is_replaced_and_nothing_else(escaped: str, text: str) -> None:
    """Pairs stay, and so do texts that only look like an escape."""
    assert parse_json(f'{{"title": "{escaped}", "votes": 1}}'.encode()) == {"title": text, "votes": 1}


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_comes_through_with_its_lone_surrogates_replaced(text: str) -> None:
    """As Python's own decoder sees them: whatever JSON can say arrives as Unicode."""
    body = json.dumps([text]).encode()
    expected = "".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in json.loads(body)[0])
    assert parse_json(body) == [expected]


def test_a_surrogate_in_raw_bytes_is_refused() -> None:
    """No encoder writes it: that is a broken transfer, not a cut text."""
    with pytest.raises(BodyError, match="UTF-8"):
        parse_json(b'{"title": "\xed\xa0\xbd"}')
