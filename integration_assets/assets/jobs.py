"""The jobs over the asset graph, by how far each may go."""

from __future__ import annotations

import dagster as dg

from integration_assets.assets.crm import crm_feature_requests, crm_write_plan
from integration_assets.runs.state import Mode

EVERYTHING = dg.AssetSelection.all()
WRITING = dg.AssetSelection.assets(crm_feature_requests)
PLANNING = dg.AssetSelection.assets(crm_write_plan)


def _job(mode: Mode, selection: dg.AssetSelection, description: str) -> dg.UnresolvedAssetJobDefinition:
    """A job that runs in the given mode."""
    return dg.define_asset_job(
        mode.value,
        selection=selection,
        description=description,
        # A sync leaves its mode open, so that a selection of its assets run from the UI is judged by what was selected.
        config={"resources": {"session": {"config": {"mode": mode.value}}}} if mode is not Mode.SYNC else None,
    )


sync = _job(Mode.SYNC, EVERYTHING, "Read, resolve, rank, check, plan, apply, verify, sum up.")
dry_run = _job(Mode.DRY_RUN, EVERYTHING - WRITING, "The same without the write: ends with the plan.")
read_only = _job(Mode.READ_ONLY, EVERYTHING - WRITING - PLANNING, "Rank and publish; asks nothing of the CRM's schema.")
