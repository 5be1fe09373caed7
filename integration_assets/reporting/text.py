"""Words and numbers for people: harmless, short, with thousands separators."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from integration_assets.masking import mask_addresses

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z")
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,6})?")
_MONEY = frozenset({"arr", "arr_customers", "arr_prospects", "open_pipeline"})
"""Fields of a plan that hold a sum of money."""
_SPACE = re.compile(r"\s+")
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Hangul fillers: letters by category, but nothing to see."""
_HIDDEN = frozenset({"Cf", "Cc", "Cs", "Co", "Cn"})
"""Categories that show nothing or reorder what follows: formats (bidi, zero-width, tags), controls, surrogates."""


def clean(text: str) -> str:
    """One line that reads as it is written: no control, bidi or zero-width characters, no address, single spaces."""
    # Spaces first: a tab or line break is a control character too, and dropping it would join two words.
    spaced = _SPACE.sub(" ", text)
    shown = "".join(
        character
        for character in spaced
        if unicodedata.category(character) not in _HIDDEN and character not in _INVISIBLE_LETTERS
    )
    # After the invisible characters are gone: one inside an address would hide it from the mask.
    return _SPACE.sub(" ", mask_addresses(shown)).strip()


def clip(text: str, limit: int) -> str:
    """The text, or its beginning with an ellipsis, in at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def clip_middle(text: str, limit: int) -> str:
    """The text in at most `limit` characters, shortened where its examples stand: its end names the remedy.

    The end is kept from a clause on where one begins in the last two thirds of what is kept.
    """
    if len(text) <= limit:
        return text
    room = limit - 3  # the ellipsis between two blanks
    most = room * 2 // 3
    tail = text[-most:]
    starts = [tail.find(mark) + len(mark) for mark in ("; ", ". ") if mark in tail]
    # From a clause on, or at least from a word: half a command as remedy would be worse than none.
    tail = tail[min(starts) :] if starts else tail.split(" ", 1)[-1]
    # The beginning gets what the end leaves: it names the problem, the end the remedy.
    return f"{text[: room - len(tail)].rstrip()} … {tail}"


def amount(number: Decimal | str | int) -> str:
    """A sum of money as people read it: `1,204,500`; cents only below 1,000."""
    value = Decimal(number)
    # Rounded before it is judged: 999.995 is 1,000, without cents.
    rounded = value.quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    # Cents of large sums are noise; of small ones they are the difference.
    cents = abs(rounded) < 1000 and rounded != rounded.to_integral_value()
    shown = rounded if cents else value.quantize(Decimal(1), ROUND_HALF_EVEN)
    # Adding zero makes 0 of -0, which rounding leaves of a small negative sum.
    return f"{shown + 0:,}"


def money(number: Decimal | str, currency: str) -> str:
    """A sum of money with its currency: `1,204,500 USD`."""
    return f"{amount(number)} {currency}"


def arr_money(number: Decimal | str, currency: str, without_rate: int) -> str:
    """A sum of ARR with its currency, and how many companies are not in it because a currency has no rate."""
    return f"{money(number, currency)}{lacking_rate(without_rate)}"


def lacking_rate(companies: int) -> str:
    """Say how many companies are left out of a sum of ARR; nothing without any."""
    return f" + {companies:,} without rate" if companies else ""


def percent(part: int, whole: int) -> str:
    """`part` of `whole` in percent, one decimal; a dash of nothing.

    Only the whole is 100.0%, and only nothing 0.0%.
    """
    if not whole:
        return "-"
    text = f"{part / whole:.1%}"
    # Rounded away, the few that are left would be taken for none.
    if text == "100.0%" and part < whole:
        return ">99.9%"
    return "<0.1%" if text == "0.0%" and part else text


def duration(seconds: float) -> str:
    """`4.2 s`, `3 min 20 s`, `2 h 5 min`."""
    # Rounded before the unit is chosen: 59.97 seconds are 1 min 0 s, never 60.0 s or, of 119.7, 1 min 60 s.
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    if round(seconds) < 3600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s"
    # Seconds beside hours say nothing; beside minutes they tell a slow run from a quick one.
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 company`, `1,200 companies`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def status_words(status: str | None) -> str:
    """A canonical status as people read it: `in progress`."""
    return (status or "unknown").replace("_", " ")


def closed_words(number: int) -> str:
    """Say how many requests a list of open ones leaves out: `12 shipped or closed requests`; nothing without any."""
    return count(number, "shipped or closed request") if number else ""


def moment(iso: str | None) -> str:
    """An ISO time of the run summary as `2026-03-01 11:30 UTC`, or `never`."""
    if iso is None:
        return "never"
    return f"{datetime.fromisoformat(iso).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def stage_words(stage: str) -> str:
    """Say when a stage of ours set records aside, by its name: `raw_votes` as `when votes were read`."""
    if stage == "domain_resolved_votes":
        return "when votes were matched to companies"
    if stage.startswith("raw_"):
        return f"when {re.sub(r'^crm ', 'CRM ', stage.removeprefix('raw_').replace('_', ' '))} were read"
    return f"in {stage.replace('_', ' ')}"


def field_words(name: str) -> str:
    """Name of a property of ours as people write it."""
    return re.sub(r"\barr\b", "ARR", name.replace("_", " "))


def value_words(text: str, field: str) -> str:
    """A value of a plan's change as people read it: times to the minute in UTC, money with separators and every digit.

    `field` is the property it belongs to.
    """
    if _TIME.fullmatch(text):
        return moment(text)
    # Only where it is money: a title may be a number as well.
    return f"{Decimal(text):,}" if field in _MONEY and _NUMBER.fullmatch(text) else text
