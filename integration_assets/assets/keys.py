"""Keys of our assets as the project has them that loads them: it may keep them under a prefix."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg


def running_prefix() -> tuple[str, ...]:
    """The prefix that the asset under way was given; empty where it has none."""
    # All assets of a step are ours and were given the same one.
    return tuple(next(iter(dg.AssetExecutionContext.get().selected_asset_keys)).path[:-1])


def key_under(prefix: Sequence[str], name: str) -> dg.AssetKey:
    """Key of one of our assets under a prefix."""
    return dg.AssetKey([*prefix, name])
