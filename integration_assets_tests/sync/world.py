"""A staging store with a small world in it, and the steps of a run on it without Dagster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from integration_assets.sync.apply import ApplyReport, apply_plan
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets.sync.guard import is_first_apply
from integration_assets.sync.plan import PlanInputs, make_plan
from integration_assets.sync.plan_store import Plan
from integration_assets.sync.undo import find_run, make_undo_plan
from integration_assets_tests.sync.fake_crm import FakeCrm

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MIGRATIONS = Path(__file__).parents[2] / "integration_assets" / "staging" / "migrations"

RANKED = """
CREATE TABLE ranked.feature_requests (
    request_id VARCHAR, title VARCHAR, status VARCHAR, url VARCHAR, board VARCHAR, category VARCHAR,
    created_at TIMESTAMP, votes BIGINT, companies BIGINT, arr DECIMAL(38, 2), voter_domains VARCHAR[],
    last_vote_at TIMESTAMP
);
CREATE TABLE ranked.company_requests (company_id VARCHAR, request_id VARCHAR, arr DECIMAL(38, 2));
CREATE TABLE resolved.addresses (voter_id VARCHAR, address VARCHAR);
CREATE TABLE resolved.votes (vote_id VARCHAR, request_id VARCHAR, voter_id VARCHAR, company_id VARCHAR);
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

    def load(self) -> None:
        """What the assets before the plan do: read both systems, resolve, rank."""
        for table in (
            "ranked.feature_requests", "ranked.company_requests", "resolved.votes", "resolved.addresses",
            "raw.feature_requests", "raw.crm_contacts", "raw.crm_companies", "raw.merge_aliases",
            "raw.crm_feature_requests", "raw.crm_links",
        ):  # fmt: skip
            self.connection.execute(f"DELETE FROM {table}")
        self._insert("raw.merge_aliases", [list(pair) for pair in self.merged.items()])
        self._insert("resolved.addresses", [[voter, f"{voter}@x.example"] for voter in self.contacts])
        self._insert(
            "raw.crm_contacts",
            [[contact, f"{voter}@x.example", [], None] for voter, contact in self.contacts.items()],
        )
        for request_id, request in self.requests.items():
            self._load_request(request_id, request)
        companies = {c for r in self.requests.values() for _, c in r.votes if c}
        self._insert("raw.crm_companies", [[c, *[None] * 10] for c in sorted(companies)])
        self._load_crm()

    def _load_request(self, request_id: str, request: Request) -> None:
        companies = sorted({company for _, company in request.votes if company})
        domains = sorted({f"{company}.example" for company in companies})
        last = NOW.replace(tzinfo=None) - timedelta(days=1) if request.votes else None
        made = datetime(2026, 1, 1)  # noqa: DTZ001  # the store keeps UTC without zone
        self._insert(
            "ranked.feature_requests",
            [[request_id, request.title, request.status, request.url, request.board, request.category, made,
              len(request.votes), len(companies), request.arr, domains, last]],
        )  # fmt: skip
        self._insert("ranked.company_requests", [[c, request_id, self.arr.get(c, "100")] for c in companies])
        self._insert(
            "resolved.votes",
            [[f"{request_id}-{voter}", request_id, voter, company] for voter, company in request.votes],
        )
        self._insert(
            "raw.feature_requests",
            [[request_id, request.title, request.status, request.status, None, request.board, request.category,
              request.details, request.url, [], None, request.author, made, None]],
        )  # fmt: skip

    def _load_crm(self) -> None:
        async def read() -> None:
            for archived in (False, True):
                async for page in self.crm.feature_requests(FEATURE_REQUEST, archived=archived):
                    self._insert(
                        "raw.crm_feature_requests",
                        [[r.record_id, r.key, dict(r.values), r.archived] for r in page.records],
                    )

        asyncio.run(read())
        self._insert(
            "raw.crm_links",
            [
                [record_id, target, target_id, label]
                for (record_id, target, target_id), labels in self.crm.pairs.items()
                for label in labels
                if not self.crm.records[record_id].archived
            ],
        )

    def _insert(self, table: str, rows: list[list[Any]]) -> None:
        for row in rows:
            marks = ", ".join("?" for _ in row)
            self.connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)

    def plan(self, **changes: Any) -> Plan:
        """Load everything afresh and plan."""
        self.load()
        return make_plan(self.connection, self.inputs(**changes))

    def inputs(self, **changes: Any) -> PlanInputs:
        values: Mapping[str, Any] = {
            "run_id": "run", "tenant": "default", "environment": "sandbox", "portal_id": "1", "source_name": "canny",
            "code_version": "0.1.0", "now": self.now,
        }  # fmt: skip
        return PlanInputs(**{**values, **changes})

    def apply(self, plan: Plan, *, canary: bool | None = None, in_flight: int = 2) -> ApplyReport:
        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        return asyncio.run(
            apply_plan(
                self.crm,
                FEATURE_REQUEST,
                self.connection,
                plan,
                canary=is_first_apply(self.connection, plan) if canary is None else canary,
                in_flight=in_flight,
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


def new_store() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        ":memory:", config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    )
    for name in ("0001_raw", "0002_sync", "0003_ops"):
        connection.execute((MIGRATIONS / f"{name}.sql").read_text())
    connection.execute(RANKED)
    return connection
