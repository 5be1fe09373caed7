"""Record ids: fifteen characters that tell upper from lower case, and three more for where case is lost."""

from __future__ import annotations

import re

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def made_id(prefix: str, number: int) -> str:
    """The 18-character id of the record with this number under a three-character key prefix."""
    digits = ""
    while number:
        number, rest = divmod(number, len(_DIGITS))
        digits = _DIGITS[rest] + digits
    return full_id(prefix + digits.rjust(12, "0"))


def full_id(text: str) -> str:
    """The 18 characters of an id given by 15 or 18.

    Raises:
        ValueError: it has not the form of an id.
    """
    if not _FORM.fullmatch(text):
        raise ValueError(text)
    short = text[:15]
    suffix = ""
    for start in (0, 5, 10):
        # One bit for each upper-case letter, the first letter being the lowest.
        bits = sum(1 << place for place, letter in enumerate(short[start : start + 5]) if letter.isupper())
        suffix += _ALPHABET[bits]
    return short + suffix
