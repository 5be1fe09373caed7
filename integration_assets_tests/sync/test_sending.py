"""One batch, however the other side behaves: what is sent, how often, and where every item ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from integration_assets.connectors.crm.base import BatchRejectedError
from integration_assets.errors import PermanentError, TransientError, UnknownOutcomeError
from integration_assets.sync.sending import REPEAT_PAUSES_SECONDS, Sent, send

ITEMS = list(range(100))


def sent_to(answer: Callable[[Sequence[int]], None]) -> tuple[Sent[int], list[int]]:
    """What becomes of a hundred items sent to a server that answers so, and the sizes of the batches it got."""
    sizes: list[int] = []

    async def write(items: Sequence[int]) -> Sent[int]:
        sizes.append(len(items))
        answer(items)
        return Sent(accepted=list(items))

    async def no_pause(_seconds: float) -> None:
        """The waits are not what is tried here."""

    return asyncio.run(send(ITEMS, write, no_pause)), sizes


def breaks_down_over(*poison: int, status: int | None = 500) -> Callable[[Sequence[int]], None]:
    def answer(items: Sequence[int]) -> None:
        if set(poison) & set(items):
            raise UnknownOutcomeError("the server failed", status=status)

    return answer


def test_an_item_a_server_breaks_down_over_is_isolated():
    """Ninety-nine are written, one stays unknown, in two requests for each halving."""
    sent, sizes = sent_to(breaks_down_over(42))
    assert sent.lost == [42]
    assert sorted(sent.accepted) == [item for item in ITEMS if item != 42]
    assert len(sizes) <= 1 + len(REPEAT_PAUSES_SECONDS) + 2 * 7


def test_a_server_that_fails_on_everything_is_not_asked_about_each_item():
    """Both halves fail: it is an outage, and the batch is left alone."""
    sent, sizes = sent_to(breaks_down_over(*ITEMS))
    assert (sorted(sent.lost), sent.accepted) == (ITEMS, [])
    assert len(sizes) == 1 + len(REPEAT_PAUSES_SECONDS) + 2


@pytest.mark.parametrize("status", [None, 200])
def test_an_answer_that_never_came_is_no_reason_to_halve(status: int | None):
    """Time-outs and cut receipts say nothing about single items: the batch is looked for instead."""
    sent, sizes = sent_to(breaks_down_over(42, status=status))
    assert sent.lost == ITEMS
    assert sizes == [100] * (1 + len(REPEAT_PAUSES_SECONDS))


def test_a_refusal_met_while_isolating_is_bisected_and_stays_unknown():
    """One item breaks the server, another is refused: both are found, and both were in a request without an answer."""

    def answer(items: Sequence[int]) -> None:
        breaks_down_over(10)(items)
        if 90 in items:
            raise BatchRejectedError("VALIDATION_ERROR")

    sent, _ = sent_to(answer)
    assert (sorted(sent.lost), sent.rejected) == ([10, 90], [])
    assert len(sent.accepted) == 98


def test_a_refused_repeat_does_not_make_a_lost_write_a_rejected_one():
    """The repeat is refused over one item: the rest is written, that one has to be looked for."""
    requests: list[int] = []

    def answer(items: Sequence[int]) -> None:
        requests.append(len(items))
        if len(requests) == 1:
            raise UnknownOutcomeError("no answer came")
        if 42 in items:
            raise BatchRejectedError("CONFLICT")

    sent, _ = sent_to(answer)
    assert (sent.lost, sent.rejected) == ([42], [])
    assert sorted(sent.accepted) == [item for item in ITEMS if item != 42]


def test_a_refused_part_of_a_repeat_is_lost_and_not_rejected():
    """Refused in part, or left out of the answer: after a lost answer that says nothing of the request before."""
    requests: list[int] = []

    async def write(items: Sequence[int]) -> Sent[int]:
        requests.append(len(items))
        if len(requests) == 1:
            raise UnknownOutcomeError("no answer came")
        return Sent(accepted=[2, 3], rejected=[(0, "CONFLICT")], unaccounted=[1])

    async def no_pause(_seconds: float) -> None:
        """The waits are not what is tried here."""

    sent = asyncio.run(send(range(4), write, no_pause))
    assert (sorted(sent.lost), sent.rejected, sent.unaccounted, sent.accepted) == ([0, 1], [], [], [2, 3])


def test_a_batch_that_stays_locked_is_made_smaller():
    """What one batch of a hundred cannot get through, smaller ones can."""

    def answer(items: Sequence[int]) -> None:
        if len(items) > 30:
            raise TransientError("the records are locked", status=423)

    sent, sizes = sent_to(answer)
    assert sorted(sent.accepted) == ITEMS
    assert sizes == [100, 50, 25, 25, 50, 25, 25]


@pytest.mark.parametrize(("status", "most"), [(503, 1), (423, 0)])
def test_other_trouble_and_a_single_locked_record_end_the_batch(status: int, most: int):
    """Nothing smaller is left to try: nothing is written, and the error is handed on."""

    def answer(items: Sequence[int]) -> None:
        if len(items) > most:
            raise TransientError("not now", status=status)

    sent, _ = sent_to(answer)
    assert str(sent.ended_by) == "not now"
    assert sent == Sent(ended_by=sent.ended_by)


def test_a_locked_record_does_not_hide_what_was_accepted_before_it():
    """The halves that got through are told beside the error that ended the batch; nothing is sent after it."""

    def answer(items: Sequence[int]) -> None:
        if 60 in items:
            raise TransientError("the records are locked", status=423)

    sent, sizes = sent_to(answer)
    assert sent.accepted == ITEMS[:60]
    assert str(sent.ended_by) == "the records are locked"
    assert sizes[-1] == 1


def test_an_error_after_a_refusal_was_halved_keeps_the_half_that_was_accepted():
    """Whatever ends the second half, the first one was written."""

    def answer(items: Sequence[int]) -> None:
        if len(items) == len(ITEMS):
            raise BatchRejectedError("VALIDATION_ERROR")
        if 99 in items:
            raise PermanentError("the token was revoked", status=401)

    sent, sizes = sent_to(answer)
    assert (sent.accepted, str(sent.ended_by)) == (ITEMS[:50], "the token was revoked")
    assert sizes == [100, 50, 50]


def test_a_lock_met_while_isolating_is_halved_and_keeps_what_was_accepted():
    """The server breaks down over the whole, one half is written, the other stays locked down to one record."""

    def answer(items: Sequence[int]) -> None:
        if len(items) == len(ITEMS):
            raise UnknownOutcomeError("the server failed", status=500)
        if 75 in items:
            raise TransientError("the records are locked", status=423)

    sent, sizes = sent_to(answer)
    assert (sent.accepted, sent.lost) == (ITEMS[:75], ITEMS[75:])
    assert str(sent.ended_by) == "the records are locked"
    assert sizes[:5] == [100, 100, 100, 50, 50]


def test_after_an_error_while_isolating_all_items_are_looked_for():
    """They were sent with the whole, whose answer was lost: they may be there, and are not sent again."""

    def answer(items: Sequence[int]) -> None:
        if len(items) == len(ITEMS):
            raise UnknownOutcomeError("the server failed", status=500)
        raise TransientError("quota", status=429)

    sent, sizes = sent_to(answer)
    assert (sent.lost, str(sent.ended_by)) == (ITEMS, "quota")
    assert sizes == [100, 100, 100, 50]
