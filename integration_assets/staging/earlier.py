"""The rankings of an earlier moment, from a snapshot of a lake: as they would have been published then, in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import duckdb
import msgspec

from integration_assets.staging.extensions import NO_OTHERS
from integration_assets.staging.lake import Lake, attach_snapshot, detach, snapshot_of
from integration_assets.staging.place import StorePlace
from integration_assets.staging.publishing import copy_into_memory
from integration_assets.staging.store import clear_store_errors

RELATIONS = frozenset({"ranked.feature_requests", "ranked.merged_requests", "ops.runs"})
"""Relations that are copied: the ranking with every column, what its words search besides, and the currency."""
OF_COMPANIES = frozenset(
    {"ranked.companies", "ranked.company_segments", "ranked.company_requests", "ranked.deals_at_stake"}
)
"""Relations that some companies alone are counted from. They are many times as large, and copied only for that."""


class Earlier(msgspec.Struct, frozen=True):
    """A lake at an earlier moment. `connection` is None where it has nothing.

    `kept_since` is the time of the oldest snapshot, UTC without zone; None of a store that keeps none.
    """

    connection: duckdb.DuckDBPyConnection | None
    kept_since: datetime | None


@contextmanager
def open_earlier(place: StorePlace, moment: datetime, *, with_companies: bool = False) -> Iterator[Earlier]:
    """The ranking as a lake's last snapshot before a moment (UTC without zone) has it; nothing of a DuckDB file.

    `with_companies`: with what counting some companies alone needs. Texts are masked as in the published database.
    Takes no lock: a run may write meanwhile.

    Raises:
        LockError: the catalogue is a DuckDB file, and a run has it open.
        ConfigurationError: an extension is missing, or PostgreSQL refuses the login.
        TransientError: the catalogue cannot be reached.
        PermanentError: it cannot be read.
    """
    if place.lake is None or not place.exists():
        yield Earlier(None, None)
        return
    with duckdb.connect(":memory:", config=dict(NO_OTHERS)) as connection:
        # Only around the reading: an error of the block inside is not about the lake.
        with clear_store_errors(place, duckdb.Error):
            earlier = _read(connection, place.lake, moment, RELATIONS | (OF_COMPANIES if with_companies else set()))
        yield earlier


def _read(connection: duckdb.DuckDBPyConnection, lake: Lake, moment: datetime, relations: Collection[str]) -> Earlier:
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")  # it would be drawn among the results
    version, kept_since = snapshot_of(connection, lake, moment.replace(tzinfo=UTC))
    if version is None:
        return Earlier(None, kept_since)
    attach_snapshot(connection, lake, version)
    copy = copy_into_memory(connection, relations)
    # Before anything is made of the copy: a DuckDB file that is attached keeps a run out.
    detach(connection)
    connection.execute(f"USE {copy}")
    return Earlier(connection, kept_since)
