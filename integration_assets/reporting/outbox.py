"""Summaries that Slack has not confirmed: kept in the staging store, and posted once by a later run.

A message is on record before it is sent. What certainly did not arrive waits for the next run. What may have arrived
(no answer in time) is repeated once, marked as such and with the same run id. What was being sent when its run died is
not repeated: two messages of success are worse than a missing one, and the next run says that it may be missing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

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


def put(connection: duckdb.DuckDBPyConnection, message: OutboxMessage) -> None:
    """Keep a message, in the caller's transaction; it takes the place of an earlier one of the same run."""
    connection.execute("DELETE FROM sync.outbox WHERE run_id = ?", [message.run_id])
    connection.execute(
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
    connection.execute(
        """
        DELETE FROM sync.outbox
        WHERE run_id IN (SELECT run_id FROM sync.outbox ORDER BY ended_at DESC, run_id OFFSET $kept)
        """,
        {"kept": KEPT},
    )


def deliver(
    connection: duckdb.DuckDBPyConnection, post: Callable[[OutboxMessage], Posting], *, own: str | None
) -> Delivery:
    """Post what waits, oldest first, the message of the run `own` last.

    Without a run, what may have arrived is left to the next one: it is repeated once, and not within an outage.
    `post` tries once and never raises. After the first message that does not get through, no other is tried.
    """
    # First: whoever holds the store now knows that their runs are dead.
    delivery = Delivery(notes=_abandoned(connection, own or ""))
    for message in _waiting(connection, own or ""):
        # Changes are asked for every few minutes: within an outage it would repeat what is repeated once.
        if own is None and message.state == "uncertain":
            continue
        posting = _posted(connection, message, post)
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
            connection.execute("UPDATE sync.outbox SET problem = ? WHERE run_id = ?", [posting.line, own])
            break
    return delivery


def _waiting(connection: duckdb.DuckDBPyConnection, own: str) -> list[OutboxMessage]:
    rows = connection.execute(
        """
        SELECT run_id, text, blocks, ended_at, state, problem FROM sync.outbox
        WHERE state != 'sending'
        QUALIFY run_id = $own OR row_number() OVER (PARTITION BY run_id = $own ORDER BY ended_at, run_id) <= $late
        ORDER BY run_id = $own, ended_at, run_id
        """,
        {"own": own, "late": LATE_PER_RUN},
    ).fetchall()
    return [
        OutboxMessage(
            run_id=run_id,
            text=text,
            blocks=msgspec.json.decode(blocks),
            ended_at=ended_at,
            state=state,
            problem=problem,
        )
        for run_id, text, blocks, ended_at, state, problem in rows
    ]


def _posted(
    connection: duckdb.DuckDBPyConnection, message: OutboxMessage, post: Callable[[OutboxMessage], Posting]
) -> Posting:
    """One attempt, on record before it is made and after."""
    # On record before it leaves: a run that dies while sending cannot say afterwards what it sent.
    connection.execute("UPDATE sync.outbox SET state = 'sending' WHERE run_id = ?", [message.run_id])
    posting = post(message)
    # Repeated once and again without an answer: a third message would be a nuisance, whichever of them arrived.
    repeated_in_vain = posting.delivery_status is DeliveryStatus.UNCERTAIN and message.state == "uncertain"
    if posting.delivery_status in (DeliveryStatus.POSTED, DeliveryStatus.UNPOSTABLE) or repeated_in_vain:
        connection.execute("DELETE FROM sync.outbox WHERE run_id = ?", [message.run_id])
    else:
        # A clear refusal leaves it as it was: one that may have arrived before may still have.
        state = "uncertain" if posting.delivery_status is DeliveryStatus.UNCERTAIN else message.state
        connection.execute(
            "UPDATE sync.outbox SET state = ?, problem = ? WHERE run_id = ?", [state, posting.line, message.run_id]
        )
    return posting


def _abandoned(connection: duckdb.DuckDBPyConnection, own: str) -> list[str]:
    """Forget messages whose run died while sending them; return a line about each."""
    # Asked for first: DuckLake does not say what it deletes.
    rows = connection.execute(
        "SELECT run_id FROM sync.outbox WHERE state = 'sending' AND run_id != ?", [own]
    ).fetchall()
    connection.execute("DELETE FROM sync.outbox WHERE state = 'sending' AND run_id != ?", [own])
    return [
        f"the summary of run {run_id} may not have reached Slack: the run died while sending it, it is not repeated"
        for (run_id,) in sorted(rows)
    ]
