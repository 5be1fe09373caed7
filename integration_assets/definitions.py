"""What exists, in the order it flows."""

from __future__ import annotations

import dagster as dg

from integration_assets.assets.crm import crm_feature_requests, crm_write_plan
from integration_assets.assets.ranked import ranked
from integration_assets.assets.raw import raw
from integration_assets.assets.resolved import domain_resolved_votes
from integration_assets.assets.run_session import Mode, RunSession
from integration_assets.assets.summary import run_summary
from integration_assets.assets.undoing import undo_job
from integration_assets.automation.schedules import sync_every_four_hours
from integration_assets.checks.asset_checks import ASSET_CHECKS

EVERYTHING = dg.AssetSelection.all()
WRITING = dg.AssetSelection.assets(crm_feature_requests)
PLANNING = dg.AssetSelection.assets(crm_write_plan)


def job(mode: Mode, selection: dg.AssetSelection, description: str) -> dg.UnresolvedAssetJobDefinition:
    """A job that runs in the given mode."""
    return dg.define_asset_job(
        mode.value,
        selection=selection,
        description=description,
        config={"resources": {"session": {"config": {"mode": mode.value}}}} if mode is not Mode.SYNC else None,
    )


defs = dg.Definitions(
    assets=[raw, domain_resolved_votes, ranked, crm_write_plan, crm_feature_requests, run_summary],
    asset_checks=ASSET_CHECKS,
    jobs=[
        job(Mode.SYNC, EVERYTHING, "Read, resolve, rank, check, plan, apply, verify, sum up."),
        job(Mode.DRY_RUN, EVERYTHING - WRITING, "The same without the write: ends with the plan."),
        job(Mode.READ_ONLY, EVERYTHING - WRITING - PLANNING, "Rank and publish; asks nothing of the CRM's schema."),
        undo_job(Mode.UNDO_PLAN, "Show what the undo of a run would change; writes nothing."),
        undo_job(Mode.UNDO, "Take back what a run wrote, as far as nobody changed it since."),
    ],
    schedules=[sync_every_four_hours],
    resources={"session": RunSession()},
    executor=dg.in_process_executor,
)
