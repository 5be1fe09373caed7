"""Facts of a tenant's staging store about earlier runs, plans and writes; all of it read in one opening."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import msgspec

from integration_assets.connectors.specs import ProviderKind
from integration_assets.doctor.context import DoctorContext, in_thread
from integration_assets.providers import of_kind
from integration_assets.reporting.alert_places import alerts_of
from integration_assets.reporting.insights import read_last_run
from integration_assets.staging import room
from integration_assets.staging.publishing import published_path
from integration_assets.staging.store import StorePlace, open_store, store_place
from integration_assets.sync.operations import plan_hash, read_operations
from integration_assets.sync.plan_store import hash_header, load_plan
from integration_assets.sync.portal import pinned_portal


class LedgerFacts(msgspec.Struct, frozen=True):
    """`rows` of the ledger; `problems` with it, one line each; `open_writes` whose outcome nobody knows."""

    rows: int
    problems: tuple[str, ...]
    open_writes: int


class StoreFacts(msgspec.Struct, frozen=True):
    """The store of one tenant and environment, at `place`. `bytes`: its file. Times are UTC.

    `open_runs`: id and beginning of runs that did not end. `unsent`: messages Slack has not confirmed. `last_run`: when
    and how it ended. `calls_needed`: CRM calls of the newest run and of what is planned and not applied.
    """

    place: str
    bytes: int
    pinned: str | None = None
    ledger: LedgerFacts = LedgerFacts(0, (), 0)
    open_runs: tuple[tuple[str, datetime], ...] = ()
    unsent: int = 0
    last_run: tuple[datetime, str] | None = None
    last_good_run_at: datetime | None = None
    calls_needed: int | None = None


async def store_facts(context: DoctorContext) -> StoreFacts | None:
    """Read the facts of the store; None when there is none yet.

    Raises:
        ConfigurationError: its place is no directory, or a newer version wrote it.
        LockError: another run, or another program, has it open.
        PermanentError: it is damaged, or cannot be read or written.
    """
    return await context.once("store", lambda: in_thread(lambda: _facts(context)))


def place_of(context: DoctorContext) -> StorePlace:
    """Return the place of the store.

    Raises:
        ConfigurationError: its place is no directory of DuckDB files and no lake.
    """
    return store_place(context.operator, context.environment, context.tenant)


def bytes_of(context: DoctorContext) -> int:
    """Bytes of what the last run left: the store and what it published."""
    return room.bytes_of(
        (place_of(context).path, published_path(context.operator.home, context.environment, context.tenant))
    )


def _facts(context: DoctorContext) -> StoreFacts | None:
    place = place_of(context)
    # Opening it would create an empty store, and the doctor leaves nothing behind.
    if not place.exists():
        return None
    shared = alerts_of(context.operator, context.environment.value, context.tenant).read()
    with open_store(place, "doctor") as connection:
        runs = connection.execute("SELECT run_id, started_at FROM sync.open_runs ORDER BY started_at").fetchall()
        unsent = connection.execute("SELECT count(*) FROM sync.outbox").fetchall()[0][0]
        return StoreFacts(
            place=str(place),
            bytes=bytes_of(context),
            pinned=pinned_portal(connection, context.environment),
            ledger=_ledger(connection),
            open_runs=tuple((str(run), _utc(began)) for run, began in runs),
            # With those that machines share, where they do.
            unsent=unsent + len(shared.summaries),
            last_run=_last_run(connection),
            last_good_run_at=_last_good_run(connection),
            calls_needed=_calls_needed(connection),
        )


def _ledger(connection: duckdb.DuckDBPyConnection) -> LedgerFacts:
    # Hashing whole rows reads every block, and DuckDB compares the checksum of each block it reads.
    rows, first, last, different, strangers, unsettled, _ = connection.execute(
        """
        SELECT
            count(*),
            coalesce(min(ledger_id), 1),
            coalesce(max(ledger_id), 0),
            count(DISTINCT ledger_id),
            count(*) FILTER (plan_id NOT IN (SELECT plan_id FROM sync.plans)),
            count(*) FILTER (outcome IS NULL),
            bit_xor(hash(ledger))
        FROM sync.ledger
        """
    ).fetchall()[0]
    problems = []
    # Ids are given once: a number that comes twice means that the file was edited or restored in part.
    if different != rows:
        problems.append(f"{rows - different} entries have the number of another one")
    if last - first + 1 != different:
        problems.append(f"{last - first + 1 - different} entries between {first} and {last} are gone")
    if strangers:
        problems.append(f"{strangers} entries are of plans nobody knows")
    return LedgerFacts(rows, (*problems, *_changed_plan(connection)), unsettled)


def _changed_plan(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The newest plan whose operations are kept, when they are not those its hash was made of."""
    newest = connection.execute(
        "SELECT plan_id FROM sync.plans ORDER BY created_at DESC, plan_id DESC LIMIT 1"
    ).fetchall()
    if not newest:
        return []
    plan = load_plan(connection, newest[0][0])
    operations = read_operations(connection, plan.plan_id, with_moved=True)
    # The hash is what a person approved: operations that differ were never approved by anybody.
    if plan_hash(hash_header(plan), operations) == plan.hash:
        return []
    return [f"the operations of plan {plan.hash[:12]} were changed since it was made"]


def _last_run(connection: duckdb.DuckDBPyConnection) -> tuple[datetime, str] | None:
    last = read_last_run(connection)
    return (_utc(last.finished_at), last.state) if last else None


def _last_good_run(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    # Not what a wrong clock dated ahead: it would pass for fresh until that moment. Clocks of two machines differ by
    # less than five minutes.
    rows = connection.execute(
        """
        SELECT max(finished_at) FROM ops.runs
        WHERE state LIKE 'SUCCEEDED%' AND finished_at <= make_timestamp(epoch_us(now())) + INTERVAL 5 MINUTE
        """
    ).fetchall()
    return _utc(rows[0][0]) if rows[0][0] is not None else None


def _calls_needed(connection: duckdb.DuckDBPyConnection) -> int | None:
    """CRM calls a run takes: those of the newest one, which read everything it needs, and the newest plan's."""
    newest = connection.execute(
        "SELECT plan_id FROM sync.plans WHERE status <> 'applied' ORDER BY created_at DESC LIMIT 1"
    ).fetchall()
    of_plan = load_plan(connection, newest[0][0]).calls if newest else 0
    last = read_last_run(connection)
    of_run = connection.execute(
        """
        SELECT coalesce(sum(total), 0)
        FROM ops.api_calls
        WHERE list_contains($crms, system) AND run_id = $run_id
        """,
        {"run_id": last.run_id if last else None, "crms": [spec.name for spec in of_kind(ProviderKind.CRM)]},
    ).fetchall()[0][0]
    return int(of_plan) + int(of_run) or None


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
