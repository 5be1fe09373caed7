"""Checkpoint of a whole read of votes: kept in the store, for the run after one that was killed.

A cursor of the source says where its list goes on, newest first. What was kept, what comes behind the cursor, and what
is new at the head since then are the whole list; votes that were taken back meanwhile show by the scores, as always.
Going on is for a run that follows soon: whatever is older than an hour is read again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta

import duckdb
import msgspec

from integration_assets.models import Page, Vote

KEPT_FOR = timedelta(hours=1)
"""Pages older than that are not believed any more, nor is their cursor."""
PAGES_PER_PART = 20
"""Pages kept at once: each time costs a flush of the store's file, and a death costs what was read since."""

_decoder = msgspec.json.Decoder(list[Page[Vote]])


class VoteCheckpoint:
    """Pages of one whole read of votes. `cursor` is where to go on, None to begin; `kept` how many parts there are."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, credential: str, now: datetime) -> None:
        self._connection = connection
        self._credential = credential
        self._now = now
        self._waiting: list[Page[Vote]] = []
        # Of this credential alone: another one may see other votes, and other feedback systems keep theirs here too.
        rows = connection.execute(
            "SELECT part, cursor, read_at FROM raw.vote_pages WHERE credential = ? ORDER BY part DESC LIMIT 1",
            [credential],
        ).fetchall()
        self.kept, self.cursor = 0, None
        # By the newest part: its cursor is the one to go on from.
        if rows and now.replace(tzinfo=None) - rows[0][2] < KEPT_FOR:
            self.kept, self.cursor = rows[0][0], rows[0][1]
        elif rows:
            forget_vote_pages(connection, credential)

    def pages(self) -> Iterator[Page[Vote]]:
        """The pages that were kept, in the order they were read."""
        for part in range(1, self.kept + 1):
            [(packed,)] = self._connection.execute(
                "SELECT pages FROM raw.vote_pages WHERE part = ? AND credential = ?", [part, self._credential]
            ).fetchall()
            yield from _decoder.decode(zlib.decompress(packed))

    def keep(self, page: Page[Vote], now: datetime) -> None:
        """Keep a page, together with some before it. The last pages of a list are not kept: the list is at its end."""
        self._waiting.append(page)
        # Without a cursor nothing could go on from here.
        if len(self._waiting) < PAGES_PER_PART or page.cursor is None:
            return
        self.kept += 1
        # The fastest level: pages shrink to a fraction even so, and the read must not wait for it.
        packed = zlib.compress(msgspec.json.encode(self._waiting), level=1)
        self._connection.execute(
            "INSERT INTO raw.vote_pages VALUES (?, ?, ?, ?, ?)",
            [self.kept, self._credential, now.replace(tzinfo=None), page.cursor, packed],
        )
        self._waiting.clear()


def forget_vote_pages(connection: duckdb.DuckDBPyConnection, credential: str | None = None) -> None:
    """Drop what was kept, or what one credential read: the votes are in their table, or are to be read anew."""
    connection.execute("DELETE FROM raw.vote_pages WHERE ? IS NULL OR credential = ?", [credential, credential])
