"""Paging by position through a list that changes: every page continues the one before, or is asked for further back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.connectors.feedback.canny.chain import SPARE_RECORDS, SPARE_STEPS, Chain

PAGE = 10


def records(*names: object) -> list[dict[str, str]]:
    return [{"id": str(name)} for name in names]


def read(source: list[Any], change: Any = None) -> tuple[list[Any], Chain, int]:
    """Read `source` in pages of ten; `change` is called with it before each page but the first. Gives the calls too."""
    taken: list[Any] = []
    chain, calls, more = Chain(), 0, True
    while more:
        if calls and change is not None:
            change(source, calls)
        calls += 1
        items = source[chain.skip : chain.skip + PAGE]
        rest = len(source) > chain.skip + PAGE
        new = chain.take(items, more=rest)
        if new is not None:
            taken += new
            more = rest and not chain.endless
    return taken, chain, calls


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 19, 20, 100, 101])
def test_a_quiet_list_is_read_whole_in_order_and_once(size: int) -> None:
    """Nothing is taken twice, and a page costs one call that brings nine records after the first's ten."""
    taken, chain, calls = read(records(*range(size)))
    assert taken == records(*range(size))
    assert chain.unbroken
    assert calls == max(1, -(-(size - 1) // (PAGE - 1)))


@given(
    size=st.integers(0, 80),
    changes=st.lists(st.lists(st.integers(0, 10_000), max_size=25), max_size=30),
    growth=st.lists(st.integers(0, 5), max_size=30),
)
def test_what_lives_through_the_read_is_always_taken(size: int, changes: list[list[int]], growth: list[int]) -> None:
    """Whatever is deleted anywhere and added at the end between two pages, no other record is missed, none doubled."""
    source = records(*range(size))
    lived = {record["id"] for record in source}

    def change(source: list[Any], call: int) -> None:
        for draw in changes[call - 1] if call <= len(changes) else ():
            if source:
                lived.discard(source.pop(draw % len(source))["id"])
        source += records(*(f"new {call}.{number}" for number in range(growth[call - 1] if call <= len(growth) else 0)))

    taken, chain, _ = read(source, change)
    assert lived <= {record["id"] for record in taken} or not chain.unbroken
    assert chain.unbroken or sum(map(bool, changes)) > SPARE_STEPS
    assert len({record["id"] for record in taken}) == len(taken)


def test_one_deletion_costs_one_call() -> None:
    """Half a page further back the known records are met again."""
    source = records(*range(100))
    quiet = read(list(source))[2]

    def change(source: list[Any], call: int) -> None:
        if call == 3:
            del source[5]

    taken, chain, calls = read(source, change)
    assert taken == records(*range(100))
    assert (chain.unbroken, calls) == (True, quiet + 1 + 3)  # pages of ten: a step of fifty is five pages of them


def test_records_without_an_id_are_taken_once() -> None:
    """A page never begins with one, and those behind the record it begins with are known by their place."""
    source: list[Any] = [*records(*range(8)), None, {"id": 7}, *records(*range(10, 15)), {"id": ""}, *records("z")]
    taken, chain, _ = read(source)
    assert taken == source
    assert chain.unbroken


def test_a_page_without_any_id_is_doubtful() -> None:
    """The page after it cannot be known to continue it."""
    taken, chain, _ = read([{"title": "?"}] * 25)
    assert len(taken) == 25
    assert not chain.unbroken


def test_a_wrongly_empty_page_is_asked_for_again() -> None:
    """A page that should begin with a known record and holds none does not end the list."""
    chain = Chain()
    chain.take(records(*range(10)), more=True)
    assert chain.take([], more=False) is None
    assert chain.skip == 0


def test_a_source_without_any_order_is_left_as_doubtful() -> None:
    """When no page continues another, the read still ends."""
    chain = Chain()
    chain.take(records("a", "b"), more=True)
    calls = 0
    while chain.unbroken and calls < 1_000:
        calls += 1
        chain.take(records(f"{calls}.1", f"{calls}.2"), more=True)
    assert not chain.unbroken
    assert calls < 10 * SPARE_STEPS


def test_a_source_that_serves_the_same_page_for_ever_is_endless() -> None:
    """It is noticed within a few pages."""
    chain, calls = Chain(), 0
    while not chain.endless:
        calls += 1
        chain.take(records(*range(10)), more=True)
    assert calls <= 3 + SPARE_RECORDS // 9
