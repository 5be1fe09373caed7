"""Merged records: chains of merges followed to the record that lives on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping


def survivors(merges: Iterable[tuple[str, str]], living: Collection[str] = frozenset()) -> dict[str, str]:
    """For each id that was merged away, the id it lives on in, at the end of the chain.

    `merges` are pairs (merged id, id it was merged into). A circle of merges ends at its smallest id, of the `living`
    ones if there are any. An id said to have become two different records is left out: nothing is guessed.
    """
    into: dict[str, set[str]] = defaultdict(set)
    for merged, survivor in merges:
        # A record said to be merged into itself went nowhere.
        if merged != survivor:
            into[merged].add(survivor)
    ends: dict[str, str] = {}
    for merged in into:
        end = _end(merged, into, living)
        if end is not None and end != merged:
            ends[merged] = end
    return ends


def _end(start: str, into: Mapping[str, Collection[str]], living: Collection[str]) -> str | None:
    reached = _reachable(start, into)
    # Records that went no further; in a circle there are none.
    ends = {record for record in reached if record not in into}
    if ends:
        return ends.pop() if len(ends) == 1 else None
    # A living record first: one that no list holds has no votes and no place in the ranking.
    circle = {record for record in reached if record in _reachable(record, into, itself=False)}
    return min(circle.intersection(living) or circle)


def _reachable(start: str, into: Mapping[str, Collection[str]], *, itself: bool = True) -> set[str]:
    reached = {start} if itself else set()
    waiting = [start]
    while waiting:
        for following in into.get(waiting.pop(), ()):
            if following not in reached:
                reached.add(following)
                waiting.append(following)
    return reached
