"""People whom the feedback system lists and who have neither vote nor request: their addresses go after a time.

A feedback system may list everybody who ever logged in. The address of somebody with a vote or a request is needed for
the company, as long as these count; that of the others is kept for a while, because many come to vote.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import duckdb

from integration_assets.staging.transactions import transaction

log = logging.getLogger(__name__)

ACTIVE = """
    SELECT voter_id FROM raw.votes WHERE voter_id IS NOT NULL
    UNION SELECT author_id FROM raw.feature_requests WHERE author_id IS NOT NULL
"""


def drop_idle_persons(connection: duckdb.DuckDBPyConnection, now: datetime, keep_days: int, *, listed: bool) -> int:
    """Take out people who have been idle for longer than `keep_days`, and their contacts; return how many people.

    Call once the tables of this read are in place. `listed`: all persons were read, so that who is missing is gone.
    """
    moment = now.replace(tzinfo=None)
    with transaction(connection):
        if listed:
            connection.execute("DELETE FROM raw.idle_persons WHERE voter_id NOT IN (SELECT voter_id FROM raw.voters)")
        connection.execute(f"DELETE FROM raw.idle_persons WHERE voter_id IN ({ACTIVE})")  # noqa: S608  # nosec B608
        connection.execute(
            f"""
            INSERT INTO raw.idle_persons
            SELECT voter_id, $now FROM raw.voters
            WHERE voter_id NOT IN ({ACTIVE}) AND voter_id NOT IN (SELECT voter_id FROM raw.idle_persons)
            """,  # noqa: S608  # nosec B608  # a statement of our own, above
            {"now": moment},
        )
        # Asked for first: DuckLake does not say what it deletes.
        before = {"before": moment - timedelta(days=keep_days)}
        idle = "FROM raw.voters WHERE voter_id IN (SELECT voter_id FROM raw.idle_persons WHERE idle_since < $before)"
        dropped = connection.execute(f"SELECT voter_id, lower(trim(email)) {idle}", before).fetchall()
        connection.execute(f"DELETE {idle}", before)
        # Their daily list brings them back every day; mostly nobody's time is up.
        if dropped:
            _drop_what_belongs_to(connection, dropped)
            log.info("%s people without vote or request for %d days were taken out", f"{len(dropped):,}", keep_days)
    return len(dropped)


def _drop_what_belongs_to(connection: duckdb.DuckDBPyConnection, people: list[tuple[str, str | None]]) -> None:
    connection.execute(
        "DELETE FROM raw.voter_accounts WHERE list_contains(?, voter_id)", [[voter_id for voter_id, _ in people]]
    )
    connection.execute(
        """
        DELETE FROM raw.crm_contacts
        WHERE list_has_any(list_prepend(email, coalesce(additional_emails, [])), $gone)
        -- somebody else may write from another address of the same contact
        AND NOT list_has_any(
            list_prepend(email, coalesce(additional_emails, [])),
            (SELECT coalesce(list(lower(trim(email))), []) FROM raw.voters WHERE email IS NOT NULL)
        )
        """,
        {"gone": [email for _, email in people if email]},
    )
