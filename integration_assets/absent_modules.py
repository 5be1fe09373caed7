"""Modules that are not installed, and that DuckDB asks Python for again and again."""

from __future__ import annotations

import sys
from importlib.util import find_spec

ABSENT = "pandas"
"""Asked for twice for each parameter of a statement, to tell its missing values from others."""


def remember_what_is_absent() -> None:
    """Have Python remember that pandas is not installed, where it is not; else nothing changes.

    Python forgets a module that it has not found, and looks through all of its folders again: half a millisecond for
    each parameter, half of the time of a page of the ranking. For processes of our own: in one that others share,
    somebody may ask whether the name is there instead of importing it.
    """
    if ABSENT not in sys.modules and find_spec(ABSENT) is None:
        sys.modules[ABSENT] = None  # type: ignore[assignment]  # to Python's import: known to be absent
