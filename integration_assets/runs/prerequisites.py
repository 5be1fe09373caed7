"""Prerequisites of a run of some stages: the tables that earlier stages leave in the staging store."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import duckdb

from integration_assets.errors import LaunchError
from integration_assets.runs.launch import PLAN_STAGE, RANK_STAGE, READ_STAGE, RESOLVE_STAGE, WRITE_STAGE, Scope
from integration_assets.staging.tables import has_table

READ_ASSETS = "raw_feature_requests, raw_votes, raw_crm_companies"
READ_INPUTS = ("feature_requests", "votes", "companies")
"""Inputs of resolution, as `raw.reads` calls them. Contacts and internal accounts may be missing."""
SCHEMA_ASSETS = "raw_crm_schema, raw_crm_feature_requests"
SCHEMA_INPUTS = ("crm_schema", "crm_feature_requests")
"""Inputs of the plan, beside the ranking."""


def check_prerequisites(scope: Scope, connection: duckdb.DuckDBPyConnection, tenant: str, environment: str) -> None:
    """Return when everything is there that the selected stages need and do not make themselves.

    Without this, a single asset of a new tenant would resolve nothing without a word, or fail over a table that is not
    there.

    Raises:
        LaunchError: something is missing; it names the assets to materialise before.
    """
    missing = next((assets for assets, is_there in _needed(scope) if not is_there(connection)), None)
    if missing is None:
        return
    raise LaunchError(
        f"{scope.stages[0]} needs {missing}, which no run of tenant {tenant} in the {environment} environment has made "
        "yet: materialise that first, or launch the job `sync`"
    )


def _needed(scope: Scope) -> list[tuple[str, Callable[[duckdb.DuckDBPyConnection], bool]]]:
    """The assets that an earlier run must have made, those made first at the front, with what tells that it has."""
    selected = set(scope.stages)
    needed: list[tuple[str, Callable[[duckdb.DuckDBPyConnection], bool]]] = []
    if RESOLVE_STAGE in selected and READ_STAGE not in selected:
        needed.append((READ_ASSETS, partial(_was_read, READ_INPUTS)))
    if RANK_STAGE in selected and RESOLVE_STAGE not in selected:
        needed.append((RESOLVE_STAGE, was_resolved))
    if selected & {PLAN_STAGE, WRITE_STAGE}:
        needed += [(SCHEMA_ASSETS, partial(_was_read, SCHEMA_INPUTS))] if READ_STAGE not in selected else []
        needed += [("ranked_feature_requests", was_ranked)] if RANK_STAGE not in selected else []
    return needed


def _was_read(inputs: tuple[str, ...], connection: duckdb.DuckDBPyConnection) -> bool:
    read = {name for (name,) in connection.execute("SELECT input FROM raw.reads").fetchall()}
    return read >= set(inputs)


def was_resolved(connection: duckdb.DuckDBPyConnection) -> bool:
    """True if a run has resolved votes in this store, by a version that left all that the ranking reads now."""
    # The second one is the newest: a store that an earlier version resolved lacks it.
    return all(has_table(connection, "resolved", table) for table in ("counted_votes", "company_renewals"))


def was_ranked(connection: duckdb.DuckDBPyConnection) -> bool:
    """True if a run has ever ranked in this store: its tables are made by the first one that does."""
    return has_table(connection, "ranked", "rank_history")
