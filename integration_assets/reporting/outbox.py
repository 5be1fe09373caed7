"""Summaries that Slack has not confirmed: kept in the staging store, and posted once by a later run.

Where the registry is in PostgreSQL they go from there into the alerts that machines share, and wait in those
(`shared_outbox`): any machine posts them. Their rules are the same in both places.

A message is on record before it is sent. What certainly did not arrive waits for the next run. What may have arrived
(no answer in time) is repeated once, marked as such and with the same run id. What was being sent when its run died is
not repeated: two messages of success are worse than a missing one, and the next run says that it may be missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import duckdb
import msgspec

from integration_assets.reporting.slack_posting import DeliveryStatus, Posting

LATE_PER_RUN = 3
"""Late messages a run posts beside its own: an outage of days must not turn into a flood."""
KEPT = 50
"""Messages kept at most; the oldest are dropped."""


class OutboxMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message in the outbox. `blocks` are Slack's, `ended_at` is UTC; `uncertain`: it may have been posted before."""

    run_id: str
    text: str
    blocks: list[dict[str, Any]]
    ended_at: datetime
    state: Literal["waiting", "sending", "uncertain"] = "waiting"
    problem: str | None = None


class Delivery(msgspec.Struct):
    """Outcome of a delivery. `problem` says why the message of the run itself was not confirmed; `notes` the rest."""

    posted: bool = False
    problem: str | None = None
    notes: list[str] = msgspec.field(default_factory=list)


class Outbox(Protocol):
    """Place of messages that Slack has not confirmed. What each method does is on record when it returns."""

    def messages(self) -> list[OutboxMessage]:
        """All of them, oldest first."""
        ...

    def put(self, message: OutboxMessage) -> None:
        """Keep a message, which takes the place of an earlier one of the same run; the oldest beyond `KEPT` go."""
        ...

    def change(self, message: OutboxMessage) -> None:
        """Keep the state and the problem that a message has by now; one that is not there is not made."""
        ...

    def remove(self, run_id: str) -> None:
        """Forget the message of a run."""
        ...


@dataclass(frozen=True)
class StoreOutbox:
    """The outbox in a staging store; its methods work in the caller's transaction, if there is one.

    All raise `duckdb.Error` where the store fails.
    """

    connection: duckdb.DuckDBPyConnection

    def messages(self) -> list[OutboxMessage]:
        """As `Outbox.messages`."""
        rows = self.connection.execute(
            "SELECT run_id, text, blocks, ended_at, state, problem FROM sync.outbox ORDER BY ended_at, run_id"
        ).fetchall()
        return [
            OutboxMessage(
                run_id=run_id,
                text=text,
                blocks=msgspec.json.decode(blocks),
                # The store's times are UTC without saying so.
                ended_at=ended_at.replace(tzinfo=UTC),
                state=state,
                problem=problem,
            )
            for run_id, text, blocks, ended_at, state, problem in rows
        ]

    def put(self, message: OutboxMessage) -> None:
        """As `Outbox.put`."""
        self.remove(message.run_id)
        self.connection.execute(
            "INSERT INTO sync.outbox VALUES (?, ?, ?, ?::TIMESTAMP, ?, ?)",
            [
                message.run_id,
                message.text,
                msgspec.json.encode(message.blocks).decode(),
                message.ended_at,
                message.state,
                message.problem,
            ],
        )
        # By age, in the same transaction: a Slack that is never configured again must not fill the store.
        self.connection.execute(
            """
            DELETE FROM sync.outbox
            WHERE run_id IN (SELECT run_id FROM sync.outbox ORDER BY ended_at DESC, run_id OFFSET $kept)
            """,
            {"kept": KEPT},
        )

    def change(self, message: OutboxMessage) -> None:
        """As `Outbox.change`."""
        self.connection.execute(
            "UPDATE sync.outbox SET state = ?, problem = ? WHERE run_id = ?",
            [message.state, message.problem, message.run_id],
        )

    def remove(self, run_id: str) -> None:
        """As `Outbox.remove`."""
        self.connection.execute("DELETE FROM sync.outbox WHERE run_id = ?", [run_id])


def deliver(outbox: Outbox, post: Callable[[OutboxMessage], Posting], *, own: str | None) -> Delivery:
    """Post what waits, oldest first, the message of the run `own` last.

    Without a run, what may have arrived is left to the next one: it is repeated once, and not within an outage.
    `post` tries once and never raises. After the first message that does not get through, no other is tried.
    """
    # First: whoever holds the outbox now knows that their senders are dead.
    delivery = Delivery(notes=_abandoned(outbox, own or ""))
    waiting = [one for one in outbox.messages() if one.state != "sending"]
    late = [one for one in waiting if one.run_id != own][:LATE_PER_RUN]
    for message in [*late, *(one for one in waiting if one.run_id == own)]:
        # Changes are asked for every few minutes: within an outage it would repeat what is repeated once.
        if own is None and message.state == "uncertain":
            continue
        posting = _posted(outbox, message, post)
        mine = message.run_id == own
        if posting.delivery_status is DeliveryStatus.POSTED:
            delivery.posted = delivery.posted or mine
            if not mine:
                delivery.notes.append(f"posted the late summary of run {message.run_id}")
        # Own last: when this one fails the others before it have had their turn.
        elif mine:
            delivery.problem = posting.line
            break
        # Said where the message may be lost; one that simply waits is tried again without a word.
        elif posting.delivery_status is DeliveryStatus.UNPOSTABLE or message.state == "uncertain":
            delivery.notes.append(f"the late summary of run {message.run_id}: {posting.line}")
        if posting.delivery_status in (DeliveryStatus.NOT_POSTED, DeliveryStatus.UNCERTAIN):
            # The next one would fare no better, and would cost its time-out.
            delivery.problem = posting.line
            for unsent in outbox.messages():
                if unsent.run_id == own:
                    outbox.change(msgspec.structs.replace(unsent, problem=posting.line))
            break
    return delivery


def _posted(outbox: Outbox, message: OutboxMessage, post: Callable[[OutboxMessage], Posting]) -> Posting:
    """One attempt, on record before it is made and after."""
    # On record before it leaves: a run that dies while sending cannot say afterwards what it sent.
    outbox.change(msgspec.structs.replace(message, state="sending"))
    posting = post(message)
    # Repeated once and again without an answer: a third message would be a nuisance, whichever of them arrived.
    repeated_in_vain = posting.delivery_status is DeliveryStatus.UNCERTAIN and message.state == "uncertain"
    if posting.delivery_status in (DeliveryStatus.POSTED, DeliveryStatus.UNPOSTABLE) or repeated_in_vain:
        outbox.remove(message.run_id)
    else:
        # A clear refusal leaves it as it was: one that may have arrived before may still have.
        state = "uncertain" if posting.delivery_status is DeliveryStatus.UNCERTAIN else message.state
        outbox.change(msgspec.structs.replace(message, state=state, problem=posting.line))
    return posting


def _abandoned(outbox: Outbox, own: str) -> list[str]:
    """Forget messages whose run died while sending them; return a line about each."""
    lost = sorted(one.run_id for one in outbox.messages() if one.state == "sending" and one.run_id != own)
    for run_id in lost:
        outbox.remove(run_id)
    return [
        f"the summary of run {run_id} may not have reached Slack: the run died while sending it, it is not repeated"
        for run_id in lost
    ]
