"""A selection of assets runs on what earlier runs left, or says in one line which assets come before it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from integration_assets.errors import LaunchError
from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.runs.launch import STAGES, WHOLE, Scope
from integration_assets.runs.prerequisites import READ_INPUTS, SCHEMA_INPUTS, check_prerequisites
from integration_assets.staging.store import open_store

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
RAW, SCHEMA = "raw_feature_requests, raw_votes, raw_crm_companies", "raw_crm_schema, raw_crm_feature_requests"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A new tenant's staging store."""
    with open_store(tmp_path / "store.duckdb") as connection:
        yield connection


def have(connection: duckdb.DuckDBPyConnection, made: str) -> None:
    """Leave what earlier runs leave: `read`, `resolved`, `ranked` or `schema`."""
    inputs = {"read": READ_INPUTS, "schema": SCHEMA_INPUTS}.get(made, ())
    for name in inputs:
        connection.execute("INSERT INTO raw.reads VALUES (?, ?, ?, 0)", [name, AS_OF, AS_OF])
    if made == "resolved":
        resolve_votes(connection, ResolutionSettings())
    if made == "ranked":
        rank(connection, as_of=AS_OF)


def check(connection: duckdb.DuckDBPyConnection, *stages: str) -> None:
    """The check of a run of these stages."""
    check_prerequisites(Scope(frozenset(stages)), connection, "acme", "sandbox")


@pytest.mark.parametrize(
    ("there", "stages", "missing"),
    [
        ((), ("domain_resolved_votes",), RAW),
        ((), ("domain_resolved_votes", "ranked"), RAW),
        (("read",), ("ranked",), "domain_resolved_votes"),
        (("read", "resolved"), ("crm_write_plan",), SCHEMA),
        (("read", "resolved", "schema"), ("crm_write_plan",), "ranked_feature_requests"),
        (("read", "resolved", "schema"), ("crm_feature_requests", "run_summary"), "ranked_feature_requests"),
        (("read", "resolved", "ranked"), ("crm_feature_requests",), SCHEMA),
    ],
)
def test_what_is_missing_is_named(
    store: duckdb.DuckDBPyConnection, there: tuple[str, ...], stages: tuple[str, ...], missing: str
) -> None:
    """The first selected stage, the assets it needs, the tenant and the environment."""
    for made in there:
        have(store, made)
    first = next(stage for stage in STAGES if stage in stages)
    with pytest.raises(LaunchError) as raised:
        check(store, *stages)
    assert raised.value.message.startswith(f"{first} needs {missing}, which no run of tenant acme in the sandbox")


def test_what_an_earlier_version_resolved_is_resolved_anew(store: duckdb.DuckDBPyConnection) -> None:
    """It lacks a table that the ranking reads now, which would end as a failure of the store."""
    have(store, "read")
    have(store, "resolved")
    store.execute("DROP TABLE resolved.company_renewals")
    with pytest.raises(LaunchError, match="ranked needs domain_resolved_votes"):
        check(store, "ranked")
    check(store, "domain_resolved_votes", "ranked")


@pytest.mark.parametrize(
    ("there", "stages"),
    [
        ((), STAGES),
        ((), ("raw",)),
        ((), ("raw", "domain_resolved_votes", "ranked")),
        ((), ("run_summary",)),
        (("read",), ("domain_resolved_votes", "ranked")),
        (("read", "resolved"), ("ranked",)),
        (("read", "resolved", "ranked", "schema"), ("crm_write_plan", "crm_feature_requests", "run_summary")),
    ],
)
def test_what_is_there_or_selected_is_enough(
    store: duckdb.DuckDBPyConnection, there: tuple[str, ...], stages: tuple[str, ...]
) -> None:
    """A whole run needs nothing; a part of one what it does not select."""
    for made in there:
        have(store, made)
    check(store, *stages)


def test_a_whole_run_is_all_stages() -> None:
    """What the cases above take for a whole run is one."""
    assert frozenset(STAGES) == WHOLE.steps
