"""`integration-assets rankings` and `report`: what the last run found, and what a run did. They ask no system."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from integration_assets.commands.shared import (
    DEFAULT,
    Environment,
    Tenant,
    check_file,
    results_console,
    settings_of,
)

if TYPE_CHECKING:
    from integration_assets.config import Settings
    from integration_assets.reporting.exports import FileKind
    from integration_assets.reporting.insights import Filter
    from integration_assets.reporting.moves import HistoryOrder

SHOWN = 20
"""Requests a terminal shows without --limit."""
STDOUT = Path("-")
TEXTS = ("csv", "json")
"""Kinds of files that may be written to a terminal."""


class Order(StrEnum):
    """Ranking to show first."""

    ARR = "arr"
    COMPANIES = "companies"
    VOTES = "votes"


def _write_ranking(
    settings: Settings,
    tenant: str,
    wanted: Filter,
    limit: int | None,
    files: Mapping[FileKind, Path],
    as_of: datetime | None,
) -> None:
    from integration_assets.errors import ConfigurationError
    from integration_assets.reporting.earlier import earlier_files
    from integration_assets.reporting.published import ranking_files

    for kind, path in files.items():
        if path != STDOUT:
            check_file(path)
        # Parquet and XLSX are no text: a terminal would be left in disorder.
        elif kind not in TEXTS:
            raise ConfigurationError(f"only --csv and --json write to stdout: name a file for --{kind}")
    if as_of is None:
        contents, said = ranking_files(settings, tenant, wanted, limit, files.keys())
    else:
        contents, said = earlier_files(settings, tenant, as_of, wanted, limit, files.keys())
    for kind, path in files.items():
        _write(path, contents[kind])
        # On stderr, so that a file on stdout has nothing but its rows.
        typer.echo("\n".join([f"{path}: {said[0]}", *said[1:]]), err=True)


def _tell_company(settings: Settings, tenant: str, company: str, limit: int | None, path: Path | None) -> None:
    import msgspec

    from integration_assets.reporting.answers import company_document
    from integration_assets.reporting.closing import find_company, show_company
    from integration_assets.reporting.published import open_published
    from integration_assets.reporting.text import count

    if path is None:
        show_company(results_console(), settings, tenant, company)
        return
    if path != STDOUT:
        check_file(path)
    with open_published(settings, tenant) as connection:
        document = company_document(connection, find_company(connection, company), limit)
    _write(path, msgspec.json.encode(document))
    typer.echo(f"{path}: {document['shown']:,} of {count(document['total'], 'request')}", err=True)


def _write(path: Path, content: bytes) -> None:
    from integration_assets.errors import PermanentError
    from integration_assets.whole_files import write_whole

    if path == STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        write_whole(path, content)
    except OSError as error:
        raise PermanentError(f"{path} could not be written: {error.strerror}; check the disk") from error


def rankings(
    tenant: Tenant = DEFAULT,
    environment: Environment = None,
    by: Annotated[Order, typer.Option("--by", help="Which rank to sort by.")] = Order.ARR,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="How many requests; default 20, in a file all.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Show shipped and closed requests as well.")] = False,
    status: Annotated[str, typer.Option("--status", help="Only this status, such as planned.")] = "",
    board: Annotated[str, typer.Option("--board", help="Only this board.")] = "",
    category: Annotated[str, typer.Option("--category", help="Only this category.")] = "",
    tag: Annotated[str, typer.Option("--tag", help="Only with this tag.")] = "",
    words: Annotated[
        str, typer.Option("--words", help="Only with these words in the title, or in one merged into it.")
    ] = "",
    created_since: Annotated[
        str | None, typer.Option("--created-since", help="Only written since then: 30d, 2w, or a date.")
    ] = None,
    voted_since: Annotated[
        str | None, typer.Option("--voted-since", help="Only with a vote since then: 30d, 2w, or a date.")
    ] = None,
    lifecycle: Annotated[
        str, typer.Option("--lifecycle", help="Count only companies that are customer, prospect or unknown.")
    ] = "",
    segment: Annotated[
        list[str] | None,
        typer.Option("--segment", metavar="PROPERTY=VALUE", help="Count only companies of this segment; repeatable."),
    ] = None,
    owner: Annotated[str, typer.Option("--owner", help="Count only companies of this owner.")] = "",
    renewing_within: Annotated[
        str, typer.Option("--renewing-within", help="Count only companies that renew within: 90d, 12w, or by a date.")
    ] = "",
    by_segment: Annotated[
        bool, typer.Option("--by-segment", help="Show the first requests of each segment; --limit is for each of them.")
    ] = False,
    since: Annotated[
        str | None, typer.Option("--since", help="Show what moved since then: 7d, 12h, 2w, or a date.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Show the ranking as it was then: a date (its end, UTC), 30d, 2w.")
    ] = None,
    company: Annotated[
        str, typer.Option("--company", help="Show one company's requests instead: its id in the CRM, domain or name.")
    ] = "",
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write every column of the requests to this file; - is stdout.")
    ] = None,
    parquet: Annotated[Path | None, typer.Option("--parquet", help="The same as Parquet.")] = None,
    xlsx: Annotated[Path | None, typer.Option("--xlsx", help="The same as a sheet for Excel.")] = None,
    json: Annotated[
        Path | None,
        typer.Option("--json", help="The same as JSON, or the requests of --company; - is stdout."),
    ] = None,
) -> None:
    """Show the open requests of the last run's ranking, from the published database, or how they moved."""
    from integration_assets.errors import ConfigurationError
    from integration_assets.reporting.earlier import parse_as_of, show_earlier
    from integration_assets.reporting.published import parse_filter, show_movers, show_rankings
    from integration_assets.reporting.segments import REQUESTS
    from integration_assets.reporting.terminal_segments import show_segments

    of_companies = any((lifecycle, segment, owner, renewing_within))
    narrowed = any((status, board, category, tag, words, created_since, voted_since, of_companies))
    asked: tuple[tuple[FileKind, Path | None], ...] = (
        ("csv", csv), ("parquet", parquet), ("xlsx", xlsx), ("json", json),
    )  # fmt: skip
    files = {kind: path for kind, path in asked if path is not None}
    settings = settings_of(environment)
    if company:
        if narrowed or files.keys() - {"json"} or since or as_of or by_segment:
            raise ConfigurationError(
                "--company shows all requests of one company: it goes with no filter, no moment and no file but --json"
            )
        _tell_company(settings, tenant, company, limit, json)
        return
    if by_segment:
        if narrowed or files or since or as_of:
            raise ConfigurationError(
                "--by-segment shows each segment of all companies: it goes with --by, --limit and --all only"
            )
        show_segments(
            results_console(), settings, tenant, by=by.value, most_requests=limit or REQUESTS, everything=all_
        )
        return
    if since:
        if by is Order.VOTES:
            raise ConfigurationError("--since goes with --by arr or --by companies: past ranks by votes are not kept")
        if narrowed or files or as_of:
            raise ConfigurationError("--since shows what moved: it goes with --by, --limit and --all only")
        order: HistoryOrder = "arr" if by is Order.ARR else "companies"
        show_movers(results_console(), settings, tenant, since, order, limit or SHOWN, everything=all_)
        return
    moment = parse_as_of(as_of, datetime.now(UTC)) if as_of else None
    wanted = parse_filter(
        by=by.value,
        status=status,
        board=board,
        category=category,
        tag=tag,
        words=words,
        created_since=created_since or "",
        voted_since=voted_since or "",
        everything=all_,
        lifecycle=lifecycle,
        segments=segment or (),
        owner=owner,
        renewing_within=renewing_within,
        renewing_from=moment,
    )
    if files:
        _write_ranking(settings, tenant, wanted, limit, files, moment)
    elif moment:
        show_earlier(results_console(), settings, tenant, moment, wanted, limit or SHOWN)
    else:
        show_rankings(results_console(), settings, tenant, wanted, limit or SHOWN)


def shipped(
    tenant: Tenant = DEFAULT,
    environment: Environment = None,
    since: Annotated[str, typer.Option("--since", help="Since when: 30d, 2w, or a date.")] = "30d",
    voters: Annotated[
        Path | None,
        typer.Option("--voters", help="Write the addresses of who asked to this file, which only you can read."),
    ] = None,
) -> None:
    """Show what shipped lately and who waited for it: request, companies, ARR and number of voters."""
    from integration_assets.errors import ConfigurationError, PermanentError
    from integration_assets.reporting.closing import show_shipped, voters_file
    from integration_assets.whole_files import write_whole

    settings = settings_of(environment)
    if voters is None:
        show_shipped(results_console(), settings, tenant, since)
        return
    # A terminal scrolls and is logged: addresses go nowhere but into the file.
    if voters == STDOUT:
        raise ConfigurationError("--voters writes addresses of people into a file: name one")
    check_file(voters)
    content, told = voters_file(settings, tenant, since)
    show_shipped(results_console(), settings, tenant, since)
    try:
        write_whole(voters, content)
    except OSError as error:
        raise PermanentError(f"{voters} could not be written: {error.strerror}; check the disk") from error
    typer.echo(f"{voters}: {told}", err=True)
    typer.echo(
        "it holds personal data and only you can read it: delete it once these people have been told; "
        "`integration-assets forget` does not reach it",
        err=True,
    )


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
