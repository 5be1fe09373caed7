"""The crash schedules themselves: every pair is tried, and what goes wrong is seen."""

from __future__ import annotations

import pytest

from integration_assets_tests.sync.schedules import Crash, Stage, a_day_later, every_pair, requests


@pytest.fixture(scope="module")
def stage() -> Stage:
    """Three requests as they are written for the first time, all records and all links of a target at once."""
    return Stage({}, requests(3), 100)


def test_every_pair_of_crashes_is_tried_once_and_leaves_no_trace(stage: Stage) -> None:
    """First and second place, before and after each write; nothing twice, nothing lost, nothing left to do."""
    results = list(every_pair(stage))
    pairs = [(one.first, one.second) for one in results]
    assert stage.writes >= 3
    assert len(set(pairs)) == len(pairs)
    assert {first for first, _ in pairs} == {
        Crash(number, when) for number in range(1, stage.writes + 1) for when in ("before", "after")
    }
    for second in ("before", "after"):
        assert (Crash(1, "before"), Crash(stage.writes, second)) in pairs
    assert [(one.duplicates, one.lost, one.left_to_do) for one in results] == [(0, 0, 0)] * len(results)


def test_a_record_that_is_there_twice_is_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CRM that does not keep the key unique shows up as a duplicate."""
    put_back = stage.put_back

    def doubled(kept):
        world = put_back(kept)
        if world.crm.records:
            world.crm.records["copy"] = next(iter(world.crm.records.values()))
        return world

    monkeypatch.setattr(stage, "put_back", doubled)
    assert any(one.duplicates for one in every_pair(stage))


def test_what_is_missing_and_what_is_too_much_is_seen() -> None:
    """Held against another end, the third run has lost records and links, and has some too many."""
    stage = Stage(requests(2), a_day_later(3), 100)
    stage.expected = Stage({}, requests(4), 100).expected
    first = next(every_pair(stage))
    assert first.lost > 0
    assert first.duplicates > 0
