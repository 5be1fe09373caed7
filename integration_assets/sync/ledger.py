"""The ledger: what is about to be written, what came of it, and the values that were there before.

An intent is committed before its request is sent, so that after a crash nothing was sent that is not on record. The
ledger is proof and the ground for an undo; it is never taken for what the CRM holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

import duckdb
import msgspec
import pyarrow as pa

from integration_assets.models import CrmFeatureRequest, Link, LinkTarget, Rejected
from integration_assets.staging.transactions import transaction
from integration_assets.sync.operations import Operation, operation_rows
from integration_assets.sync.plan_store import Plan
from integration_assets.sync.store import columns, incoming, naive_utc

STAGE = "crm_feature_requests"
"""Stage under which rejected writes are quarantined."""


Outcome = Literal["verified", "rejected", "unknown"]


class IntentOutcome(msgspec.Struct, frozen=True):
    """Outcome of one intent. `unknown` is an answer that was lost and a write that could not be found."""

    ledger_id: int
    outcome: Outcome
    reason: str | None = None
    record_id: str | None = None


class Ledger(msgspec.Struct):
    """The ledger of one application of one plan. There is one writer: the run that holds the staging store."""

    connection: duckdb.DuckDBPyConnection
    run_id: str
    plan: Plan
    next_id: int

    def record_intent(self, operations: Sequence[Operation], *, now: datetime) -> list[int]:
        """Commit the intent to carry out `operations` (with the values as they are about to be sent); return ids."""
        ids = list(range(self.next_id, self.next_id + len(operations)))
        # taken even if the commit fails: a gap does no harm, an id given twice would
        self.next_id += len(operations)
        rows = operation_rows(
            msgspec.structs.replace(operation, seq=ledger_id)
            for operation, ledger_id in zip(operations, ids, strict=True)
        )
        # committed, not only written: the request goes out as soon as this returns
        with transaction(self.connection), incoming(self.connection, rows):
            self.connection.execute(
                """
                INSERT INTO sync.ledger
                SELECT
                    seq, $run_id, $plan_id, $portal_id, action, key, record_id, target, target_id,
                    before_values, after_values, before_labels, after_labels, $now, NULL, NULL, NULL
                FROM incoming_rows
                """,
                {
                    "run_id": self.run_id,
                    "plan_id": self.plan.plan_id,
                    "portal_id": self.plan.portal_id,
                    "now": naive_utc(now),
                },
            )
        return ids

    def record_outcomes(
        self,
        outcomes: Sequence[IntentOutcome],
        *,
        now: datetime,
        bases: Mapping[str, Mapping[str, str | None]],
        records: Iterable[CrmFeatureRequest] = (),
        rejected: Sequence[Rejected] = (),
    ) -> None:
        """Commit what came of record writes: outcomes, new bases by key and field, records as read back, quarantine."""
        # in one: an outcome without the base and the record that go with it would mislead the next plan
        with transaction(self.connection):
            self._record(outcomes, now)
            store_bases(self.connection, self.plan.portal_id, bases, now=now)
            refresh_records(self.connection, records)
            self._quarantine(rejected, now)

    def record_link_outcomes(
        self,
        outcomes: Sequence[IntentOutcome],
        *,
        now: datetime,
        pairs: Sequence[tuple[str, LinkTarget, str]],
        links: Iterable[Link],
        rejected: Sequence[Rejected] = (),
    ) -> None:
        """Commit what came of link writes; `links` are all labels of `pairs` as read back."""
        # in one: an outcome without the labels it was judged by would mislead the next plan
        with transaction(self.connection):
            self._record(outcomes, now)
            _refresh_links(self.connection, pairs, links)
            self._quarantine(rejected, now)

    def _record(self, outcomes: Sequence[IntentOutcome], now: datetime) -> None:
        if not outcomes:
            return
        # types are given: a batch without a single reason would have a column of no type
        rows = pa.Table.from_pylist(
            [msgspec.structs.asdict(one) for one in outcomes],
            schema=columns(ledger_id=pa.int64(), outcome=pa.string(), reason=pa.string(), record_id=pa.string()),
        )
        with incoming(self.connection, rows):
            self.connection.execute(
                """
                UPDATE sync.ledger SET
                    outcome = outcomes.outcome,
                    reason = outcomes.reason,
                    record_id = coalesce(outcomes.record_id, ledger.record_id),
                    outcome_at = $now
                FROM incoming_rows AS outcomes
                WHERE ledger.ledger_id = outcomes.ledger_id
                """,
                {"now": naive_utc(now)},
            )

    def _quarantine(self, rejected: Sequence[Rejected], now: datetime) -> None:
        if not rejected:
            return
        rows = pa.Table.from_pylist(
            [msgspec.structs.asdict(one) for one in rejected],
            schema=columns(kind=pa.string(), key=pa.string(), reason=pa.string(), url=pa.string()),
        )
        with incoming(self.connection, rows):
            self.connection.execute(
                "INSERT INTO sync.quarantine SELECT $run_id, $stage, kind, key, reason, $now, url FROM incoming_rows",
                {"run_id": self.run_id, "stage": STAGE, "now": naive_utc(now)},
            )


def open_ledger(connection: duckdb.DuckDBPyConnection, run_id: str, plan: Plan) -> Ledger:
    """The ledger for applying `plan`."""
    # counted on, so that ids are in the order of writing, which an undo relies on
    last = connection.execute("SELECT coalesce(max(ledger_id), 0) FROM sync.ledger").fetchall()[0][0]
    # there is one writer at a time: nobody else takes these ids
    return Ledger(connection, run_id, plan, last + 1)


def store_bases(
    connection: duckdb.DuckDBPyConnection,
    portal_id: str,
    bases: Mapping[str, Mapping[str, str | None]],
    *,
    now: datetime,
    seen: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Remember the last common value per key and field; forget those that are None. Call inside a transaction.

    `seen` has the digests by field that a record's `managed_state` carried, by key, where nothing was written: the
    value is newer than these.
    """
    carried = seen or {}
    rows = pa.Table.from_pylist(
        [
            {"key": key, "field": field, "value": value, "state_digest": carried.get(key, {}).get(field)}
            for key, values in bases.items()
            for field, value in values.items()
        ],
        schema=columns(key=pa.string(), field=pa.string(), value=pa.string(), state_digest=pa.string()),
    )
    if not rows.num_rows:
        return
    with incoming(connection, rows):
        connection.execute(
            """
            DELETE FROM sync.field_bases
            WHERE portal_id = $portal_id AND (key, field) IN (SELECT (key, field) FROM incoming_rows)
            """,
            {"portal_id": portal_id},
        )
        connection.execute(
            """
            INSERT INTO sync.field_bases
            SELECT $portal_id, key, field, value, $now, state_digest FROM incoming_rows WHERE value IS NOT NULL
            """,
            {"portal_id": portal_id, "now": naive_utc(now)},
        )


def refresh_records(connection: duckdb.DuckDBPyConnection, records: Iterable[CrmFeatureRequest]) -> None:
    """Let `raw.crm_feature_requests` say what was read: the rest can then be planned without a new read of all."""
    values = pa.map_(pa.string(), pa.string())
    rows = pa.Table.from_pylist(
        [
            {
                "record_id": record.record_id,
                "key": record.key,
                "property_values": list(record.values.items()),
                "archived": record.archived,
            }
            for record in records
        ],
        schema=columns(record_id=pa.string(), key=pa.string(), property_values=values, archived=pa.bool_()),
    )
    if not rows.num_rows:
        return
    with incoming(connection, rows):
        connection.execute(
            "DELETE FROM raw.crm_feature_requests WHERE record_id IN (SELECT record_id FROM incoming_rows)"
        )
        connection.execute("INSERT INTO raw.crm_feature_requests SELECT * FROM incoming_rows")


def replace_links(
    connection: duckdb.DuckDBPyConnection, record_ids: Sequence[str], target: LinkTarget, links: Iterable[Link]
) -> None:
    """Let `raw.crm_links` say what was read of these records towards `target`. Call inside a transaction."""
    connection.execute(
        "DELETE FROM raw.crm_links WHERE target = $target AND list_contains($record_ids::VARCHAR[], record_id)",
        {"target": target, "record_ids": list(record_ids)},
    )
    _insert_links(connection, links)


def _refresh_links(
    connection: duckdb.DuckDBPyConnection,
    pairs: Sequence[tuple[str, LinkTarget, str]],
    links: Iterable[Link],
) -> None:
    pair_columns = ("record_id", "target", "target_id")
    touched = pa.Table.from_pylist(
        [dict(zip(pair_columns, pair, strict=True)) for pair in pairs],
        schema=columns(record_id=pa.string(), target=pa.string(), target_id=pa.string()),
    )
    if not touched.num_rows:
        return
    # by pair, those without a label left included: what they carried before must not survive
    with incoming(connection, touched):
        connection.execute(
            """
            DELETE FROM raw.crm_links
            WHERE (record_id, target, target_id) IN (SELECT (record_id, target, target_id) FROM incoming_rows)
            """
        )
    _insert_links(connection, links)


def _insert_links(connection: duckdb.DuckDBPyConnection, links: Iterable[Link]) -> None:
    rows = pa.Table.from_pylist(
        [msgspec.structs.asdict(link) for link in links],
        schema=columns(record_id=pa.string(), target=pa.string(), target_id=pa.string(), label=pa.string()),
    )
    if not rows.num_rows:
        return
    with incoming(connection, rows):
        connection.execute("INSERT INTO raw.crm_links SELECT record_id, target, target_id, label FROM incoming_rows")
