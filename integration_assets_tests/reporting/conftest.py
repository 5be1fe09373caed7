"""A store with the tables a finished run leaves, and a summary of every kind of number."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from integration_assets.connectors.calls import CallCount
from integration_assets.errors import EndState
from integration_assets.models import Rejected
from integration_assets.reporting.run_summary import (
    CheckLine,
    ConflictLine,
    Freshness,
    LinkNumbers,
    PlanLine,
    RecordNumbers,
    RunFacts,
    RunSummary,
    SystemCalls,
    Top,
    TopRequest,
    VoteNumbers,
)
from integration_assets.staging.loading import quarantine
from integration_assets_tests.support.stores import open_tested_store

STARTED = datetime(2026, 3, 1, 11, 30, tzinfo=UTC)

CALLS = (
    CallCount("canny", "POST /v1/posts/list", 5),
    CallCount("canny", "POST /v1/votes/list", 200, retried=2, throttled=1),
    CallCount("hubspot", "GET /crm/v3/objects/companies", 21),
    CallCount("hubspot", "POST /crm/v3/objects/{objectType}/batch/upsert", 12, writes=12),
)


@pytest.fixture
def facts() -> RunFacts:
    return RunFacts(
        run_id="run1",
        tenant="default",
        environment="sandbox",
        mode="sync",
        state=EndState.SUCCEEDED,
        started_at=STARTED,
        duration_seconds=12.3456,
        calls=CALLS,
        records=RecordNumbers(identified=6, created=1, updated=2, unchanged=3, verified=3),
        links=LinkNumbers(desired=9, created=4, unchanged=5, verified=4),
        checks=(CheckLine("votes_usable", "raw_votes", "ERROR", passed=True, detail="fine"),),
        plan=PlanLine("abc123"),
    )


@pytest.fixture
def empty_store(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_tested_store(tmp_path / "default.duckdb") as connection:
        yield connection


@pytest.fixture
def store(empty_store: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Seven ranked requests, ten votes, three unresolved domains."""
    empty_store.execute("""
        INSERT INTO raw.reads VALUES
            ('votes', '2026-03-01 11:30:00', '2026-03-01 11:31:00', 10),
            ('companies', '2026-03-01 11:30:01', '2026-03-01 11:32:00', 3);
        CREATE TABLE resolved.votes AS
        SELECT
            'v' || i AS vote_id, if(i < 6, 'c1', NULL) AS company_id,
            CASE WHEN i < 4 THEN 'host' WHEN i < 6 THEN 'contact' END AS match_method,
            CASE WHEN i >= 9 THEN 'no_email' WHEN i >= 6 THEN 'personal_email' END AS reason
        FROM range(10) AS t (i);
        CREATE TABLE ranked.feature_requests AS
        SELECT
            'r' || i AS request_id, 'Title ' || i AS title, if(i = 7, 'closed', 'open') AS status, i < 7 AS is_open,
            i AS companies, i AS customers, (1000.5 * (8 - i))::DECIMAL(38, 2) AS arr, i * 10 AS votes,
            0::DECIMAL(38, 2) AS arr_customers, 0::DECIMAL(38, 2) AS arr_prospects,
            i AS rank_by_arr, 8 - i AS rank_by_companies, 8 - i AS rank_by_votes, 8 - 2 * i AS rank_gap,
            if(i = 2, 3, 0) AS companies_without_rate, NULL::DECIMAL(38, 2) AS open_pipeline,
            if(i = 1, ['calls:5'], []::VARCHAR[]) AS merged_requests,
            if(i < 4, 'Web', 'App') AS board, 'Look' AS category, if(i = 3, ['big'], []::VARCHAR[]) AS tags,
            'https://feedback.example/r' || i AS url,
            if(i < 7, 'https://crm.example/record/' || i, NULL) AS crm_url, 0 AS unresolved_votes,
            TIMESTAMP '2026-02-01' + i * INTERVAL 1 DAY AS created_at,
            TIMESTAMP '2026-02-20' + i * INTERVAL 1 DAY AS last_vote_at, NULL::TIMESTAMP AS status_changed_at
        FROM range(1, 8) AS t (i);
        CREATE TABLE ranked.merged_requests AS
        FROM (VALUES
            ('calls:1', 'calls', 'Rfp <b>', 'javascript:alert(1)', 1, 'r1', 'same_requests'),
            ('calls:5', 'calls', 'Sign-in', 'https://calls.example/5', 4, 'r1', 'same_requests'),
            ('calls:7', 'calls', NULL, NULL, 0, 'r1', 'same_requests'),
            ('calls:8', 'calls', 'Log on', NULL, 1, 'r1', 'same_requests'),
            ('gone', 'canny', NULL, NULL, 0, 'r2', 'feedback_system')
        ) AS t (request_id, source, title, url, votes, merged_into, merged_by);
        CREATE TABLE ranked.companies AS
        FROM (VALUES
            ('c1', 'known', 7003.50::DECIMAL(38, 2)), ('c2', 'no_figure', NULL), ('c3', 'no_rate', NULL),
            ('c4', 'no_rate', NULL)
        ) AS t (company_id, arr_status, arr);
        ALTER TABLE ranked.companies ADD COLUMN lifecycle VARCHAR DEFAULT 'unknown';
        ALTER TABLE ranked.companies ADD COLUMN lifecycle_stage VARCHAR;
        ALTER TABLE ranked.companies ADD COLUMN owner VARCHAR;
        ALTER TABLE ranked.companies ADD COLUMN renewal_date DATE;
        ALTER TABLE ranked.companies ADD COLUMN company_name VARCHAR;
        ALTER TABLE ranked.companies ADD COLUMN domain VARCHAR;
        ALTER TABLE ranked.companies ADD COLUMN requests BIGINT DEFAULT 7;
        ALTER TABLE ranked.companies ADD COLUMN open_requests BIGINT DEFAULT 6;
        ALTER TABLE ranked.companies ADD COLUMN shipped_requests BIGINT DEFAULT 0;
        ALTER TABLE ranked.companies ADD COLUMN last_vote_at TIMESTAMP;
        ALTER TABLE ranked.companies ADD COLUMN crm_url VARCHAR DEFAULT 'https://crm.example/company/1';
        CREATE TABLE ranked.company_requests AS
        SELECT 'c1' AS company_id, request_id, 2 AS votes, last_vote_at FROM ranked.feature_requests;
        CREATE TABLE ranked.crm_companies AS
        FROM (VALUES ('2', 'Acme', 'acme.com', 5::DECIMAL(38, 2)), ('3', NULL, 'acme.com', NULL))
        AS t (company_id, company_name, domain, arr);
        CREATE TABLE resolved.arr_without_rate AS
        FROM (VALUES
            ('c3', 'crm', 'EUR', 1200000::DECIMAL(38, 2), FALSE), ('c4', 'crm', 'EUR', 34567.80, FALSE),
            ('c4', 'crm', 'USD', 5, TRUE), ('nobody', 'crm', 'JPY', 7, FALSE)
        ) AS t (company_id, source, currency, amount, has_rate);
        CREATE TABLE ranked.unresolved_votes AS
        FROM (VALUES
            ('gmail.com', 'personal_email', 3, 2, []::VARCHAR [], NULL::TIMESTAMP),
            (NULL, 'no_email', 1, 1, []::VARCHAR [], NULL),
            ('acme.com', 'ambiguous_domain', 2, 1, ['1', '2', '3', '4', '5', '6'], NULL)
        ) AS t (email_domain, reason, votes, requests, candidate_company_ids, last_vote_at);
    """)
    quarantine(empty_store, "run1", "raw_votes", [Rejected("vote", "v1", "no id"), Rejected("vote", "v2", "no id")])
    quarantine(empty_store, "run0", "raw_votes", [Rejected("vote", "v1", "no id")])
    return empty_store


@pytest.fixture
def summary() -> RunSummary:
    top = (
        TopRequest("r1", "Single sign-on", 1204, "4120345.50"),
        TopRequest("r2", "Export <b>now</b> & `rm -rf`", 312, "999.99"),
    )
    return RunSummary(
        version=1,
        run_id="3f2c9a1e",
        tenant="default",
        environment="production",
        state="SUCCEEDED_WITH_REJECTS",
        dry_run=False,
        started_at="2026-03-01T11:30:00Z",
        duration_seconds=203.4,
        api_calls={"canny": SystemCalls(412, retried=3, throttled=1), "hubspot": SystemCalls(1033, 312, 4, 2)},
        feature_requests=RecordNumbers(500, 20, 133, 345, 1, 1, 153),
        links=LinkNumbers(18000, 400, 12, 17500, 3, 409),
        votes=VoteNumbers(20000, 17950, {"host": 17000, "contact": 950}, {"personal_email": 2050}),
        checks=(
            CheckLine("votes_usable", "raw_votes", "ERROR", passed=True, detail="0 of 20,000 rows"),
            CheckLine("company_domains_unique", "domain_resolved_votes", "WARN", passed=False, detail="acme.com (2)"),
            CheckLine("crm_schema_as_expected", "raw_crm_schema", "ERROR", passed=False, detail="arr: type is string"),
        ),
        rejected=(Rejected("feature_request", "canny:r9", "title is too long"),),
        conflicts=(ConflictLine("canny:r2", "title", "kept"),),
        quarantined={"raw_votes": 3},
        currency="USD",
        plan=PlanLine("ab12cd34ef5678"),
        top=Top(top, top[::-1]),
        freshness=Freshness("2026-03-01T11:30:00Z", "2026-03-01T11:30:00Z"),
    )
