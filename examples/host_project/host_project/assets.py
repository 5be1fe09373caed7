"""Assets of this project: two of its own, and one that builds on the ranking of feature requests."""

import dagster as dg

import integration_assets

PREFIX = "feature_requests"
REGIONS = dg.StaticPartitionsDefinition(["amer", "apac", "emea"])
CAMPAIGNS = dg.DynamicPartitionsDefinition(name="campaigns")
TENANTS = dg.DynamicPartitionsDefinition(name="integration_assets_tenants")
"""The partitions of the feature requests: one per tenant, `default` where there is no registry of tenants."""


@dg.asset(partitions_def=REGIONS)
def regional_bookings(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Bookings by region."""
    return dg.MaterializeResult(metadata={"region": context.partition_key})


@dg.asset(partitions_def=CAMPAIGNS)
def campaign_replies(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Replies by campaign."""
    return dg.MaterializeResult(metadata={"campaign": context.partition_key})


@dg.asset(
    deps=[
        dg.AssetKey([PREFIX, "ranked_feature_requests"]),
        # The ranking can be read once the run has published it, which is the last thing it does.
        dg.AssetKey([PREFIX, "run_summary"]),
    ],
    partitions_def=TENANTS,
    automation_condition=dg.AutomationCondition.eager(),
)
def roadmap_candidates(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Open requests with the most revenue behind them: what to talk about next."""
    ranking = integration_assets.published_rankings(context.partition_key)
    wanted = [row for row in ranking.to_pylist() if row["is_open"]][:3]
    return dg.MaterializeResult(metadata={"dagster/row_count": len(wanted), "titles": [row["title"] for row in wanted]})
