"""Show what a run left, on a terminal: its plan, its summary, the Slack message."""

from __future__ import annotations

from pathlib import Path

import duckdb
from rich.console import Console
from rich.text import Text
from slack_sdk.models.blocks import Block

from integration_assets.config import Settings
from integration_assets.errors import PermanentError
from integration_assets.reporting.advice import release_command
from integration_assets.reporting.plan_details import plan_csv, show_plan_numbers, show_records
from integration_assets.reporting.slack_preview import show_slack
from integration_assets.reporting.terminal import show_plan, show_summary
from integration_assets.runs.result import RunResult
from integration_assets.staging.store import open_store, store_place
from integration_assets.sync.operations import read_operations
from integration_assets.sync.plan_file import export_plan
from integration_assets.sync.plan_store import Plan, load_plan
from integration_assets.whole_files import write_whole

PLAN_LINES = 20


def show_result(console: Console, ending: RunResult) -> None:
    """Show how the run ended and what it did."""
    show_summary(console, ending.summary, error=ending.error, notes=ending.notes, floor=ending.floor)
    if ending.published:
        console.print(Text(f"published database: {ending.published}"), soft_wrap=True)
    if ending.report:
        console.print(Text(f"report: {ending.report}"), soft_wrap=True)
    if command := release_command(ending.summary):
        console.print(Text(f"to approve the held plan: {command}"), soft_wrap=True)


def show_saved_plan(
    console: Console,
    settings: Settings,
    tenant: str,
    ending: RunResult,
    out: Path | None,
    *,
    lines: int = PLAN_LINES,
    numbers: bool = True,
    show: int | None = None,
    csv: Path | None = None,
) -> None:
    """The plan of a dry run with its first `lines` changes, or `show` records; saved to `out`, listed in `csv`.

    With `numbers` also the counts by action and field and the largest changes of ARR. A run that came to no plan saves
    none, and ends as it would have without the files.

    Raises:
        ConfigurationError: the plan cannot be written to `out`.
        PermanentError: the list cannot be written to `csv`.
    """
    if ending.plan_id is None:
        for file in (out, csv):
            if file:
                # The run's own error says why; that the file is missing must not surprise whoever reads it next.
                console.print(Text(f"no plan was made, so none was saved to {file}", style="yellow"), soft_wrap=True)
        return
    with open_store(store_place(settings, settings.environment, tenant), "plan") as connection:
        plan = load_plan(connection, ending.plan_id)
        # Records that are asked for are shown whole, below: the short list would repeat them.
        _show(console, connection, plan, ending, lines if show is None else 0)
        if numbers:
            show_plan_numbers(console, connection, plan.plan_id, ending.summary.currency)
        if show is not None:
            show_records(console, connection, plan.plan_id, show)
        if csv:
            _write_csv(csv, plan_csv(connection, plan.plan_id))
            console.print(Text(f"every change of the plan: {csv}"), soft_wrap=True)
        if out:
            # From the store, not from memory: what is saved is what `approve` and the next sync see.
            export_plan(connection, plan, out)
            console.print(Text(f"plan saved to {out}; apply it with --plan {out} --approve {plan.hash[:12]}"))


def _write_csv(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except OSError as error:
        raise PermanentError(f"{path} could not be written: {error.strerror}; check the disk") from error


def show_undo(console: Console, settings: Settings, tenant: str, ending: RunResult, *, lines: int = PLAN_LINES) -> int:
    """The plan of an undo with its first `lines` changes; returns how many changes it has."""
    if ending.plan_id is None:
        return 0
    with open_store(store_place(settings, settings.environment, tenant), "undo") as connection:
        plan = load_plan(connection, ending.plan_id)
        # An undo without changes has nothing to show; its summary says so.
        if plan.operations:
            _show(console, connection, plan, ending, lines)
    return plan.operations


def _show(console: Console, connection: duckdb.DuckDBPyConnection, plan: Plan, ending: RunResult, lines: int) -> None:
    counts = plan.counts
    show_plan(
        console,
        {
            "create": counts.create,
            "update": counts.update,
            "retire": counts.retire,
            "link": counts.link,
            "unlink": counts.unlink,
            # Only where somebody asked for them: most plans have nothing to do with companies.
            **({"roll_up": counts.roll_up} if counts.roll_up else {}),
        },
        read_operations(connection, plan.plan_id),
        plan_hash=plan.hash,
        reasons=ending.summary.plan.reasons,
        limit=lines,
    )


def show_message(console: Console, ending: RunResult) -> None:
    """The Slack message of a run, as sent."""
    show_slack(console, ending.message.text, Block.parse_all(ending.message.blocks))
    if ending.message.problem:
        console.print(Text(ending.message.problem, style="yellow"))
    # No problem and not posted: there is no Slack, which is a choice and no failure.
    elif not ending.message.posted:
        console.print(Text("Slack is not configured: shown here only", style="dim"))
