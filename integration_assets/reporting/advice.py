"""Advice to a person after a run, by how it ended."""

from __future__ import annotations

from integration_assets.config import DEFAULT_TENANT
from integration_assets.errors import EndState
from integration_assets.reporting.run_summary import RunSummary

TODO = {
    EndState.SUCCEEDED_WITH_REJECTS: "Look at the rejects, each has its reason. All else was written and verified.",
    EndState.HELD: "Look at the reasons. Fix the data or the schema, then run again.",
    EndState.RETRY_LATER: "Nothing, unless it repeats: the next run goes on where this one stopped.",
    EndState.FAILED: "Fix what the line above names, then run again. `integration-assets doctor` checks all of it.",
}
"""Advice by end state; code stands between grave accents. A run that succeeded asks for nothing."""


def release_command(summary: RunSummary) -> str | None:
    """The command that releases the plan the guard holds; None when there is nothing to release.

    A closed gate makes no plan.
    """
    # Held by the gate there is no plan: nothing to approve, whatever the reasons say.
    if not (summary.plan.held and summary.plan.hash):
        return None
    return f"integration-assets approve {summary.plan.hash[:12]} {for_whom(summary.tenant, summary.environment)}"


def for_whom(tenant: str, environment: str) -> str:
    """The options of a command for this tenant and environment: without them it would be about another one."""
    return f"--environment {environment}" + ("" if tenant == DEFAULT_TENANT else f" --tenant {tenant}")
