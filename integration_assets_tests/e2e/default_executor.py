"""Our assets in a project that names no executor: Dagster's own lets whoever launches a run choose."""

from __future__ import annotations

import dagster as dg

from integration_assets.project import build_defs

defs = dg.Definitions.merge(dg.Definitions(), build_defs())
