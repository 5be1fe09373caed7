"""Text from outside is made harmless, and numbers readable."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.reporting.text import amount, clean, clip, count, duration, moment, money, percent, stage_words


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Dark mode", "Dark mode"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("pay\u200bpal\u2066\u2069\ufeff", "paypal"),
        ("two\nlines\t and\u2028more ", "two lines and more"),
        ("ask bob.o'neil+x@mail.acme.co.uk now", "ask [address] now"),
        ("\u3164", ""),
        ("Größe 你好 ✅", "Größe 你好 ✅"),
        ("half\ud800", "half"),
    ],
)
def test_clean(text, cleaned):
    """Controls, bidi and zero-width characters and addresses go; letters of any script stay."""
    assert clean(text) == cleaned


@given(st.text())
def test_clean_shows_what_is_written(text):
    """Nothing invisible or reordering is left, and cleaning twice changes nothing."""
    cleaned = clean(text)
    assert not {unicodedata.category(character) for character in cleaned} & {"Cf", "Cc", "Cs"}
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0.00", "0"),
        ("999.99", "999.99"),
        ("1204500.50", "1,204,500"),
        ("-12", "-12"),
        ("1000", "1,000"),
        ("5.5", "5.50"),
        ("999.995", "1,000"),
        ("-999.995", "-1,000"),
        ("12.004", "12"),
        ("-0.001", "0"),
        ("-1000.4", "-1,000"),
    ],
)
def test_amounts(value, words):
    """Sums have thousands separators, and cents only where they matter."""
    assert amount(value) == words
    assert money(value, "EUR") == f"{words} EUR"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (59.94, "59.9 s"),
        (59.97, "1 min 0 s"),
        (119.7, "2 min 0 s"),
        (3599.4, "59 min 59 s"),
        (3599.7, "1 h 0 min"),
        (7199, "2 h 0 min"),
        (7229, "2 h 0 min"),
    ],
)
def test_a_duration_never_shows_a_full_unit_as_the_smaller_one(seconds: float, words: str):
    """What rounds to a whole minute or hour is shown as one, not as 60 of the unit below."""
    assert duration(seconds) == words


def test_other_words():
    """Durations, shares, counts, times and clipped text read as a person would write them."""
    assert [duration(seconds) for seconds in (4.21, 59.94, 200, 7500)] == ["4.2 s", "59.9 s", "3 min 20 s", "2 h 5 min"]
    assert [percent(1, 3), percent(0, 0)] == ["33.3%", "-"]
    # Rounding makes no all of what is not, and no none of what is some.
    assert [percent(9_999, 10_000), percent(1, 10_000)] == [">99.9%", "<0.1%"]
    assert [percent(5, 5), percent(0, 5)] == ["100.0%", "0.0%"]
    assert [count(1, "company", "companies"), count(1200, "company", "companies")] == ["1 company", "1,200 companies"]
    assert [moment("2026-03-01T11:30:00Z"), moment(None)] == ["2026-03-01 11:30 UTC", "never"]
    assert [clip("abcdef", 6), clip("abcdef", 5)] == ["abcdef", "abcd…"]


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("raw_feature_requests", "when feature requests were read"),
        ("raw_crm_companies", "when CRM companies were read"),
        ("domain_resolved_votes", "when votes were matched to companies"),
        ("own_stage", "in own stage"),
    ],
)
def test_a_stage_is_told_in_words(stage: str, words: str) -> None:
    """No name of a table in a message for people."""
    assert stage_words(stage) == words
