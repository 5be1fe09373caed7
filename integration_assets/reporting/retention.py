"""Records of a run that go when they are old enough, so that a store does not grow with the number of its runs.

The ledger stays for good, and with it the plans that it names: it alone knows how a record or a pair of records was
before the first write. Its size goes with what was written, not with how many runs there were.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb

from integration_assets.staging.store import transaction

KEEP_RECORDS = timedelta(days=400)
"""How long analysts find a run in the tables of schema `ops`: a year, with a month to look back at it."""
_TABLES = ("api_calls", "call_floors", "checks", "runs")
"""Tables with rows of runs; the runs last, as the others are removed by what it still holds."""


def remove_old_records(connection: duckdb.DuckDBPyConnection, now: datetime, quarantine_days: int) -> None:
    """Remove runs older than `KEEP_RECORDS` from `ops`, and what was quarantined more than so many days ago.

    The newest run that succeeded stays, however old, and so does what the last read could not use: other rules ask for
    both. `now` is UTC. Not to be called inside a transaction.
    """
    moment = now.replace(tzinfo=None)
    with transaction(connection):
        old = """
            SELECT run_id FROM ops.runs
            WHERE started_at < $before AND run_id NOT IN (
                SELECT run_id FROM ops.runs WHERE state LIKE 'SUCCEEDED%' ORDER BY started_at DESC LIMIT 1
            )
        """
        for table in _TABLES:
            connection.execute(
                f"DELETE FROM ops.{table} WHERE run_id IN ({old})",  # noqa: S608  # nosec B608  # names of ours
                {"before": moment - KEEP_RECORDS},
            )
        connection.execute(
            """
            DELETE FROM sync.quarantine
            WHERE seen_at < least($before, (SELECT min(as_of) FROM raw.reads))
            """,
            {"before": moment - timedelta(days=quarantine_days)},
        )
