"""The report a run leaves: one HTML file, made from what it published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import jinja2
import msgspec

from integration_assets.config import Settings
from integration_assets.errors import IntegrationError
from integration_assets.reporting.html_report import (
    Ranking,
    ReportFacts,
    keep_report,
    read_open_plan,
    read_ranking,
    render_report,
    report_path,
)
from integration_assets.reporting.plan_details import PlanDetails
from integration_assets.reporting.published import open_published
from integration_assets.reporting.run_summary import RunSummary
from integration_assets.runs.state import RunState, first_line
from integration_assets.staging.publishing import published_path


def leave_report(
    state: RunState, summary: RunSummary, error: str | None, *, advice: str | None = None, floor: Mapping[str, int]
) -> Path | None:
    """Write the report of a run; None, with a note of the run, when that was not possible.

    A report never changes how a run ends: what it says is in the summary and the published database as well. `advice`
    is what to do when it is not what the end state asks for, `floor` has the fewest calls by system.
    """
    if state.settings is None or state.environment is None:
        return None
    facts = ReportFacts(
        summary=summary,
        mode=state.mode.value,
        error=error,
        advice=advice,
        notes=tuple(state.notes),
        calls=state.calls.snapshot(),
        floor=floor,
        stale=not state.ranked,
    )
    path = report_path(state.settings.home, state.environment, state.tenant, state.run_id)
    try:
        ranking, plan = _published(state.settings, state, summary)
        keep_report(path, render_report(msgspec.structs.replace(facts, plan=plan), ranking))
    # The report of a large tenant is the biggest piece of text a run makes, and comes last: the run itself is done.
    except MemoryError:
        state.notes.append("no report was written: out of memory")
        return None
    except (IntegrationError, duckdb.Error, jinja2.TemplateError) as problem:
        reason = problem.message if isinstance(problem, IntegrationError) else first_line(problem)
        state.notes.append(f"no report was written: {reason}")
        return None
    return path


def _published(settings: Settings, state: RunState, summary: RunSummary) -> tuple[Ranking | None, PlanDetails | None]:
    if not published_path(settings.home, settings.environment, state.tenant).exists():
        return None, None
    with open_published(settings, state.tenant) as connection:
        return read_ranking(connection, summary.currency), read_open_plan(connection, summary)
