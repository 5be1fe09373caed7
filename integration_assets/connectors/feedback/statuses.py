"""Words for a status that workspaces make up, and that mean the same in all of them."""

from __future__ import annotations

from integration_assets.models import Status

_ON_HOLD = frozenset({"on hold", "on_hold", "on-hold"})


def status_of_own_word(word: str | None) -> Status:
    """Meaning of a status that is not the system's own: on hold where it says so, else unknown."""
    return Status.ON_HOLD if (word or "").strip().lower() in _ON_HOLD else Status.UNKNOWN
