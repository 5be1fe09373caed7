"""Rankings and reports from the published database: never in the way of a run, and there when the CRM is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec
from rich.console import Console
from rich.text import Text

from integration_assets.config import Settings
from integration_assets.connectors.calls import CallCount
from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.reporting.html_report import (
    ReportFacts,
    copy_report,
    read_ranking,
    render_report,
    report_path,
    write_report,
)
from integration_assets.reporting.moves import HistoryOrder, parse_since, read_moves
from integration_assets.reporting.rankings import Order, read_rankings, read_unresolved
from integration_assets.reporting.run_summary import RunSummary, write_json
from integration_assets.reporting.terminal import (
    show_calls,
    show_checks,
    show_summary,
    show_unresolved,
)
from integration_assets.reporting.terminal import show_rankings as show_ranking_table
from integration_assets.reporting.terminal_moves import show_moves
from integration_assets.sql import read_sql
from integration_assets.staging.publishing import published_path

_OF_AN_EARLIER_VERSION = """
SELECT 1 FROM duckdb_tables()
WHERE schema_name = 'ranked' AND table_name = 'feature_requests'
AND NOT EXISTS (
    SELECT 1 FROM duckdb_columns() AS columns
    WHERE columns.schema_name = 'ranked' AND columns.column_name = 'companies_without_rate'
)
"""


def show_rankings(console: Console, settings: Settings, tenant: str, by: Order, limit: int) -> None:
    """Print the ranking of the last run.

    Raises:
        ConfigurationError: no run has published one yet.
    """
    with open_published(settings, tenant) as connection:
        runs = connection.execute("SELECT currency FROM ops.runs ORDER BY started_at DESC LIMIT 1").fetchall()
        requests = read_rankings(connection, by=by, limit=limit)
    show_ranking_table(console, requests, by=by, currency=runs[0][0] if runs else "")


def show_movers(console: Console, settings: Settings, tenant: str, since: str, by: HistoryOrder, limit: int) -> None:
    """Print how the ranking moved since a moment: `7d`, `12h`, `2w`, a date or an ISO time.

    Raises:
        ConfigurationError: no run has published a ranking yet, or `since` is no moment.
    """
    moment = parse_since(since, datetime.now(UTC))
    with open_published(settings, tenant) as connection:
        runs = connection.execute("SELECT currency FROM ops.runs ORDER BY started_at DESC LIMIT 1").fetchall()
        moved = read_moves(connection, moment, by, most=limit)
    if moved is None:
        console.print(Text("one day of the ranking is known so far: what moves shows from the second"))
        return
    show_moves(console, moved, by=by, currency=runs[0][0] if runs else "")


def show_report(
    console: Console, settings: Settings, tenant: str, run: str | None, json: Path | None, html: Path | None = None
) -> None:
    """Print what a run did: the last one, or the one whose id begins with `run`, and where its report lies.

    Its summary is written to `json`, its report to `html`.

    Raises:
        ConfigurationError: there is no such run, or several, or nothing was published yet.
        PermanentError: the report cannot be written.
    """
    with open_published(settings, tenant) as connection:
        runs = connection.execute(read_sql("reporting/runs"), [run or ""]).fetchall()
        if not runs:
            raise ConfigurationError(f"there is no run {run}" if run else "no run has been recorded yet")
        if run and len(runs) > 1 and runs[0][0] != run:
            raise ConfigurationError(f"several runs begin with {run}: give more of the id")
        run_id, error, text = runs[0]
        calls, floor = read_calls(connection, run_id), read_floor(connection, run_id)
        unresolved = read_unresolved(connection)
        kept = report_path(settings.home, settings.environment, tenant, run_id)
        if html and not kept.exists():
            write_report(html, _rendered(connection, run_id))
    summary = msgspec.json.decode(text, type=RunSummary)
    show_summary(console, summary, error=error, with_checks=False)  # all checks come below
    show_calls(console, calls, floor=floor)
    show_checks(console, summary.checks)
    show_unresolved(console, unresolved)
    if json:
        write_json(summary, json)
    if html and kept.exists():
        copy_report(kept, html)
    if html or kept.exists():
        console.print(Text(f"report: {html or kept}"), soft_wrap=True)


def _rendered(connection: duckdb.DuckDBPyConnection, run_id: str) -> str:
    """The report of a run whose own is not kept: what was recorded of it, and the ranking as it is now."""
    [(_, mode, error, _, text)] = connection.execute(read_sql("insights/run"), {"run_id": run_id}).fetchall()
    [(newest, _, _), *_] = connection.execute(read_sql("reporting/runs"), [""]).fetchall()
    summary = msgspec.json.decode(text, type=RunSummary)
    facts = ReportFacts(
        summary=summary,
        mode=mode,
        error=error,
        calls=read_calls(connection, run_id),
        floor=read_floor(connection, run_id),
        stale=run_id != newest,
    )
    return render_report(facts, read_ranking(connection, summary.currency))


def read_calls(connection: duckdb.DuckDBPyConnection, run_id: str) -> list[CallCount]:
    """The calls of a run by system and endpoint."""
    return [CallCount(*row) for row in connection.execute(read_sql("reporting/run_calls"), [run_id]).fetchall()]


def read_floor(connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, int]:
    """The fewest calls the work of a run takes, by system; empty where it is not known."""
    [(told,)] = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'ops' AND table_name = 'call_floors'"
    ).fetchall()
    # What an earlier version published has no such table.
    return dict(connection.execute(read_sql("reporting/call_floor"), [run_id]).fetchall()) if told else {}


@contextmanager
def open_published(settings: Settings, tenant: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published database of a tenant in the configured environment, read-only.

    Raises:
        ConfigurationError: no run has published one yet.
        PermanentError: the file is damaged.
    """
    path = published_path(settings.home, settings.environment, tenant)
    if not path.exists():
        raise ConfigurationError(
            f"nothing has been published for {tenant} in {settings.environment} yet ({path}): run `sync --read-only`"
        )
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    try:
        connection = duckdb.connect(path, read_only=True, config=config)
    except duckdb.Error as error:
        raise PermanentError(
            f"{path} cannot be read: {str(error).splitlines()[0]}; the next run replaces it"
        ) from error
    with connection:
        if connection.execute(_OF_AN_EARLIER_VERSION).fetchall():
            raise ConfigurationError(
                f"{path} was published by an earlier version, without the columns shown here: run `sync --read-only`"
            )
        connection.execute("SET enable_progress_bar = false")  # it would be drawn among the results
        yield connection
