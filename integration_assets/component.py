"""Our definitions as a Dagster component: for projects that are written in YAML.

type: integration_assets.FeatureRequestSync

Attributes:
key_prefix: feature_requests
automation: false
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import dagster as dg
from pydantic import BaseModel, Field

from integration_assets.project import build_defs

KEY_PREFIX = "feature_requests"
"""Prefix in the YAML that is written for somebody who names none: few projects have such keys already."""


class FeatureRequestSyncParams(BaseModel):
    """Parameters of the scaffolder that writes the component's YAML."""

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


def _described(text: str) -> dg.Resolver:
    # A description of pydantic's own field would not reach the schema that editors and `dg` show.
    resolver: dg.Resolver = dg.Resolver.default(description=text)
    return resolver


@dg.scaffold_with(FeatureRequestSyncScaffolder)
class FeatureRequestSync(dg.Component, dg.Model, dg.Resolvable):
    """Feature requests and votes, ranked by companies and revenue, and written safely into the CRM.

    Everything else is configured by environment variables, as for `integration_assets.build_defs`.
    """

    key_prefix: Annotated[
        str | Sequence[str] | None, _described("Put before the key of every asset: one part, or a list of them.")
    ] = None
    name_prefix: Annotated[
        str | None, _described("Put before the names of jobs, schedules and sensors; by default the key prefix.")
    ] = None
    group_name: Annotated[
        str | None, _described("One group for all assets; by default one per stage, from raw to summary.")
    ] = None
    automation: Annotated[
        bool | None,
        _described(
            "Whether syncs start by themselves from the beginning; by default as INTEGRATION_ASSETS_AUTOMATION says."
        ),
    ] = None
    include_schedules: Annotated[bool, _described("Whether the schedules are among the definitions.")] = True
    include_sensors: Annotated[bool, _described("Whether the sensors are among the definitions.")] = True

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
