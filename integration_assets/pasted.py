"""Pasted values, as they come out of a page, a mail, a file: what stands round them is taken off.

Imports nothing of ours.
"""

from __future__ import annotations

import unicodedata

_QUOTES = ('""', "''", "``", "“”", "‘’", "„“", "«»", "<>")  # noqa: RUF001 - pairs people's editors make


def unwrapped(text: str) -> str:
    """A value without white space, invisible characters, and one pair of quotes round it."""
    bare = "".join(one for one in text if unicodedata.category(one) != "Cf").strip()
    if len(bare) > 1 and bare[0] + bare[-1] in _QUOTES:
        bare = bare[1:-1].strip()
    return bare
