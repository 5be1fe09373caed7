"""PostgreSQL's advisory locks of a session: taken and let go in one way, for whatever they protect.

Such a lock lives and dies with its connection: a process that ends lets go at once, and a connection that has ended
never gets it back.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

# Imported where it is used: most installations have no PostgreSQL.
if TYPE_CHECKING:
    import psycopg

WAIT_SECONDS = 60
"""Longest wait for a lock that is waited for."""


def lock_key(name: str) -> int:
    """The number under which the server knows a lock. `name` has to be ours alone, among all that use the database."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def take(connection: psycopg.Connection[Any], key: int) -> bool:
    """Take a lock if nobody has it; False where somebody has.

    Raises:
        psycopg.Error: the server cannot be asked.
    """
    row = connection.execute("SELECT pg_try_advisory_lock(%(key)s::bigint)", {"key": key}).fetchone()
    return row is not None and row[0] is True


def wait_for(connection: psycopg.Connection[Any], key: int) -> bool:
    """Take a lock once nobody has it; False where somebody still has after `WAIT_SECONDS`.

    Raises:
        psycopg.Error: the server cannot be asked.
    """
    import psycopg

    # The connection's own limits are those of short statements.
    connection.execute(f"SET lock_timeout = '{WAIT_SECONDS}s'; SET statement_timeout = '{WAIT_SECONDS + 5}s'")
    try:
        connection.execute("SELECT pg_advisory_lock(%(key)s::bigint)", {"key": key})
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def let_go(connection: psycopg.Connection[Any], key: int) -> None:
    """Let go of a lock aloud: the server learns of a closed connection a moment later, and would refuse the next one.

    A lost connection has let go already.
    """
    import psycopg

    try:
        connection.execute("SELECT pg_advisory_unlock(%(key)s::bigint)", {"key": key})
    except psycopg.Error:
        connection.close()


def holder(connection: psycopg.Connection[Any], key: int) -> str:
    """The application's name of the session that holds a lock; empty where none does.

    Raises:
        psycopg.Error: the server cannot be asked.
    """
    row = connection.execute(
        """
        SELECT activity.application_name FROM pg_locks AS locks JOIN pg_stat_activity AS activity USING (pid)
        WHERE locks.locktype = 'advisory' AND locks.granted AND locks.objsubid = 1
            AND locks.classid = %(high)s::oid AND locks.objid = %(low)s::oid
        """,
        {"high": (key >> 32) & 0xFFFFFFFF, "low": key & 0xFFFFFFFF},
    ).fetchone()
    return str(row[0]) if row else ""
