"""Show what a run left, on a terminal: its plan, its summary, the rankings, the Slack message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import duckdb
import msgspec
from rich.console import Console
from rich.text import Text
from slack_sdk.models.blocks import Block

from integration_assets.assets.ending import Ending
from integration_assets.config import Settings
from integration_assets.connectors.calls import CallCount
from integration_assets.errors import ConfigurationError
from integration_assets.reporting.rankings import read_rankings, read_unresolved
from integration_assets.reporting.run_summary import RunSummary, write_json
from integration_assets.reporting.slack_preview import show_slack
from integration_assets.reporting.terminal import (
    show_calls,
    show_checks,
    show_plan,
    show_rankings,
    show_summary,
    show_unresolved,
)
from integration_assets.staging.publishing import published_path
from integration_assets.staging.store import open_store, store_path
from integration_assets.sync.operations import read_operations
from integration_assets.sync.plan_file import export_plan
from integration_assets.sync.plan_store import load_plan

PLAN_LINES = 20
RANKED_LINES = 10


def show_ending(console: Console, ending: Ending) -> None:
    """How the run ended and what it did."""
    show_summary(console, ending.summary, error=ending.error, notes=ending.notes)
    if ending.published:
        console.print(Text(f"published database: {ending.published}"), soft_wrap=True)


def show_saved_plan(console: Console, settings: Settings, tenant: str, ending: Ending, out: Path | None) -> None:
    """The plan of a dry run with its first changes; saved to the file `out` when one is named."""
    if ending.plan_id is None:
        if out:
            raise ConfigurationError(f"no plan was made, so none was saved to {out}: see the run's state")
        return
    with open_store(store_path(settings.home, settings.store_url, settings.environment, tenant)) as connection:
        plan = load_plan(connection, ending.plan_id)
        counts = plan.counts
        show_plan(
            console,
            {
                "create": counts.create,
                "update": counts.update,
                "retire": counts.retire,
                "link": counts.link,
                "unlink": counts.unlink,
            },
            read_operations(connection, plan.plan_id),
            plan_hash=plan.hash,
            reasons=ending.summary.plan.reasons,
            limit=PLAN_LINES,
        )
        if out:
            export_plan(connection, plan, out)
            console.print(Text(f"plan saved to {out}; apply it with --plan {out} --approve {plan.hash[:12]}"))


@contextmanager
def published(settings: Settings, tenant: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published database of a tenant, read-only.

    Raises:
        ConfigurationError: nothing was published yet.
    """
    path = published_path(settings.home, settings.environment, tenant)
    if not path.exists():
        raise ConfigurationError(f"nothing was published yet at {path}: run `integration-assets sync` first")
    connection = duckdb.connect(str(path), read_only=True)
    try:
        yield connection
    finally:
        connection.close()


def show_published_rankings(
    console: Console, settings: Settings, tenant: str, by: Literal["arr", "companies"], limit: int
) -> None:
    """One ranking of the last run, and the votes it could not count."""
    with published(settings, tenant) as connection:
        show_rankings(console, read_rankings(connection, by=by, limit=limit), by=by, currency=_currency(connection))


def show_published_unresolved(console: Console, settings: Settings, tenant: str, limit: int = RANKED_LINES) -> None:
    """The domains that lose most votes."""
    with published(settings, tenant) as connection:
        show_unresolved(console, read_unresolved(connection, limit=limit))


def show_report(console: Console, settings: Settings, tenant: str, run: str | None, json: Path | None) -> None:
    """One run: numbers, checks, calls by endpoint, what was left unresolved. The last run unless one is named.

    Raises:
        ConfigurationError: no run, or several, have an id that begins so.
    """
    with published(settings, tenant) as connection:
        rows = connection.execute(
            """
            SELECT run_id, error, summary FROM ops.runs
            WHERE starts_with(run_id, ?) ORDER BY started_at DESC LIMIT 2
            """,
            [run or ""],
        ).fetchall()
        if not rows or (run and len(rows) > 1):
            raise ConfigurationError(
                f"{'no run' if not rows else 'more than one run'} has an id that begins with {run}"
            )
        run_id, error, text = rows[0]
        summary = msgspec.json.decode(text, type=RunSummary)
        show_summary(console, summary, error=error)
        show_checks(console, [check for check in summary.checks if not check.passed])
        calls = connection.execute(
            "SELECT system, endpoint, total, writes, retried, throttled FROM ops.api_calls WHERE run_id = ?", [run_id]
        ).fetchall()
        show_calls(console, [CallCount(*row) for row in calls])
        show_unresolved(console, read_unresolved(connection, limit=RANKED_LINES))
    if json:
        write_json(summary, json)


def show_message(console: Console, ending: Ending) -> None:
    """The Slack message of a run, as sent."""
    show_slack(console, ending.message.text, Block.parse_all(ending.message.blocks))
    if ending.message.problem:
        console.print(Text(ending.message.problem, style="yellow"))
    elif not ending.message.posted:
        console.print(Text("Slack is not configured: shown here only", style="dim"))


def _currency(connection: duckdb.DuckDBPyConnection) -> str:
    rows = connection.execute("SELECT currency FROM ops.runs ORDER BY started_at DESC LIMIT 1").fetchall()
    return str(rows[0][0]) if rows else "USD"
