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
