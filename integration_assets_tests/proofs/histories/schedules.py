"""Random histories in which a promise of the sync is broken: what people, the source, the portal and the network do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from integration_assets_tests.proofs.figures.base import Figure
from integration_assets_tests.proofs.histories.histories import Count, Teller, tell_many
from integration_assets_tests.proofs.histories.history_stories import STRANDS, calm_stories, troubled_stories

HISTORIES = int(os.environ.get("HISTORIES", "10000"))
"""Distinct histories to be told; more of them by the environment variable, by night."""
STORIES_AT_A_TIME = 50
KINDS = {"calm": calm_stories, "troubled": troubled_stories}


def tell(kind: str, histories: int, seed: int) -> tuple[Count, str | None]:
    """Tell stories of one kind until so many distinct histories were told; what was broken, if anything."""
    teller = Teller()
    while len(teller.count.histories) < histories:
        number = min(STORIES_AT_A_TIME, histories // STRANDS + 1)
        try:
            tell_many(teller, KINDS[kind], number=number, drawn_with=seed, exact=kind == "calm")
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the finding
            return teller.count, f"{type(error).__name__}: {error}".partition("\n")[0]
        seed += 1_000_003  # any other number that the given seed decides
    return teller.count, None


def measure(seed: int) -> Iterator[Figure]:
    """One figure per kind of history, both told at the same time."""
    with ProcessPoolExecutor(len(KINDS), mp_context=get_context("spawn")) as processes:
        told = {kind: processes.submit(tell, kind, HISTORIES // len(KINDS), seed) for kind in KINDS}
        for kind, future in told.items():
            count, broken = future.result()
            yield Figure(
                f"random histories, {kind}: with a violation",
                f"{1 if broken else 0} of {count}{f'; {broken}' if broken else ''}",
                f"0 of {HISTORIES // len(KINDS):,} or more",
                broken is None and len(count.histories) >= HISTORIES // len(KINDS),
            )
