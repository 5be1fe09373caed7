"""A staging store with a small world in it, and the steps of a run on it without Dagster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from integration_assets.absent_modules import remember_what_is_absent
from integration_assets.staging.migrations import migrate
from integration_assets.sync.apply import ApplyReport, apply_plan
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets.sync.guard import is_first_apply
from integration_assets.sync.plan import PlanInputs, make_plan
from integration_assets.sync.plan_store import Plan
from integration_assets.sync.store import incoming
from integration_assets.sync.undo import find_run, make_undo_plan
from integration_assets_tests.support.stores import in_lake, on_lakes
from integration_assets_tests.sync.fake_companies import FakeCompanies
from integration_assets_tests.sync.fake_crm import FakeCrm

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MOST_ROWS_AS_TEXT = 500
LAST_VOTE = NOW.replace(tzinfo=None) - timedelta(days=1)

RANKED = """
CREATE TABLE ranked.feature_requests (
    request_id VARCHAR, title VARCHAR, status VARCHAR, url VARCHAR, board VARCHAR, category VARCHAR,
    created_at TIMESTAMP, votes BIGINT, companies BIGINT, arr DECIMAL(38, 2), voter_domains VARCHAR[],
    last_vote_at TIMESTAMP, is_open BOOLEAN, rank_by_arr BIGINT
);
CREATE TABLE ranked.company_requests (company_id VARCHAR, request_id VARCHAR, arr DECIMAL(38, 2));
CREATE TABLE resolved.addresses (voter_id VARCHAR, address VARCHAR);
CREATE TABLE resolved.contact_addresses (contact_id VARCHAR, address VARCHAR);
CREATE TABLE resolved.votes (vote_id VARCHAR, request_id VARCHAR, voter_id VARCHAR, company_id VARCHAR);
CREATE TABLE resolved.request_survivors (request_id VARCHAR, survivor_id VARCHAR);
"""


@dataclass
class Request:
    """A feature request of the source, its voters as (voter id, company id or None)."""

    title: str = "A title"
    status: str = "open"
    category: str | None = "General"
    board: str | None = "Ideas"
    details: str | None = None
    url: str | None = "https://feedback.example/r"
    author: str | None = None
    votes: tuple[tuple[str, str | None], ...] = ()
    arr: str = "0"


@dataclass
class World:
    """The source and the CRM's companies and contacts, as they are now."""

    connection: duckdb.DuckDBPyConnection
    crm: FakeCrm = field(default_factory=FakeCrm)
    requests: dict[str, Request] = field(default_factory=dict)
    contacts: dict[str, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    arr: dict[str, str] = field(default_factory=dict)
    now: datetime = NOW
    pauses: list[float] = field(default_factory=list)
    rollups: FakeCompanies | None = None
    """Companies that carry properties of ours; None: the CRM has no place for them."""
    loaded: dict[str, list[list[Any]]] | None = None
    """What the tables of the source hold, where nobody else fills them: equal rows are not loaded again."""

    def with_rollups(self, *companies: str) -> FakeCompanies:
        """Let these companies carry properties of ours."""
        self.rollups = self.crm.company_writes = FakeCompanies({company: {} for company in companies})
        return self.rollups

    def load(self) -> None:
        """What the assets before the plan do: read both systems, resolve, rank."""
        made = datetime(2026, 1, 1)  # noqa: DTZ001  # the store keeps UTC without zone
        source = sorted(self.requests.items())
        self._replace(
            "ranked.feature_requests",
            [
                [i, r.title, r.status, r.url, r.board, r.category, made, len(r.votes), len(_companies(r)), r.arr,
                 [f"{company}.example" for company in _companies(r)], LAST_VOTE if r.votes else None,
                 r.status == "open", place]
                for place, (i, r) in enumerate(source, start=1)
            ],
        )  # fmt: skip
        self._replace(
            "ranked.company_requests", [[c, i, self.arr.get(c, "100")] for i, r in source for c in _companies(r)]
        )
        self._replace(
            "resolved.votes", [[f"{i}-{voter}", i, voter, company] for i, r in source for voter, company in r.votes]
        )
        self._replace(
            "raw.feature_requests",
            [
                [i, r.title, r.status, r.status, None, r.board, r.category, r.details, r.url, [], None, r.author, made,
                 None]
                for i, r in source
            ],
        )  # fmt: skip
        self._replace("raw.merge_aliases", [list(pair) for pair in self.merged.items()])
        people = self.contacts.items()
        self._replace("resolved.addresses", [[voter, f"{voter}@x.example"] for voter, _ in people])
        self._replace("resolved.contact_addresses", [[contact, f"{voter}@x.example"] for voter, contact in people])
        self._replace("raw.crm_contacts", [[contact, f"{voter}@x.example", [], None] for voter, contact in people])
        companies = {company for _, r in source for company in _companies(r)}
        held = self.rollups.values if self.rollups else {}
        self._replace(
            "raw.crm_companies",
            [
                [company, *[None] * 10, dict(held.get(company, {})), *[None] * 3]
                for company in sorted(companies | held.keys())
            ],
        )
        self._load_crm()

    def _load_crm(self) -> None:
        records, pairs = self.crm.records, self.crm.pairs
        seen = [self.crm.seen(record_id) for record_id in self.crm.listed_ids()]
        self._replace(
            "raw.crm_feature_requests", [[r.record_id, r.key, dict(r.values), r.archived] for r in seen], written=True
        )
        self._replace(
            "raw.crm_links",
            [
                [record_id, target, target_id, label]
                for (record_id, target, target_id), labels in pairs.items()
                for label in sorted(labels)
                if not records[record_id].archived
            ],
            written=True,
        )

    def _replace(self, table: str, rows: list[list[Any]], *, written: bool = False) -> None:
        """Fill a table. `written`: the code under test writes there as well, so that we do not know what it holds."""
        if self.loaded is not None and not written:
            if self.loaded.get(table) == rows:
                return
            self.loaded[table] = rows
        self.connection.execute(f"DELETE FROM {table}")
        if len(rows) > MOST_ROWS_AS_TEXT:
            with incoming(self.connection, _columnar(rows)):
                self.connection.execute(f"INSERT INTO {table} SELECT * FROM incoming_rows")
        elif rows:
            values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
            self.connection.execute(f"INSERT INTO {table} VALUES {values}")

    def plan(self, **changes: Any) -> Plan:
        """Load everything afresh and plan."""
        self.load()
        return make_plan(self.connection, self.inputs(**changes))

    def inputs(self, **changes: Any) -> PlanInputs:
        values: Mapping[str, Any] = {
            "run_id": "run", "tenant": "default", "environment": "sandbox", "portal_id": "1",
            "source_names": ("canny",), "code_version": "0.1.0", "now": self.now,
        }  # fmt: skip
        return PlanInputs(**{**values, **changes})

    def apply(
        self, plan: Plan, *, canary: bool | None = None, in_flight: int = 2, run_id: str | None = None
    ) -> ApplyReport:
        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)
            await self.crm.pause(seconds)

        return asyncio.run(
            apply_plan(
                self.crm,
                FEATURE_REQUEST,
                self.connection,
                plan,
                canary=is_first_apply(self.connection, plan) if canary is None else canary,
                in_flight=in_flight,
                run_id=run_id,
                pause=pause,
                now=lambda: self.now,
            )
        )

    def sync(self, **changes: Any) -> ApplyReport:
        """Plan and apply."""
        self.now += timedelta(minutes=1)
        return self.apply(self.plan(**changes))

    def plan_undo(self, run: str, **changes: Any) -> Plan:
        """Plan the undo of a run; nothing is loaded, as what counts is read from the CRM."""
        inputs = self.inputs(**{"run_id": f"undo of {run}", **changes})
        found = find_run(self.connection, run)
        return asyncio.run(make_undo_plan(self.crm, FEATURE_REQUEST, self.connection, found, inputs))

    def undo(self, run: str, **changes: Any) -> ApplyReport:
        """Plan and apply the undo of a run."""
        self.now += timedelta(minutes=1)
        return self.apply(self.plan_undo(run, **changes), canary=False)


def _companies(request: Request) -> list[str]:
    return sorted({company for _, company in request.votes if company})


def _columnar(rows: list[list[Any]]) -> pa.Table:
    """Many rows in columns; what a column holds, DuckDB makes into what the table wants."""
    columns = []
    for column in zip(*rows, strict=True):
        if isinstance(column[0], dict):
            entries = [list(value.items()) for value in column]
            columns.append(pa.array(entries, pa.map_(pa.string(), pa.string())))
        else:
            columns.append(pa.array(column))
    return pa.table(columns, [f"column_{number}" for number in range(len(columns))])


def literal(value: Any) -> str:
    """A value as SQL: bound parameters, a row at a time, take ten times as long, and thousands of worlds are loaded."""
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat()}'"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return f"MAP {{{', '.join(f'{literal(name)}: {literal(item)}' for name, item in value.items())}}}"
    return "'" + str(value).replace("'", "''") + "'"


def new_store() -> duckdb.DuckDBPyConnection:
    """A store in memory, or a lake. One thread: with tables of a few rows a second one only costs time."""
    remember_what_is_absent()
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "threads": "1",
    }
    connection = duckdb.connect(":memory:", config=config)
    if on_lakes():
        in_lake(connection)
    else:
        migrate(connection)
    connection.execute(RANKED)
    return connection
