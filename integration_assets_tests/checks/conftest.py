"""A migrated store with a small, faultless set of rows: every check passes on it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec
import pytest

from integration_assets.checks.base import GateSettings
from integration_assets.config import Environment
from integration_assets.models import LiveLink, LiveProperty, LiveSchema, Portal, PortalKind
from integration_assets.staging.loading import replacing
from integration_assets.staging.rows import PortalRead
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets_tests.support.stores import open_tested_store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def settings() -> GateSettings:
    return GateSettings(run_id="run", environment=Environment.SANDBOX, now=NOW)


def live_schema(portal_id: str = "1") -> LiveSchema:
    """A portal that is exactly as declared."""
    properties = tuple(
        LiveProperty(
            name=wanted.name,
            type=wanted.kind.value,
            field_type="",
            unique=wanted.unique,
            writable=True,
            options=tuple(value for value, _ in wanted.options),
        )
        for wanted in FEATURE_REQUEST.properties
    )
    links = tuple(LiveLink(link.target, link.name, link.label, 1000) for link in FEATURE_REQUEST.links)
    return LiveSchema(
        Portal(portal_id, PortalKind.SANDBOX),
        object_present=True,
        object_archived=False,
        properties=properties,
        links=links,
        company_properties=(),
    )


def set_portals(
    connection: duckdb.DuckDBPyConnection,
    target: LiveSchema | None,
    other: LiveSchema | None,
    reason: str | None = None,
) -> None:
    """Replace what was read of the two portals."""
    with replacing(connection, ["raw.crm_portals"]) as load:
        portals = [PortalRead("sandbox", "target", target, reason), PortalRead("production", "other", other, reason)]
        load.append("raw.crm_portals", portals)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_tested_store(tmp_path / "default.duckdb") as connection:
        connection.execute("""
            INSERT INTO raw.feature_requests (request_id, title) SELECT 'r' || i, 'T' || i FROM range(4) AS t (i);
            INSERT INTO raw.votes SELECT 'v' || i, 'r' || (i % 4), 'u' || (i % 5), NULL FROM range(20) AS t (i);
            INSERT INTO raw.voters SELECT 'u' || i, 'u' || i || '@acme.com' FROM range(5) AS t (i);
            INSERT INTO raw.crm_companies (company_id, name, arr) SELECT 'c' || i, 'C', '5' FROM range(3) AS t (i);
            INSERT INTO raw.crm_feature_requests VALUES ('1', 'canny:r1', MAP {}, FALSE), ('2', NULL, MAP {}, FALSE);
            INSERT INTO raw.reads
            SELECT unnest(['feature_requests', 'votes', 'companies', 'contacts', 'crm_feature_requests', 'crm_schema']),
                TIMESTAMP '2026-03-01 11:30:00', TIMESTAMP '2026-03-01 11:31:00', 5;
            CREATE TABLE resolved.votes (
                vote_id VARCHAR, request_id VARCHAR, voter_id VARCHAR, company_id VARCHAR, match_method VARCHAR,
                reason VARCHAR, email_domain VARCHAR, candidate_company_ids VARCHAR []
            );
            INSERT INTO resolved.votes
            SELECT
                'v' || i, 'r' || (i % 4), 'u' || (i % 5), if(i < 14, 'c' || (i % 3), NULL), if(i < 14, 'host', NULL),
                CASE WHEN i >= 18 THEN 'own_staff' WHEN i >= 14 THEN 'unknown_domain' END, 'acme.com', []
            FROM range(20) AS t (i);
            CREATE TABLE resolved.company_arr AS
            SELECT 'c' || i AS company_id, 5::DECIMAL(38, 2) AS arr, NULL::VARCHAR AS problem FROM range(3) AS t (i);
            CREATE TABLE resolved.arr_without_rate (
                company_id VARCHAR, source VARCHAR, currency VARCHAR, amount DECIMAL(38, 2), has_rate BOOLEAN
            );
            CREATE TABLE resolved.deals (
                deal_no INTEGER, deal_id VARCHAR, amount_status VARCHAR, own_amount DECIMAL(38, 2), currency VARCHAR
            );
            CREATE TABLE resolved.company_deals (company_no INTEGER, deal_no INTEGER);
            CREATE TABLE resolved.arr_unjoined (
                source VARCHAR, id VARCHAR, figure VARCHAR, currency VARCHAR, reason VARCHAR
            );
            CREATE TABLE resolved.company_renewals (company_id VARCHAR, given VARCHAR, renewal_date DATE);
            CREATE TABLE resolved.company_hosts (company_id VARCHAR, host VARCHAR, registrable_domain VARCHAR);
            INSERT INTO resolved.company_hosts VALUES ('c0', 'a.com', 'a.com'), ('c1', 'b.com', 'b.com');
            CREATE TABLE resolved.host_problems (
                company_id VARCHAR, origin VARCHAR, value VARCHAR, reason VARCHAR, host VARCHAR
            );
            CREATE TABLE resolved.suspected_mail_providers (
                email_domain VARCHAR, voters BIGINT, organisations BIGINT
            );
        """)
        set_portals(connection, live_schema("1"), live_schema("2"))
        yield connection


def replaced(schema: LiveSchema, name: str, **changes: object) -> LiveSchema:
    """The schema with one property changed."""
    properties = tuple(
        msgspec.structs.replace(prop, **changes) if prop.name == name else prop for prop in schema.properties
    )
    return msgspec.structs.replace(schema, properties=properties)
