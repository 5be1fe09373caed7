"""Fields of a record that its system does not document.

They are ignored, as every field is that we do not use; but somebody should hear that a system sends more than it used
to, because such a field may be what replaces one that we do use.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

MOST_NAMES = 20
"""Unknown fields of one page that are named. A system that uses ids as field names must not flood anybody."""
OTHERS = "(others)"
"""Stands for fields beyond that, and for names that are no names: those may hold data of a person."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")


def unknown_fields(records: str, documented: Collection[str], items: Iterable[Any]) -> dict[str, int]:
    """Count the `items` that carry each field that is not among the `documented` ones, as `<records>.<field>`.

    Empty as a rule. Records with the same fields in the same order, which is nearly all of a page, are looked at once;
    only their own fields are, not those of objects inside them. Items that are no objects have no fields.
    """
    found: dict[str, int] = {}
    # By the whole set of names: nearly all records of a page have the same one.
    for names, count in Counter(tuple(item) for item in items if isinstance(item, dict)).items():
        for name in names:
            if name not in documented:
                # A field name may be somebody's address, and is told in reports.
                known_as = f"{records}.{name if _NAME.fullmatch(name) else OTHERS}"
                if known_as not in found and len(found) >= MOST_NAMES:
                    known_as = f"{records}.{OTHERS}"
                found[known_as] = found.get(known_as, 0) + count
    return found
