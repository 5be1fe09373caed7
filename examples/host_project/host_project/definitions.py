"""Everything Dagster loads here: this project's own definitions, merged with those of the feature requests."""

from __future__ import annotations

import dagster as dg

import integration_assets
from host_project.assets import PREFIX, campaign_replies, regional_bookings, roadmap_candidates

# Dagster takes one object of this kind per module.
defs = dg.Definitions.merge(
    dg.Definitions(
        assets=[regional_bookings, campaign_replies, roadmap_candidates],
        jobs=[
            dg.define_asset_job("bookings", selection=[regional_bookings]),
            dg.define_asset_job("sync", selection=[campaign_replies]),
            dg.define_asset_job("roadmap", selection=[roadmap_candidates]),
        ],
        # A value of this project's own: the feature requests bring a resource under another name.
        resources={"session": "of this project"},
        executor=dg.multiprocess_executor,
    ),
    integration_assets.build_defs(key_prefix=PREFIX),
)
