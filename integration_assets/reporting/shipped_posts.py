"""Messages to owners of companies when a request ships: which of their companies asked. Never an address.

Each owner is told once. What shipped before somebody asked for these posts is known, and told to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import duckdb
import msgspec

from integration_assets.reporting.slack import ShippedLine, shipped_blocks
from integration_assets.reporting.slack_posting import DeliveryStatus, Posting
from integration_assets.reporting.text import count
from integration_assets.sql import read_sql
from integration_assets.staging.transactions import transaction

OWNERS_PER_RUN = 10
"""Owners who are told by one run: Slack takes one message a second. The others have their turn with the next."""


class OwnerPost(msgspec.Struct, frozen=True):
    """A message to one owner; "" is nobody's. `request_ids` are those it is about."""

    owner: str
    request_ids: tuple[str, ...]
    text: str
    blocks: list[dict[str, Any]]


Post = Callable[[OwnerPost], Posting]


def stop_watching(connection: duckdb.DuckDBPyConnection) -> None:
    """Forget what was told: whoever asks for the posts again begins with what ships from then on."""
    # Looked at first: nothing is written into a store where nobody ever asked for the posts.
    if connection.execute("SELECT 1 FROM sync.shipped_posts LIMIT 1").fetchall():
        connection.execute("DELETE FROM sync.shipped_posts")


def watch_shipped(connection: duckdb.DuckDBPyConnection, now: datetime) -> None:
    """Note what shipped since the last ranking, to be told; the first time, that all that has shipped is known.

    `now` is UTC without zone.
    """
    with transaction(connection):
        news = connection.execute(read_sql("reporting/shipped_news")).fetchall()
        [(watched,)] = connection.execute("SELECT count(*) FROM sync.shipped_posts").fetchall()
        rows = [[one, owner, "waiting" if watched else "known", now] for one, owner, is_new in news if is_new]
        # Their companies have another owner by now, who hears of it instead.
        if replaced := [[one, owner] for one, owner, is_new in news if not is_new]:
            connection.executemany("DELETE FROM sync.shipped_posts WHERE request_id = ? AND owner = ?", replaced)
        # The mark that shipping is watched, even where nothing has shipped so far.
        rows += [] if watched else [["", "", "known", now]]
        if rows:
            connection.executemany("INSERT INTO sync.shipped_posts VALUES (?, ?, ?, ?)", rows)


def tell_owners(connection: duckdb.DuckDBPyConnection, post: Post) -> list[str]:
    """Post what waits, a message for each owner; returns lines for people about what was not posted.

    Noted as told before it is sent, since two messages are worse than a missing one: what certainly did not arrive
    waits again. After the first message that does not get through, no other is tried.
    """
    waiting = owner_posts(connection)
    for done, one in enumerate(waiting[:OWNERS_PER_RUN]):
        _set_state(connection, one, "told")
        posting = post(one)
        if posting.delivery_status is DeliveryStatus.POSTED:
            continue
        if posting.delivery_status is DeliveryStatus.NOT_POSTED:
            _set_state(connection, one, "waiting")
        left = count(len(waiting) - done, "owner")
        return [f"what shipped was not told to {left} of companies that asked: {posting.line}"]
    more = len(waiting) - OWNERS_PER_RUN
    return [f"what shipped is told to {count(more, 'more owner')} by the next run"] if more > 0 else []


def owner_posts(connection: duckdb.DuckDBPyConnection) -> list[OwnerPost]:
    """The messages that wait, by owner; that of companies without one comes last."""
    rows = connection.execute(read_sql("reporting/shipped_waiting")).fetchall()
    return [_post_of(owner, list(group)) for owner, group in groupby(rows, key=lambda row: str(row[0]))]


def _post_of(owner: str, rows: Sequence[tuple[Any, ...]]) -> OwnerPost:
    lines = [ShippedLine(title, tuple(names), voters) for _, _, title, names, voters in rows]
    text, blocks = shipped_blocks(owner, lines)
    return OwnerPost(owner, tuple(row[1] for row in rows), text, blocks)


def _set_state(connection: duckdb.DuckDBPyConnection, one: OwnerPost, state: str) -> None:
    connection.execute(
        "UPDATE sync.shipped_posts SET state = ? WHERE owner = ? AND list_contains(?::VARCHAR[], request_id)",
        [state, one.owner, list(one.request_ids)],
    )
