"""Random histories in which a promise of the sync is broken: what people, the source, the portal and the network do."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from integration_assets_tests.proofs.histories.histories import Count, Teller, tell_many
from integration_assets_tests.proofs.histories.history_stories import (
    STRANDS,
    Story,
    calm_stories,
    people_stories,
    troubled_stories,
    undo_stories,
)
from integration_assets_tests.proofs.registry import Row, Scale, proof

STORIES_AT_A_TIME = 50


@proof(
    "calm",
    "histories",
    "After every sync each record is as the three-way rule foretells, whatever people and the source did.",
    whole=5_000,
    small=250,
    unit="histories in which nothing breaks",
)
def calm(scale: Scale) -> Iterator[Row]:
    """Tell histories in which nothing breaks: every value can be foretold."""
    yield violations("calm", *told(calm_stories, scale, exact=True), scale)


@proof(
    "troubled",
    "histories",
    "Kills, lost and late answers, changed schemas and undos double, lose and bring back nothing.",
    whole=5_000,
    small=250,
    unit="histories in which things break",
)
def troubled(scale: Scale) -> Iterator[Row]:
    """Tell histories in which things break: one calm sync settles all."""
    yield violations("troubled", *told(troubled_stories, scale), scale)


@proof(
    "ownership",
    "histories",
    "No sync or undo changes a field of other people.",
    whole=1_000,
    small=100,
    unit="histories of people in the CRM",
)
def ownership(scale: Scale) -> Iterator[Row]:
    """Compare values byte by byte before and after every sync and undo, troubled ones included."""
    count, broken = told(people_stories, scale)
    yield Row(
        "unowned fields changed under edits by people",
        f"{1 if broken else 0} of {count.unowned_compared:,} compared, in {count}{broken}",
        "0",
        count.unowned_compared > 0 and not broken,
    )


@proof(
    "undo",
    "histories",
    "An undo restores every owned field that nobody has edited since.",
    whole=1_500,
    small=150,
    unit="histories with an undo",
)
def undo(scale: Scale) -> Iterator[Row]:
    """Take the second of two runs back after people have edited; compare every owned field of every record."""
    count, broken = told(undo_stories, scale)
    restored = count.owned_restored
    yield Row(
        "undo restores the state before the run, owned fields not edited since",
        f"{restored:,} of {restored + bool(broken):,} changed fields, {count.undos:,} undos{broken}",
        "100 %",
        restored > 0 and not broken,
    )


def told(stories: st.SearchStrategy[Story], scale: Scale, *, exact: bool = False) -> tuple[Count, str]:
    """Tell stories until so many distinct histories were told, or something is broken: what, in words."""
    teller, seed = Teller(), scale.seed
    while len(teller.count.histories) < scale.count:
        number = min(STORIES_AT_A_TIME, scale.count // STRANDS + 1)
        try:
            tell_many(teller, stories, number=number, drawn_with=seed, exact=exact)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the finding
            return teller.count, f"; seed {seed}: {type(error).__name__}: {error}".partition("\n")[0]
        seed += 1_000_003  # any other number that the given seed decides
    return teller.count, ""


def violations(name: str, count: Count, broken: str, scale: Scale) -> Row:
    """Whether a promise was broken in any of the histories told."""
    return Row(
        f"random histories, {name}: with a violation",
        f"{1 if broken else 0} of {count}{broken}",
        f"0 of {scale.count:,} or more",
        not broken,
    )
