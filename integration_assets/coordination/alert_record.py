"""One text per tenant and environment in PostgreSQL, for one holder at a time among all machines.

In it stands what people have been told and what waits to be told (`reporting.alert_places` knows its form). A holder
posts to Slack while it holds it, which takes seconds, and puts on record each attempt before it is made: so the lock is
a session's, and each change a transaction of its own that is on the server's disk when it returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integration_assets.coordination.advisory_lock import WAIT_SECONDS, let_go, lock_key, wait_for
from integration_assets.coordination.database import Database, translated
from integration_assets.errors import CoordinationError, LockError

if TYPE_CHECKING:
    from integration_assets.coordination.database import Connection

_READ = "SELECT content FROM alerts WHERE name = %(name)s"
# Only in the session that took the lock: behind a pooler that lends sessions out the lock would protect nobody.
_KEEP = """
    INSERT INTO alerts (name, content)
    SELECT %(name)s, %(content)s WHERE pg_backend_pid() = %(backend)s
    ON CONFLICT (name) DO UPDATE SET content = excluded.content
    RETURNING 1
"""
_FORGET = "DELETE FROM alerts WHERE name = ANY(%(names)s)"


class HeldRecord:
    """The record while it is held. `content` is the text as it was when it was taken, None where there was none."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._backend = connection.info.backend_pid
        row = connection.execute(_READ, {"name": name}).fetchone()
        self.content: str | None = row[0] if row else None

    def keep(self, content: str) -> None:
        """Replace the text; it is on the server's disk when this returns.

        Raises:
            CoordinationError: the server does not answer, or the lock is no longer ours; nothing was replaced.
        """
        values = {"name": self._name, "content": content, "backend": self._backend}
        with translated():
            # Over the connection the lock hangs on: who was cut off meanwhile replaces nothing.
            kept = self._connection.execute(_KEEP, values).fetchone()
        if kept is None:
            raise CoordinationError(
                f"the alerts of {self._name} cannot be held: the connection to PostgreSQL went to another session of "
                "the server, as behind a pooler in transaction mode; connect to PostgreSQL itself, or pool whole "
                "sessions"
            )


@dataclass(frozen=True)
class AlertRecord:
    """The record of a tenant and environment; `name` is `<environment>/<tenant>`."""

    database: Database
    name: str

    def read(self) -> str | None:
        """The text as it is; None where there is none.

        Raises:
            CoordinationError: the server cannot be used now.
            ConfigurationError: its tables are of an older version.
        """
        row = self.database.execute(_READ, {"name": self.name})
        return row[0] if row else None

    @contextmanager
    def held(self) -> Iterator[HeldRecord]:
        """Hold the record. Other holders are waited for: they need seconds, and no alert must be lost for one of them.

        Raises:
            LockError: another one holds it for too long.
            CoordinationError: the server cannot be used now.
            ConfigurationError: its tables are of an older version.
        """
        key = lock_key(f"integration_assets alerts {self.name}")
        with closing(self.database.connect()) as connection:
            with translated():
                if not wait_for(connection, key):
                    raise LockError(
                        f"another process has been posting the alerts of {self.name} for {WAIT_SECONDS} s; run it again"
                    )
                record = HeldRecord(connection, self.name)
            try:
                yield record
            finally:
                let_go(connection, key)


def forget_records(database: Database, *names: str) -> None:
    """Erase the records of a tenant.

    Raises:
        CoordinationError: the server cannot be used now.
        ConfigurationError: its tables are of an older version.
    """
    database.execute(_FORGET, {"names": list(names)})
