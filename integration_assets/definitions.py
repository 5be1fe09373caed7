"""Definitions of everything Dagster loads, in the order it flows."""

from __future__ import annotations

import dagster as dg

from integration_assets.assets.asset_checks import ASSET_CHECKS
from integration_assets.assets.crm import crm_feature_requests, crm_write_plan
from integration_assets.assets.jobs import dry_run, read_only, sync
from integration_assets.assets.ranked import ranked
from integration_assets.assets.raw import raw
from integration_assets.assets.resolved import domain_resolved_votes
from integration_assets.assets.summary import run_summary
from integration_assets.assets.undo import undo_job
from integration_assets.automation.credentials import check_credentials
from integration_assets.automation.polling import feedback_changes
from integration_assets.automation.schedules import asking_schedule, sync_schedule
from integration_assets.automation.sensors import credentials, dead_runs, retry_later, sync_on_change
from integration_assets.runs.session import RunSession
from integration_assets.runs.state import Mode

defs = dg.Definitions(
    assets=[raw, domain_resolved_votes, ranked, crm_write_plan, crm_feature_requests, run_summary],
    asset_checks=ASSET_CHECKS,
    jobs=[
        sync,
        dry_run,
        read_only,
        undo_job(Mode.UNDO_PLAN, "Show what the undo of a run would change; writes nothing."),
        undo_job(Mode.UNDO, "Take back what a run wrote, as far as nobody changed it since."),
        feedback_changes,
        check_credentials,
    ],
    schedules=[sync_schedule, asking_schedule],
    sensors=[sync_on_change, retry_later, dead_runs, credentials],
    resources={"session": RunSession()},
    executor=dg.in_process_executor,
)
