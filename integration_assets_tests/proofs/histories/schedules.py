"""Random histories in which a promise of the sync is broken: what people, the source, the portal and the network do."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from integration_assets_tests.proofs.histories.histories import Teller, tell_many
from integration_assets_tests.proofs.histories.history_stories import STRANDS, Story, calm_stories, troubled_stories
from integration_assets_tests.proofs.registry import Row, Scale, proof

STORIES_AT_A_TIME = 50


@proof(
    "calm",
    "histories",
    "After every sync each record is as the three-way rule foretells, whatever people and the source did.",
    whole=5_000,
    small=600,
    unit="histories in which nothing breaks",
)
def calm(scale: Scale) -> Iterator[Row]:
    """Tell histories in which nothing breaks: every value can be foretold."""
    yield told("calm", calm_stories, scale, exact=True)


@proof(
    "troubled",
    "histories",
    "Kills, lost and late answers, changed schemas and undos double, lose and bring back nothing.",
    whole=5_000,
    small=600,
    unit="histories in which things break",
)
def troubled(scale: Scale) -> Iterator[Row]:
    """Tell histories in which things break: one calm sync settles all."""
    yield told("troubled", troubled_stories, scale, exact=False)


def told(name: str, stories: st.SearchStrategy[Story], scale: Scale, *, exact: bool) -> Row:
    """Tell stories until so many distinct histories were told, or something is broken."""
    teller, broken, seed = Teller(), "", scale.seed
    while len(teller.count.histories) < scale.count and not broken:
        number = min(STORIES_AT_A_TIME, scale.count // STRANDS + 1)
        try:
            tell_many(teller, stories, number=number, drawn_with=seed, exact=exact)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the finding
            broken = f"; seed {seed}: {type(error).__name__}: {error}".partition("\n")[0]
        seed += 1_000_003  # any other number that the given seed decides
    return Row(
        f"random histories, {name}: with a violation",
        f"{1 if broken else 0} of {teller.count}{broken}",
        f"0 of {scale.count:,} or more",
        not broken,
    )
