"""Moves in the ranking: two snapshots of its history, compared.

`ranked.rank_history` has one snapshot a day. A request that is only in the newer one is new, one that is only in the
older one is gone: left out of the scope, deleted, or merged into another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import duckdb
import msgspec

from integration_assets.errors import ConfigurationError
from integration_assets.sql import read_sql

HistoryOrder = Literal["arr", "companies"]
"""The rankings whose history is kept."""
Kind = Literal["up", "down", "new", "gone"]

_AGO = re.compile(r"(\d{1,5})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


class RankPosition(msgspec.Struct, frozen=True):
    """A request in a snapshot. `title` and `status` are None when the request is gone by now."""

    request_id: str
    title: str | None
    by_arr: int
    by_companies: int
    companies: int
    arr: Decimal
    status: str | None = None


class Move(msgspec.Struct, frozen=True):
    """Move of one request. `before` is None for a new one, `now` for one that is gone; ARR and companies likewise.

    `status` is the one it has now, None when the request is gone.

    `companies_without_rate`: of its companies now, those whose ARR is in no sum because its currency has no rate.
    """

    kind: Kind
    request_id: str
    title: str | None
    before: int | None
    now: int | None
    arr_before: Decimal | None
    arr_now: Decimal | None
    companies_before: int | None
    companies_now: int | None
    companies_without_rate: int = 0
    status: str | None = None

    @property
    def change(self) -> int:
        """Places won, lost when below zero; 0 for new and gone ones."""
        return self.before - self.now if self.before is not None and self.now is not None else 0


class Moved(msgspec.Struct, frozen=True):
    """The largest moves between two snapshots, of `found` in all. `later`: the older one is younger than asked for."""

    before: datetime
    now: datetime
    moves: list[Move]
    found: int
    later: bool = False


def parse_since(text: str, now: datetime) -> datetime:
    """The moment `7d`, `12h`, `2w`, a date (its beginning, UTC) or an ISO time means, as UTC without zone.

    Raises:
        ConfigurationError: it is none of these.
    """
    try:
        if ago := _AGO.fullmatch(text.strip()):
            moment = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            moment = datetime.fromisoformat(text.strip())
        # The store's times have no zone and are UTC: a time with one would not compare with them.
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    # Year 1 and what is long ago leave the calendar on the way.
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{text!r} is no moment: say a date (2026-03-01) or how long ago (7d, 12h, 2w)"
        ) from None


def compare(before: Sequence[RankPosition], now: Sequence[RankPosition], by: HistoryOrder = "arr") -> list[Move]:
    """List changes of rank: movers by how far, then the new ones from the top, then those that are gone."""
    old, new = ({position.request_id: position for position in places} for places in (before, now))
    # A union that keeps the order of the snapshots: a set would give another one in every run.
    moves = [_move(old.get(key), new.get(key), by) for key in {**old, **new}]
    changed = [move for move in moves if move is not None]
    order = {"up": 0, "down": 0, "new": 1, "gone": 2}
    # By distance first and by place then, so that the order is the same in every run.
    return sorted(changed, key=lambda move: (order[move.kind], -abs(move.change), move.now or move.before or 0))


def _move(old: RankPosition | None, new: RankPosition | None, by: HistoryOrder) -> Move | None:
    before, now = (_place(position, by) for position in (old, new))
    # Another title or ARR without another place is no move.
    if before == now:
        return None
    # Of a request that is gone only the older place is there.
    latest = new or old
    kind: Kind = "up"
    if before is None or now is None:
        # Before the comparison, which needs both places.
        kind = "new" if before is None else "gone"
    elif now > before:
        kind = "down"
    return Move(
        kind,
        latest.request_id if latest else "",
        latest.title if latest else None,
        before,
        now,
        old.arr if old else None,
        new.arr if new else None,
        old.companies if old else None,
        new.companies if new else None,
        status=latest.status if latest else None,
    )


def _place(position: RankPosition | None, by: HistoryOrder) -> int | None:
    if position is None:
        return None
    return position.by_arr if by == "arr" else position.by_companies


def read_moves(
    connection: duckdb.DuckDBPyConnection,
    since: datetime | None = None,
    by: HistoryOrder = "arr",
    *,
    most: int = 20,
    everything: bool = False,
) -> Moved | None:
    """The `most` largest moves between the snapshot that was the newest at `since` (UTC without zone) and the last one.

    Of open requests and those that are gone; `everything`: of shipped and closed ones as well.

    Without `since`, the last two snapshots are compared. When none is as old as `since`, the oldest stands in, and
    `later` says so. None while there are not two snapshots to compare.
    """
    [(ranked_at,)] = connection.execute("SELECT max(as_of) FROM ranked.feature_requests").fetchall()
    kept = [as_of for (as_of,) in connection.execute(read_sql("reporting/snapshots")).fetchall()]
    # Not what a clock that was ahead has noted: for years it would be the newest.
    snapshots = [as_of for as_of in kept if ranked_at is None or as_of <= ranked_at]
    # On the first day there is nothing to compare with, which is no error.
    if len(snapshots) < 2:
        return None
    *earlier, now = snapshots
    old_enough = [as_of for as_of in earlier if since is not None and as_of <= since]
    # The oldest stands in where none is old enough, and `later` says so: an answer is better than none.
    before = earlier[-1] if since is None else old_enough[-1] if old_enough else earlier[0]
    values = {"before": before, "latest": now, "by": by, "most": most, "everything": everything}
    rows = connection.execute(read_sql("reporting/moved_requests"), values).fetchall()
    lacking = {row[0]: row[-2] for row in rows}
    moves = [
        msgspec.structs.replace(one, companies_without_rate=lacking[one.request_id])
        for one in compare(_places(rows, 2), _places(rows, 6), by)
    ]
    return Moved(before, now, moves, found=rows[0][-1] if rows else 0, later=since is not None and not old_enough)


def _places(rows: Sequence[tuple[Any, ...]], first: int) -> list[RankPosition]:
    """The places of one snapshot, whose four columns begin at `first`; requests that are not in it left out."""
    # The status follows the places of both snapshots.
    places = [(*row[:2], *row[first : first + 4], row[10]) for row in rows if row[first] is not None]
    return [RankPosition(*place) for place in places]
