"""Counts of tries in PostgreSQL: logins and connection tests, over all processes that serve the pages.

Whose tries they are stands there only as a digest: neither logins nor addresses are kept.
"""

from __future__ import annotations

import hashlib
import time

from limits import RateLimitItem, WindowStats

from integration_assets.coordination.database import Database, Parameters

# One request is one transaction: the lock makes those of one key come one after another, and the count is made after it
# was waited for. What is older than the longest limit is taken away by the way, and never waited for.
_HIT = """
    SELECT pg_advisory_xact_lock(%(lock)s::bigint);
    DELETE FROM tries WHERE ctid IN (
        SELECT ctid FROM tries WHERE at < clock_timestamp() - interval '1 hour' LIMIT 100 FOR UPDATE SKIP LOCKED
    );
    INSERT INTO tries (name, at) SELECT %(name)s, clock_timestamp()
    WHERE (
        SELECT count(*) FROM tries
        WHERE name = %(name)s AND at > clock_timestamp() - make_interval(secs => %(seconds)s)
    ) < %(most)s
    RETURNING 1
"""
_LOOK = """
    SELECT count(*), extract(epoch FROM min(at) - clock_timestamp())::float8 + %(seconds)s
    FROM tries WHERE name = %(name)s AND at > clock_timestamp() - make_interval(secs => %(seconds)s)
"""
_FORGET = "DELETE FROM tries WHERE name = %(name)s"


class PostgresTries:
    """Moving windows of tries by the server's clock, with the methods of `limits`' own.

    All methods raise `CoordinationError` where PostgreSQL cannot be used now.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def hit(self, item: RateLimitItem, name: str, key: str) -> bool:
        """Count a try; False, and nothing counted, where the limit is used up."""
        return self._database.execute(_HIT, _parameters(item, name, key)) is not None

    def test(self, item: RateLimitItem, name: str, key: str) -> bool:
        """True if one more try would be counted."""
        return self.get_window_stats(item, name, key).remaining > 0

    def get_window_stats(self, item: RateLimitItem, name: str, key: str) -> WindowStats:
        """Tries that are left, and when the oldest one leaves the window, by this machine's clock."""
        used, seconds = self._database.execute(_LOOK, _parameters(item, name, key)) or (0, None)
        # The wait is the server's; a clock of this machine that is wrong must not change it.
        return WindowStats(time.time() + (seconds or 0.0), max(0, item.amount - used))

    def clear(self, item: RateLimitItem, name: str, key: str) -> None:
        """Forget the tries of a key."""
        self._database.execute(_FORGET, _parameters(item, name, key))


def _parameters(item: RateLimitItem, name: str, key: str) -> Parameters:
    digest = hashlib.sha256(f"{item.namespace} {name}\n{key}".encode())
    return {
        "name": digest.hexdigest(),
        "lock": int.from_bytes(digest.digest()[:8], "big", signed=True),
        "seconds": item.get_expiry(),
        "most": item.amount,
    }
