"""From resolved votes to rankings: the tables and views of schema `ranked`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import duckdb
import msgspec

from integration_assets.config import CUSTOMER_STAGES, PROSPECT_STAGES
from integration_assets.masking import ADDRESS_SIGN, mask_addresses
from integration_assets.models import Status
from integration_assets.resolution.tables import create_table, create_view, written_plain
from integration_assets.sql import read_sql

OPEN_STATUSES = (
    Status.OPEN,
    Status.UNDER_REVIEW,
    Status.PLANNED,
    Status.IN_PROGRESS,
    Status.ON_HOLD,
    Status.UNKNOWN,
)
"""Statuses of requests that may still be built."""


class Lifecycles(msgspec.Struct, frozen=True):
    """Stages of companies, in lower case, that make them customers and prospects. All others are neither."""

    customer_stages: tuple[str, ...] = CUSTOMER_STAGES
    prospect_stages: tuple[str, ...] = PROSPECT_STAGES


_WITH_SIGN = """
SELECT trim(owner) AS owner FROM raw.crm_companies WHERE regexp_matches(owner, $sign)
UNION
SELECT name FROM raw.crm_owners WHERE regexp_matches(name, $sign)
"""
_HISTORY = """
CREATE TABLE IF NOT EXISTS ranked.rank_history (
    as_of TIMESTAMP,
    request_id VARCHAR,
    rank_by_arr BIGINT,
    rank_by_companies BIGINT,
    companies BIGINT,
    arr DECIMAL(38, 2),
    companies_without_rate BIGINT
)
"""
_HISTORY_OF_EARLIER_VERSIONS = "ALTER TABLE ranked.rank_history ADD COLUMN IF NOT EXISTS companies_without_rate BIGINT"
"""The history outlives versions: its older rows do not know how many companies lacked a rate."""


def rank(
    connection: duckdb.DuckDBPyConnection,
    as_of: datetime,
    open_statuses: Iterable[str] = OPEN_STATUSES,
    lifecycles: Lifecycles = Lifecycles(),  # noqa: B008 - cannot be changed
    source_name: str = "",
) -> None:
    """Fill schema `ranked` but the history, which is only made if missing.

    `as_of` is the start of the read (without zone: UTC). `source_name` is the feedback system where one is read; of
    several, each id begins with the name of its own. Needs the tables that `resolve_votes` made. The caller owns the
    transaction.
    """
    statuses = {"open_statuses": [str(status) for status in open_statuses]}
    with written_plain(connection):
        create_table(connection, "resolved.company_votes")
        of_companies = msgspec.structs.asdict(lifecycles) | {"owner_addresses": _owner_addresses(connection)}
        create_table(connection, "resolved.ranked_companies", of_companies)
        create_table(connection, "resolved.ranked_requests", statuses)
        create_view(connection, "ranked.company_requests")
        create_view(connection, "ranked.deals_at_stake")
        create_view(connection, "ranked.crm_companies")
        # Before the requests: they take the total of all companies for their shares, and their merged ones, from these.
        create_table(connection, "ranked.companies")
        create_table(connection, "ranked.merged_requests", {"source_name": source_name})
        create_table(connection, "ranked.company_segments")
        create_table(connection, "ranked.feature_requests", {"as_of": _utc(as_of)})
        create_table(connection, "ranked.unresolved_votes")
        create_view(connection, "ranked.why")
    _make_history(connection)


def _owner_addresses(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Texts that stand for the owner of a company and hold an e-mail address: those texts are few."""
    rows = connection.execute(_WITH_SIGN, {"sign": ADDRESS_SIGN}).fetchall()
    return [text for (text,) in rows if mask_addresses(text) != text]


def snapshot_history(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Put the ranking as it is into `ranked.rank_history`, in place of an earlier snapshot of the same UTC day."""
    moment = _utc(as_of)
    _make_history(connection)
    # The last run of a day stands for it: a run that is repeated adds no second point to the trend.
    connection.execute("DELETE FROM ranked.rank_history WHERE as_of::DATE = $as_of::TIMESTAMP::DATE", {"as_of": moment})
    connection.execute(f"INSERT INTO ranked.rank_history\n{read_sql('ranked/rank_history')}", {"as_of": moment})


def _make_history(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(_HISTORY)
    connection.execute(_HISTORY_OF_EARLIER_VERSIONS)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
