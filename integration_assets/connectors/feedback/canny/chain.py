"""Paging by position through a list that changes while it is read.

A list that is cut into pages by "leave out the first n" moves up when something before that place is deleted, and the
record that slips over the cut is served by neither page. So every page is asked for one record early and has to begin
with a record that is known already. If it does not, the list has moved, and the page is asked for further back until
it does: all that lived through the read is served, in one pass, as long as the source keeps the order of what stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

FIRST_STEP_BACK = 50
"""Half a page: up to so many deletions at once are made up for by one more call, and it still brings half a page."""
SPARE_STEPS = 10
"""Steps back beyond one per page that brought something; with more of them the source has no order to rely on."""
SPARE_RECORDS = 200
"""A list that holds so many records more than it ever served, and all of them known, begins over and over again."""


class Chain:
    """The place to ask for the next page, and the records of a page that are new.

    `skip` is the position to ask for. `unbroken` tells whether every page continued the one before. `endless`: the
    source serves what it served already and says that more follows.
    """

    def __init__(self) -> None:
        self.skip = 0
        self.unbroken = True
        self.endless = False
        self._known: set[str] = set()
        self._taken = 0
        self._overlaps = True
        self._last: str | None = None
        self._nameless = 0
        self._step = FIRST_STEP_BACK
        self._steps_left = SPARE_STEPS

    def take(self, items: Sequence[Any], *, more: bool) -> Sequence[Any] | None:
        """The records of a raw page that are new, or None when the page has to be asked for again, further back."""
        new = self._continuation(items)
        if new is None:
            # Twice as far each time: a few calls reach over any number of deletions.
            if self._steps_left > 0:
                self._steps_left -= 1
                self.skip, self._step = max(0, self.skip - self._step), self._step * 2
                return None
            # The source has no order to rely on: what it serves is taken, and told as doubtful.
            self.unbroken, new = False, items
        self._step = FIRST_STEP_BACK
        # Each page that brought something pays for one more step back.
        self._steps_left += bool(new) and self.skip > 0
        self._known.update(_ids(new))
        self._taken += len(new)
        self.endless = more and not new and self.skip + len(items) > self._taken + SPARE_RECORDS
        self._move_on(items)
        return new

    def _continuation(self, items: Sequence[Any]) -> Sequence[Any] | None:
        """Return what follows the known records a page begins with; None when it begins with a new one."""
        leading = list(takewhile(lambda item: _id(item) is None or _id(item) in self._known, items))
        known = [place for place, item in enumerate(leading) if _id(item) is not None]
        if known:
            # Records without an id that came behind the last known one are recognised by their place alone.
            taken = self._nameless if _id(items[known[-1]]) == self._last else 0
            return items[min(known[-1] + 1 + taken, len(leading)) :]
        # The first page has nothing before it that it could continue.
        if self.skip == 0:
            return items
        # The page before could not be overlapped, so nothing tells if this one follows it.
        if not self._overlaps:
            self.unbroken = False
            return items
        return None

    def _move_on(self, items: Sequence[Any]) -> None:
        """Set `skip` to the last record of this page that has an id, or behind the page when that leads nowhere."""
        places = [place for place, item in enumerate(items) if _id(item) is not None]
        # Records without an id are counted from the last one that has one.
        if places:
            self._last, self._nameless = _id(items[places[-1]]), len(items) - 1 - places[-1]
        # A step to the first record of this page would ask for the same page for ever.
        self._overlaps = bool(places and places[-1] > 0)
        self.skip += places[-1] if self._overlaps else len(items)


def _id(item: Any) -> str | None:
    given = item.get("id") if isinstance(item, dict) else None
    return given if isinstance(given, str) and given else None


def _ids(items: Sequence[Any]) -> Iterator[str]:
    return (given for item in items if (given := _id(item)) is not None)
