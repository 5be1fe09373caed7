"""The movers of a ranking on a terminal."""

from __future__ import annotations

from decimal import Decimal

from rich.console import Console
from rich.text import Text

from integration_assets.reporting.moves import HistoryOrder, Move, Moved
from integration_assets.reporting.run_summary import iso_utc
from integration_assets.reporting.terminal import plain_or_boxed, print_wide
from integration_assets.reporting.text import amount, clean, clip, lacking_rate, moment, status_words

_STYLES = {"up": "green", "down": "red", "new": "cyan", "gone": "magenta"}


def show_moves(console: Console, moved: Moved, *, by: HistoryOrder, currency: str) -> None:
    """The largest moves first, then the new ones, then those that are gone; what was not read is counted."""
    since = moment(iso_utc(moved.before))
    if moved.later:
        print_wide(console, Text(f"the history begins at {since}; there is nothing older to compare with", style="dim"))
    # Said, since an empty table could also mean that the command failed.
    if not moved.moves:
        print_wide(console, Text(f"no place by {_name(by)} has changed since {since}"))
        return
    table = plain_or_boxed(
        console,
        f"Movers by {_name(by)}, {since} to {moment(iso_utc(moved.now))}",
        ("change", "left"),
        ("request", "left"),
        ("status", "left"),
        ("before", "right"),
        ("now", "right"),
        ("companies", "right"),
        (f"ARR {currency}", "right"),
        ("ARR change", "right"),
    )
    for move in moved.moves:
        table.add_row(
            _change(move),
            # Of a request that is gone only the id is left: titles are not part of the history.
            Text(clip(clean(move.title or f"{move.request_id} (gone)"), 60)),
            status_words(move.status) if move.title else "-",
            *(f"{place:,}" if place is not None else "-" for place in (move.before, move.now)),
            _from_to(move.companies_before, move.companies_now),
            f"{amount(move.arr_now)}{lacking_rate(move.companies_without_rate)}" if move.arr_now is not None else "-",
            _signed((move.arr_now or Decimal(0)) - (move.arr_before or Decimal(0))),
        )
    print_wide(console, table)
    # The query counts all and gives the largest only.
    left = moved.found - len(moved.moves)
    if left > 0:
        print_wide(console, Text(f"and {left:,} more: --limit shows them", style="dim"))


def _signed(change: Decimal) -> str:
    return f"{'+' if change > 0 else ''}{amount(change)}"


def _name(by: HistoryOrder) -> str:
    return "ARR" if by == "arr" else "companies"


def _change(move: Move) -> Text:
    words = f"{move.kind} {abs(move.change):,}" if move.change else move.kind
    return Text(words, style=_STYLES[move.kind])


def _from_to(before: int | None, now: int | None) -> str:
    # One number where nothing changed: an arrow would look like a change.
    if before == now or now is None:
        return f"{before:,}" if before is not None else "-"
    return f"{before:,} → {now:,}" if before is not None else f"{now:,}"
