"""Modules that are not installed, and that libraries ask Python for again and again."""

from __future__ import annotations

import sys
from importlib.util import find_spec

ABSENT = ("pandas", "sniffio")
"""DuckDB asks for the first twice for each parameter of a statement, to tell its missing values from others; httpcore
for the second up to six times for each call to an outside system, to tell which event loop runs."""


def remember_what_is_absent() -> None:
    """Have Python remember which of these modules are not installed; for one that is, nothing changes.

    Python forgets a module that it has not found, and looks through all of its folders again: half a millisecond for
    each parameter, half of the time of a page of the ranking. For processes of our own: in one that others share,
    somebody may ask whether the name is there instead of importing it.
    """
    for name in ABSENT:
        if name not in sys.modules and find_spec(name) is None:
            sys.modules[name] = None  # type: ignore[assignment]  # to Python's import: known to be absent
