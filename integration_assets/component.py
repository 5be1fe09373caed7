"""Our definitions as a Dagster component: for projects that are written in YAML.

type: integration_assets.FeatureRequestSync

Attributes:
key_prefix: feature_requests
automation: false
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
from pydantic import BaseModel, Field

from integration_assets.project import build_defs

KEY_PREFIX = "feature_requests"
"""Prefix in the YAML that is written for somebody who names none: few projects have such keys already."""


class FeatureRequestSyncParams(BaseModel):
    """What may be said when the component's YAML is written."""

    key_prefix: str = Field(default=KEY_PREFIX, description="Put before the key of every asset.")
    automation: bool = Field(default=False, description="Whether syncs start by themselves from the beginning.")


class FeatureRequestSyncScaffolder(dg.Scaffolder[FeatureRequestSyncParams]):
    """Writes `defs.yaml` with the attributes most projects set."""

    @classmethod
    def get_scaffold_params(cls) -> type[FeatureRequestSyncParams]:
        """Class of what may be said on the command line."""
        return FeatureRequestSyncParams

    def scaffold(self, request: dg.ScaffoldRequest[FeatureRequestSyncParams]) -> None:
        """Write the file."""
        dg.scaffold_component(request, request.params.model_dump())


@dg.scaffold_with(FeatureRequestSyncScaffolder)
class FeatureRequestSync(dg.Component, dg.Model, dg.Resolvable):
    """Feature requests and votes, ranked by companies and revenue, and written safely into the CRM.

    Everything else is configured by environment variables, as for `integration_assets.build_defs`.
    """

    key_prefix: str | Sequence[str] | None = Field(
        default=None, description="Put before the key of every asset: one part, or a list of them."
    )
    name_prefix: str | None = Field(
        default=None,
        description="Put before the names of jobs, schedules and sensors; by default the key prefix.",
    )
    group_name: str | None = Field(
        default=None, description="One group for all assets; by default one per stage, from raw to summary."
    )
    automation: bool | None = Field(
        default=None,
        description="Whether syncs start by themselves from the beginning; by default as INTEGRATION_ASSETS_AUTOMATION "
        "says.",
    )
    include_schedules: bool = Field(default=True, description="Whether the schedules are among the definitions.")
    include_sensors: bool = Field(default=True, description="Whether the sensors are among the definitions.")

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The definitions, as `integration_assets.build_defs` makes them."""
        del context
        return build_defs(
            key_prefix=self.key_prefix,
            name_prefix=self.name_prefix,
            group_name=self.group_name,
            automation=self.automation,
            include_schedules=self.include_schedules,
            include_sensors=self.include_sensors,
        )
