"""Meaning of the words for a status: those of a system, and those that workspaces make up."""

from __future__ import annotations

from collections.abc import Mapping

from integration_assets.models import Status

_ON_HOLD = frozenset({"on hold", "on_hold", "on-hold"})
"""Words that mean the same in every workspace that makes them up."""


def status_of(word: str | None, known: Mapping[str, Status]) -> Status:
    """Meaning of a word: as a system's own are `known`, in lower case, else on hold where it says so, else unknown."""
    plain = (word or "").strip().lower()
    return known.get(plain) or (Status.ON_HOLD if plain in _ON_HOLD else Status.UNKNOWN)
