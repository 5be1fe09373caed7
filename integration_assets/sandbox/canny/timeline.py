"""Ids in order of creation, kept sorted, so that a page costs the page and not the list.

Cursors are keyset cursors: they name the last record handed out, not a position, so records that come or go between two
pages neither repeat nor hide others. They carry a digest of the filters they were made with.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Key = tuple[int, str]
"""Time of creation in milliseconds, and the id."""


class Timeline:
    """Keys in ascending order. Adding the newest and reading either end are cheap."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self.keys: list[Key] = sorted(keys)

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, key: Key) -> None:
        """Insert one key."""
        if not self.keys or key > self.keys[-1]:
            self.keys.append(key)
        else:
            insort(self.keys, key)

    def extend(self, keys: Iterable[Key]) -> None:
        """Insert many keys with one sort."""
        self.keys.extend(keys)
        self.keys.sort()

    def discard(self, key: Key) -> None:
        """Remove a key if it is there."""
        position = bisect_left(self.keys, key)
        if position < len(self.keys) and self.keys[position] == key:
            del self.keys[position]

    def newest_first(self, after: Key | None = None) -> Iterator[Key]:
        """Keys in descending order, starting behind `after`."""
        end = len(self.keys) if after is None else bisect_left(self.keys, after)
        return (self.keys[position] for position in range(end - 1, -1, -1))

    def oldest_first(self, after: Key | None = None) -> Iterator[Key]:
        """Keys in ascending order, starting behind `after`."""
        start = 0 if after is None else bisect_right(self.keys, after)
        return (self.keys[position] for position in range(start, len(self.keys)))


def take(
    keys: Iterator[Key], limit: int, *, skip: int = 0, keep: Callable[[str], bool] | None = None
) -> tuple[list[Key], bool]:
    """Up to `limit` keys that `keep` accepts, after leaving out `skip` of them, and whether more would follow."""
    found: list[Key] = []
    for key in keys:
        if keep is not None and not keep(key[1]):
            continue
        if skip > 0:
            skip -= 1
            continue
        if len(found) == limit:
            return found, True
        found.append(key)
    return found, False


def make_cursor(key: Key, filters: Mapping[str, Any]) -> str:
    """An opaque cursor that continues behind `key`, valid with these filters only."""
    text = f"{key[1]}_{key[0]}_{_digest(filters)}"
    return base64.b64encode(text.encode()).decode()


def read_cursor(cursor: str, filters: Mapping[str, Any]) -> Key | None:
    """The key a cursor continues behind; None when the cursor is garbled or belongs to other filters."""
    try:
        text = base64.b64decode(cursor, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    parts = text.rsplit("_", 2)
    if len(parts) != 3 or parts[2] != _digest(filters) or not parts[1].isascii() or not parts[1].isdigit():
        return None
    return int(parts[1]), parts[0]


def _digest(filters: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(repr(sorted(filters.items())).encode()):08x}"
