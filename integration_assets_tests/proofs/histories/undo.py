"""Owned fields that an undo put back to what they were before the run, of those nobody edited since."""

from __future__ import annotations

from collections.abc import Iterator

from integration_assets_tests.proofs.figures.base import Figure
from integration_assets_tests.proofs.histories.histories import Teller, tell_many
from integration_assets_tests.proofs.histories.history_stories import undo_stories

STORIES = 150


def measure(seed: int) -> Iterator[Figure]:
    """Two runs, edits by people, then the undo of the second; every owned field of every record is compared."""
    teller, wrong = Teller(), ""
    try:
        tell_many(teller, undo_stories, number=STORIES, drawn_with=seed)
    except AssertionError as error:
        wrong = f"; stopped at the first that was not: {error}".partition("\n")[0]
    restored = teller.count.owned_restored
    yield Figure(
        "undo restores the state before the run, owned fields not edited since",
        f"{restored:,} of {restored + bool(wrong):,} changed fields, {teller.count.undos:,} undos{wrong}",
        "100 %",
        restored > 0 and not wrong,
    )
