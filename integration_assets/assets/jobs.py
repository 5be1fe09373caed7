"""The jobs over the asset graph, by how far each may go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import dagster as dg
import msgspec
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from integration_assets.assets.names import Names
from integration_assets.runs.launch import JOB_TAG, PLAN_STAGE, WRITE_STAGE
from integration_assets.runs.session import SESSION
from integration_assets.runs.state import Mode

Job: TypeAlias = dg.JobDefinition | UnresolvedAssetJobDefinition
"""What a schedule or a sensor starts. The second type has no public name."""


class AssetJobs(msgspec.Struct, frozen=True):
    """Jobs over our assets."""

    sync: UnresolvedAssetJobDefinition
    dry_run: UnresolvedAssetJobDefinition
    read_only: UnresolvedAssetJobDefinition


def asset_jobs(keys: Sequence[dg.AssetKey], names: Names) -> AssetJobs:
    """The jobs over our assets, whose keys are as the project has them; no other asset of the project is touched."""

    def job(mode: Mode, description: str, *without: str) -> UnresolvedAssetJobDefinition:
        return dg.define_asset_job(
            names.of(mode.value),
            selection=dg.AssetSelection.assets(*(key for key in keys if key.path[-1] not in without)),
            description=description,
            # What Dagster tries again of a run that died may come to a machine that has no tables of the first try:
            # from where it stopped, as Dagster would by itself, it could not go on there.
            tags={JOB_TAG: mode.value, "dagster/retry_strategy": "ALL_STEPS"},
            # Here and not in the definitions: a project has one executor, and it is not ours to choose.
            executor_def=dg.in_process_executor,
            # A sync leaves its mode open, so that a selection of its assets run from the UI is judged by what was
            # selected.
            config={"resources": {SESSION: {"config": {"mode": mode.value}}}} if mode is not Mode.SYNC else None,
        )

    return AssetJobs(
        sync=job(Mode.SYNC, "Read, resolve, rank, check, plan, apply, verify, sum up."),
        dry_run=job(Mode.DRY_RUN, "The same without the write: ends with the plan.", WRITE_STAGE),
        read_only=job(Mode.READ_ONLY, "Rank and publish; asks nothing of the CRM's schema.", WRITE_STAGE, PLAN_STAGE),
    )
