"""Which summaries are posted later, in which order, how often, and what is said of those that are not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from integration_assets.reporting.outbox import KEPT, LATE_PER_RUN, OutboxMessage, StoreOutbox, deliver
from integration_assets.reporting.slack_posting import DeliveryStatus, Posting

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def message(number: int) -> OutboxMessage:
    return OutboxMessage(
        run_id=f"run{number:03}", text="t", blocks=[{"type": "divider"}], ended_at=BEGIN + timedelta(hours=number)
    )


def answering(*fates: DeliveryStatus, seen: list[str]) -> Callable[[OutboxMessage], Posting]:
    """Slack that answers one fate after the other, the last one for ever."""
    left = list(fates)

    def post(one: OutboxMessage) -> Posting:
        seen.append(one.run_id)
        delivery_status = left.pop(0) if len(left) > 1 else left[0]
        return Posting(
            delivery_status, None if delivery_status is DeliveryStatus.POSTED else f"Slack: {delivery_status.value}"
        )

    return post


def states(store: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(store.execute("SELECT run_id, state FROM sync.outbox ORDER BY run_id").fetchall())


def test_own_message_is_posted_and_forgotten(empty_store: duckdb.DuckDBPyConnection) -> None:
    """A message that arrived is no longer in the outbox, and is not posted again."""
    seen: list[str] = []
    StoreOutbox(empty_store).put(message(1))
    delivery = deliver(StoreOutbox(empty_store), answering(DeliveryStatus.POSTED, seen=seen), own="run001")
    assert (delivery.posted, delivery.problem, delivery.notes) == (True, None, [])
    deliver(StoreOutbox(empty_store), answering(DeliveryStatus.POSTED, seen=seen), own="run002")
    assert seen == ["run001"]


def test_late_ones_go_first_oldest_first_and_a_few_at_a_time(empty_store: duckdb.DuckDBPyConnection) -> None:
    """A run posts the oldest waiting messages before its own, and no more than a few of them."""
    seen: list[str] = []
    for number in (3, 1, 2, 5, 4, 6):
        StoreOutbox(empty_store).put(message(number))
    delivery = deliver(StoreOutbox(empty_store), answering(DeliveryStatus.POSTED, seen=seen), own="run006")
    assert seen == ["run001", "run002", "run003", "run006"]
    assert len(delivery.notes) == LATE_PER_RUN
    assert list(states(empty_store)) == ["run004", "run005"]


@pytest.mark.parametrize("delivery_status", [DeliveryStatus.NOT_POSTED, DeliveryStatus.UNCERTAIN])
def test_after_a_failure_no_other_is_tried(
    empty_store: duckdb.DuckDBPyConnection, delivery_status: DeliveryStatus
) -> None:
    """When a late message does not get through, the run's own is kept without another time-out."""
    seen: list[str] = []
    StoreOutbox(empty_store).put(message(1))
    StoreOutbox(empty_store).put(message(2))
    delivery = deliver(StoreOutbox(empty_store), answering(delivery_status, seen=seen), own="run002")
    assert seen == ["run001"]
    assert (delivery.posted, delivery.problem) == (False, f"Slack: {delivery_status.value}")
    assert states(empty_store) == {
        "run001": "uncertain" if delivery_status is DeliveryStatus.UNCERTAIN else "waiting",
        "run002": "waiting",
    }


def test_what_slack_will_never_take_is_dropped_with_a_note(empty_store: duckdb.DuckDBPyConnection) -> None:
    """A message refused for its content does not stand in the way of the others."""
    seen: list[str] = []
    StoreOutbox(empty_store).put(message(1))
    StoreOutbox(empty_store).put(message(2))
    delivery = deliver(
        StoreOutbox(empty_store), answering(DeliveryStatus.UNPOSTABLE, DeliveryStatus.POSTED, seen=seen), own="run002"
    )
    assert seen == ["run001", "run002"]
    assert delivery.posted
    assert delivery.notes == ["the late summary of run run001: Slack: unpostable"]
    assert states(empty_store) == {}


def test_without_an_answer_it_is_repeated_once(empty_store: duckdb.DuckDBPyConnection) -> None:
    """A message without a clear answer is tried once more, and then given up, whatever comes of it."""
    seen: list[str] = []
    StoreOutbox(empty_store).put(message(1))
    for own in ("run001", "run002", "run003"):
        delivery = deliver(StoreOutbox(empty_store), answering(DeliveryStatus.UNCERTAIN, seen=seen), own=own)
        if own == "run002":
            assert delivery.notes == ["the late summary of run run001: Slack: uncertain"]
    assert seen == ["run001", "run001"]
    assert states(empty_store) == {}


def test_a_repeat_that_certainly_failed_may_be_repeated(empty_store: duckdb.DuckDBPyConnection) -> None:
    """A repeat that cannot have been seen does not count as the one repeat."""
    seen: list[str] = []
    StoreOutbox(empty_store).put(message(1))
    for delivery_status in (DeliveryStatus.UNCERTAIN, DeliveryStatus.NOT_POSTED, DeliveryStatus.POSTED):
        deliver(StoreOutbox(empty_store), answering(delivery_status, seen=seen), own="run009")
    assert seen == ["run001"] * 3
    assert states(empty_store) == {}


def test_what_was_being_sent_when_its_run_died_is_named_not_repeated(empty_store: duckdb.DuckDBPyConnection) -> None:
    """A message on record as being sent is forgotten with a note: it may have arrived."""

    def dying(_: OutboxMessage) -> Posting:
        raise KeyboardInterrupt

    StoreOutbox(empty_store).put(message(1))
    with pytest.raises(KeyboardInterrupt):
        deliver(StoreOutbox(empty_store), dying, own="run001")
    assert states(empty_store) == {"run001": "sending"}
    seen: list[str] = []
    delivery = deliver(StoreOutbox(empty_store), answering(DeliveryStatus.POSTED, seen=seen), own="run002")
    assert seen == []
    assert delivery.notes == [
        "the summary of run run001 may not have reached Slack: the run died while sending it, it is not repeated"
    ]
    assert states(empty_store) == {}


def test_the_outbox_does_not_grow_for_ever(empty_store: duckdb.DuckDBPyConnection) -> None:
    """Beyond its size the oldest messages are dropped."""
    for number in range(KEPT + 2):
        StoreOutbox(empty_store).put(message(number))
    assert len(states(empty_store)) == KEPT
    assert min(states(empty_store)) == "run002"


def test_between_runs_only_what_certainly_did_not_arrive_goes_out(empty_store: duckdb.DuckDBPyConnection) -> None:
    """A message that may have been posted is repeated once, by a run; that once is not spent within an outage."""
    seen: list[str] = []
    StoreOutbox(empty_store).put(message(1))
    deliver(StoreOutbox(empty_store), answering(DeliveryStatus.UNCERTAIN, seen=seen), own="run001")
    StoreOutbox(empty_store).put(message(2))
    delivery = deliver(StoreOutbox(empty_store), answering(DeliveryStatus.POSTED, seen=seen), own=None)
    assert seen == ["run001", "run002"]
    assert delivery.notes == ["posted the late summary of run run002"]
    assert states(empty_store) == {"run001": "uncertain"}
