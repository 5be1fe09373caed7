"""Place of our assets in the project that loads them: their keys, which may have a prefix, and names of their steps."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from integration_assets.runs.launch import STAGE_TAG
from integration_assets.runs.partitions import TENANTS

OWNERS = ["team:integration-assets"]


def step_name(stage: str) -> str:
    """Name of the step of a stage. Dagster refuses a project with two steps of one name, and `raw` may be taken."""
    return f"integration_assets_{stage}"


def stage_asset(
    stage: str, *, deps: Sequence[str], group_name: str, kinds: set[str], metadata: Mapping[str, Any] | None = None
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Make a function the asset of a stage that has one, named and described as the function is."""

    def asset(function: Callable[..., Any]) -> dg.AssetsDefinition:
        spec = dg.AssetSpec(
            function.__name__,
            deps=deps,
            description=inspect.getdoc(function),
            group_name=group_name,
            owners=OWNERS,
            kinds=kinds,
            metadata=metadata,
        )
        # Not `dg.asset`, which names the step after the key without the prefix it is given later.
        return dg.multi_asset(specs=[spec], name=step_name(stage), partitions_def=TENANTS, op_tags={STAGE_TAG: stage})(
            function
        )

    return asset


def running_prefix() -> tuple[str, ...]:
    """The prefix that the asset under way was given; empty where it has none."""
    # All assets of a step are ours and were given the same one.
    return tuple(next(iter(dg.AssetExecutionContext.get().selected_asset_keys)).path[:-1])


def key_under(prefix: Sequence[str], name: str) -> dg.AssetKey:
    """Key of one of our assets under a prefix."""
    return dg.AssetKey([*prefix, name])
