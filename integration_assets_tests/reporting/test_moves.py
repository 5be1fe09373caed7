"""What moved in the ranking since a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import duckdb
import pytest
from rich.console import Console

from integration_assets.errors import ConfigurationError
from integration_assets.reporting.moves import Move, RankPosition, compare, parse_since, read_moves
from integration_assets.reporting.terminal_moves import show_moves

at = datetime.fromisoformat
"""A moment as the store keeps it: UTC without zone."""
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def place(request_id: str, by_arr: int, by_companies: int = 1) -> RankPosition:
    return RankPosition(
        request_id, f"Title {request_id}", by_arr, by_companies, companies=by_arr, arr=Decimal(100 - by_arr)
    )


def test_movers_come_first_by_how_far_then_new_then_gone():
    """Whoever kept its place is not told of."""
    before = [place("same", 1), place("up", 9), place("down", 2), place("gone", 3)]
    now = [place("same", 1), place("up", 4), place("down", 3), place("new", 2)]
    moves = compare(before, now)
    assert [(one.request_id, one.kind, one.change) for one in moves] == [
        ("up", "up", 5),
        ("down", "down", -1),
        ("new", "new", 0),
        ("gone", "gone", 0),
    ]
    assert (moves[2].before, moves[2].now, moves[3].before, moves[3].now) == (None, 2, 3, None)
    assert (moves[0].arr_before, moves[0].arr_now) == (Decimal(91), Decimal(96))


def test_places_by_companies_are_compared_when_asked_for():
    """Each ranking has its own movers."""
    before, now = [place("a", 1, 5)], [place("a", 2, 5)]
    assert compare(before, now, "companies") == []
    assert [one.kind for one in compare(before, now)] == ["down"]


def test_nothing_moves_between_a_snapshot_and_itself():
    """Also between two empty ones."""
    places = [place("a", 1), place("b", 2)]
    assert compare(places, places) == []
    assert compare([], []) == []


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("7d", at("2026-03-03 12:00")),
        ("12h", at("2026-03-10")),
        ("2w", at("2026-02-24 12:00")),
        ("2026-03-01", at("2026-03-01")),
        (" 2026-03-01T10:00:00+02:00 ", at("2026-03-01 08:00")),
        ("2026-03-01T10:00:00Z", at("2026-03-01 10:00")),
    ],
)
def test_moments_as_people_say_them(text, means):
    """How long ago, a date, or a time with a zone."""
    assert parse_since(text, NOW) == means


@pytest.mark.parametrize("text", ["yesterday", "7", "7m", "-7d", "", "2026-13-01", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_moment_is_refused(text):
    """With the two forms that are."""
    with pytest.raises(ConfigurationError, match="7d"):
        parse_since(text, NOW)


@pytest.fixture
def history(store: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Snapshots of 1, 5 and 9 March: r1 climbs from 3 to 2 to 1; `old` is gone in the last."""
    store.execute("ALTER TABLE ranked.feature_requests ADD COLUMN as_of TIMESTAMP DEFAULT '2026-03-09'")
    store.execute("""
        CREATE TABLE ranked.rank_history AS
        SELECT as_of::TIMESTAMP AS as_of, request_id, by_arr AS rank_by_arr, 1 AS rank_by_companies,
            2::BIGINT AS companies, 10.5::DECIMAL(38, 2) AS arr
        FROM (VALUES
            ('2026-03-01', 'r1', 3), ('2026-03-01', 'r2', 2), ('2026-03-01', 'old', 1),
            ('2026-03-05', 'r1', 2), ('2026-03-05', 'r2', 3), ('2026-03-05', 'old', 1),
            ('2026-03-09', 'r1', 1), ('2026-03-09', 'r2', 2)
        ) AS t (as_of, request_id, by_arr)
    """)
    return store


@pytest.mark.parametrize(
    ("since", "compared_with", "later"),
    [
        (None, 5, False),
        (at("2026-03-06"), 5, False),
        (at("2026-03-05"), 5, False),
        (at("2026-03-04"), 1, False),
        (at("2026-02-01"), 1, True),
        (at("2026-04-01"), 5, False),
    ],
)
def test_the_snapshot_that_was_the_newest_then_is_compared(history, since, compared_with, later):
    """When none is as old, the oldest stands in and that is said; the newest is never compared with itself."""
    moved = read_moves(history, since)
    assert moved is not None
    assert (moved.before.day, moved.now.day, moved.later) == (compared_with, 9, later)


def test_a_snapshot_of_a_clock_that_was_ahead_is_not_the_newest(history):
    """Else it would be that for years, and every move be told the wrong way round."""
    history.execute(
        "INSERT INTO ranked.rank_history SELECT * REPLACE (as_of + INTERVAL 30 YEAR AS as_of) FROM ranked.rank_history"
    )
    moved = read_moves(history)
    assert moved is not None
    assert (moved.before, moved.now) == (at("2026-03-05"), at("2026-03-09"))


def test_a_request_that_is_gone_has_no_title(history):
    """Its id is all that is known of it."""
    moved = read_moves(history)
    assert moved is not None
    assert [(one.request_id, one.kind, one.title) for one in moved.moves] == [
        ("r1", "up", "Title 1"),
        ("r2", "up", "Title 2"),
        ("old", "gone", None),
    ]


def told(one: Move) -> tuple[str, int, int | None]:
    """What orders a move; two that are equal in it may be told in either order."""
    return one.kind, one.change, one.now or one.before


@pytest.mark.parametrize("by", ["arr", "companies"])
def test_the_store_finds_the_moves_that_comparing_everything_finds(history, by):
    """In the same order, whatever the limit: only what is shown is read."""
    history.execute("DELETE FROM ranked.rank_history")
    history.execute("""
        INSERT INTO ranked.rank_history
        SELECT day::TIMESTAMP, 'r' || i, hash(i, day) % 1000, hash(i, day, 'companies') % 1000, i, i
        FROM range(300) AS t (i), (VALUES ('2026-03-01'), ('2026-03-02')) AS days (day)
        WHERE hash(day, i, 'there') % 5 > 0
    """)
    rows = history.execute("""
        SELECT h.as_of, h.request_id, requests.title, h.rank_by_arr, h.rank_by_companies, h.companies, h.arr
        FROM ranked.rank_history AS h LEFT JOIN ranked.feature_requests AS requests USING (request_id)
    """).fetchall()
    days = {day: [RankPosition(*row[1:]) for row in rows if row[0].day == day] for day in (1, 2)}
    whole = compare(days[1], days[2], by)
    assert len(whole) > 200
    for most in (10, 1_000):
        moved = read_moves(history, by=by, most=most, everything=True)
        assert moved is not None
        assert moved.found == len(whole)
        assert [told(one) for one in moved.moves] == [told(one) for one in whole[:most]]


def test_one_snapshot_is_no_history(history):
    """There is nothing to compare it with."""
    history.execute("DELETE FROM ranked.rank_history WHERE as_of < '2026-03-09'")
    assert read_moves(history) is None


def test_movers_on_a_terminal(history):
    """Each with where it was and is; what does not fit is counted, and a history that is too short is admitted."""
    moved = read_moves(history, at("2026-01-01"), most=1)
    assert moved is not None
    console = Console(file=StringIO(), width=140)
    show_moves(console, moved, by="arr", currency="USD")
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above
    assert "the history begins at 2026-03-01 00:00 UTC" in shown
    assert "up 2" in shown
    assert "Title 1" in shown
    assert "and 1 more" in shown
