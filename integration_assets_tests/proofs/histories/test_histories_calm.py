"""Random histories in which nothing breaks: what people and the source do between syncs, in any order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from integration_assets_tests.proofs.histories.histories import Teller, tell_many
from integration_assets_tests.proofs.histories.history_stories import STORIES, calm_stories, seed_of

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1800)]  # many random histories: part of `make proofs`


def test_every_value_is_as_foretold(record_property: Callable[[str, object], None]):
    """After every sync each record is as the three-way rule foretells, nothing of others moves, and all is settled."""
    teller, drawn_with = Teller(), seed_of(7)

    try:
        tell_many(teller, calm_stories, number=STORIES, drawn_with=drawn_with, exact=True)
    finally:
        record_property("told", f"{teller.count} (HISTORIES_SEED={drawn_with})")
