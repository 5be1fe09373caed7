"""Knowledge of earlier runs, so that a read can stop there.

Votes and status changes come newest first: reading ends at the first page that holds a known one. Persons, accounts
and contacts are read whole once a day, new ones at once. What a source cannot tell (un-votes, edits of old records) is
found by comparing each request's reported votes with the stored ones, the votes themselves of some requests in turn,
and by reading everything whole now and then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa

from integration_assets.connectors.feedback.abilities import Abilities, VoteList
from integration_assets.connectors.feedback.base import Finding
from integration_assets.models import Vote
from integration_assets.resolution.merges import survivors
from integration_assets.staging.texts import text_list
from integration_assets.staging.transactions import transaction

EVERYTHING_EVERY = timedelta(days=7)
"""Votes and status changes are read whole at least this often."""
CLOCKS_DIFFER = timedelta(hours=1)
"""Time that two machines' clocks may be apart. What was noted later than that from now was noted by a wrong clock."""
PEOPLE_EVERY = timedelta(days=1)
"""Persons, accounts and contacts are read whole at least this often."""
VOTES_READ_A_DAY = 100_000
"""Votes that are read whole once a day; with more of them it takes as much longer, up to `EVERYTHING_EVERY`."""
REQUESTS_LOOKED_AT = 20
"""Requests whose newest votes are held against the source in one run, a call each."""
FULL_READ_EVERY = {
    "votes": EVERYTHING_EVERY,
    "status_changes": EVERYTHING_EVERY,
    "persons": PEOPLE_EVERY,
    "accounts": PEOPLE_EVERY,
    "contacts": PEOPLE_EVERY,
}
FEEDBACK_LISTS = frozenset({"votes", "status_changes", "persons", "accounts"})
"""Those of the feedback system."""

EVERYTHING = Abilities()
"""Abilities of a system that lists all its votes newest first."""
EXAMPLES = 3
"""Records named of a field that could not be read."""


@dataclass
class Unreadable:
    """An optional field that could not be read: `reason` of the first record, how many, and some of their ids."""

    reason: str
    records: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, record_ids: Sequence[str]) -> None:
        """Count more records."""
        self.records += len(record_ids)
        new = [record_id for record_id in record_ids if record_id not in self.examples]
        self.examples += new[: EXAMPLES - len(self.examples)]


def due_reads(
    connection: duckdb.DuckDBPyConnection,
    credential: str,
    now: datetime,
    *,
    full: bool,
    abilities: Abilities = EVERYTHING,
    prefix: str = "",
) -> set[str]:
    """Inputs to be read whole in this run. `credential` is a digest of where and as whom we read; `now` has a zone.

    `abilities` of the feedback system say what a whole read of its votes costs, and whether persons are a list.
    `prefix` begins its ids.
    """
    rows = connection.execute("SELECT input, credential, finished_at FROM raw.full_reads").fetchall()
    moment, every = now.replace(tzinfo=None), {**FULL_READ_EVERY, "votes": _votes_every(connection, abilities, prefix)}
    fresh = {
        name
        for noted, read_with, finished_at in rows
        for name in [noted.removeprefix(prefix)]
        # Another key or another place may see other records: nothing of the last read holds. Neither does a read of the
        # future: without the lower bound, no other would be due before it.
        if read_with == credential and -CLOCKS_DIFFER <= moment - finished_at < every.get(name, timedelta(0))
    }
    inputs = set(FULL_READ_EVERY) if abilities.people else set(FULL_READ_EVERY) - {"persons"}
    return inputs if full else inputs - fresh


def _votes_every(connection: duckdb.DuckDBPyConnection, abilities: Abilities, prefix: str) -> timedelta:
    """Compute how old a whole read of the votes may get, to cost as many calls a day as `VOTES_READ_A_DAY` votes."""
    [(votes, requests)] = connection.execute(
        "SELECT count(*), count(DISTINCT request_id) FROM raw.votes WHERE starts_with(vote_id, ?)", [prefix]
    ).fetchall()
    # Asked for by request, the last call of each brings fewer votes than a call of a list would.
    spent = abilities.records_per_call * int(requests) if abilities.vote_list is VoteList.NONE else 0
    return min(EVERYTHING_EVERY, timedelta(days=max(1.0, (int(votes) + spent) / VOTES_READ_A_DAY)))


def note_full_reads(
    connection: duckdb.DuckDBPyConnection, credential: str, now: datetime, inputs: Collection[str], prefix: str = ""
) -> None:
    """Remember which inputs were read whole, of the system whose ids begin so. Call once their tables are in place."""
    for name in (f"{prefix}{one}" for one in inputs):
        connection.execute("DELETE FROM raw.full_reads WHERE input = ?", [name])
        connection.execute("INSERT INTO raw.full_reads VALUES (?, ?, ?)", [name, credential, now.replace(tzinfo=None)])


def known_among(connection: duckdb.DuckDBPyConnection, ids_query: str, ids: Sequence[str]) -> set[str]:
    """Those of these ids that `ids_query` (a statement of ours with one column `id`) selects."""
    rows = connection.execute(
        """
        SELECT id FROM query(?) WHERE id IN (SELECT unnest(from_json(?, '["VARCHAR"]')))
        """,
        [ids_query, text_list(ids)],
    ).fetchall()
    return {known for (known,) in rows}


def known_statuses(connection: duckdb.DuckDBPyConnection, prefix: str = "") -> set[str]:
    """Every status in the source's words that an earlier run has seen of the system whose ids begin with `prefix`."""
    rows = connection.execute(
        """
        SELECT source_status FROM raw.feature_requests
        WHERE source_status IS NOT NULL AND starts_with(request_id, $prefix)
        UNION
        SELECT source_status FROM raw.status_changes
        WHERE source_status IS NOT NULL AND starts_with(change_id, $prefix)
        """,
        {"prefix": prefix},
    ).fetchall()
    return {str(status) for (status,) in rows}


def known_shortfall(connection: duckdb.DuckDBPyConnection, prefix: str = "") -> int | None:
    """By how many requests the last read fell short of what the boards counted; None when there was none."""
    [(counted, read)] = connection.execute(
        """
        SELECT
            (SELECT coalesce(sum(request_count), 0) FROM raw.boards WHERE starts_with(board_id, $prefix)),
            (SELECT count(*) FROM raw.feature_requests WHERE starts_with(request_id, $prefix))
            + (SELECT count(*) FROM raw.excluded_requests WHERE starts_with(request_id, $prefix))
        """,
        {"prefix": prefix},
    ).fetchall()
    # A store without requests has no usual shortfall: everything would be it.
    return int(counted) - int(read) if read else None


def stored_votes(connection: duckdb.DuckDBPyConnection, living: Collection[str]) -> dict[str, int]:
    """Distinct voters per request among the votes being loaded, merges followed. `living`: ids of the source's list."""
    with _ends(connection, living):
        return dict(
            connection.execute(
                """
                SELECT coalesce(ends.survivor_id, votes.request_id), count(DISTINCT coalesce(voter_id, vote_id))
                FROM loading.votes AS votes LEFT JOIN _ends AS ends USING (request_id)
                GROUP BY ALL
                """
            ).fetchall()
        )


def forget_votes(connection: duckdb.DuckDBPyConnection, living: Collection[str], request_id: str) -> None:
    """Take the votes of a request, those of requests merged into it included, out of what is being loaded."""
    with _ends(connection, living):
        connection.execute(
            """
            DELETE FROM loading.votes WHERE request_id = ?
            OR request_id IN (SELECT ends.request_id FROM _ends AS ends WHERE ends.survivor_id = ?)
            """,
            [request_id, request_id],
        )


@contextmanager
def _ends(connection: duckdb.DuckDBPyConnection, living: Collection[str]) -> Iterator[None]:
    """Make `_ends` (request_id, survivor_id) readable: where every merged request of this load lives on."""
    aliases = connection.execute("SELECT merged_request_id, request_id FROM loading.merge_aliases").fetchall()
    ends = survivors(aliases, living)
    columns = {"request_id": list(ends), "survivor_id": list(ends.values())}
    connection.register("_ends", pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}))
    try:
        yield
    finally:
        connection.unregister("_ends")


def next_to_look_at(connection: duckdb.DuckDBPyConnection, besides: Collection[str], prefix: str = "") -> list[str]:
    """Requests being loaded whose votes to hold against the source in this run; `besides` are read again anyway.

    Those alone whose ids begin with `prefix`.

    First those whose score or status moved since the last run, then those that nobody looked at for longest.
    """
    rows = connection.execute(
        """
        WITH listed AS (
            SELECT request_id, any_value(score) AS score, any_value(source_status) AS source_status
            FROM loading.feature_requests
            WHERE
                score IS NOT NULL AND NOT list_contains(from_json(?, '["VARCHAR"]'), request_id)
                AND starts_with(request_id, ?)
            GROUP BY request_id
        )

        SELECT listed.request_id
        FROM listed
        LEFT JOIN raw.feature_requests AS before USING (request_id)
        LEFT JOIN raw.vote_looks AS looks USING (request_id)
        ORDER BY
            before.request_id IS NOT NULL
            AND (listed.score, listed.source_status) IS DISTINCT FROM (before.score, before.source_status) DESC,
            looks.looked_at NULLS FIRST,
            listed.request_id
        LIMIT ?
        """,
        [text_list(sorted(besides)), prefix, REQUESTS_LOOKED_AT],
    ).fetchall()
    return [request_id for (request_id,) in rows]


def agrees(
    connection: duckdb.DuckDBPyConnection,
    living: Collection[str],
    request_id: str,
    newest: Sequence[Vote],
    *,
    whole: bool,
) -> bool:
    """Tell whether the votes being loaded of a request are those the source lists, as far back as `newest` reach.

    `whole`: these are all. Merges are followed; `living` are ids of the source's list.
    """
    # Stored times are UTC without zone.
    created = [vote.created_at.replace(tzinfo=None) for vote in newest if vote.created_at and not whole]
    since = min(created, default=None)
    with _ends(connection, living):
        stored = connection.execute(
            """
            SELECT votes.vote_id, ? IS NULL OR votes.created_at > ?
            FROM loading.votes AS votes LEFT JOIN _ends AS ends USING (request_id)
            WHERE coalesce(ends.survivor_id, votes.request_id) = ?
            """,
            [since, since, request_id],
        ).fetchall()
    listed = {vote.vote_id for vote in newest}
    # Of votes as old as the oldest listed one, some may be on the next page.
    return listed <= {vote_id for vote_id, _ in stored} and {vote_id for vote_id, recent in stored if recent} <= listed


def note_looks(connection: duckdb.DuckDBPyConnection, now: datetime, request_ids: Sequence[str]) -> None:
    """Remember whose votes were held against the source. Call once the tables of this read are in place."""
    with transaction(connection):
        connection.execute(
            """
            DELETE FROM raw.vote_looks
            WHERE list_contains(from_json(?, '["VARCHAR"]'), request_id)
            OR request_id NOT IN (SELECT request_id FROM raw.feature_requests)
            """,
            [text_list(request_ids)],
        )
        connection.execute(
            """INSERT INTO raw.vote_looks SELECT unnest(from_json(?, '["VARCHAR"]')), ?""",
            [text_list(request_ids), now.replace(tzinfo=None)],
        )


def settled_differences(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    """Per request: reported and stored votes that differed even after reading them again, and are left alone."""
    rows = connection.execute("SELECT request_id, score, stored FROM raw.vote_differences").fetchall()
    return {request_id: (score, stored) for request_id, score, stored in rows}


def note_differences(connection: duckdb.DuckDBPyConnection, differences: dict[str, tuple[int, int]]) -> None:
    """Remember the differences that reading again did not mend, in place of those remembered before."""
    rows = [(request_id, score, stored) for request_id, (score, stored) in sorted(differences.items())]
    ids, scores, counts = zip(*rows, strict=True) if rows else ((), (), ())
    with transaction(connection):
        connection.execute("DELETE FROM raw.vote_differences")
        connection.execute(
            """
            INSERT INTO raw.vote_differences
            SELECT unnest(from_json(?, '["VARCHAR"]')), unnest(?::BIGINT[]), unnest(?::BIGINT[])
            """,
            [text_list(ids), list(scores), list(counts)],
        )


def note_unreadable_fields(
    connection: duckdb.DuckDBPyConnection, run_id: str, fields: Mapping[str, Unreadable]
) -> None:
    """Remember the optional fields that this run could not read, in place of those of earlier runs."""
    with transaction(connection):
        connection.execute("DELETE FROM ops.unreadable_fields")
        for name, found in fields.items():
            connection.execute(
                "INSERT INTO ops.unreadable_fields VALUES (?, ?, ?, ?, ?)",
                [run_id, name, found.records, found.examples, found.reason],
            )


def note_table_findings(connection: duckdb.DuckDBPyConnection, run_id: str, findings: Sequence[Finding]) -> None:
    """Remember what was odd about the tables this run read, in place of what earlier runs found."""
    with transaction(connection):
        connection.execute("DELETE FROM ops.table_findings")
        for finding in findings:
            connection.execute("INSERT INTO ops.table_findings VALUES (?, ?, ?)", [run_id, finding.kind, finding.line])


def note_unknown_fields(
    connection: duckdb.DuckDBPyConnection, run_id: str, now: datetime, fields: Mapping[str, int]
) -> None:
    """Remember fields nobody documented, with the records that carried them. The check of that name tells of them.

    The run that meets a field first is the one to tell of it; where it ended without its checks, this one is.
    """
    names, counts = (list(values) for values in (fields.keys(), fields.values()))
    with transaction(connection):
        connection.execute(
            """
            DELETE FROM ops.unknown_fields
            WHERE run_id NOT IN (SELECT told.run_id FROM ops.checks AS told WHERE told.name = 'unknown_fields')
            """
        )
        connection.execute(
            """
            INSERT INTO ops.unknown_fields BY NAME
            SELECT field, ? AS run_id, ?::TIMESTAMP AS first_seen_at, records
            FROM (SELECT unnest(?::VARCHAR[]) AS field, unnest(?::BIGINT[]) AS records)
            ANTI JOIN (SELECT field FROM ops.unknown_fields) AS known USING (field)
            """,
            [run_id, now.replace(tzinfo=None), names, counts],
        )
