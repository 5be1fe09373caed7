"""The ranking and the requests of one company as JSON: the filters of the command `rankings`, by the same names.

A parameter that is misspelt, or a value that fits nothing, is refused: a program would take everything for what it
asked for.
"""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

import duckdb
import msgspec
from starlette.responses import Response

from integration_assets.reporting.answers import company_document
from integration_assets.reporting.exports import FileKind
from integration_assets.reporting.insights import RANKINGS, Filter, read_company
from integration_assets.reporting.published import parse_filter, request_files
from integration_assets.web.problems import Problem, refuse
from integration_assets.web.published_pages import published
from integration_assets.web.request_context import RequestContext

RANKING = "/api/requests"
COMPANY = "/api/companies/{company_id}/requests"
PARAMETERS = {
    "by": "Which rank to sort by: arr, companies or votes; default arr",
    "all": "1 for shipped and closed requests as well",
    "status": "Only this status, such as planned",
    "board": "Only this board",
    "category": "Only this category",
    "tag": "Only with this tag",
    "words": "Only with these words in the title, or in one merged into it",
    "created_since": "Only written since then: 30d, 2w, or a date",
    "voted_since": "Only with a vote since then: 30d, 2w, or a date",
    "lifecycle": "Count only companies that are customer, prospect or unknown",
    "segment": "Count only companies of this segment, as industry=Software; may be given several times",
    "owner": "Count only companies of this owner",
    "renewing_within": "Count only companies that renew within: 90d, 12w, or by a date",
    "limit": "How many requests; default all",
}
LIMIT = ("limit",)
REPEATED = "segment"
MOST_DIGITS = 9
_JSON: tuple[FileKind, ...] = ("json",)


def ranking(context: RequestContext) -> Response:
    """The requests that fit, with every published column."""
    _check_names(context, PARAMETERS)
    wanted, limit = _filter(context), _limit(context)
    with published(context) as connection:
        files, _ = request_files(_made(connection), wanted, limit, _JSON)
    return Response(files["json"], media_type="application/json")


def company_requests(context: RequestContext) -> Response:
    """The requests of one company, open ones first."""
    _check_names(context, LIMIT)
    limit = _limit(context)
    with published(context) as connection:
        company = read_company(_made(connection), context.path("company_id"))
        if connection is None or company is None:
            raise Problem(HTTPStatus.NOT_FOUND, "no company of this id voted for anything")
        document = company_document(connection, company, limit)
    return Response(msgspec.json.encode(document), media_type="application/json")


def _made(connection: duckdb.DuckDBPyConnection | None) -> duckdb.DuckDBPyConnection:
    if connection is None:
        raise Problem(HTTPStatus.NOT_FOUND, "no run has finished here yet")
    return connection


def _check_names(context: RequestContext, known: Collection[str]) -> None:
    given = context.request.query_params.multi_items()
    # Cut: the name is whatever was sent, and comes back in the answer.
    errors = {name[:60]: "there is no such parameter" for name, _ in given if name not in known}
    names = [name for name, _ in given]
    errors |= {name: "is given several times" for name in known if name != REPEATED and names.count(name) > 1}
    refuse(errors)


def _filter(context: RequestContext) -> Filter:
    by, everything = context.query("by") or "arr", context.query("all")
    refuse({"all": "is 1 or 0"} if everything not in ("", "0", "1") else {})
    if by not in RANKINGS:
        raise Problem(
            HTTPStatus.BAD_REQUEST, "some fields cannot be accepted", {"by": f"is one of {', '.join(RANKINGS)}"}
        )
    return parse_filter(
        by=by,
        everything=everything == "1",
        segments=context.queries("segment"),
        status=context.query("status"),
        board=context.query("board"),
        category=context.query("category"),
        tag=context.query("tag"),
        words=context.query("words"),
        created_since=context.query("created_since"),
        voted_since=context.query("voted_since"),
        lifecycle=context.query("lifecycle"),
        owner=context.query("owner"),
        renewing_within=context.query("renewing_within"),
    )


def _limit(context: RequestContext) -> int | None:
    text = context.query("limit")
    if not text:
        return None
    is_number = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS and int(text) > 0
    refuse({} if is_number else {"limit": "is a whole number from 1"})
    return int(text)
