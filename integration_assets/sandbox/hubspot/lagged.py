"""A value whose readers see changes late."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")

_KEPT = 8
"""Versions remembered; older ones are beyond any lag worth simulating."""


class Lagged(Generic[T]):
    """A value with its last few versions. `None` means: does not exist."""

    def __init__(self) -> None:
        self._versions: list[tuple[float, T | None]] = [(float("-inf"), None)]

    @property
    def current(self) -> T | None:
        """The newest value."""
        return self._versions[-1][1]

    @property
    def changed_at(self) -> float:
        """When the newest value was set."""
        return self._versions[-1][0]

    def set(self, value: T | None, at: float) -> None:
        """Make `value` the newest."""
        self._versions = [*self._versions[-_KEPT:], (at, value)]

    def seen(self, at: float) -> T | None:
        """The value that was newest at that moment."""
        for since, value in reversed(self._versions):
            if since <= at:
                return value
        return self._versions[0][1]
