"""The run summary: version 1 of the JSON every run leaves, whatever its ending.

Its keys are an interface: all are always present, in this order. Texts in it are harmless: one line, no e-mail address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from integration_assets.connectors.calls import CallCount
from integration_assets.connectors.specs import ProviderKind
from integration_assets.errors import EndState, PermanentError
from integration_assets.models import Rejected
from integration_assets.providers import usual
from integration_assets.reporting.quarantine import QuarantineLine, read_quarantine
from integration_assets.reporting.text import clean, count, money
from integration_assets.sql import read_sql
from integration_assets.staging.tables import has_table
from integration_assets.whole_files import READABLE, write_whole

MOST_CURRENCIES = 5
"""Currencies named in one line."""
TOP = 5
"""Requests named by each ranking."""
_RANKING = ("ranked", "feature_requests")


class SystemCalls(msgspec.Struct, frozen=True):
    """Requests sent to one system; `writes`, of the CRM only, are those that can change it."""

    total: int = 0
    writes: int | msgspec.UnsetType = msgspec.UNSET
    retried: int = 0
    throttled: int = 0


class RecordNumbers(msgspec.Struct, frozen=True):
    """Requests in the source, by outcome. Only what was read back counts as `verified`."""

    identified: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    retired: int = 0
    rejected: int = 0
    verified: int = 0


class LinkNumbers(msgspec.Struct, frozen=True):
    """Links by outcome: labels on pairs, contacts included."""

    desired: int = 0
    created: int = 0
    removed: int = 0
    unchanged: int = 0
    rejected: int = 0
    verified: int = 0


class VoteNumbers(msgspec.Struct, frozen=True):
    """Counted votes: `total` = `matched` + all of `unmatched`."""

    total: int = 0
    matched: int = 0
    by_method: dict[str, int] = {}
    unmatched: dict[str, int] = {}


class CheckLine(msgspec.Struct, frozen=True):
    """One check of the run."""

    name: str
    asset: str
    severity: str
    passed: bool
    detail: str


class ConflictLine(msgspec.Struct, frozen=True):
    """A field that both sides changed, or only a person did, and what was done about it.

    Of an association that stays without our label, `field` is the other record: `company:<id>`.
    """

    key: str
    field: str
    action: str


class PlannedChanges(msgspec.Struct, frozen=True):
    """Changes a plan would make: requests by action, and labels on pairs to be added and taken off."""

    create: int = 0
    update: int = 0
    retire: int = 0
    link: int = 0
    unlink: int = 0

    @property
    def records_text(self) -> str:
        """Say what would become of requests."""
        return f"would create {self.create:,}, update {self.update:,}, retire {self.retire:,}"

    @property
    def links_text(self) -> str:
        """Say what would become of links."""
        return f"would link {self.link:,}, unlink {self.unlink:,}"


class PlanLine(msgspec.Struct, frozen=True):
    """The plan of the run; `hash` and `changes` are None when there is none, `changes` also of earlier versions."""

    hash: str | None = None
    held: bool = False
    reasons: tuple[str, ...] = ()
    changes: PlannedChanges | None = None


class TopRequest(msgspec.Struct, frozen=True):
    """A request of a ranking. `arr` is an exact decimal with two places, as text.

    `companies_without_rate`: of its companies, those whose ARR is not in `arr` because its currency has no rate.
    `place` counts requests that are closed as well; 0 in a summary of an earlier version, as are `votes`.
    """

    request_id: str
    title: str
    companies: int
    arr: str
    companies_without_rate: int = 0
    status: str = ""
    place: int = 0
    votes: int = 0


class Top(msgspec.Struct, frozen=True):
    """The first open requests of the rankings. `closed`: how many that are shipped or closed are left out."""

    by_arr: tuple[TopRequest, ...] = ()
    by_companies: tuple[TopRequest, ...] = ()
    by_votes: tuple[TopRequest, ...] = ()
    closed: int = 0


class LeftOutArr(msgspec.Struct, frozen=True):
    """ARR that no rate converts. `amount` is in `currency`, an exact decimal with two places, as text."""

    currency: str
    amount: str
    companies: int


class ArrNumbers(msgspec.Struct, frozen=True):
    """The ARR of all companies that voted, as text, in the summary's currency, and what is not in it."""

    total: str = "0.00"
    companies: int = 0
    companies_without_figure: int = 0
    companies_without_rate: int = 0
    left_out: tuple[LeftOutArr, ...] = ()


class Freshness(msgspec.Struct, frozen=True):
    """Start of the last read of the two inputs a ranking is made of, ISO 8601 UTC; None: never read."""

    votes_as_of: str | None = None
    companies_as_of: str | None = None


class RunSummary(msgspec.Struct, frozen=True):
    """Version 1 of the run summary, keys in their published order. Times are ISO 8601 UTC.

    `quarantined` counts records by stage, `quarantine` says why; it came later and is empty in older summaries.
    """

    version: int
    run_id: str
    tenant: str
    environment: str
    state: str
    dry_run: bool
    started_at: str
    duration_seconds: float
    api_calls: dict[str, SystemCalls]
    feature_requests: RecordNumbers
    links: LinkNumbers
    votes: VoteNumbers
    checks: tuple[CheckLine, ...]
    rejected: tuple[Rejected, ...]
    conflicts: tuple[ConflictLine, ...]
    quarantined: dict[str, int]
    currency: str
    plan: PlanLine
    top: Top
    freshness: Freshness
    arr: ArrNumbers = ArrNumbers()  # summaries of earlier versions are read as well
    quarantine: tuple[QuarantineLine, ...] = ()


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one run for its summary. Everything that may be missing at an early ending has a default.

    `error` is one line, None when there was none. `resolved` and `ranked` say whether this run made those tables: what
    an earlier run left is not this run's result and is not reported as such. `feedbacks` and `crm` name the systems
    whose calls are always listed; `crm` is None for a run without one. `arr_property` is the CRM property that ARR is
    read from. `floor` has, by system, the fewest calls that the work done takes, where it is known.
    """

    run_id: str
    tenant: str
    environment: str
    mode: str
    state: EndState
    started_at: datetime
    duration_seconds: float
    error: str | None = None
    calls: Sequence[CallCount] = ()
    records: RecordNumbers = RecordNumbers()
    links: LinkNumbers = LinkNumbers()
    checks: Sequence[CheckLine] = ()
    plan: PlanLine = PlanLine()
    conflicts: Sequence[ConflictLine] = ()
    rejected: Sequence[Rejected] = ()
    currency: str = "USD"
    arr_property: str | None = None
    resolved: bool = True
    ranked: bool = True
    feedbacks: tuple[str, ...] = (usual(ProviderKind.FEEDBACK).name,)
    crm: str | None = usual(ProviderKind.CRM).name
    floor: Mapping[str, int] = {}


def build_summary(connection: duckdb.DuckDBPyConnection | None, facts: RunFacts) -> RunSummary:
    """The summary of a run, from what it knows and from the tables it made.

    `connection` is the staging store, or None when it could not be opened: then everything read from it is empty.
    """
    return RunSummary(
        version=1,
        run_id=facts.run_id,
        tenant=facts.tenant,
        environment=facts.environment,
        state=facts.state.value,
        # Both only plan: their numbers are what would be done.
        dry_run=facts.mode in {"dry_run", "undo_plan"},
        started_at=iso_utc(facts.started_at),
        duration_seconds=round(facts.duration_seconds, 3),
        api_calls=_api_calls(facts),
        feature_requests=facts.records,
        links=facts.links,
        # What an earlier run left must not appear as a result of this one.
        votes=_votes(connection) if connection and facts.resolved else VoteNumbers(),
        checks=tuple(
            CheckLine(check.name, check.asset, check.severity, check.passed, clean(check.detail))
            for check in facts.checks
        ),
        rejected=tuple(Rejected(one.kind, clean(one.key), clean(one.reason)) for one in facts.rejected),
        conflicts=tuple(facts.conflicts),
        # By run id, so that even a run that ended early has only its own.
        quarantined=_quarantined(connection, facts.run_id) if connection else {},
        currency=facts.currency,
        plan=msgspec.structs.replace(facts.plan, reasons=tuple(clean(reason) for reason in facts.plan.reasons)),
        top=_top(connection) if connection and facts.ranked else Top(),
        freshness=_freshness(connection) if connection else Freshness(),
        arr=_arr(connection) if connection and facts.ranked else ArrNumbers(),
        quarantine=_quarantine(connection, facts) if connection else (),
    )


def unapplied_changes(summary: RunSummary) -> PlannedChanges | None:
    """Count what a dry run, or a run whose plan is held, would have done; None of a run that did what it planned."""
    records, links = summary.feature_requests, summary.links
    # A dry run's numbers are the plan's own: nothing of them was written.
    if summary.dry_run:
        return PlannedChanges(records.created, records.updated, records.retired, links.created, links.removed)
    changes = summary.plan.changes
    # Summaries of earlier versions have no such numbers.
    return changes if summary.plan.held and isinstance(changes, PlannedChanges) else None


def has_written(summary: RunSummary) -> bool:
    """True if the run changed anything in the CRM: one that applied an approved plan may hold the next one."""
    # Summaries of earlier versions do not say what a held plan would have changed.
    knows_changes = not summary.plan.held or isinstance(summary.plan.changes, PlannedChanges)
    return knows_changes and not summary.dry_run and bool(summary.feature_requests.verified or summary.links.verified)


def conflict_words(conflicts: Sequence[ConflictLine]) -> str:
    """Say what people changed in the CRM, and what was left as it is, in one line; nothing without a conflict."""
    pairs = sum(":" in one.field for one in conflicts)  # names of fields have no colon
    # Counted apart: an edited field and a kept association ask for different things of a person.
    fields = len(conflicts) - pairs
    words = [f"{count(fields, 'field')} edited by people in the CRM"] if fields else []
    words += [f"{count(pairs, 'association')} kept without our label"] if pairs else []
    return ", ".join(words)


def arr_words(numbers: ArrNumbers, currency: str) -> str:
    """The ARR behind all votes in one line, with what is left out of it; nothing where no company voted."""
    if not numbers.companies:
        return ""
    words = f"{money(numbers.total, currency)} of {count(numbers.companies, 'company', 'companies')} that voted"
    if numbers.companies_without_figure:
        has = "has" if numbers.companies_without_figure == 1 else "have"
        words += f"; {numbers.companies_without_figure:,} {has} no figure"
    if numbers.companies_without_rate:
        shown = ", ".join(money(one.amount, one.currency) for one in numbers.left_out[:MOST_CURRENCIES])
        more = (
            f" and {len(numbers.left_out) - MOST_CURRENCIES:,} more" if len(numbers.left_out) > MOST_CURRENCIES else ""
        )
        words += f"; left out for lack of a currency rate: {shown}{more} of {numbers.companies_without_rate:,}"
    return words


def to_json(summary: RunSummary) -> bytes:
    """The summary as published."""
    return msgspec.json.encode(summary)


def write_json(summary: RunSummary, path: Path) -> None:
    """Write the summary to a file, whole or not at all.

    Raises:
        PermanentError: it cannot be written.
    """
    content = to_json(summary) + b"\n"
    try:
        # A pipe or device has no place to put another file into.
        if path.exists() and not path.is_file():
            path.write_bytes(content)  # a pipe, or /dev/stdout: there is nothing to put in its place
        else:
            write_whole(path, content, mode=READABLE)
    except OSError as error:
        raise PermanentError(f"{path} could not be written: {error.strerror}; check the folder and the disk") from error


def iso_utc(time: datetime) -> str:
    """ISO 8601 in UTC, to the second, with a Z. A time without zone is taken to be UTC, as in the store."""
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return f"{aware:%Y-%m-%dT%H:%M:%SZ}"


def _api_calls(facts: RunFacts) -> dict[str, SystemCalls]:
    # The main systems always, also with no call: a key that is missing reads like a system that was forgotten.
    main = [system for system in (*facts.feedbacks, facts.crm) if system is not None]
    systems = [*main, *sorted({call.system for call in facts.calls} - set(main))]
    return {system: _system_calls(facts.calls, system, writes=system == facts.crm) for system in systems}


def _system_calls(calls: Sequence[CallCount], system: str, *, writes: bool) -> SystemCalls:
    rows = [call for call in calls if call.system == system]
    return SystemCalls(
        total=sum(row.total for row in rows),
        writes=sum(row.writes for row in rows) if writes else msgspec.UNSET,
        retried=sum(row.retried for row in rows),
        throttled=sum(row.throttled for row in rows),
    )


def _votes(connection: duckdb.DuckDBPyConnection) -> VoteNumbers:
    outcomes = _rows(connection, "vote_outcomes", needs=("resolved", "votes"))
    by_method = {method: votes for method, _, votes in outcomes if method is not None}
    unmatched = {reason or "unknown": votes for method, reason, votes in outcomes if method is None}
    matched = sum(by_method.values())
    return VoteNumbers(matched + sum(unmatched.values()), matched, by_method, unmatched)


def _quarantined(connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, int]:
    return dict(_rows(connection, "quarantined_by_stage", [run_id], needs=("sync", "quarantine")))


def _quarantine(connection: duckdb.DuckDBPyConnection, facts: RunFacts) -> tuple[QuarantineLine, ...]:
    return read_quarantine(connection, facts.run_id, arr_property=facts.arr_property)


def _top(connection: duckdb.DuckDBPyConnection) -> Top:
    closed = _rows(connection, "closed_requests", needs=_RANKING)
    by_arr, by_companies, by_votes = (_top_requests(connection, by) for by in ("arr", "companies", "votes"))
    return Top(by_arr, by_companies, by_votes, closed[0][0] if closed else 0)


def _top_requests(connection: duckdb.DuckDBPyConnection, by: str) -> tuple[TopRequest, ...]:
    rows = _rows(connection, "top_requests", {"by": by, "most_rows": TOP}, needs=_RANKING)
    return tuple(
        TopRequest(
            request_id,
            clean(title or ""),
            companies or 0,
            f"{Decimal(arr or 0):.2f}",
            without_rate or 0,
            status or "unknown",
            place,
            votes,
        )
        for request_id, title, companies, arr, without_rate, status, place, votes in rows
    )


def _arr(connection: duckdb.DuckDBPyConnection) -> ArrNumbers:
    totals = _rows(connection, "arr_totals", needs=("ranked", "companies"))
    left_out = _rows(connection, "arr_left_out", needs=("resolved", "arr_without_rate")) if totals else []
    for arr, companies, without_figure, without_rate in totals:
        lines = tuple(
            LeftOutArr(clean(currency), f"{amount:.2f}", companies_of) for currency, amount, companies_of in left_out
        )
        return ArrNumbers(f"{arr:.2f}", companies, without_figure, without_rate, lines)
    return ArrNumbers()


def _freshness(connection: duckdb.DuckDBPyConnection) -> Freshness:
    as_of = {name: iso_utc(start) for name, start, _, _ in _rows(connection, "reads", needs=("raw", "reads")) if start}
    return Freshness(as_of.get("votes"), as_of.get("companies"))


def _rows(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    parameters: Sequence[object] | Mapping[str, object] = (),
    *,
    needs: tuple[str, str],
) -> list[tuple[Any, ...]]:
    """Rows of `sql/reporting/<name>.sql`; none when the table it reads does not exist yet."""
    found = has_table(connection, *needs)
    # A run that failed early has no such tables yet, and still needs a summary.
    return connection.execute(read_sql(f"reporting/{name}"), parameters or None).fetchall() if found else []
