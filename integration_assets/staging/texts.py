"""Many texts as one parameter of a statement.

DuckDB takes a Python list apart value by value, and looks for pandas at each of them: where it is not installed, a
thousand texts cost a tenth of a second. As JSON they are one value.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


def text_list(texts: Iterable[str]) -> str:
    """The parameter that a statement reads as a list with `from_json(?, '["VARCHAR"]')`."""
    return msgspec.json.encode(list(texts)).decode()
