"""Summary of a run, for people: JSON, the published database, Slack."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import dagster as dg
import msgspec

from integration_assets.assets.charts import coverage_charts
from integration_assets.assets.metadata import markdown_table
from integration_assets.assets.placing import stage_asset
from integration_assets.reporting.run_summary import RunSummary
from integration_assets.reporting.text import status_words
from integration_assets.runs.finish import finish_run, publish_again
from integration_assets.runs.launch import SUMMARY_STAGE
from integration_assets.runs.session import RunSession


@stage_asset(
    SUMMARY_STAGE,
    deps=["crm_feature_requests", "ranked_feature_requests", "company_feature_requests", "unresolved_votes"],
    group_name="summary",
    kinds={"python", "slack"},
)
def run_summary(integration_assets_session: RunSession) -> dg.MaterializeResult[None]:
    """The run's numbers as JSON, the published database for analysts, and the Slack message.

    A run that was stopped before this asset is summed up all the same, when its session closes. Alone, it publishes
    again what the last run left, and shows that run's numbers; nobody is told twice.
    """
    with integration_assets_session.stage("run_summary") as state:
        # Nothing ran: a summary of this run would tell Slack of a success with zero requests.
        if state.scope.only_sums_up:
            summary, published = publish_again(state)
            return dg.MaterializeResult(
                metadata={
                    "summed_up_again": summary.run_id,
                    "state": summary.state,
                    "environment": summary.environment,
                    "summary": dg.MetadataValue.json(_without_titles(summary)),
                    "published": dg.MetadataValue.path(str(published)) if published else "not published",
                }
            )
        ending = finish_run(state)
        summary = ending.summary
        # After it was told: Dagster's run fails as well, so that schedules and retries see it, and is not repeated by
        # Dagster.
        if ending.exit_code:
            raise dg.Failure(description=ending.error or f"the run ended {summary.state}", allow_retries=False)
        return dg.MaterializeResult(
            metadata={
                "state": summary.state,
                "environment": summary.environment,
                "duration_seconds": summary.duration_seconds,
                "created": summary.feature_requests.created,
                "updated": summary.feature_requests.updated,
                "retired": summary.feature_requests.retired,
                "unchanged": summary.feature_requests.unchanged,
                "links_created": summary.links.created,
                "links_removed": summary.links.removed,
                "votes_matched": summary.votes.matched,
                "calls": sum(calls.total for calls in summary.api_calls.values()),
                "top": dg.MetadataValue.md(
                    markdown_table(
                        ["request", "status", "companies", f"ARR ({summary.currency})", "companies without rate"],
                        [
                            (
                                one.title,
                                status_words(one.status),
                                one.companies,
                                Decimal(one.arr),
                                one.companies_without_rate,
                            )
                            for one in summary.top.by_arr
                        ],
                    )
                ),
                "summary": dg.MetadataValue.json(_without_titles(summary)),
                **coverage_charts(summary.votes),
                "report": dg.MetadataValue.path(ending.report) if ending.report else "not written",
                "published": dg.MetadataValue.path(str(ending.published)) if ending.published else "not published",
                "notes": "; ".join(state.notes) or "none",
            }
        )


def _without_titles(summary: RunSummary) -> dict[str, Any]:
    """The summary for Dagster's metadata. Titles are people's own words, which may hold an address."""
    return {name: value for name, value in msgspec.to_builtins(summary).items() if name != "top"}
