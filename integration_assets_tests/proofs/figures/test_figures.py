"""Figures: the quick ones meet their goals, and those that measure time leave a busy machine out."""

from __future__ import annotations

import asyncio

import pytest

from integration_assets_tests.proofs.figures import deadline, delay, memory


def test_no_way_to_hold_a_call_outlasts_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each goes on for ever, and the deadline ends each; by how much it is outlasted is a figure."""
    monkeypatch.setattr(deadline, "DEADLINE", 1.5)

    async def all_at_once() -> dict[str, str]:
        ended = await asyncio.gather(*(deadline.held(behaviour) for behaviour in deadline.HOLDS.values()))
        return {name: message for name, (_, message) in zip(deadline.HOLDS, ended, strict=True)}

    said = asyncio.run(all_at_once())
    assert [
        name for name, message in said.items() if not message.endswith("gave no complete answer within 1.5 s")
    ] == []


@pytest.mark.parametrize("name", ["gzip of 210 MB", "30 MB of empty objects", "a body without end"])
def test_a_bomb_takes_little_memory(name: str) -> None:
    """Beyond what the process had before, including what the sender of the bomb holds."""
    assert memory.growth(name) <= memory.MOST_MEGABYTES


def took(seconds: float, queued: float = 0.0) -> delay.Took:
    return delay.Took(seconds, queued)


def test_a_delay_is_the_median_of_the_rounds_without_the_wait_for_a_processor() -> None:
    """One slow round is no delay, nor is a busy machine; a run that waits for another tenant's is."""
    calm = dict.fromkeys(delay.TROUBLES, took(10.4))
    noisy = dict.fromkeys(delay.TROUBLES, took(30.0, queued=19.6))
    slow = dict.fromkeys(delay.TROUBLES, took(90.0))
    alone = {delay.ALONE: took(10.0)}
    assert delay.figure([calm | alone, noisy | alone, slow | alone]).held
    hindered = dict.fromkeys(delay.TROUBLES, took(11.5))
    found = delay.figure([hindered | alone, hindered | alone, calm | alone])
    assert not found.held
    assert found.measured.startswith("+15.0% at the most")
