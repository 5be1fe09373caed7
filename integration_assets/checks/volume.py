"""Volume: how much was read, beside the last good run. The guard's numbers, shown early.

An empty or shrunken input is a warning here: it must not cost the ranking its report. What it must not do is reach the
CRM, and that is the guard's decision, which an approval may overrule.
"""

from __future__ import annotations

from functools import partial

import duckdb

from integration_assets.checks.base import Check, CheckResult, GateSettings, query
from integration_assets.sync.guard import SHRINK

_INPUTS = {
    "feature_requests_volume": ("raw_feature_requests", "requests"),
    "votes_volume": ("raw_votes", "votes"),
    "companies_volume": ("raw_crm_companies", "companies"),
}


def volume(
    connection: duckdb.DuckDBPyConnection, settings: GateSettings, *, name: str, asset: str, what: str
) -> CheckResult:
    """Warn when an input is empty, or much smaller than in the last good run."""
    rows = {row_asset: (total, base) for row_asset, total, base in query(connection, "volume")}
    total, base = rows[asset]
    if base is None:
        return CheckResult(name, asset, "WARN", total > 0, f"{total:,} {what}; no earlier run to compare with")
    lost = base - total
    # An empty input is never fine, not even where the last run had so little that its loss is within bounds.
    passed = total > 0 and lost <= SHRINK.of(base)
    change = f"{-lost:+,}" if lost else "unchanged"
    return CheckResult(name, asset, "WARN", passed, f"{total:,} {what}, {base:,} in the last good run ({change})")


CHECKS = tuple(
    Check(
        name,
        asset,
        "WARN",
        "The input is not empty nor much smaller than in the last good run.",
        partial(volume, name=name, asset=asset, what=what),
    )
    for name, (asset, what) in _INPUTS.items()
)
