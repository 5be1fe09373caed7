"""Requests whose votes count for another one, as people are shown them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import duckdb
import msgspec

from integration_assets.reporting.text import clean, clip, count
from integration_assets.sql import read_sql
from integration_assets.staging.tables import has_table

_EXAMPLES = 3
_TITLE = 80


class MergedRequest(msgspec.Struct, frozen=True):
    """A request that was merged into another. `title` and `url` are None where its system no longer lists it.

    `source` is the name of its feedback system; `votes` those it brings, of the votes of `merged_into`; `merged_by`
    is `same_requests`, the file of same requests, or `feedback_system`.
    """

    request_id: str
    source: str
    title: str | None
    url: str | None
    votes: int
    merged_into: str
    merged_into_title: str
    merged_by: str

    @property
    def words(self) -> str:
        """The request in few words: `Dark theme (calls, 2 votes)`."""
        return (
            f"{clip(clean(self.title or self.request_id), _TITLE)} ({clean(self.source)}, {count(self.votes, 'vote')})"
        )

    @property
    def by_words(self) -> str:
        """The one that says that it is merged, in words."""
        return "the file of same requests" if self.merged_by == "same_requests" else "its feedback system"


def read_merged(connection: duckdb.DuckDBPyConnection, into: Iterable[str]) -> dict[str, list[MergedRequest]]:
    """Read the requests that the file of same requests merges into these, by those: most votes first.

    None of a store that an older version ranked.
    """
    if not has_table(connection, "ranked", "merged_requests"):
        return {}
    values = {"request_id": None, "merged_into": list(into)}
    merged: dict[str, list[MergedRequest]] = defaultdict(list)
    for row in connection.execute(read_sql("reporting/insights/merged_requests"), values).fetchall():
        one = MergedRequest(*row)
        merged[one.merged_into].append(one)
    return dict(merged)


def read_merged_away(connection: duckdb.DuckDBPyConnection, request_id: str) -> MergedRequest | None:
    """Read the request of this id if it was merged into another, by the file or by its feedback system."""
    values = {"request_id": request_id, "merged_into": None}
    rows = connection.execute(read_sql("reporting/insights/merged_requests"), values).fetchall()
    return MergedRequest(*rows[0]) if rows else None


def examples(merged: Sequence[MergedRequest]) -> str:
    """The first three of the requests merged into one, in words, and how many more there are."""
    more = f" and {len(merged) - _EXAMPLES:,} more" if len(merged) > _EXAMPLES else ""
    return f"{', '.join(one.words for one in merged[:_EXAMPLES])}{more}"


def merged_lines(merged: Mapping[str, Sequence[MergedRequest]]) -> list[str]:
    """Say of each request that others were merged into which those are, one line each."""
    return [
        f"{clip(clean(ones[0].merged_into_title), _TITLE)} has the votes of {examples(ones)}"
        for ones in merged.values()
    ]
