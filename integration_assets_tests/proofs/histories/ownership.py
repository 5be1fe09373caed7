"""Fields of other people that a sync or an undo changed, while people edit, archive, merge and link in the CRM."""

from __future__ import annotations

from collections.abc import Iterator

from integration_assets_tests.proofs.histories.histories import Teller, tell_many
from integration_assets_tests.proofs.histories.history_stories import people_stories
from integration_assets_tests.proofs.registry import Row, Scale, proof


@proof(
    "ownership",
    "histories",
    "No sync or undo changes a field of other people.",
    whole=100,
    small=10,
    unit="stories of people",
)
def measure(scale: Scale) -> Iterator[Row]:
    """Values are compared byte by byte before and after every sync and undo, troubled ones included."""
    teller, changed = Teller(), ""
    try:
        tell_many(teller, people_stories, number=scale.count, drawn_with=scale.seed)
    except AssertionError as error:
        changed = f"; stopped at the first: {error}".partition("\n")[0]
    compared = teller.count.unowned_compared
    yield Row(
        "unowned fields changed under edits by people",
        f"{1 if changed else 0} of {compared:,} compared, in {teller.count}{changed}",
        "0",
        compared > 0 and not changed,
    )
