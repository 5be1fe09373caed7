"""Characters that nobody sees: one rule for addresses, titles and names. Imports nothing of ours."""

from __future__ import annotations

import unicodedata

BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols of Unicode that are drawn as nothing."""


def is_invisible(character: str) -> bool:
    """True if nobody sees this character: white space, a control or format character, a blank letter."""
    return (
        character.isspace()
        or unicodedata.category(character) in ("Cc", "Cf", "Zs", "Zl", "Zp")
        or character in BLANK_LETTERS
    )


def is_blank(text: str) -> bool:
    """True if nobody sees anything of this text."""
    return all(map(is_invisible, text))


def strip(text: str) -> str:
    """Take off what nobody sees at the ends of a text; copying from a page leaves it there."""
    bare = text.strip()
    # nearly every text ends in characters that are seen
    if not bare or not (is_invisible(bare[0]) or is_invisible(bare[-1])):
        return bare
    start, end = 0, len(bare)
    while start < end and is_invisible(bare[start]):
        start += 1
    while end > start and is_invisible(bare[end - 1]):
        end -= 1
    return bare[start:end]


def visible(text: str) -> str:
    """The text without format characters and blank letters inside it. White space stays: it parts words."""
    # Nearly all texts: looking up the category of each character costs many times this question.
    if text.isascii():
        return text
    return "".join(
        character for character in text if unicodedata.category(character) != "Cf" and character not in BLANK_LETTERS
    )
