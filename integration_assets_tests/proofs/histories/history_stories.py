"""What random histories are drawn from: turns of happenings and one step each, and what goes wrong in the steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st

from integration_assets.sync.feature_request_object import RETIRED_REASON
from integration_assets_tests.proofs.histories.history_events import EVENTS, REQUESTS, VALUES
from integration_assets_tests.proofs.histories.virtual_crm import Fate

STRANDS = 10
"""Histories side by side in one story."""

Happening = tuple[str, int, int]
Step = Literal["sync", "undo", "nothing"]
CHANGES_OF_SCHEMA = (
    ("category", "dropped"), ("votes", "read-only"), ("status", "planned"), ("title", "dropped"),
    (RETIRED_REASON, "deleted"), ("managed_state", "read-only"),
)  # fmt: skip


@dataclass(frozen=True)
class Trouble:
    """What goes wrong during one step.

    `killed`: at which write, before or after it. `fates`: of the writes in order. `schema`: which property changes, at
    which write; at 0, before the step.
    """

    killed: tuple[int, str] | None = None
    fates: tuple[Fate, ...] = ()
    schema: tuple[int, int] | None = None
    in_flight: int = 1


@dataclass(frozen=True)
class Turn:
    """What happens to each strand, then one step. `mended`: the portal's schema is put back before it."""

    strands: tuple[tuple[Happening, ...], ...]
    step: Step
    trouble: Trouble
    mended: bool


Story = list[Turn]
CALM = Trouble()


def _strands_of(names: Iterable[str]) -> st.SearchStrategy[tuple[tuple[Happening, ...], ...]]:
    happenings = st.sampled_from([(name, n, v) for name in names for n in range(REQUESTS) for v in range(VALUES)])
    return st.tuples(*[st.lists(happenings, min_size=2, max_size=4).map(tuple)] * STRANDS)


_strands = _strands_of(EVENTS)
_writes = st.integers(1, 12)
_troubles = st.one_of(
    st.builds(Trouble, in_flight=st.integers(1, 3)),
    st.builds(Trouble, killed=st.tuples(_writes, st.sampled_from(["before", "after"])), in_flight=st.integers(1, 3)),
    st.builds(
        Trouble,
        fates=st.lists(st.sampled_from(["answered", "committed", "late", "never"]), max_size=12).map(tuple),
        in_flight=st.integers(1, 3),
    ),
    st.builds(
        Trouble,
        fates=st.lists(st.sampled_from(["late", "answered"]), max_size=3).map(tuple),
        killed=st.tuples(_writes, st.sampled_from(["before", "after"])).map(lambda k: (k[0], k[1])),
    ),
    st.builds(
        Trouble, schema=st.tuples(st.integers(0, len(CHANGES_OF_SCHEMA) - 1), st.sampled_from([0, 0, 1, 2, 3, 5]))
    ),
)
calm_stories = st.lists(
    st.builds(Turn, _strands, st.sampled_from(["sync", "sync", "nothing"]), st.just(CALM), st.just(False)),
    min_size=2,
    max_size=4,
)
BY_PEOPLE = tuple(EVENTS)[tuple(EVENTS).index("owned field edited") :]
people_stories = st.lists(
    st.builds(
        Turn,
        _strands_of(("unowned field edited", "unowned field edited", "title changed", "vote", *BY_PEOPLE)),
        st.sampled_from(["sync", "sync", "undo"]),
        _troubles,
        st.booleans(),
    ),
    min_size=3,
    max_size=5,
)
"""People work in the CRM more than anybody does in the source."""
undo_stories = st.tuples(
    *(
        st.builds(Turn, _strands, st.just(step), st.just(CALM), st.just(True))
        for step in ("sync", "sync", "undo", "nothing")
    )
).map(list)
"""Two runs, of which the second is taken back after people have edited what it left."""
troubled_stories = st.lists(
    st.builds(Turn, _strands, st.sampled_from(["sync", "sync", "sync", "undo"]), _troubles, st.booleans()),
    min_size=2,
    max_size=4,
)
