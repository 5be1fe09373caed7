"""Owned fields that an undo put back to what they were before the run, of those nobody edited since."""

from __future__ import annotations

from collections.abc import Iterator

from integration_assets_tests.proofs.histories.histories import Teller, tell_many
from integration_assets_tests.proofs.histories.history_stories import undo_stories
from integration_assets_tests.proofs.registry import Row, Scale, proof


@proof(
    "undo",
    "histories",
    "An undo restores every owned field that nobody has edited since.",
    whole=150,
    small=15,
    unit="stories of an undo",
)
def measure(scale: Scale) -> Iterator[Row]:
    """Two runs, edits by people, then the undo of the second; every owned field of every record is compared."""
    teller, wrong = Teller(), ""
    try:
        tell_many(teller, undo_stories, number=scale.count, drawn_with=scale.seed)
    except AssertionError as error:
        wrong = f"; stopped at the first that was not: {error}".partition("\n")[0]
    restored = teller.count.owned_restored
    yield Row(
        "undo restores the state before the run, owned fields not edited since",
        f"{restored:,} of {restored + bool(wrong):,} changed fields, {teller.count.undos:,} undos{wrong}",
        "100 %",
        restored > 0 and not wrong,
    )
