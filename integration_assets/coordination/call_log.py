"""The calls of a credential in PostgreSQL: one limit for all machines that use it, by the server's clock.

Each decision is one short transaction of two round trips: the row of the credential is locked and read, changed here,
written and let go. The clock is read once the lock is held, so that no machine's own clock counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from integration_assets.config import Settings
from integration_assets.connectors.call_log import Buckets, CallLog, CallLogs, FileLogs, decoded, encoded
from integration_assets.coordination.database import Database, shared_database

LIMITS = "limits"
"""Directory under the home by which all runs of one machine, of whatever tenant, share a credential's limits."""
# Set back by less than a minute, as a server corrects itself, the clock stands still; by more, it was wrong before, and
# waiting for it would stop every call. The value is made after the lock was waited for: it is the row's, not the
# request's.
_TAKE = """
    INSERT INTO call_logs AS log (name, buckets, clock)
    VALUES (%(name)s, '', extract(epoch FROM clock_timestamp())::float8)
    ON CONFLICT (name) DO UPDATE SET clock = greatest(
        extract(epoch FROM clock_timestamp())::float8,
        CASE WHEN log.clock < extract(epoch FROM clock_timestamp())::float8 + 60 THEN log.clock ELSE 0 END
    )
    RETURNING buckets, clock
"""
_KEEP = "UPDATE call_logs SET buckets = %(buckets)s WHERE name = %(name)s"


class PostgresLog:
    """The buckets of one credential in PostgreSQL, for one holder at a time among all machines.

    A holder that dies lets go with its connection; what it had not committed is forgotten.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._now = 0.0
        self.is_remote = True

    def clock(self) -> float:
        """The server's time when the buckets were taken, in seconds; of use while they are held."""
        return self._now

    @contextmanager
    def held(self) -> Iterator[Buckets]:
        """The buckets.

        Raises:
            CoordinationError: PostgreSQL cannot be used now.
        """
        with self._database.transaction(_TAKE, {"name": self._name}) as transaction:
            content, self._now = transaction.row or ("", 0.0)
            buckets = decoded(content.encode())
            yield buckets
            # Only when the block ended well: what an error left half changed is not kept.
            transaction.commit(_KEEP, {"name": self._name, "buckets": encoded(buckets).decode()})


@dataclass(frozen=True)
class PostgresLogs:
    """The logs of calls in a PostgreSQL."""

    database: Database

    def log(self, name: str) -> CallLog:
        """The log of a credential, by a name that gives nothing of it away."""
        return PostgresLog(self.database, name)


def call_logs(settings: Settings) -> CallLogs:
    """Give the place where calls are logged: PostgreSQL where the registry is in one, else files under the home."""
    database = shared_database(settings)
    return FileLogs(settings.home / LIMITS) if database is None else PostgresLogs(database)
