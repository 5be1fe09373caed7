"""Tables of somebody's own: are they fresh, whole, without repetitions, and do they say one thing only?

Those that are empty or cut short end the read, and never get here: the last ranking stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import duckdb

from integration_assets.checks.base import Check, CheckResult, GateSettings, query, sample

ASSET = "raw_votes"
MOST_NAMED = 5

_KINDS: dict[str, tuple[Sequence[str], str, str]] = {
    "tables_fresh": (("stale",), "Tables of one's own were written, and voted in, not too long ago.", "none is stale"),
    "tables_whole": (("incomplete",), "Every line of tables of one's own is a row.", "every line is a row"),
    "tables_unrepeated": (("repeated",), "No row of tables of one's own repeats another.", "no row repeats another"),
    "tables_unambiguous": (
        ("ambiguous", "encoding"),
        "Tables of one's own can be read one way only.",
        "nothing can be read two ways",
    ),
}


def table_findings(
    connection: duckdb.DuckDBPyConnection, settings: GateSettings, *, name: str, kinds: Sequence[str], good: str
) -> CheckResult:
    """Warn of what this run found odd about the tables it read."""
    rows = query(connection, "table_findings", [settings.run_id, list(kinds)])
    if not rows:
        return CheckResult(name, ASSET, "WARN", passed=True, detail=good)
    lines = "; ".join(line for _, line in rows[:MOST_NAMED])
    more = f"; and {len(rows) - MOST_NAMED:,} more" if len(rows) > MOST_NAMED else ""
    return CheckResult(name, ASSET, "WARN", passed=False, detail=f"{lines}{more}", rows=sample(("kind", "line"), rows))


CHECKS = tuple(
    Check(name, ASSET, "WARN", description, partial(table_findings, name=name, kinds=kinds, good=good))
    for name, (kinds, description, good) in _KINDS.items()
)
