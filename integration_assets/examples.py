"""The first of many names, as a message gives them: enough to look one up, and never a page of them."""

from __future__ import annotations

from collections.abc import Sequence

EXAMPLES = 3


def first_names(names: Sequence[str]) -> str:
    """The first three names with commas between, and an ellipsis where there are more."""
    return ", ".join(names[:EXAMPLES]) + (", …" if len(names) > EXAMPLES else "")
