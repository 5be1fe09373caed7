"""The report of a run: one HTML file that needs nothing else, for a screen, a phone, paper, and a year from now.

It holds no script, asks no network, and names no e-mail address: every text is cleaned and escaped where it is put in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec
from markupsafe import Markup

from integration_assets.config import Environment
from integration_assets.connectors.calls import CallCount
from integration_assets.errors import EndState, PermanentError
from integration_assets.reporting.advice import TODO, release_command
from integration_assets.reporting.company_sections import CompanySections, read_company_sections
from integration_assets.reporting.deals import DealAtStake, read_deals
from integration_assets.reporting.exports import is_web_address
from integration_assets.reporting.insights import CrmPages, read_crm_pages
from integration_assets.reporting.merged import merged_lines, read_merged
from integration_assets.reporting.moves import Move, read_moves
from integration_assets.reporting.plan_details import PlanDetails, read_plan_details
from integration_assets.reporting.rankings import (
    RankedRequest,
    UnresolvedDomain,
    has_pipeline,
    has_prospects,
    read_closed,
    read_rankings,
    read_unresolved,
)
from integration_assets.reporting.run_charts import (
    Places,
    arr_chart,
    arr_trend,
    companies_chart,
    coverage_chart,
    votes_against_arr,
    votes_chart,
)
from integration_assets.reporting.run_summary import (
    RunSummary,
    arr_words,
    conflict_words,
    has_written,
    iso_utc,
    unapplied_changes,
)
from integration_assets.reporting.segments import SegmentedProperty, left_out_words, read_segments
from integration_assets.reporting.text import (
    amount,
    clean,
    clip,
    closed_words,
    count,
    duration,
    field_words,
    lacking_rate,
    moment,
    percent,
    stage_words,
    status_words,
    value_words,
)
from integration_assets.staging.store import check_tenant, make_private_directory
from integration_assets.whole_files import remove_oldest, write_whole

if TYPE_CHECKING:
    import jinja2

RANKED = 25
"""Requests in the table; the charts show ten."""
DOMAINS = 20
DEALS = 15
MOVERS = 12
CHANGES_SHOWN = 25
"""Changes of a plan that are shown one by one; their number and where all are stand below."""
LISTED = 200
"""Rejects and conflicts that are named; the rest is counted."""
KEPT = 200
"""Reports kept for a tenant and environment: a month of runs every four hours, some 20 MB."""


class Ranking(msgspec.Struct, frozen=True):
    """A ranking as a report shows it, of open requests. `as_of` is the moment its data was read.

    `closed`: how many requests are left out because they are shipped or closed. `merged` says of each of them which
    requests the file of same requests merges into it, one line each.
    """

    as_of: str
    requests: list[RankedRequest]
    unresolved: list[UnresolvedDomain]
    deals: list[DealAtStake]
    moves: list[Move]
    moved_since: str
    arr: str
    companies: str
    votes: str
    closed: int
    places: Places
    trend: str | None
    merged: list[str]
    crm: CrmPages
    companies_view: CompanySections
    properties: list[SegmentedProperty]


class ReportFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts a report gives beside the ranking.

    `advice` is what to do, when it is not what the end state asks for; `stale`: the ranking is not of this run.
    `plan` is what is still to be agreed to, None of a run that wrote.
    """

    summary: RunSummary
    mode: str
    error: str | None = None
    advice: str | None = None
    notes: Sequence[str] = ()
    calls: Sequence[CallCount] = ()
    floor: Mapping[str, int] = {}
    stale: bool = False
    plan: PlanDetails | None = None


def report_path(home: Path, environment: Environment | str, tenant: str, run_id: str) -> Path:
    """File of a run's report: `<home>/reports/<environment>/<tenant>/<run id>.html`."""
    return home / "reports" / Environment(environment).value / check_tenant(tenant) / f"{run_id}.html"


def read_open_plan(connection: duckdb.DuckDBPyConnection, summary: RunSummary) -> PlanDetails | None:
    """Read the plan of a dry run, or one that is held, from the published database; None of a run that wrote."""
    if summary.plan.hash is None or not (summary.dry_run or summary.plan.held):
        return None
    return read_plan_details(connection, summary.plan.hash, most=CHANGES_SHOWN)


def read_ranking(connection: duckdb.DuckDBPyConnection, currency: str) -> Ranking | None:
    """Read the ranking for a report from the published database; None when nothing is ranked."""
    [(as_of,)] = connection.execute("SELECT max(as_of) FROM ranked.feature_requests").fetchall()
    # Tables without rows: a report of an empty ranking would look like one that lost its data.
    if as_of is None:
        return None
    # None on the first day, when there is nothing to compare with.
    moved = read_moves(connection, most=MOVERS)
    requests = read_rankings(connection, by="arr", limit=RANKED)
    return Ranking(
        as_of=iso_utc(as_of),
        requests=requests,
        unresolved=read_unresolved(connection, limit=DOMAINS),
        deals=read_deals(connection, limit=DEALS),
        moves=moved.moves if moved else [],
        moved_since=iso_utc(moved.before) if moved else "",
        arr=arr_chart(connection, currency),
        companies=companies_chart(connection),
        votes=votes_chart(connection),
        closed=read_closed(connection),
        places=votes_against_arr(connection),
        trend=arr_trend(connection),
        merged=merged_lines(read_merged(connection, (one.request_id for one in requests))),
        crm=read_crm_pages(connection),
        companies_view=read_company_sections(connection, as_of),
        properties=read_segments(connection),
    )


def render_report(facts: ReportFacts, ranking: Ranking | None) -> str:
    """The report as HTML."""
    summary = facts.summary
    state = EndState(summary.state)
    # Errors before warnings: the first line is the one that is read.
    checks = sorted(summary.checks, key=lambda one: (one.severity != "ERROR", one.name))
    return (
        _templates()
        .get_template("report.html")
        .render(
            facts=facts,
            summary=summary,
            ranking=ranking,
            state=state.value.replace("_", " ").lower(),
            tone=_TONES[state],
            # The run's own advice first: it knows when it is tried again, the table does not.
            advice=facts.advice or TODO.get(state),
            release=release_command(summary),
            coverage=coverage_chart(summary.votes),
            arr=arr_words(summary.arr, summary.currency),
            failed=[one for one in checks if not one.passed],
            passed=[one for one in checks if one.passed],
            calls=sorted(facts.calls, key=lambda one: (one.system, -one.total, one.endpoint)),
            listed=LISTED,
        )
    )


def write_report(path: Path, html: str) -> None:
    """Write a report to a file, whole or not at all.

    Raises:
        PermanentError: it cannot be written.
    """
    try:
        write_whole(path, html.encode())
    except OSError as error:
        raise PermanentError(f"the report {path} could not be written: {error.strerror}; check the disk") from error


def keep_report(path: Path, html: str) -> None:
    """Write the report of a run to its `report_path`; the oldest beside it go when there are too many.

    Raises:
        PermanentError: it cannot be written.
    """
    try:
        make_private_directory(path.parent)
    except OSError as error:
        raise PermanentError(f"{path.parent} could not be made: {error.strerror}; check the disk") from error
    # Before the old ones go: a disk that is full must not cost the reports there are.
    write_report(path, html)
    remove_oldest(path.parent, "*.html", KEPT)


def copy_report(source: Path, target: Path) -> None:
    """Put a report somewhere else.

    Raises:
        PermanentError: it cannot be read or written.
    """
    try:
        write_whole(target, source.read_bytes())
    except OSError as error:
        raise PermanentError(f"{source} could not be copied to {target}: {error.strerror}") from error


_TONES = {
    EndState.SUCCEEDED: "good",
    EndState.SUCCEEDED_WITH_REJECTS: "warn",
    EndState.HELD: "warn",
    EndState.RETRY_LATER: "warn",
    EndState.FAILED: "bad",
}


@cache
def _templates() -> jinja2.Environment:
    import jinja2

    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("integration_assets.reporting"),
        autoescape=True,
        # A misspelled name is an error in a test, not a blank in somebody's report.
        undefined=jinja2.StrictUndefined,
        # Every value that is put in passes here, so that no template can forget it.
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "amount": amount,
        "duration": duration,
        "moment": _moment,
        "number": lambda value: f"{value:,}",
        "signed": lambda value: f"{value:+,}" if value else "0",
        "words": lambda name: name.replace("_", " "),
        "short": lambda text: clip(clean(text), 90),
        "code": _code,
        "field": field_words,
        "value": lambda text, field: clip(clean(value_words(text, field)), 80),
        "drawing": Markup,  # our own charts, which escape what they are given
    }
    templates.globals |= {
        "has_pipeline": has_pipeline,
        "has_prospects": has_prospects,
        "percent": percent,
        "count": count,
        "left_out_words": left_out_words,
        "lacking_rate": lacking_rate,
        "closed_words": closed_words,
        "status_words": status_words,
        "stage_words": stage_words,
        "is_web_address": is_web_address,
    }
    templates.globals |= {"unapplied_changes": unapplied_changes, "has_written": has_written}
    templates.globals |= {"conflict_words": conflict_words}
    return templates


def _harmless(value: Any) -> Any:
    """A text as it may be shown: one line, nothing invisible, no address. Markup of ours stays as it is."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _moment(value: datetime | str | None) -> str:
    return moment(iso_utc(value) if isinstance(value, datetime) else value)


def _code(advice: str) -> Markup:
    """Our own advice, with what stands between grave accents as code."""
    pieces = advice.split("`")
    # `format` and `join` of Markup escape each piece: advice may name what a tenant called something.
    marked = (Markup("<code>{}</code>").format(piece) if number % 2 else piece for number, piece in enumerate(pieces))
    return Markup("").join(marked)
