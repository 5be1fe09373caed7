"""Definitions of everything Dagster loads where the project is ours alone."""

from __future__ import annotations

import dagster as dg

from integration_assets.garbage import own_process
from integration_assets.logs import ensure_configured
from integration_assets.project import build_defs

ensure_configured()
own_process()

# With the executor of our jobs, which a selection of assets is materialised with in the UI as well.
defs = dg.Definitions.merge(build_defs(), dg.Definitions(executor=dg.in_process_executor))
