"""Queries of the pages on a tenant's runs, over the published database: rows as types, figures exact.

Every function takes the connection of `published.open_published`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar

import duckdb
import msgspec

from integration_assets.reporting.run_summary import RunSummary
from integration_assets.reporting.text import clean, clip, count
from integration_assets.sql import read_sql

Ranking = Literal["arr", "companies", "votes"]
RANKINGS: tuple[Ranking, ...] = ("arr", "companies", "votes")
S = TypeVar("S", bound=msgspec.Struct)
_ALL = "FROM ranked.feature_requests\n"
_CHOSEN = """FROM ranked.requests_of(
    lifecycle_is := $lifecycle, segments_are := $segments, owner_is := $owner, renews_by := $renews_by
)
"""
"""The ranking in a statement, and in its place that of some companies alone."""
_ALL_COMPANIES = "FROM ranked.companies\n"
_CHOSEN_COMPANIES = _CHOSEN.replace("requests_of", "companies_where")
ANY_OPEN = "any_open"
"""Stands for every status of an open request."""
_EVERY_COLUMN = "page.* EXCLUDE (is_shown, place)"


class Request(msgspec.Struct, frozen=True):
    """A line of a ranking.

    `open_pipeline` is None where open deals were not read. `url` leads to the request in the feedback system, `crm_url`
    to its record in the CRM; None where there is none, or it is not known.
    """

    request_id: str
    title: str
    status: str | None
    board: str | None
    companies: int
    customers: int
    arr: Decimal
    votes: int
    unresolved_votes: int
    rank_by_arr: int
    rank_by_companies: int
    rank_by_votes: int
    rank_gap: int
    companies_without_rate: int
    open_pipeline: Decimal | None
    arr_customers: Decimal
    arr_prospects: Decimal
    url: str | None
    crm_url: str | None


class RequestPage(msgspec.Struct, frozen=True):
    """A page of a ranking. `found`: how many requests fit; `closed`: how many more do that are shipped or closed."""

    requests: list[Request]
    found: int
    closed: int


class RequestDetails(msgspec.Struct, frozen=True):
    """A request with all its numbers. `arr_share`: its part of the ARR of all companies that voted."""

    request_id: str
    title: str
    status: str | None
    is_open: bool
    board: str | None
    category: str | None
    url: str | None
    created_at: datetime | None
    votes: int
    voters: int
    companies: int
    customers: int
    arr: Decimal
    companies_without_arr: int
    companies_without_rate: int
    votes_30d: int
    companies_30d: int
    first_vote_at: datetime | None
    last_vote_at: datetime | None
    unresolved_votes: int
    voter_domains: list[str]
    rank_by_companies: int
    rank_by_arr: int
    rank_by_votes: int
    rank_gap: int
    arr_share: float
    open_pipeline: Decimal | None
    arr_customers: Decimal
    arr_prospects: Decimal
    companies_without_lifecycle: int
    crm_url: str | None


class Reason(msgspec.Struct, frozen=True):
    """One reason of a rank: a company and how its people were matched, or (no company) why votes count for none."""

    company_id: str | None
    company_name: str | None
    domain: str | None
    arr: Decimal | None
    arr_status: str | None
    match_methods: list[str]
    voters: int
    first_vote_at: datetime | None
    last_vote_at: datetime | None
    crm_url: str | None


class Neighbour(msgspec.Struct, frozen=True):
    """A request next to another in a ranking, or that one itself."""

    ranking: str
    place: int
    request_id: str
    title: str
    companies: int
    arr: Decimal
    companies_without_rate: int
    status: str | None


class Company(msgspec.Struct, frozen=True):
    """A company that voted. `lifecycle` is customer, prospect or unknown, `lifecycle_stage` the CRM's own word.

    `owner` and `renewal_date` are None where no property is mapped, or the company has none.
    """

    company_id: str
    company_name: str | None
    domain: str | None
    arr: Decimal | None
    arr_status: str
    requests: int
    open_requests: int
    shipped_requests: int
    last_vote_at: datetime | None
    lifecycle: str
    lifecycle_stage: str | None
    owner: str | None
    renewal_date: date | None
    crm_url: str | None
    found: int


class FoundCompany(msgspec.Struct, frozen=True):
    """A company of the CRM, whether or not anybody of it voted. `found`: how many fit what was asked for."""

    company_id: str
    company_name: str | None
    domain: str | None
    arr: Decimal | None
    crm_url: str | None
    found: int


class CompanyRequest(msgspec.Struct, frozen=True):
    """A request of a company. `status_changed_at` is None where the feedback system does not tell."""

    request_id: str
    title: str
    status: str | None
    votes: int
    first_vote_at: datetime | None
    last_vote_at: datetime | None
    match_methods: list[str]
    rank_by_arr: int
    rank_by_companies: int
    is_open: bool
    status_changed_at: datetime | None
    url: str | None
    crm_url: str | None


class Unresolved(msgspec.Struct, frozen=True):
    """Votes of one domain that count for no company, and for which somebody can decide. `found`: how many lines."""

    email_domain: str | None
    reason: str
    votes: int
    requests: int
    candidate_company_ids: list[str]
    last_vote_at: datetime | None
    found: int


class RunLine(msgspec.Struct, frozen=True):
    """A run as a list shows it. `would_*` count what a dry run or a held plan would have done, None of other runs."""

    run_id: str
    mode: str
    state: str
    error: str | None
    started_at: datetime
    duration_seconds: float
    plan_hash: str | None
    held: bool
    requests_identified: int
    votes_total: int
    votes_matched: int
    records_created: int
    records_updated: int
    links_created: int
    links_removed: int
    would_create: int | None
    would_update: int | None
    would_link: int | None
    rejected: int
    found: int


class PlanLine(msgspec.Struct, frozen=True):
    """A saved plan. `counts` by action, only what is to be changed; `approved_at` as of the last run."""

    plan_id: str
    hash: str
    kind: str
    status: str
    portal_id: str
    created_at: datetime
    held_reasons: list[str]
    counts: dict[str, int]
    approved_at: datetime | None


class PlanChange(msgspec.Struct, frozen=True):
    """One change of a plan: values by field before and after, or the labels of a link.

    `url` is the request's in the feedback system, `crm_url` its record's in the CRM, and `company_crm_url` that of the
    company it is linked to, or whose own fields change; each as far as it is known.
    """

    seq: int
    action: str
    key: str
    title: str | None
    url: str | None
    target: str | None
    target_id: str | None
    company_name: str | None
    before: dict[str, str | None]
    after: dict[str, str | None]
    before_labels: list[str]
    after_labels: list[str]
    crm_url: str | None
    company_crm_url: str | None
    found: int


class FieldCount(msgspec.Struct, frozen=True):
    """The changes a plan makes to one field, by one action; of links the labels, and `field` is company or contact."""

    action: str
    field: str
    changes: int


class ArrChange(msgspec.Struct, frozen=True):
    """A record whose ARR a plan changes, in the base currency; zero where there was or will be none."""

    action: str
    key: str
    title: str | None
    before: Decimal
    after: Decimal


class CrmPages(msgspec.Struct, frozen=True):
    """Known addresses of records in the CRM. `unknown` says why companies have none, and what to do."""

    companies: bool
    requests: bool
    unknown: str | None


class LastRun(msgspec.Struct, frozen=True):
    """The last run that was published, and the currency of all figures."""

    run_id: str
    currency: str
    finished_at: datetime
    state: str


class FirstRuns(msgspec.Struct, frozen=True):
    """Counts of an environment's plans and of its syncs that ended well; `newest` is the last run that planned."""

    plans: int = 0
    synced: int = 0
    newest: str | None = None


class Filter(msgspec.Struct, frozen=True):
    """Filter of a ranking; "" and None are anything. Moments are UTC without zone.

    Requests that are shipped or closed are left out, unless `everything` or their `status` is asked for. With
    `lifecycle`, `segments` (`property=value`), `owner` or `renews_by` the ranking is that of the companies that fit:
    every number counts them alone. Of several values of one property a company fits with any.
    """

    by: Ranking = "arr"
    status: str = ""
    board: str = ""
    category: str = ""
    tag: str = ""
    words: str = ""
    created_since: datetime | None = None
    voted_since: datetime | None = None
    everything: bool = False
    lifecycle: str = ""
    segments: tuple[str, ...] = ()
    owner: str = ""
    renews_by: date | None = None

    @property
    def chooses_companies(self) -> bool:
        """True if the ranking is that of some companies alone."""
        return any((self.lifecycle, self.segments, self.owner, self.renews_by))


NO_FILTER = Filter()


def chosen_by(wanted: Filter) -> dict[str, Any]:
    """The parameters of a statement that say which companies a filter chooses; None for any."""
    return {
        "lifecycle": wanted.lifecycle or None,
        "segments": list(wanted.segments) or None,
        "owner": wanted.owner or None,
        "renews_by": wanted.renews_by,
    }


def requests_statement(
    wanted: Filter, *, limit: int | None, skipped: int = 0, columns: Sequence[str] = ()
) -> tuple[str, dict[str, Any]]:
    """Build the statement that reads a ranking, and its parameters: with these columns, or with all that are published.

    Behind them are how many requests fit, and how many more do that are shipped or closed.
    """
    statement = read_sql("reporting/insights/requests")
    # As parameters, never as text of the statement: the words come from the address of a page.
    values = {**msgspec.structs.asdict(wanted), "most_rows": limit, "skipped": skipped}
    for name in chosen_by(wanted):
        del values[name]
    if columns:
        statement = statement.replace(_EVERY_COLUMN, ", ".join(f"page.{name}" for name in columns))
    # Counting all companies anew takes many times as long as reading the ranking, so only a filter of them does that.
    if not wanted.chooses_companies:
        return statement, values
    return statement.replace(_ALL, _CHOSEN), values | chosen_by(wanted)


class ChosenCompanies(msgspec.Struct, frozen=True):
    """Companies that a filter chooses, of those that voted; and those of which what it asks for is not known."""

    chosen: int
    voted: int
    without_lifecycle: int
    without_segment: int
    without_owner: int
    without_renewal: int


def read_chosen(connection: duckdb.DuckDBPyConnection, wanted: Filter) -> ChosenCompanies:
    """Count the companies that a filter chooses."""
    [row] = _rows(connection, ChosenCompanies, "chosen_companies", chosen_by(wanted))
    return row


def chosen_words(wanted: Filter, found: ChosenCompanies) -> str:
    """Say which companies a ranking counts, how many there are, and of how many others it is not known."""
    which = [{"customer": "customers", "prospect": "prospects"}.get(wanted.lifecycle, "")]
    which[0] = which[0] or ("companies that are neither customers nor prospects" if wanted.lifecycle else "companies")
    if wanted.segments:
        which.append("with " + ", ".join(clip(clean(one), 60) for one in wanted.segments))
    if wanted.owner:
        which.append(f"of {clip(clean(wanted.owner), 60)}")
    if wanted.renews_by:
        which.append(f"that renew by {wanted.renews_by:%Y-%m-%d}")
    unknown = [
        f"{number:,} without {what}"
        for asked, number, what in (
            (wanted.lifecycle not in ("", "unknown"), found.without_lifecycle, "a known stage"),
            (bool(wanted.segments), found.without_segment, f"a value of {_properties(wanted.segments)}"),
            (bool(wanted.owner), found.without_owner, "an owner"),
            (wanted.renews_by is not None, found.without_renewal, "a renewal date"),
        )
        if asked and number
    ]
    left_out = f"; left out are {', '.join(unknown)}" if unknown else ""
    voted = count(found.voted, "company", "companies")
    return f"Only {' '.join(which)} are counted: {found.chosen:,} of {voted} that voted{left_out}"


def _properties(segments: Iterable[str]) -> str:
    """Names of the properties of segments, each once."""
    return " or ".join(dict.fromkeys(clip(clean(one.partition("=")[0]), 60) for one in segments))


def read_requests(
    connection: duckdb.DuckDBPyConnection, wanted: Filter, *, limit: int | None, skipped: int = 0
) -> RequestPage:
    """A page of a ranking; all of it without a `limit`."""
    statement, values = requests_statement(wanted, limit=limit, skipped=skipped, columns=Request.__struct_fields__)
    rows = connection.execute(statement, values).fetchall()
    # A page without requests has one row, with the numbers only.
    requests = [Request(*row[:-2]) for row in rows if row[0] is not None]
    return RequestPage(requests, *rows[0][-2:])


def read_filters(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Values of what a ranking can be filtered by that occur; `renewal` has one where any company has a date."""
    names = ("status", "board", "category", "tag", "lifecycle", "segment", "owner", "renewal")
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, value, _ in connection.execute(read_sql("reporting/insights/filters")).fetchall():
        found[name].append(value)
    return found


def read_request(connection: duckdb.DuckDBPyConnection, request_id: str) -> RequestDetails | None:
    """A request by id."""
    return _first(_rows(connection, RequestDetails, "request", {"request_id": request_id}))


def read_why(connection: duckdb.DuckDBPyConnection, request_id: str) -> list[Reason]:
    """Read the reasons of a request's rank, companies with most ARR first."""
    return _rows(connection, Reason, "request_why", {"request_id": request_id})


def read_neighbours(connection: duckdb.DuckDBPyConnection, request_id: str) -> list[Neighbour]:
    """The requests around one, by ranking, itself included."""
    return _rows(connection, Neighbour, "request_neighbours", {"request_id": request_id})


def read_companies(
    connection: duckdb.DuckDBPyConnection,
    words: str,
    wanted: Filter = NO_FILTER,
    *,
    limit: int,
    skipped: int = 0,
) -> list[Company]:
    """A page of the companies that voted: with these words in name or domain, and those that `wanted` chooses."""
    values: dict[str, Any] = {"words": words, "company_id": None, "most_rows": limit, "skipped": skipped}
    statement = read_sql("reporting/insights/companies")
    if wanted.chooses_companies:
        statement = statement.replace(_ALL_COMPANIES, _CHOSEN_COMPANIES)
        values |= chosen_by(wanted)
    return [Company(*row) for row in connection.execute(statement, values).fetchall()]


def read_company(connection: duckdb.DuckDBPyConnection, company_id: str) -> Company | None:
    """A company by id."""
    values = {"words": "", "company_id": company_id, "most_rows": 1, "skipped": 0}
    return _first(_rows(connection, Company, "companies", values))


def read_company_segments(connection: duckdb.DuckDBPyConnection, company_id: str) -> dict[str, list[str]]:
    """The values of a company's mapped properties, by property."""
    found: dict[str, list[str]] = {}
    for name, value in connection.execute(
        "SELECT property, value FROM ranked.company_segments WHERE company_id = $1 ORDER BY ALL", [company_id]
    ).fetchall():
        found.setdefault(name, []).append(value)
    return found


def read_company_statuses(connection: duckdb.DuckDBPyConnection, company_id: str) -> list[str]:
    """The statuses that occur among the requests of a company."""
    rows = connection.execute(
        "SELECT DISTINCT status FROM ranked.company_requests "
        "WHERE company_id = $1 AND status IS NOT NULL ORDER BY status",
        [company_id],
    ).fetchall()
    return [str(status) for [status] in rows]


def read_company_requests(
    connection: duckdb.DuckDBPyConnection,
    company_id: str,
    *,
    limit: int | None,
    skipped: int = 0,
    status: str = "",
    since: datetime | None = None,
) -> tuple[list[CompanyRequest], int]:
    """A page of the requests a company's people voted for, open ones first, by their place; and how many fit.

    `status`: only those of this status, or with `ANY_OPEN` open ones; `since`: only those that are known to have their
    status since then, UTC without zone.
    """
    values = {
        "company_id": company_id, "most_rows": limit, "skipped": skipped, "status": status or None, "since": since,
    }  # fmt: skip
    rows = connection.execute(read_sql("reporting/insights/company_requests"), values).fetchall()
    return [CompanyRequest(*row[:-1]) for row in rows], rows[0][-1] if rows else 0


def search_companies(connection: duckdb.DuckDBPyConnection, words: str, *, limit: int) -> list[FoundCompany]:
    """Find companies of the CRM by what they are called, the closest first; case and accents do not count."""
    return _rows(connection, FoundCompany, "company_search", {"words": words, "most_rows": limit})


def read_company_names(
    connection: duckdb.DuckDBPyConnection, company_ids: Sequence[str]
) -> dict[str, tuple[str | None, str | None]]:
    """Name and domain of companies of the CRM, by id."""
    rows = connection.execute(
        read_sql("reporting/insights/company_names"), {"company_ids": list(company_ids)}
    ).fetchall()
    return {company_id: (name, domain) for company_id, name, domain in rows}


def read_unresolved_reasons(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int, int, bool]]:
    """Reasons of votes that count for no company: each with its domains, its votes, and whether a mapping mends it."""
    return connection.execute(read_sql("reporting/insights/unresolved_reasons")).fetchall()


def read_unresolved_votes(connection: duckdb.DuckDBPyConnection, *, limit: int, skipped: int = 0) -> list[Unresolved]:
    """A page of the domains that lose most votes, of those that somebody can map to a company."""
    return _rows(connection, Unresolved, "unresolved", {"most_rows": limit, "skipped": skipped})


def read_runs(connection: duckdb.DuckDBPyConnection, *, limit: int, skipped: int = 0) -> list[RunLine]:
    """A page of the runs, newest first."""
    return _rows(connection, RunLine, "runs", {"most_rows": limit, "skipped": skipped})


def read_run(connection: duckdb.DuckDBPyConnection, run_id: str) -> tuple[str, str | None, RunSummary] | None:
    """Mode, error and summary of a run."""
    rows = connection.execute(read_sql("reporting/insights/run"), {"run_id": run_id}).fetchall()
    if not rows:
        return None
    _, mode, error, _, summary = rows[0]
    return mode, error, msgspec.json.decode(summary, type=RunSummary)


CHANGES = ("create", "update", "retire", "link", "unlink", "roll_up")
"""Those counts of a plan that change something in the CRM."""


def read_plan(connection: duckdb.DuckDBPyConnection, plan_hash: str) -> PlanLine | None:
    """The plan of this hash; None also in what an older version published."""
    # What an earlier version published has no such table, and the page still has to open.
    if not _publishes_plans(connection):
        return None
    rows = connection.execute(read_sql("reporting/insights/plan"), {"hash": plan_hash}).fetchall()
    for plan_id, found, kind, status, portal_id, created_at, reasons, counts, approved_at in rows:
        numbers = msgspec.json.decode(counts)
        # In the order in which they are shown; a version that did not make a kind of change did not count it either.
        changes = {name: numbers.get(name, 0) for name in CHANGES if name != "roll_up" or numbers.get(name)}
        return PlanLine(plan_id, found, kind, status, portal_id, created_at, reasons or [], changes, approved_at)
    return None


LARGEST_ARR = 25
"""Changes of ARR that are listed, the largest."""


def read_plan_changes(
    connection: duckdb.DuckDBPyConnection,
    plan_id: str,
    *,
    limit: int | None,
    skipped: int = 0,
    after: int = -1,
    actions: Sequence[str] = (),
    field: str = "",
) -> list[PlanChange]:
    """A page of a plan's changes, as far as they were published: by these actions, of this field.

    Numbered above `after`. Without `actions` those of any, without `field` of all.
    """
    values = {
        "plan_id": plan_id,
        "most_rows": limit,
        "skipped": skipped,
        "after": after,
        "actions": list(actions),
        "field": field,
    }
    return [
        _plan_change(row) for row in connection.execute(read_sql("reporting/insights/plan_changes"), values).fetchall()
    ]


def read_plan_fields(connection: duckdb.DuckDBPyConnection, plan_id: str) -> list[FieldCount]:
    """Count a plan's changes by action and field, as far as they were published."""
    return _rows(connection, FieldCount, "plan_fields", {"plan_id": plan_id})


def count_published_changes(connection: duckdb.DuckDBPyConnection, plan_id: str) -> int:
    """Count the changes of a plan that were published, as its own counts do: of links the labels."""
    found: int = connection.execute(read_sql("reporting/insights/plan_published"), {"plan_id": plan_id}).fetchall()[0][
        0
    ]
    return found


def read_plan_arr(connection: duckdb.DuckDBPyConnection, plan_id: str) -> list[ArrChange]:
    """The largest changes of ARR that a plan makes, as far as they were published."""
    return _rows(connection, ArrChange, "plan_arr", {"plan_id": plan_id, "most_rows": LARGEST_ARR})


def _plan_change(row: tuple[Any, ...]) -> PlanChange:
    values = dict(zip(PlanChange.__struct_fields__, row, strict=True))
    for side in ("before", "after"):
        # A link has no values by field, a record no labels: the store has nulls there.
        values[side] = _decoded(values[side])
        values[f"{side}_labels"] = values[f"{side}_labels"] or []
    return PlanChange(**values)


def _decoded(text: str | None) -> dict[str, str | None]:
    return (msgspec.json.decode(text) or {}) if text else {}


def _publishes_plans(connection: duckdb.DuckDBPyConnection) -> bool:
    found = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'ops' AND table_name IN ('plans', 'plan_changes')"
    ).fetchall()
    # Both or none: a plan without its changes could not be shown.
    return bool(found[0][0] == 2)


def read_first_runs(connection: duckdb.DuckDBPyConnection) -> FirstRuns:
    """Count how far the runs of an environment have come."""
    [row] = _rows(connection, FirstRuns, "first_run", {})
    return row


def read_crm_pages(connection: duckdb.DuckDBPyConnection) -> CrmPages:
    """Read whether records have addresses in the CRM, and why not."""
    # No row: no portal has been read since this version came.
    found = _first(_rows(connection, CrmPages, "crm_pages", {}))
    return found or CrmPages(companies=False, requests=False, unknown=None)


def read_last_run(connection: duckdb.DuckDBPyConnection) -> LastRun | None:
    """The run that made what is shown, if one was recorded."""
    return _first(_rows(connection, LastRun, "last_run", {}))


def _rows(connection: duckdb.DuckDBPyConnection, kind: type[S], name: str, values: dict[str, Any]) -> list[S]:
    return [kind(*row) for row in connection.execute(read_sql(f"reporting/insights/{name}"), values).fetchall()]


def _first(rows: Sequence[S]) -> S | None:
    return rows[0] if rows else None
