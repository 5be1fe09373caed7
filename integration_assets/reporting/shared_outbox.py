"""The outbox of runs in the alerts that machines share: what one machine could not post, any other one posts.

A message begins in the staging store, in the transaction that records the end of its run, and is handed over from
there. `Alerts.ended` remembers whose message was: killed in between, nothing is handed over twice.
"""

from __future__ import annotations

from collections.abc import Callable

from integration_assets.reporting.alerts import Alerts, HeldAlerts, note_end
from integration_assets.reporting.outbox import KEPT, OutboxMessage, StoreOutbox


class SharedOutbox:
    """The outbox while the alerts are held.

    `settle` changes the alerts once the fate of the message of the run `own` is known, in the same write: so that a run
    that dies while sending leaves neither without the other.
    """

    def __init__(
        self, held: HeldAlerts, own: str | None = None, settle: Callable[[Alerts], None] = lambda _alerts: None
    ) -> None:
        self._held = held
        self._own = own
        self._settle = settle

    def messages(self) -> list[OutboxMessage]:
        """As `Outbox.messages`."""
        return sorted(self._held.alerts.summaries, key=lambda one: (one.ended_at, one.run_id))

    def put(self, message: OutboxMessage) -> None:
        """As `Outbox.put`."""
        put_summary(self._held.alerts, message)
        self._held.keep()

    def change(self, message: OutboxMessage) -> None:
        """As `Outbox.change`."""
        alerts = self._held.alerts
        alerts.summaries = [message if one.run_id == message.run_id else one for one in alerts.summaries]
        if message.run_id == self._own and message.state != "sending":
            self._settle(alerts)
        self._held.keep()

    def remove(self, run_id: str) -> None:
        """As `Outbox.remove`."""
        alerts = self._held.alerts
        alerts.summaries = [one for one in alerts.summaries if one.run_id != run_id]
        if run_id == self._own:
            self._settle(alerts)
        self._held.keep()


def put_summary(alerts: Alerts, message: OutboxMessage) -> None:
    """Let the message of a run wait, in the place of an earlier one of the same run; the oldest beyond `KEPT` go."""
    others = [one for one in alerts.summaries if one.run_id != message.run_id]
    alerts.summaries = sorted([*others, message], key=lambda one: (one.ended_at, one.run_id))[-KEPT:]


def hand_over(store: StoreOutbox, held: HeldAlerts, own: str | None = None) -> None:
    """Move the messages of a staging store into the alerts that machines share. The run `own` has just put its own.

    Raises:
        duckdb.Error: the store fails.
        CoordinationError: PostgreSQL went away.
    """
    messages = store.messages()
    for message in messages:
        # It was handed over by a run that died before it could take it out here: it may be posted by now.
        if message.run_id == own or message.run_id not in held.alerts.ended:
            put_summary(held.alerts, message)
            note_end(held.alerts, message.run_id)
    if messages:
        held.keep()
    # There before they are gone here: a message must not be lost on its way.
    for message in messages:
        store.remove(message.run_id)
