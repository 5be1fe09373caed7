"""Rankings and reports from the published database: never in the way of a run, and there when the CRM is not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import msgspec
from rich.console import Console
from rich.text import Text

from integration_assets.config import Settings, load_settings
from integration_assets.connectors.calls import CallCount
from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.models import Status
from integration_assets.reporting.exports import FileKind, as_contents, read_export
from integration_assets.reporting.html_report import (
    ReportFacts,
    copy_report,
    read_open_plan,
    read_ranking,
    render_report,
    report_path,
    write_report,
)
from integration_assets.reporting.insights import (
    Filter,
    Ranking,
    chosen_words,
    read_chosen,
    read_filters,
    read_last_run,
    read_requests,
)
from integration_assets.reporting.merged import read_merged
from integration_assets.reporting.moves import HistoryOrder, parse_since, read_moves
from integration_assets.reporting.rankings import (
    UnresolvedDomain,
    gaps_words,
    read_closed,
    read_lifecycle_gaps,
    read_unresolved,
)
from integration_assets.reporting.result_files import kept_endings, read_kept_ending
from integration_assets.reporting.run_summary import RunSummary, write_json
from integration_assets.reporting.terminal import (
    not_shown,
    show_calls,
    show_checks,
    show_summary,
    show_unresolved,
)
from integration_assets.reporting.terminal import show_rankings as show_ranking_table
from integration_assets.reporting.terminal_moves import show_moves
from integration_assets.reporting.text import clean, clip, count
from integration_assets.sql import read_sql
from integration_assets.staging.extensions import NO_OTHERS
from integration_assets.staging.publishing import published_path
from integration_assets.staging.quoting import literal
from integration_assets.staging.threads import fit_threads

if TYPE_CHECKING:
    import pyarrow as pa

_PUBLISHED = "published"
"""Name of the published file while it is attached."""
_OF_AN_EARLIER_VERSION = """
SELECT 1 FROM duckdb_tables()
WHERE schema_name = 'ranked' AND table_name = 'feature_requests'
AND (
    SELECT count(*) FROM duckdb_columns() AS columns
    WHERE columns.schema_name = 'ranked' AND columns.table_name = 'feature_requests'
    AND columns.column_name IN ('crm_url', 'merged_requests')
) < 2
"""
"""By two columns: `crm_url` is added to a ranking of an earlier version before that is published again."""

LIFECYCLES = ("customer", "prospect", "unknown")
_AHEAD = re.compile(r"([0-9]{1,5})([dw])")
MOST_DAYS_AHEAD = 3_650

_RANKED_TABLES = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'ranked' ORDER BY table_name"


def parse_filter(
    *,
    by: Ranking,
    status: str,
    board: str,
    category: str,
    tag: str,
    words: str,
    created_since: str,
    voted_since: str,
    everything: bool,
    lifecycle: str = "",
    segments: Sequence[str] = (),
    owner: str = "",
    renewing_within: str = "",
    renewing_from: datetime | None = None,
) -> Filter:
    """The filter of a ranking from texts; moments as `30d`, `2w` or a date, "" is anything.

    `renewing_from` is the moment from which `renewing_within` counts, by default now.

    Raises:
        ConfigurationError: there is no such status or lifecycle, a segment is none, or a moment.
    """
    canonical = status.replace(" ", "_")
    # By the canonical names: a status that is misspelt would show an empty ranking.
    if status and canonical not in {one.value for one in Status}:
        known = ", ".join(one.value for one in Status)
        raise ConfigurationError(f"there is no status {status}: {known}")
    if lifecycle and lifecycle not in LIFECYCLES:
        raise ConfigurationError(f"there is no lifecycle {lifecycle}: {', '.join(LIFECYCLES)}")
    if wrong := [one for one in segments if not all(one.partition("="))]:
        raise ConfigurationError(
            f"{clean(wrong[0])} is no segment: give a property and a value, as in industry=Software"
        )
    now = datetime.now(UTC)
    return Filter(
        by=by,
        status=canonical,
        board=board,
        category=category,
        tag=tag,
        words=words,
        created_since=parse_since(created_since, now) if created_since else None,
        voted_since=parse_since(voted_since, now) if voted_since else None,
        everything=everything,
        lifecycle=lifecycle,
        segments=tuple(segments),
        owner=owner,
        renews_by=renewal_end(renewing_within, renewing_from or now) if renewing_within else None,
    )


def show_rankings(console: Console, settings: Settings, tenant: str, wanted: Filter, limit: int) -> None:
    """Print the requests of the last run's ranking that fit.

    Raises:
        ConfigurationError: no run has published one yet.
    """
    with open_published(settings, tenant) as connection:
        currency = read_currency(connection)
        found = read_requests(connection, wanted, limit=limit)
        gaps = read_lifecycle_gaps(connection)
        merged = read_merged(connection, (one.request_id for one in found.requests))
        chosen = check_chosen(connection, wanted)
    if chosen is not None:
        console.print(Text(chosen), soft_wrap=True)
    show_ranking_table(console, found.requests, by=wanted.by, currency=currency, closed=found.closed, merged=merged)
    # Counted, since a table of twenty lines looks like all there is.
    if left := found.found - len(found.requests):
        console.print(Text(f"and {left:,} more: --limit shows them", style="dim"), soft_wrap=True)
    if gaps is not None:
        stages = f"{settings.named('customer_stages')} and {settings.named('prospect_stages')}"
        console.print(Text(f"{gaps_words(gaps)}: {stages} say which stages are which", style="dim"), soft_wrap=True)


def ranking_files(
    settings: Settings, tenant: str, wanted: Filter, limit: int | None, kinds: Collection[FileKind]
) -> tuple[dict[FileKind, bytes], list[str]]:
    """The requests that fit as files of these kinds, with every published column; and what is to be said of them.

    All of them without a `limit`.

    Raises:
        ConfigurationError: no run has published a ranking yet, or a sheet does not hold as many rows.
    """
    with open_published(settings, tenant) as connection:
        return request_files(connection, wanted, limit, kinds)


def request_files(
    connection: duckdb.DuckDBPyConnection,
    wanted: Filter,
    limit: int | None,
    kinds: Collection[FileKind],
    *,
    currency: str | None = None,
    note: str = "",
) -> tuple[dict[FileKind, bytes], list[str]]:
    """The files of `ranking_files`, of a published database that is open. `note` stands in JSON beside the requests.

    `currency` is that of the last run, unless another is given.
    """
    chosen = check_chosen(connection, wanted)
    ranking = read_export(connection, wanted, limit=limit)
    said = [count(ranking.table.num_rows, "request"), *([chosen] if chosen else [])]
    if ranking.closed:
        said.append(not_shown(ranking.closed, "--all"))
    if left := ranking.found - ranking.table.num_rows:
        said.append(f"and {left:,} more: without --limit they are in it")
    known = read_currency(connection) if currency is None else currency
    return as_contents(ranking, kinds, known, counted=chosen or "", note=note), said


def check_chosen(connection: duckdb.DuckDBPyConnection, wanted: Filter) -> str | None:
    """Words for the companies that are counted alone, None where all are.

    Raises:
        ConfigurationError: no company has what is asked for, or a segment of it, because nothing is mapped or the word
            is another.
    """
    if not wanted.chooses_companies:
        return None
    if wanted.segments:
        known = read_filters(connection)
        there = {one.lower() for one in known["segment"]}
        # Beside one that fits, a misspelt one would pass for counted.
        if absent := next((one for one in wanted.segments if one.lower() not in there), None):
            some = _known_words(Filter(segments=(absent,)), known)
            raise ConfigurationError(f"no company that voted has {clip(clean(absent), 60)}; {some}")
    found = read_chosen(connection, wanted)
    if found.chosen == 0:
        known = read_filters(connection)
        raise ConfigurationError(f"no company that voted fits; {_known_words(wanted, known)}")
    return chosen_words(wanted, found)


def _known_words(wanted: Filter, known: Mapping[str, Sequence[str]]) -> str:
    """Say what companies have of what a filter asks for, three of each, or that nothing is known of it."""
    asked = {
        "segment": (wanted.segments, "segments"),
        "owner": (wanted.owner, "owners"),
        "renewal": (wanted.renews_by, "renewal dates"),
        "lifecycle": (wanted.lifecycle, "lifecycles"),
    }
    said = []
    for name, (value, word) in asked.items():
        if not value:
            continue
        some = [clip(clean(one), 60) for one in known[name]]
        if not some:
            said.append(f"no {word} are known: name the property of companies that holds them, and run again")
        elif name != "renewal":
            more = f" and {len(some) - 3:,} more" if len(some) > 3 else ""
            said.append(f"{word} there are: {', '.join(some[:3])}{more}")
        else:
            said.append("no renewal lies within that time")
    return "; ".join(said)


def renewal_end(text: str, now: datetime) -> date:
    """The last day of `90d`, `12w` or until a date, from today.

    Raises:
        ConfigurationError: it is none of these.
    """
    if (found := _AHEAD.fullmatch(text.strip())) is not None:
        days = int(found[1]) * (7 if found[2] == "w" else 1)
        if days <= MOST_DAYS_AHEAD:
            return now.date() + timedelta(days=days)
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ConfigurationError(f"{clean(text)} is no time ahead: give 90d, 12w, or a date as 2027-03-31") from None


def read_currency(connection: duckdb.DuckDBPyConnection) -> str:
    """The base currency of the last run, "" when none was recorded."""
    last = read_last_run(connection)
    return last.currency if last else ""


def show_movers(
    console: Console,
    settings: Settings,
    tenant: str,
    since: str,
    by: HistoryOrder,
    limit: int,
    *,
    everything: bool = False,
) -> None:
    """Print how the ranking moved since a moment: `7d`, `12h`, `2w`, a date or an ISO time.

    Open requests and those that are gone; shipped and closed ones as well with `everything`.

    Raises:
        ConfigurationError: no run has published a ranking yet, or `since` is no moment.
    """
    # Before the file is opened: a wrong moment is the caller's mistake whatever is published.
    moment = parse_since(since, datetime.now(UTC))
    with open_published(settings, tenant) as connection:
        currency = read_currency(connection)
        moved = read_moves(connection, moment, by, most=limit, everything=everything)
        closed = 0 if everything else read_closed(connection)
    # Not an error: on the first day there is nothing to compare with.
    if moved is None:
        console.print(Text("one day of the ranking is known so far: what moves shows from the second"))
        return
    show_moves(console, moved, by=by, currency=currency)
    if closed:
        console.print(Text(not_shown(closed, "--all"), style="dim"), soft_wrap=True)


class _Recorded(msgspec.Struct, frozen=True):
    """A run as it is recorded. `unresolved` is None where the ranking that is published is not of this run."""

    summary: RunSummary
    error: str | None
    calls: list[CallCount]
    floor: dict[str, int]
    unresolved: list[UnresolvedDomain] | None = None
    rendered: str | None = None


def show_report(
    console: Console, settings: Settings, tenant: str, run: str | None, json: Path | None, html: Path | None = None
) -> None:
    """Print what a run did: the last one, or the one whose id begins with `run`, and where its report lies.

    Its summary is written to `json`, its report to `html`. A run that was held or failed before it published anything
    is shown from the file it left.

    Raises:
        ConfigurationError: there is no such run, or several, or none has ended yet.
        PermanentError: the report cannot be written.
    """
    recorded = _recorded(settings, tenant, run or "", html=html is not None)
    summary = recorded.summary
    kept = report_path(settings.home, settings.environment, tenant, summary.run_id)
    show_summary(console, summary, error=recorded.error, with_checks=False)  # all checks come below
    if recorded.calls:
        show_calls(console, recorded.calls, floor=recorded.floor)
    show_checks(console, summary.checks)
    # That of another run would pass for its own.
    if recorded.unresolved is not None:
        show_unresolved(console, recorded.unresolved)
    elif summary.top.by_arr or summary.top.closed:
        console.print(
            Text("this run's ranking and unresolved votes were replaced by those of a later run: `rankings` shows it")
        )
    else:
        console.print(Text("this run published no ranking: `rankings` shows that of an earlier one, if there is any"))
    # After the terminal: a file that cannot be written must not cost the view.
    if json:
        write_json(summary, json)
    # The report of that day first: made anew it would show today's ranking under yesterday's numbers.
    if html and kept.exists():
        copy_report(kept, html)
    elif html and recorded.rendered is not None:
        write_report(html, recorded.rendered)
    if html or kept.exists():
        console.print(Text(f"report: {html or kept}"), soft_wrap=True)


def _recorded(settings: Settings, tenant: str, run: str, *, html: bool) -> _Recorded:
    """The newest run whose id begins with `run`, published or not; `html`: with a report to be written."""
    left = kept_endings(settings.home, settings.environment, tenant, run)
    # Nothing was ever published, as when the first run is held: the file it left is all there is.
    if not published_path(settings.home, settings.environment, tenant).exists() and left:
        return _left(settings, tenant, _only(left, run), html=html)
    with open_published(settings, tenant) as connection:
        published = connection.execute(read_sql("reporting/runs"), [run]).fetchall()
        # Each once: a run that published left its file as well.
        names = list(dict.fromkeys([*(row[0] for row in published), *left]))
        if not names:
            raise ConfigurationError(f"there is no run {run}" if run else "no run has been recorded yet")
        # Also when only one is newest: the beginning of an id that fits two runs must not pick one in silence.
        if run:
            _only(names, run)
        # Files come newest first.
        newest = next(iter(left), None)
        ending = read_kept_ending(settings.home, settings.environment, tenant, newest) if newest else None
        published_ids = {row[0] for row in published}
        last = msgspec.json.decode(published[0][2], type=RunSummary) if published else None
        # A run that a check held before the ranking is in no published database: what it left is newer.
        if (
            ending is not None
            and newest not in published_ids
            and (last is None or ending.summary.started_at > last.started_at)
        ):
            return _left(settings, tenant, ending.summary.run_id, html=html)
        if last is None:
            raise ConfigurationError(f"what run {names[0]} left cannot be read: run again")
        run_id, error, _ = published[0]
        return _Recorded(
            summary=last,
            error=error,
            calls=read_calls(connection, run_id),
            floor=read_floor(connection, run_id),
            unresolved=read_unresolved(connection) if _has_ranked(connection, run_id) else None,
            rendered=_rendered(connection, run_id) if html else None,
        )


def _only(names: Sequence[str], run: str) -> str:
    """The run meant by the beginning of an id; the newest where none is given."""
    if run and len(names) > 1 and run not in names:
        raise ConfigurationError(f"several runs begin with {run}: give more of the id")
    # An id given whole is that run, even where another one begins with it.
    return run if run in names else names[0]


def _left(settings: Settings, tenant: str, run_id: str, *, html: bool) -> _Recorded:
    """A run from the file it left."""
    ending = read_kept_ending(settings.home, settings.environment, tenant, run_id)
    if ending is None:
        raise ConfigurationError(f"what run {run_id} left cannot be read: run again")
    # Stale: the ranking beside it, if any, is of an earlier run.
    facts = ReportFacts(summary=ending.summary, mode="run", error=ending.error, floor=ending.floor, stale=True)
    return _Recorded(
        summary=ending.summary,
        error=ending.error,
        calls=[],
        floor=ending.floor,
        rendered=render_report(facts, None) if html else None,
    )


def _rendered(connection: duckdb.DuckDBPyConnection, run_id: str) -> str:
    """The report of a run whose own is not kept: what was recorded of it, and the ranking as it is now."""
    [(_, mode, error, _, text)] = connection.execute(read_sql("reporting/insights/run"), {"run_id": run_id}).fetchall()
    summary = msgspec.json.decode(text, type=RunSummary)
    facts = ReportFacts(
        summary=summary,
        mode=mode,
        error=error,
        calls=read_calls(connection, run_id),
        floor=read_floor(connection, run_id),
        # Of an older run the ranking is gone: what is shown is the one of now, and says so.
        stale=not _has_ranked(connection, run_id),
        plan=read_open_plan(connection, summary),
    )
    return render_report(facts, read_ranking(connection, summary.currency))


def _has_ranked(connection: duckdb.DuckDBPyConnection, run_id: str) -> bool:
    """True if the ranking that is published was made by this run."""
    return connection.execute(read_sql("reporting/ranking_run")).fetchall() == [(run_id,)]


def read_calls(connection: duckdb.DuckDBPyConnection, run_id: str) -> list[CallCount]:
    """The calls of a run by system and endpoint."""
    return [CallCount(*row) for row in connection.execute(read_sql("reporting/run_calls"), [run_id]).fetchall()]


def read_floor(connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, int]:
    """The fewest calls the work of a run takes, by system; empty where it is not known."""
    [(has_floors,)] = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'ops' AND table_name = 'call_floors'"
    ).fetchall()
    # What an earlier version published has no such table.
    return dict(connection.execute(read_sql("reporting/call_floor"), [run_id]).fetchall()) if has_floors else {}


def published_rankings(
    tenant: str = "default", environment: str | None = None, *, table: str = "feature_requests"
) -> pa.Table:
    """The ranking that the last run of a tenant published, for assets and notebooks downstream of it.

        ranking = integration_assets.published_rankings("default")

    Nobody is in the way of anybody: a run that publishes meanwhile puts a new file in the place of the one read here.

    Args:
        tenant: whose; `default` where there is no registry of tenants.
        environment: `sandbox` or `production`; by default INTEGRATION_ASSETS_ENVIRONMENT.
        table: of the schema `ranked`: `feature_requests`, a row per request in the order of `rank_by_arr`;
            `company_requests`, `unresolved_votes`, `rank_history`, or another one that is published.

    Raises:
        ConfigurationError: no run has published anything yet, or there is no such table.
        PermanentError: the published file is damaged.
    """
    settings = load_settings(**({"environment": environment} if environment else {}))
    with open_published(settings, tenant) as connection:
        tables = [name for (name,) in connection.execute(_RANKED_TABLES).fetchall()]
        # Before it is part of a query: a name from outside is only ever one of these.
        if table not in tables:
            raise ConfigurationError(f"there is no table {table} in the published ranking: {', '.join(tables)}")
        order = " ORDER BY rank_by_arr" if table == "feature_requests" else ""
        return connection.sql(f'FROM ranked."{table}"{order}').to_arrow_table()


def lacks_columns(connection: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether an earlier version made the ranking, without columns that are shown."""
    return bool(connection.execute(_OF_AN_EARLIER_VERSION).fetchall())


@contextmanager
def another_reader(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """One more connection to a published database that is open already, for another thread; takes half a millisecond.

    It is to be closed before the first one, which would close it.
    """
    with connection.cursor() as reader:
        # What a connection was told is not handed on to the next one.
        reader.execute(f"USE {_PUBLISHED}")
        reader.execute("SET enable_progress_bar = false")
        yield reader


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
            f"nothing has been published for {tenant} in {settings.environment} yet ({path}): "
            + (
                "`report` says why the last run published nothing"
                if kept_endings(settings.home, settings.environment, tenant)
                else "run `sync --read-only`"
            )
        )
    with duckdb.connect(":memory:", config=dict(NO_OTHERS)) as connection:
        try:
            # Attached, not connected to: DuckDB shares a database among all who connect to its path while one of them
            # is there. Pages that many read at once would go on with a file that a run has replaced long since.
            connection.execute(f"ATTACH {literal(str(path))} AS {_PUBLISHED} (READ_ONLY)")
            connection.execute(f"USE {_PUBLISHED}")
            fit_threads(connection)
        # The file is replaced as a whole by every run, so that a damaged one mends itself.
        except duckdb.Error as error:
            raise PermanentError(
                f"{path} cannot be read: {str(error).splitlines()[0]}; the next run replaces it"
            ) from error
        if lacks_columns(connection):
            raise ConfigurationError(
                f"{path} was published by an earlier version, without the columns shown here: run `sync --read-only`"
            )
        connection.execute("SET enable_progress_bar = false")  # it would be drawn among the results
        yield connection
