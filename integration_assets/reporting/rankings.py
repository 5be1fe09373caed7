"""Rows of the ranked views as people are shown them, from the staging store or the published database."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal, Protocol

import duckdb
import msgspec

from integration_assets.reporting.text import clean, clip, status_words
from integration_assets.sql import read_sql

Order = Literal["arr", "companies", "votes"]
"""Orders a ranking can be sorted by."""


class RankedRequest(msgspec.Struct, frozen=True):
    """A request of a ranking, as shown. `arr` and `open_pipeline` are exact, in the base currency.

    `open_pipeline` is None where open deals were not read.
    """

    request_id: str
    title: str
    status: str
    companies: int
    customers: int
    arr: str
    votes: int
    rank_by_arr: int
    rank_by_companies: int
    rank_by_votes: int
    rank_gap: int
    companies_without_rate: int
    open_pipeline: str | None


class UnresolvedDomain(msgspec.Struct, frozen=True):
    """Votes of one domain that count for no company. `email_domain` is None where there is no address."""

    email_domain: str | None
    reason: str
    votes: int
    requests: int
    candidate_company_ids: tuple[str, ...]


def read_rankings(
    connection: duckdb.DuckDBPyConnection, *, by: Order, limit: int = 20, everything: bool = False
) -> list[RankedRequest]:
    """The first open requests of a ranking, from the staging store or the published database.

    `everything`: those that are shipped or closed as well.
    """
    rows = connection.execute(
        read_sql("reporting/rankings"), {"by": by, "most_rows": limit, "everything": everything}
    ).fetchall()
    found = []
    for row in rows:
        values = dict(zip(RankedRequest.__struct_fields__, row, strict=True))
        # As text: a float would round the ARR of large customers.
        values |= {name: None if values[name] is None else str(values[name]) for name in ("arr", "open_pipeline")}
        found.append(RankedRequest(**values))
    return found


def read_closed(connection: duckdb.DuckDBPyConnection) -> int:
    """Count the requests that a list of open ones leaves out."""
    [(closed,)] = connection.execute(read_sql("reporting/closed_requests")).fetchall()
    return int(closed)


class _WithPipeline(Protocol):
    @property
    def open_pipeline(self) -> Decimal | str | None: ...


def has_pipeline(requests: Iterable[_WithPipeline]) -> bool:
    """True if any of these requests has open deals behind it: a column of nothing is not shown."""
    return any(request.open_pipeline is not None and Decimal(request.open_pipeline) for request in requests)


def read_unresolved(connection: duckdb.DuckDBPyConnection, *, limit: int = 20) -> list[UnresolvedDomain]:
    """The domains that lose most votes, from the staging store or the published database."""
    rows = connection.execute(read_sql("reporting/unresolved"), [limit]).fetchall()
    return [
        UnresolvedDomain(domain, reason, votes, requests, tuple(candidates or ()))
        for domain, reason, votes, requests, candidates, _ in rows
    ]


def read_movers(connection: duckdb.DuckDBPyConnection, *, limit: int = 5) -> tuple[str, ...]:
    """Open requests whose place by ARR changed most since the snapshot before, one line each."""
    rows = connection.execute(read_sql("reporting/movers"), [limit]).fetchall()
    return tuple(
        f"{clip(clean(title), 80)} ({status_words(status)}): place {before:,} → {now:,} by ARR"
        for title, status, before, now in rows
    )
