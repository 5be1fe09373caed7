"""Records of ours whose key somebody changed or cleared in the CRM: they are left alone, and told with their keys.

A record is found by its key, and no CRM is written to by record id: only a person can put the key back.
"""

from __future__ import annotations

from collections.abc import Collection

import duckdb
import msgspec

from integration_assets.sql import read_sql
from integration_assets.sync.feature_request_object import KEY, tenant_mark

EXAMPLES = 3
"""Records that a line names."""


class RekeyedRecord(msgspec.Struct, frozen=True):
    """A live record. `written_key` is the one it was written with, None where the ledger does not know the record."""

    record_id: str
    written_key: str | None
    key_now: str | None


def rekeyed_records(connection: duckdb.DuckDBPyConnection, tenants: Collection[str | None]) -> list[RekeyedRecord]:
    """Find the records of these tenants in variable `portal_id` that have lost the key they were written with."""
    rows = connection.execute(read_sql("sync/rekeyed_records")).fetchall()
    return [RekeyedRecord(*row) for *row, state in rows if tenant_mark(state or "") in tenants]


def rekeyed_line(records: Collection[RekeyedRecord]) -> str:
    """Say which records have lost their key, and how to mend it."""
    named = ", ".join(map(_named, list(records)[:EXAMPLES])) + (", ..." if len(records) > EXAMPLES else "")
    one = len(records) == 1
    return (
        f"{len(records):,} record{'' if one else 's'} of ours {'has' if one else 'have'} lost the key in the CRM and "
        f"{'is' if one else 'are'} left alone ({named}): put it back there, into {KEY}"
    )


def _named(record: RekeyedRecord) -> str:
    now = f"is {record.key_now}" if record.key_now else "is empty"
    was = f", was {record.written_key}" if record.written_key else ""
    return f"record {record.record_id}: {now}{was}"
