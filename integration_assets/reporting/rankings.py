"""Rows of the ranked views as people are shown them, from the staging store or the published database."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal, Protocol

import duckdb
import msgspec

from integration_assets.reporting.text import clean, clip, count, status_words
from integration_assets.sql import read_sql

Order = Literal["arr", "companies", "votes"]
"""Orders a ranking can be sorted by."""
NAMED = 3
"""Stages that are named where they are told of."""


SUMS = ("arr", "open_pipeline", "arr_customers", "arr_prospects")


class RankedRequest(msgspec.Struct, frozen=True):
    """A request of a ranking, as shown. Sums are exact, in the base currency.

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
    arr_customers: str
    arr_prospects: str
    url: str | None
    crm_url: str | None


class LifecycleGaps(msgspec.Struct, frozen=True):
    """Companies that voted and are neither customers nor prospects: how many, of how many, and three of their names.

    `stages` are the stages that are neither, with their number of companies, the most frequent first.
    """

    companies: int
    of: int
    without_stage: int
    stages: list[tuple[str, int]]
    examples: list[str]


class UnresolvedDomain(msgspec.Struct, frozen=True):
    """Votes of one domain that count for no company. `email_domain` is None where there is no address.

    `candidates` are companies it may be, each by name and id.
    """

    email_domain: str | None
    reason: str
    votes: int
    requests: int
    candidates: tuple[str, ...]


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
        values |= {name: None if values[name] is None else str(values[name]) for name in SUMS}
        found.append(RankedRequest(**values))
    return found


def read_closed(connection: duckdb.DuckDBPyConnection) -> int:
    """Count the requests that a list of open ones leaves out."""
    [(closed,)] = connection.execute(read_sql("reporting/closed_requests")).fetchall()
    return int(closed)


class _WithSums(Protocol):
    @property
    def open_pipeline(self) -> Decimal | str | None: ...

    @property
    def arr_prospects(self) -> Decimal | str: ...


def has_pipeline(requests: Iterable[_WithSums]) -> bool:
    """True if any of these requests has open deals behind it: a column of nothing is not shown."""
    return any(request.open_pipeline is not None and Decimal(request.open_pipeline) for request in requests)


def has_prospects(requests: Iterable[_WithSums]) -> bool:
    """True if any of these requests has ARR of prospects: where there is none, ARR needs not be told apart."""
    return any(Decimal(request.arr_prospects) for request in requests)


def read_lifecycle_gaps(connection: duckdb.DuckDBPyConnection) -> LifecycleGaps | None:
    """The companies that voted and are neither customers nor prospects; None where there is none, or no stage."""
    [row] = connection.execute(read_sql("reporting/lifecycle_gaps")).fetchall()
    gaps = LifecycleGaps(*row)
    # Where no company has a stage, nobody keeps any: nothing is amiss with these companies.
    nobody_keeps_stages = gaps.without_stage == gaps.of
    return gaps if gaps.companies and not nobody_keeps_stages else None


def gaps_words(gaps: LifecycleGaps) -> str:
    """Say of how many companies the CRM does not tell whether they are customers, and why."""
    why = [f"{clip(clean(stage), 30)} {number:,}" for stage, number in gaps.stages[:NAMED]]
    why += [f"{len(gaps.stages) - NAMED:,} more stages"] if len(gaps.stages) > NAMED else []
    why += [f"without a stage {gaps.without_stage:,}"] if gaps.without_stage else []
    examples = ", ".join(clip(clean(name), 40) for name in gaps.examples)
    return (
        f"{gaps.companies:,} of {count(gaps.of, 'company', 'companies')} that voted "
        f"{'is' if gaps.companies == 1 else 'are'} neither customer nor prospect ({', '.join(why)}; such as {examples})"
    )


def read_unresolved(connection: duckdb.DuckDBPyConnection, *, limit: int = 20) -> list[UnresolvedDomain]:
    """The domains that lose most votes, from the staging store or the published database."""
    rows = connection.execute(read_sql("reporting/unresolved"), [limit]).fetchall()
    return [
        UnresolvedDomain(domain, reason, votes, requests, tuple(candidates))
        for domain, reason, votes, requests, candidates in rows
    ]


def read_movers(connection: duckdb.DuckDBPyConnection, *, limit: int = 5) -> tuple[str, ...]:
    """Open requests whose place by ARR changed most since the snapshot before, one line each."""
    rows = connection.execute(read_sql("reporting/movers"), [limit]).fetchall()
    return tuple(
        f"{clip(clean(title), 80)} ({status_words(status)}): place {before:,} → {now:,} by ARR"
        for title, status, before, now in rows
    )
