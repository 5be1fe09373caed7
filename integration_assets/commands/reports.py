"""`integration-assets rankings` and `report`: what the last run found, and what a run did. They ask no system."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from integration_assets.commands.shared import DEFAULT, Environment, Tenant, results_console, settings_of


class Order(StrEnum):
    """Ranking to show first."""

    ARR = "arr"
    COMPANIES = "companies"
    VOTES = "votes"


def rankings(
    tenant: Tenant = DEFAULT,
    environment: Environment = None,
    by: Annotated[Order, typer.Option("--by", help="Which rank to sort by.")] = Order.ARR,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many requests to show.")] = 20,
    all_: Annotated[bool, typer.Option("--all", help="Show shipped and closed requests as well.")] = False,
    since: Annotated[
        str | None, typer.Option("--since", help="Show what moved since then: 7d, 12h, 2w, or a date.")
    ] = None,
) -> None:
    """Show the open requests of the last run's ranking, from the published database, or how they moved."""
    from integration_assets.errors import ConfigurationError
    from integration_assets.reporting.published import show_movers, show_rankings

    if since:
        if by is Order.VOTES:
            raise ConfigurationError("--since goes with --by arr or --by companies: past ranks by votes are not kept")
        show_movers(
            results_console(),
            settings_of(environment),
            tenant,
            since,
            "arr" if by is Order.ARR else "companies",
            limit,
            everything=all_,
        )
    else:
        show_rankings(results_console(), settings_of(environment), tenant, by.value, limit, everything=all_)


def report(
    tenant: Tenant = DEFAULT,
    environment: Environment = None,
    run: Annotated[
        str | None, typer.Option("--run", help="Id of the run, or its beginning; default the last one.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the report to this file; it needs nothing else.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the run summary as JSON to this file.")] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Show a summary that --json wrote as Markdown, and nothing else.")
    ] = None,
) -> None:
    """Show what a run did: numbers, calls, checks, and votes left unresolved. Names the file of its HTML report."""
    from integration_assets.reporting.markdown import read_summary, summary_markdown
    from integration_assets.reporting.published import show_report

    if markdown:
        # Without settings or store: a CI job renders a file it was given where nothing else is installed.
        typer.echo(summary_markdown(read_summary(markdown)), nl=False)
        return
    show_report(results_console(), settings_of(environment), tenant, run, json, html)
