"""Pages of what runs found: rankings, requests with the reasons of their rank, companies with their requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from integration_assets.errors import ConfigurationError
from integration_assets.reporting.deals import read_deals
from integration_assets.reporting.exports import MEDIA_TYPES, Format, as_file, is_web_address, read_export
from integration_assets.reporting.insights import (
    ANY_OPEN,
    RANKINGS,
    Filter,
    LastRun,
    Ranking,
    Request,
    chosen_words,
    read_chosen,
    read_companies,
    read_company,
    read_company_requests,
    read_company_segments,
    read_company_statuses,
    read_crm_pages,
    read_filters,
    read_last_run,
    read_neighbours,
    read_request,
    read_requests,
    read_why,
)
from integration_assets.reporting.merged import examples, read_merged, read_merged_away
from integration_assets.reporting.published import LIFECYCLES, renewal_end
from integration_assets.reporting.rankings import gaps_words, has_pipeline, has_prospects, read_lifecycle_gaps
from integration_assets.reporting.result_files import endings_version
from integration_assets.reporting.segments import lacks_segments, left_out_words, read_segments
from integration_assets.reporting.text import amount, count
from integration_assets.web.charts import Chart, bar_chart
from integration_assets.web.first_run import first_run_steps
from integration_assets.web.problems import Problem
from integration_assets.web.published_pages import PAGE, Pages, page_number, published
from integration_assets.web.rendering import Page, render
from integration_assets.web.request_context import RequestContext

CHARTED = 10
MOST_DEALS = 50
"""Deals of a request on its page, the largest; that there are more is told."""
MOST_MERGED = 50
"""Requests merged into one that its page lists, those with most votes; how many there are is told."""
LONGEST_WORDS = 100
LONGEST_CHOICE = 1_000
"""Values that systems keep, which the page offers: longer than what anybody types."""
MOST_SEGMENTS = 20
"""Segments that a filter takes, and that are shown of each property."""
SEGMENT_REQUESTS = 5
METHODS = {
    "override": "mapped by an analyst",
    "contact": "contact in the CRM",
    "host": "e-mail host is the company's",
    "registrable_domain": "e-mail domain is the company's",
    "account": "account in the feedback system",
}
_OF_COMPANIES = frozenset({"lifecycle", "segment", "owner", "renewing_within"})
"""Parameters of an address that choose companies."""
REASONS = {
    "no_email": "no e-mail address",
    "malformed_email": "what stands there is no address",
    "personal_email": "personal mail: says nothing of a company",
    "own_staff": "own staff, not counted",
    "suspected_mail_provider": "may be a mail provider: people of very many organisations write from this domain",
    "unknown_domain": "no company has this domain",
    "ambiguous_domain": "several companies have this domain, and nothing decides",
    "ambiguous_account": "the account fits several companies, and nothing decides",
}


def requests(context: RequestContext) -> Page:
    """A ranking, narrowed down, with a chart of its first requests."""
    wanted, number = _filter(context), page_number(context)
    with published(context) as connection:
        if connection is None:
            return nothing_yet(context)
        last = read_last_run(connection)
        found = read_requests(connection, wanted, limit=PAGE, skipped=PAGE * (number - 1))
        # The chart shows the first of the ranking on every page, not the first of the page.
        first = found if number == 1 else read_requests(connection, wanted, limit=CHARTED)
        choices = read_filters(connection)
        files = context.site.published
        # The registry is asked while steps are open: once all were done, the next run says what has changed, also one
        # that failed for a key that was revoked.
        ended = endings_version(context.settings.home, context.environment, context.own.slug)
        steps = files.kept(
            connection, f"steps {ended}", lambda: first_run_steps(context, connection), holds=lambda steps: not steps
        )
        gaps = files.kept(connection, "gaps", lambda: read_lifecycle_gaps(connection))
        merged = read_merged(connection, (one.request_id for one in found.requests))
        crm = read_crm_pages(connection)
        chosen = chosen_words(wanted, read_chosen(connection, wanted)) if wanted.chooses_companies else None
    currency = last.currency if last else ""
    return render(
        context,
        "requests.html",
        # Steps that are open change with what is stored in the registry.
        is_passing=bool(steps) and not context.is_local,
        steps=steps,
        requests=found.requests,
        merged=merged,
        examples=examples,
        closed=found.closed,
        wanted=wanted,
        filters=_address(wanted),
        choices=choices,
        crm=crm,
        segments=_by_property(choices["segment"]),
        chosen=chosen,
        pages=Pages(number, found.found),
        chart=_chart(first.requests[:CHARTED], wanted.by, currency),
        last=last,
        currency=currency,
        # A column of nothing is not shown.
        has_pipeline=has_pipeline(found.requests),
        has_prospects=has_prospects(found.requests),
        gaps=gaps_words(gaps) if gaps else None,
    )


def download(kind: Format) -> Callable[[RequestContext], Response]:
    """Make the handler of a ranking as a file, narrowed down as the page is: all requests that fit, every column."""

    def handler(context: RequestContext) -> Response:
        wanted = _filter(context)
        with published(context) as connection:
            if connection is None:
                raise Problem(HTTPStatus.NOT_FOUND, "No run has finished here yet.")
            content = as_file(read_export(connection, wanted).table, kind)
        name = f"feature-requests-{context.own.slug}-{context.environment.value}.{kind}"
        return Response(
            content,
            media_type=MEDIA_TYPES[kind],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    return handler


def request(context: RequestContext) -> Page:
    """A request, its companies, and why it ranks where it does."""
    request_id, number = context.path("request_id"), page_number(context)
    with published(context) as connection:
        # The same answer whether nothing was published or there is no such request.
        if connection is None:
            raise _missing()
        # Asked for by a link that was kept, or by the id that its feedback system shows.
        if (away := read_merged_away(connection, request_id)) is not None:
            link = away.url if is_web_address(away.url) else None
            return render(context, "merged_request.html", is_passing=False, merged=away, source_link=link)
        details = read_request(connection, request_id)
        if details is None:
            raise _missing()
        last, why = read_last_run(connection), read_why(connection, request_id)
        merged = read_merged(connection, [request_id]).get(request_id, [])
        neighbours = read_neighbours(connection, request_id)
        # One more than is shown, to know whether there are more.
        deals = read_deals(connection, limit=MOST_DEALS + 1, request_id=request_id)
        crm = read_crm_pages(connection)
    companies = [one for one in why if one.company_id is not None]
    # In pages, with their number: a request of a whole market would be a page of many megabytes.
    first = PAGE * (number - 1)
    return render(
        context,
        "request.html",
        is_passing=False,
        request=details,
        companies=companies[first : first + PAGE],
        pages=Pages(number, len(companies)),
        lost=[one for one in why if one.company_id is None],
        neighbours=neighbours,
        # A link comes from outside: what is no address of a page is shown without one.
        merged=[(one, one.url if is_web_address(one.url) else None) for one in merged[:MOST_MERGED]],
        merged_total=len(merged),
        deals=deals[:MOST_DEALS],
        more_deals=len(deals) > MOST_DEALS,
        source_link=details.url if is_web_address(details.url) else None,
        crm=crm,
        methods=METHODS,
        reasons=REASONS,
        **_common(last),
    )


def segments(context: RequestContext) -> Page:
    """The first requests of each segment of companies."""
    by, everything = context.query("by"), context.query("all") == "1"
    ranked_by: Ranking = by if by in RANKINGS else "arr"
    with published(context) as connection:
        if connection is None:
            return nothing_yet(context)
        last, lacks = read_last_run(connection), lacks_segments(connection)
        found = read_segments(
            connection, by=ranked_by, everything=everything, most_segments=MOST_SEGMENTS, most_requests=SEGMENT_REQUESTS
        )
        crm = read_crm_pages(connection)
    return render(
        context,
        "segments.html",
        is_passing=False,
        lacks_segments=lacks,
        properties=[(one, left_out_words(one)) for one in found],
        by=ranked_by,
        everything=everything,
        crm=crm,
        **_common(last),
    )


def companies(context: RequestContext) -> Page:
    """Companies that voted, narrowed down by the filters of a ranking that are of companies."""
    words, number, wanted = context.query("words")[:LONGEST_WORDS], page_number(context), _company_filter(context)
    with published(context) as connection:
        if connection is None:
            return nothing_yet(context)
        last = read_last_run(connection)
        found = read_companies(connection, words, wanted, limit=PAGE, skipped=PAGE * (number - 1))
        choices = read_filters(connection)
        crm = read_crm_pages(connection)
        chosen = read_chosen(connection, wanted) if wanted.chooses_companies else None
    filters = {name: value for name, value in _address(wanted).items() if name in _OF_COMPANIES}
    return render(
        context,
        "companies.html",
        is_passing=False,
        companies=found,
        filters={"words": words, **filters},
        chosen=chosen_words(wanted, chosen) if chosen else None,
        ranking=filters,
        choices=choices,
        segments=_by_property(choices["segment"]),
        # A column of nothing is not shown.
        has_owner=bool(choices["owner"]),
        has_renewal=bool(choices["renewal"]),
        pages=Pages(number, found[0].found if found else 0),
        crm=crm,
        **_common(last),
    )


def company(context: RequestContext) -> Page:
    """A company with its requests: all, those of a status, or what has that status since a day."""
    company_id, number = context.path("company_id"), page_number(context)
    status, since = context.query("status")[:LONGEST_WORDS], _day(context.query("since"))
    with published(context) as connection:
        found = read_company(connection, company_id) if connection else None
        if connection is None or found is None:
            raise _missing()
        last = read_last_run(connection)
        voted, fit = read_company_requests(
            connection, company_id, limit=PAGE, skipped=PAGE * (number - 1), status=status, since=since
        )
        statuses = read_company_statuses(connection, company_id)
        segments = read_company_segments(connection, company_id)
        crm = read_crm_pages(connection)
    return render(
        context,
        "company.html",
        is_passing=False,
        company=found,
        segments=segments,
        crm=crm,
        requests=voted,
        statuses=statuses,
        any_open=ANY_OPEN,
        filters={"status": status, "since": f"{since:%Y-%m-%d}" if since else ""},
        pages=Pages(number, fit),
        methods=METHODS,
        **_common(last),
    )


def nothing_yet(context: RequestContext) -> Page:
    """Show what there is to see before the first run: the steps that lead to it."""
    return render(context, "nothing_yet.html", steps=first_run_steps(context, None))


def _filter(context: RequestContext) -> Filter:
    by = context.query("by")
    return msgspec.structs.replace(
        _company_filter(context),
        # The address may hold anything; only a known ranking gets into the query.
        by=by if by in RANKINGS else "arr",
        status=context.query("status")[:LONGEST_WORDS],
        board=context.query("board")[:LONGEST_CHOICE],
        category=context.query("category")[:LONGEST_CHOICE],
        tag=context.query("tag")[:LONGEST_CHOICE],
        words=context.query("words")[:LONGEST_WORDS],
        created_since=_day(context.query("created_since")),
        voted_since=_day(context.query("voted_since")),
        everything=context.query("all") == "1",
    )


def _company_filter(context: RequestContext) -> Filter:
    """The filters of companies alone."""
    return Filter(
        lifecycle=lifecycle if (lifecycle := context.query("lifecycle")) in LIFECYCLES else "",
        # What is no property and value would find nothing; so many no page asks for.
        segments=tuple(
            one[:LONGEST_CHOICE] for one in context.queries("segment")[:MOST_SEGMENTS] if all(one.partition("="))
        ),
        owner=context.query("owner")[:LONGEST_CHOICE],
        renews_by=_ahead(context.query("renewing_within")),
    )


def _ahead(text: str) -> date | None:
    """The last day of a time ahead; what is none is no filter, as of the other dates."""
    try:
        return renewal_end(text, datetime.now(UTC)) if text else None
    except ConfigurationError:
        return None


def _by_property(segments: Sequence[str]) -> dict[str, list[str]]:
    """Segments, each `property=value`, by their property."""
    found: dict[str, list[str]] = {}
    for one in segments:
        found.setdefault(one.partition("=")[0], []).append(one)
    return found


def _day(text: str) -> datetime | None:
    """The beginning of a day, UTC without zone as in the store; anything that is no date is none."""
    try:
        return datetime.combine(date.fromisoformat(text), time())
    except ValueError:
        return None


def _address(wanted: Filter) -> dict[str, str | tuple[str, ...]]:
    """The filter as parameters of an address: the page can be kept and sent as a link."""
    days = {name: f"{day:%Y-%m-%d}" for name in ("created_since", "voted_since") if (day := getattr(wanted, name))}
    names = ("by", "status", "board", "category", "tag", "words", "lifecycle", "owner")
    return {
        "created_since": "",
        "voted_since": "",
        **{name: getattr(wanted, name) for name in names},
        **days,
        "segment": wanted.segments,
        # The day and not the time from today: a link that is kept goes on meaning the same companies.
        "renewing_within": wanted.renews_by.isoformat() if wanted.renews_by else "",
        "all": "1" if wanted.everything else "",
    }


def _chart(first: Sequence[Request], by: Ranking, currency: str) -> Chart:
    names = {"arr": f"ARR behind each request, {currency}", "companies": "Companies behind each request"}
    rows: list[tuple[str, Decimal | int, str, str]] = []
    for one in first:
        link = f"/requests/{quote(one.request_id, safe='')}"
        if by == "arr":
            # The currency is in the name of the chart, and what has no rate in the table: beside a bar is no room.
            rows.append((one.title, one.arr, amount(one.arr), link))
        elif by == "companies":
            rows.append((one.title, one.companies, count(one.companies, "company", "companies"), link))
        else:
            rows.append((one.title, one.votes, count(one.votes, "vote"), link))
    return bar_chart(names.get(by, "Votes for each request"), rows)


def _common(last: LastRun | None) -> dict[str, Any]:
    return {"last": last, "currency": last.currency if last else ""}


def _missing() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "There is no such thing here, or no longer.")
