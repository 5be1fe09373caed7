"""Answers for an assistant, from the published database: plain values that JSON can hold, cut to a number of rows.

Each says how many rows there are in all. Sums of money are texts, exact, in the base currency that the answer names.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import msgspec

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError
from integration_assets.reporting.closing import find_company
from integration_assets.reporting.insights import (
    Company,
    Filter,
    Ranking,
    read_company_requests,
    read_plan,
    read_plan_changes,
    read_request,
    read_requests,
    read_runs,
    read_why,
)
from integration_assets.reporting.merged import merged_lines, read_merged, read_merged_away
from integration_assets.reporting.moves import HistoryOrder, parse_since, read_moves
from integration_assets.reporting.published import check_chosen, open_published, read_currency
from integration_assets.reporting.rankings import read_closed
from integration_assets.reporting.segments import check_segments, read_segments
from integration_assets.reporting.text import clean, count

DEFAULT_ROWS = 50
MOST_ROWS = 500
"""Rows of one answer: an assistant reads each of them, and has room for so many."""

Answer = dict[str, Any]
"""An answer: values of JSON by name."""


def answer_rankings(settings: Settings, tenant: str, wanted: Filter, limit: int) -> Answer:
    """The requests of a ranking that fit.

    Raises:
        ConfigurationError: no run has published a ranking yet, or `limit` is out of range.
    """
    _check_limit(limit)
    with open_published(settings, tenant) as connection:
        currency = read_currency(connection)
        counted = check_chosen(connection, wanted)
        page = read_requests(connection, wanted, limit=limit)
        merged = read_merged(connection, (one.request_id for one in page.requests))
    left_out: Answer = {"shipped_or_closed_left_out": page.closed}
    # Where every company is counted, there is nothing to say of it.
    if counted:
        left_out["counted"] = counted
    # Named in no row of its own: their votes are those of the request they were merged into.
    return {
        "currency": currency,
        **left_out,
        **_cut("requests", page.requests, page.found),
        "merged": merged_lines(merged),
    }


def answer_segments(
    settings: Settings, tenant: str, *, by: Ranking, only: str, everything: bool, each: int, limit: int
) -> Answer:
    """The first requests of each segment of companies: at most `each` of a segment, and `limit` in all.

    `only`: of this mapped property, "" for every one. Segments with most ARR come first; each property says how many it
    has, and how many companies that voted are in none.

    Raises:
        ConfigurationError: nothing is published, no property of that name is mapped, `limit` is out of range, or it has
            no room for one segment of each property.
    """
    _check_limit(limit)
    with open_published(settings, tenant) as connection:
        currency = read_currency(connection)
        properties = check_segments(connection, only)
        # The same number for every property: one with many values would leave the others no room.
        most_segments = limit // (each * properties) if each > 0 else 0
        if not most_segments:
            raise ConfigurationError(
                f"limit is {limit}, and each {each}: ask for at least 1 request of each segment, and room for one "
                f"segment of {count(properties, 'property', 'properties')}"
            )
        found = read_segments(
            connection,
            by=by,
            everything=everything,
            only=only or None,
            most_segments=most_segments,
            most_requests=each,
        )
        closed = 0 if everything else read_closed(connection)
    segments = sum(one.found for one in found)
    left_out = {"shipped_or_closed_left_out": closed}
    shown = sum(len(one.segments) for one in found)
    properties_shown = [_plain(one) for one in found]
    return {"currency": currency, **left_out, "total": segments, "shown": shown, "properties": properties_shown}


def answer_company_requests(settings: Settings, tenant: str, company: str, limit: int) -> Answer:
    """The requests of the company of this id, domain or name, open ones first.

    Raises:
        ConfigurationError: nothing is published, `limit` is out of range, or no company or several are meant.
    """
    _check_limit(limit)
    with open_published(settings, tenant) as connection:
        return company_document(connection, find_company(connection, company), limit)


def company_document(connection: duckdb.DuckDBPyConnection, found: Company, limit: int | None) -> Answer:
    """A company and its requests, open ones first; all of them without a `limit`."""
    currency = read_currency(connection)
    requests, _ = read_company_requests(connection, found.company_id, limit=limit)
    about = _plain(found)
    # Both count lines of a list: here there is one company, and its requests are counted below.
    for name in ("found", "requests"):
        del about[name]
    return {"currency": currency, "company": about, **_cut("requests", requests, found.requests)}


def answer_why_ranked(settings: Settings, tenant: str, request_id: str, limit: int) -> Answer:
    """A request's numbers and what they rest on: companies with their ARR, then votes that count for no company.

    Raises:
        ConfigurationError: nothing is published, `limit` is out of range, or there is no such request.
    """
    _check_limit(limit)
    with open_published(settings, tenant) as connection:
        currency = read_currency(connection)
        request = read_request(connection, request_id)
        reasons = read_why(connection, request_id)
        merged = read_merged(connection, [request_id]).get(request_id, [])
        away = read_merged_away(connection, request_id)
    if away is not None:
        raise ConfigurationError(
            f"the votes of {clean(request_id)} count for {clean(away.merged_into)}, as {away.by_words} says: "
            "ask for that"
        )
    if request is None:
        raise ConfigurationError(f"there is no request {clean(request_id)} in the ranking: `rankings` gives their ids")
    about = _plain(request)
    # As many as the request has voters, and a reason has the domain of its company.
    del about["voter_domains"]
    about["merged"] = [_plain(one) for one in merged[:limit]]
    about["merged_total"] = len(merged)
    return {"currency": currency, "request": about, **_cut("reasons", reasons[:limit], len(reasons))}


def answer_what_moved(
    settings: Settings, tenant: str, since: str, by: HistoryOrder, limit: int, *, everything: bool
) -> Answer:
    """The largest moves in the ranking since a moment: `7d`, `12h`, `2w` or a date.

    Raises:
        ConfigurationError: nothing is published, `limit` is out of range, or `since` is no moment.
    """
    _check_limit(limit)
    moment = parse_since(since, datetime.now(UTC))
    with open_published(settings, tenant) as connection:
        currency = read_currency(connection)
        moved = read_moves(connection, moment, by, most=limit, everything=everything)
        closed = 0 if everything else read_closed(connection)
    # Not an error: on the first day there is nothing to compare with.
    if moved is None:
        note = "one day of the ranking is known so far: what moves shows from the second"
        return {"note": note, **_cut("moves", [], 0)}
    compared = {"before": moved.before.isoformat(), "now": moved.now.isoformat()}
    later = {"note": "nothing is kept from as long ago: the oldest day was compared"} if moved.later else {}
    left_out = {"shipped_or_closed_left_out": closed}
    return {"currency": currency, **compared, **later, **left_out, **_cut("moves", moved.moves, moved.found)}


def answer_plan(settings: Settings, tenant: str, plan_hash: str, limit: int) -> Answer:
    """A plan and the first of its changes in the CRM: the plan of this hash, or of the newest run where that is "".

    Raises:
        ConfigurationError: nothing is published, `limit` is out of range, or there is no such plan.
    """
    _check_limit(limit)
    with open_published(settings, tenant) as connection:
        newest = next(iter(read_runs(connection, limit=1)), None)
        meant = plan_hash or (newest.plan_hash if newest else None) or ""
        plan = read_plan(connection, meant) if meant else None
        changes = read_plan_changes(connection, plan.plan_id, limit=limit) if plan else []
    if plan is None:
        told = f"there is no plan {clean(meant)}" if meant else "the newest run made no plan"
        raise ConfigurationError(f"{told}: `integration-assets plan` makes one")
    # Of a plan that is large or old fewer are published than it has.
    return {"plan": _plain(plan), **_cut("changes", changes, sum(plan.counts.values()))}


def _check_limit(limit: int) -> None:
    # Refused and not cut: an assistant would take what it gets for all it asked for.
    if not 1 <= limit <= MOST_ROWS:
        raise ConfigurationError(f"limit is {limit}: ask for 1 to {MOST_ROWS} rows, and narrow down what you ask for")


def _cut(name: str, rows: Sequence[msgspec.Struct], total: int) -> Answer:
    return {"total": total, "shown": len(rows), name: [_plain(row) for row in rows]}


def _plain(row: msgspec.Struct) -> Answer:
    plain: Answer = msgspec.to_builtins(row)
    return plain
