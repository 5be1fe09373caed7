"""The run lock of a tenant and environment among machines: a session's advisory lock, and a fencing number in a table.

The lock lives and dies with its connection. A process that dies closes it at once; a machine that vanishes is given up
after `SILENCE_SECONDS`. Whoever was cut off meanwhile, and woke up, finds its connection dead or another number in the
table, and writes nothing more.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from integration_assets.config import Settings
from integration_assets.coordination.advisory_lock import let_go, lock_key, take
from integration_assets.coordination.database import Database, Row, shared_database, translated
from integration_assets.errors import LockError

if TYPE_CHECKING:
    from integration_assets.coordination.database import Connection

# The number and its holder are one statement: a reader never sees the one without the other. The backend is the server
# process of this session; behind a pooler that lends sessions out it differs from statement to statement, and a lock
# taken there protects nobody.
_NUMBER = """
    INSERT INTO run_locks AS lock (name, number, backend, what, pid, host, since)
    VALUES (%(name)s, 1, pg_backend_pid(), %(what)s, %(pid)s, %(host)s, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET number = lock.number + 1, backend = excluded.backend, what = excluded.what,
        pid = excluded.pid, host = excluded.host, since = excluded.since
    RETURNING number
"""
_CHECK = "SELECT number, backend = pg_backend_pid() FROM run_locks WHERE name = %(name)s"
_HOLDER = "SELECT what, pid, host, since FROM run_locks WHERE name = %(name)s"


class SharedHold(Protocol):
    """A lock among machines that is held."""

    def check(self) -> None:
        """Return while it can be shown that the lock is ours; else raise `LockError`."""
        ...


@dataclass(frozen=True)
class SharedLocks:
    """The run locks in a PostgreSQL."""

    database: Database

    @contextmanager
    def held(self, name: str, what: str) -> Iterator[SharedHold]:
        """Hold the lock `name`. `what` tells others who holds it.

        Raises:
            LockError: another machine, or another process of this one, holds it; the message says which.
            CoordinationError: PostgreSQL cannot be used now.
        """
        with closing(self.database.connect()) as connection:
            with translated():
                number = _take_and_sign(connection, name, what)
            try:
                yield _Hold(connection, name, number)
            finally:
                let_go(connection, _key(name))

    @contextmanager
    def held_together(self, names: Iterable[str], what: str) -> Iterator[None]:
        """Hold several locks, over one connection: PostgreSQL has a hundred of those, and there may be more tenants.

        Raises:
            As `held`.
        """
        with closing(self.database.connect()) as connection:
            taken = list(names)
            with translated():
                for name in taken:
                    _take_and_sign(connection, name, what)
            try:
                yield
            finally:
                for name in taken:
                    let_go(connection, _key(name))


class _Hold:
    def __init__(self, connection: Connection, name: str, number: int) -> None:
        self._connection = connection
        self._name = name
        self._number = number

    def check(self) -> None:
        """Ask the server, over the connection the lock hangs on, whether it is still ours.

        Raises:
            LockError: it is not, or the server does not answer.
        """
        import psycopg  # by now it is loaded: the connection is of it

        try:
            row = _one(self._connection, _CHECK, {"name": self._name})
        except psycopg.Error:
            # Closed, so that a server that answers again finds no lock of a run that has given up.
            self._connection.close()
            raise LockError(
                f"the run lock of {self._name} cannot be shown to be held: PostgreSQL, where it is, closed the "
                "connection or does not answer, and another machine may have it by now; nothing more was written, run "
                "it again"
            ) from None
        number, ours = row or (None, False)
        if number != self._number:
            raise LockError(
                f"the run lock of {self._name} passed on while this run was held up (it went from holder "
                f"{self._number} to {number}): nothing more was written; run it again"
            )
        if not ours:
            raise LockError(
                f"the run lock of {self._name} is no longer held: the connection to PostgreSQL went to another session "
                "of the server, as behind a pooler in transaction mode; connect to PostgreSQL itself, or pool whole "
                "sessions; nothing more was written"
            )


def shared_locks(settings: Settings) -> SharedLocks | None:
    """The run locks among machines; None where the registry is in no PostgreSQL: then the lock is this machine's."""
    database = shared_database(settings)
    return None if database is None else SharedLocks(database)


def _take_and_sign(connection: Connection, name: str, what: str) -> int:
    """Take a lock and sign who has it; return its number. Refused, the caller closes the connection."""
    if not take(connection, _key(name)):
        raise _refusal(name, _one(connection, _HOLDER, {"name": name}))
    row = _one(connection, _NUMBER, {"name": name, "what": what, "pid": os.getpid(), "host": socket.gethostname()})
    return row[0] if row else 0


def _key(name: str) -> int:
    return lock_key(f"integration_assets run lock {name}")


def _refusal(name: str, holder: Row | None) -> LockError:
    # Its holder signs just after it has taken it, and stays signed after it has let go: a line for people only.
    what, pid, host, since = holder or ("another run", 0, "an unknown machine", datetime.now(UTC))
    return LockError(
        f"another machine or process is running {name} ({what}, process {pid} on {host}, since "
        f"{since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC); wait until it has finished, then run again",
        holder=what,
    )


def _one(connection: Connection, statement: str, parameters: dict[str, object]) -> Row | None:
    return connection.execute(statement, parameters).fetchone()
