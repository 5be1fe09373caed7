"""Our assets in somebody else's project, which runs each step in a process of its own."""

from __future__ import annotations

import dagster as dg

from integration_assets.definitions import defs as ours
from integration_assets.runs.session import SESSION, RunSession

defs = dg.Definitions(
    assets=ours.assets,
    asset_checks=ours.asset_checks,
    resources={SESSION: RunSession()},
    executor=dg.multiprocess_executor,
)
