"""Ranked feature requests: by companies and by revenue."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from integration_assets.assets.charts import ranking_charts, trend_charts
from integration_assets.assets.metadata import definition_metadata, table_metadata
from integration_assets.assets.placing import OWNERS, key_under, running_prefix, step_name
from integration_assets.resolution.rank import rank, snapshot_history
from integration_assets.runs.launch import RANK_STAGE, STAGE_TAG
from integration_assets.runs.partitions import TENANTS
from integration_assets.runs.resolution_settings import base_currency, lifecycles
from integration_assets.runs.session import RunSession
from integration_assets.staging.store import transaction

RANKED = {
    "ranked_feature_requests": (
        "ranked.feature_requests",
        "rank_by_arr",
        "The ranking, one row per request: distinct companies, ARR behind it, votes, and its place by each.",
    ),
    "company_feature_requests": (
        "ranked.company_requests",
        "arr DESC NULLS LAST, company_id, votes DESC, request_id",
        "Per company: which requests its people made, since when, and how we know.",
    ),
    "unresolved_votes": (
        "ranked.unresolved_votes",
        "votes DESC, email_domain",
        "By domain: votes that count for no company, why, and between which companies nothing decided.",
    ),
    "ranking_history": (
        "ranked.rank_history",
        "as_of DESC, rank_by_arr",
        "The ranking over time: one snapshot per day, the last of the day.",
    ),
}


def freshness(period: timedelta) -> dg.FreshnessPolicy:
    """When Dagster calls the ranking late, where every tenant is synced once in a period.

    A held plan or an outage takes a run; with three missing nobody should trust the ranking to be today's. Dagster
    looks at the asset, not at each tenant: one that lags behind the others shows in its own alerts and in `doctor`.
    """
    return dg.FreshnessPolicy.time_window(warn_window=2 * period, fail_window=3 * period)


@dg.multi_asset(
    name=step_name(RANK_STAGE),
    specs=[
        dg.AssetSpec(
            key,
            deps=["domain_resolved_votes"],
            description=description,
            group_name="ranked",
            owners=OWNERS,
            kinds={"sql", "duckdb"},
            metadata=definition_metadata(table, sql=table.replace(".", "/")),
        )
        for key, (table, _, description) in RANKED.items()
    ],
    partitions_def=TENANTS,
    op_tags={STAGE_TAG: RANK_STAGE},
    # One transaction fills all of them: half of them would show two moments side by side.
    can_subset=False,
)
def ranked(integration_assets_session: RunSession):  # type: ignore[no-untyped-def]  # noqa: ANN201 - Dagster takes it for the outputs' type
    """Fill the ranked tables, all in one transaction: they describe the same moment."""
    prefix = running_prefix()
    with integration_assets_session.stage("ranked_feature_requests") as state:
        connection = integration_assets_session.connection
        rows = connection.execute("SELECT min(as_of) FROM raw.reads").fetchall()
        # The oldest read, since the ranking is no newer than its oldest input; without any, the start of the run.
        as_of = rows[0][0] or state.started_at.replace(tzinfo=None)
        names = tuple(integration_assets_session.settings.source_names.values())
        source_name = names[0] if len(names) == 1 else ""
        # History and ranking together: a snapshot of a ranking that was rolled back would be a move nobody made.
        with transaction(connection):
            own = lifecycles(integration_assets_session.settings)
            rank(connection, as_of=as_of, lifecycles=own, source_name=source_name)
            snapshot_history(connection, as_of=as_of)
        # After the commit: from here on the summary and the published database may show this ranking.
        state.ranked = True
        currency = base_currency(integration_assets_session.settings, connection)
        charts = {
            "ranked_feature_requests": ranking_charts(connection, currency),
            "ranking_history": trend_charts(connection),
        }
        for key, (table, order_by, _) in RANKED.items():
            metadata = {**table_metadata(connection, table, order_by=order_by, prefix=prefix), **charts.get(key, {})}
            yield dg.MaterializeResult(key_under(prefix, key), metadata=metadata)
