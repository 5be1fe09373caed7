"""From vote to company."""

from __future__ import annotations

import dagster as dg

from integration_assets.assets.metadata import definition_metadata, markdown_table, table_metadata
from integration_assets.assets.placing import running_prefix, stage_asset
from integration_assets.models import Rejected
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.same_requests import told
from integration_assets.runs.launch import RESOLVE_STAGE
from integration_assets.runs.resolution_settings import resolution_settings
from integration_assets.runs.session import RunSession
from integration_assets.staging.loading import quarantine
from integration_assets.staging.store import transaction

UNUSABLE = (
    ("vote", "SELECT vote_id, reason FROM resolved.lost_votes"),
    ("arr", "SELECT source || ':' || id, reason FROM resolved.arr_problems"),
    ("deal", "SELECT deal_id, amount_status FROM resolved.deals WHERE amount_status IN ('negative', 'too_large')"),
    ("override", "SELECT company_id, reason FROM resolved.override_problems"),
)
"""Queries of what resolution could not use, by kind of record; each names the record with the reason."""


@stage_asset(
    RESOLVE_STAGE,
    deps=[
        "raw_feature_requests",
        "raw_votes",
        "raw_crm_companies",
        "raw_crm_contacts",
        "raw_crm_deals",
        "raw_internal_accounts",
    ],
    group_name="resolved",
    kinds={"python", "sql", "duckdb"},
    metadata=definition_metadata("resolved.votes", sql="resolution/votes"),
)
def domain_resolved_votes(integration_assets_session: RunSession) -> dg.MaterializeResult[None]:
    """One row per counted vote: the company, how it was matched, or why it was not.

    Evidence in order: an analyst's override, a CRM contact with that address, the address's host, its registrable
    domain, the feedback system's account. Ambiguity is listed, never guessed away.
    """
    with integration_assets_session.stage("domain_resolved_votes") as state:
        connection = integration_assets_session.connection
        with transaction(connection):
            # Inside the transaction: wrong overrides end the stage before last run's resolution is touched.
            settings = resolution_settings(integration_assets_session.settings, connection)
            same = resolve_votes(connection, settings)
        # After the commit: only a whole resolution counts as one of this run.
        state.resolved = True
        # A repaired override is used, and said: the analyst may have meant another company.
        state.notes.extend(override.repair for override in settings.overrides if override.repair)
        if same.pairs:
            state.notes.append(told(same.pairs))
        # Kept out of the ranking but never lost: the checks and the report name them with the reason.
        unusable = [(kind, connection.execute(query).fetchall()) for kind, query in UNUSABLE]
        for kind, rows in (*unusable, ("same_request", list(same.problems))):
            quarantine(
                connection,
                state.run_id,
                "domain_resolved_votes",
                [Rejected(kind, str(key), reason) for key, reason in rows],
            )
        outcomes = connection.execute(
            """
            SELECT coalesce(match_method, reason) AS outcome, count(*) AS votes
            FROM resolved.votes GROUP BY ALL ORDER BY votes DESC, outcome
            """
        ).fetchall()
        total = sum(votes for _, votes in outcomes)
        matched = connection.execute("SELECT count(company_id) FROM resolved.votes").fetchall()[0][0]
        return dg.MaterializeResult(
            metadata={
                **table_metadata(connection, "resolved.votes", order_by="request_id, vote_id", prefix=running_prefix()),
                "outcomes": dg.MetadataValue.md(markdown_table(["outcome", "votes"], outcomes)),
                # A workspace without votes matches none, which is no division by zero.
                "matched_share": round(matched / total, 4) if total else 0.0,
            }
        )
