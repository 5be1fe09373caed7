"""Random histories in which things break: kills, lost and late answers, changed schemas, undos."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from integration_assets_tests.proofs.histories.histories import Teller, tell_many
from integration_assets_tests.proofs.histories.history_stories import STORIES, seed_of, troubled_stories

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1800)]  # many random histories: part of `make proofs`


def test_nothing_is_doubled_lost_or_brought_back(record_property: Callable[[str, object], None]):
    """Whatever breaks on the way, no key is there twice, nothing of others moves, and one calm sync settles all."""
    teller, drawn_with = Teller(), seed_of(7)

    try:
        tell_many(teller, troubled_stories, number=STORIES, drawn_with=drawn_with)
    finally:
        record_property("told", f"{teller.count} (HISTORIES_SEED={drawn_with})")
