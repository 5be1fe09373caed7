"""Send one batch of writes so that every item ends in a known state, and what got through is known despite an error.

A refused batch is halved until each bad item is alone: at most 2·log2(n) + 2 requests per bad item. A lost answer is
repeated: the key, or the label set, makes a repeat harmless. A batch the server breaks down over, time and again, is
halved as well, as long as one half gets through; so is one whose records stay locked however long it waits.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Literal, TypeVar

import msgspec

from integration_assets.connectors.crm.base import (
    BatchRejectedError,
    Crm,
    PairWrite,
    RecordWrite,
    UnknownOutcomeError,
)
from integration_assets.errors import IntegrationError
from integration_assets.models import ObjectDefinition

log = logging.getLogger(__name__)

T = TypeVar("T")

REPEAT_PAUSES_SECONDS = (1.0, 5.0)
"""Waits before a batch whose answer was lost is sent again."""

SERVER_ERROR = 500
"""HTTP statuses from here on say that the server failed, not that the request was wrong."""

LOCKED = 423
"""Some records of the batch are being written by somebody else. The client has waited and repeated it already."""

Pause = Callable[[float], Awaitable[None]]


class Sent(msgspec.Struct, Generic[T]):
    """Items by what became of them: said to be written, refused with a reason, not in the answer, without an answer.

    `ended_by` is the error that ended the batch before all of it was sent: the items in no list were not written as far
    as is known. Whoever records the others raises it afterwards.
    """

    accepted: list[T] = msgspec.field(default_factory=list)
    rejected: list[tuple[T, str]] = msgspec.field(default_factory=list)
    unaccounted: list[T] = msgspec.field(default_factory=list)
    lost: list[T] = msgspec.field(default_factory=list)
    ended_by: IntegrationError | None = None

    def add(self, other: Sent[T]) -> None:
        """Take over what another part of the batch came to."""
        self.accepted += other.accepted
        self.rejected += other.rejected
        self.unaccounted += other.unaccounted
        self.lost += other.lost
        self.ended_by = self.ended_by or other.ended_by

    def raise_what_ended_it(self) -> None:
        """Raise the error that ended the batch early, if one did."""
        if self.ended_by is not None:
            raise self.ended_by


Write = Callable[[Sequence[T]], Awaitable[Sent[T]]]


async def send(items: Sequence[T], write: Write[T], pause: Pause) -> Sent[T]:
    """Write `items` in as few requests as it takes. Errors on purpose are told in the result, none is raised.

    An item of a request without an answer stays `lost` unless a later request is said to have written it: what refuses
    a repeat, or leaves it out, says nothing of the request before.
    """
    unanswered: set[int] = set()

    async def noting(batch: Sequence[T]) -> Sent[T]:
        try:
            return await write(batch)
        except UnknownOutcomeError:
            # by identity: items need be neither hashable nor different from each other
            unanswered.update(map(id, batch))
            raise

    sent = await _send(items, noting, pause)
    unanswered -= {id(item) for item in sent.accepted}
    sent.lost = [item for item in items if id(item) in unanswered]
    sent.unaccounted = [item for item in sent.unaccounted if id(item) not in unanswered]
    sent.rejected = [(item, reason) for item, reason in sent.rejected if id(item) not in unanswered]
    return sent


async def _send(items: Sequence[T], write: Write[T], pause: Pause) -> Sent[T]:
    """Send `items`; those without an answer are in no list of what comes back."""
    if not items:
        return Sent()
    try:
        return await _repeating(items, write, pause)
    except IntegrationError as error:
        return await _despite(error, items, write, pause)


async def _despite(error: IntegrationError, items: Sequence[T], write: Write[T], pause: Pause) -> Sent[T]:
    """Write what can be written of a batch that met this error."""
    if isinstance(error, UnknownOutcomeError):
        return await _isolating(items, write, pause, error)
    if isinstance(error, BatchRejectedError):
        # alone, so that the reason is its own and not that of another item
        if len(items) == 1:
            return Sent(rejected=[(items[0], error.reason)])
    # a lock may be on one record of many; any other failure is of the server, and halves would fare no better
    elif error.status != LOCKED or len(items) == 1:
        return Sent(ended_by=error)
    middle = len(items) // 2
    log.info("a batch of %d writes is halved to find what is refused", len(items), extra={"writes": len(items)})
    sent = await _send(items[:middle], write, pause)
    if sent.ended_by is None:
        sent.add(await _send(items[middle:], write, pause))
    return sent


async def _repeating(items: Sequence[T], write: Write[T], pause: Pause) -> Sent[T]:
    for seconds in REPEAT_PAUSES_SECONDS:
        try:
            return await write(items)
        except UnknownOutcomeError as error:
            log.info(
                "the answer to %d writes was lost; sending them again after %.1f s",
                len(items),
                seconds,
                extra={"writes": len(items), "status": error.status, "wait_seconds": seconds},
            )
            await pause(seconds)
    # the last attempt lets its error out
    return await write(items)


async def _isolating(items: Sequence[T], write: Write[T], pause: Pause, error: UnknownOutcomeError) -> Sent[T]:
    """Find the item a server breaks down over; nothing is to be found where both halves fail, or no answer came."""
    sent: Sent[T] = Sent()
    # no answer at all says nothing about an item: only a server that answered with a failure may choke on one
    if len(items) == 1 or error.status is None or error.status < SERVER_ERROR:
        return sent
    middle, failed = len(items) // 2, []
    log.info(
        "a batch of %d writes is halved: the server answers it with %d",
        len(items),
        error.status,
        extra={"writes": len(items), "status": error.status},
    )
    for half in (items[:middle], items[middle:]):
        # the rest went out with the whole, and may have arrived: reading back will tell
        if sent.ended_by is not None:
            return sent
        try:
            # once each: the whole was repeated already
            sent.add(await write(half))
        except UnknownOutcomeError as again:
            failed.append((half, again))
        except IntegrationError as other:
            sent.add(await _despite(other, half, write, pause))
    # one half got through, so the server works and an item of the other is at fault; where both failed it is rather the
    # server, and reading back will tell
    if len(failed) == 1 and sent.ended_by is None:
        sent.add(await _isolating(failed[0][0], write, pause, failed[0][1]))
    return sent


def record_writer(crm: Crm, definition: ObjectDefinition) -> Write[RecordWrite]:
    """Return the function that sends records."""

    async def write(writes: Sequence[RecordWrite]) -> Sent[RecordWrite]:
        outcome = await crm.upsert(definition, writes)
        written = {record.key for record in outcome.written}
        reasons = {record.key: record.reason for record in outcome.rejected}
        sent: Sent[RecordWrite] = Sent()
        for item in writes:  # by key, never by position
            if item.key in reasons:
                sent.rejected.append((item, reasons[item.key]))
            elif item.key in written:
                sent.accepted.append(item)
            else:
                sent.unaccounted.append(item)
        return sent

    return write


PairKind = Literal["link", "unlink", "unlink whole"]
"""Kind of write on pairs: labels are set, labels are taken off, or every association ends."""


def pair_writer(crm: Crm, definition: ObjectDefinition, kind: PairKind) -> Write[PairWrite]:
    """Return the function that sends pairs."""
    call = {"link": crm.link, "unlink": crm.unlink, "unlink whole": crm.unlink_whole}[kind]

    async def write(pairs: Sequence[PairWrite]) -> Sent[PairWrite]:
        outcome = await call(definition, pairs)
        written = {pair_id(pair) for pair in outcome.written}
        reasons = {pair_id(pair): reason for pair, reason in outcome.rejected}
        sent: Sent[PairWrite] = Sent()
        for item in pairs:
            if pair_id(item) in reasons:
                sent.rejected.append((item, reasons[pair_id(item)]))
            elif pair_id(item) in written:
                sent.accepted.append(item)
            else:
                sent.unaccounted.append(item)
        return sent

    return write


def pair_id(pair: PairWrite) -> tuple[str, str]:
    """Identity of a pair within a batch of one target."""
    return pair.record_id, pair.target_id
