"""The HTTP side of the Productboard look-alike: the order in which calls are checked, pages, and how errors read.

Where the reference is silent: lists come in the order of their ids, which is none of time; a cursor that is not of the
list it is sent to is refused. Query parameters nobody knows are ignored, as the API does.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from integration_assets.sandbox.lookalike import LoggedRequest, Lookalike, note_template
from integration_assets.sandbox.productboard.workspace import ADDRESS, CALLS_PER_SECOND, TYPES, Record, Workspace, iso

REDACTED = "[redacted]"
PERSONAL = ("email", "name")
_ONE = re.compile(r"/v2/entities/([^/]+)")
_RELATIONSHIPS = re.compile(r"/v2/(entities|notes)/([^/]+)/relationships")


def productboard_lookalike(workspace: Workspace, latency: Callable[[LoggedRequest], float] | None = None) -> Lookalike:
    """The API over a workspace: `/v2/...`, GET only, a bearer token."""
    return Lookalike(_application(workspace), latency=latency)


def _application(workspace: Workspace) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await _response(workspace, Request(scope, receive))(scope, receive, send)

    return application


def _response(workspace: Workspace, request: Request) -> Response:
    # The gateway looks at the token before the path; its answers have another form than those behind it.
    if message := _refused(workspace, request.headers.get("authorization")):
        return _json({"message": message}, 401)
    if (wait := workspace.refuse()) is not None:
        response = _error(429, "rate.limitExceeded", "Rate limit exceeded")
        response.headers.update({"retry-after": str(wait), "x-ratelimit-remaining": "0"})
    else:
        response = _answer(workspace, request)
        response.headers["x-ratelimit-remaining"] = str(workspace.calls_left)
    response.headers["x-ratelimit-limit"] = str(CALLS_PER_SECOND)
    return response


def _refused(workspace: Workspace, header: str | None) -> str | None:
    scheme, _, token = (header or "").partition(" ")
    if scheme != "Bearer" or not token:
        return "Unauthorized"
    if token.count(".") != 2:
        return "Bad token; invalid JSON"
    return None if token == workspace.token else "No credentials found for given 'iss'"


def _answer(workspace: Workspace, request: Request) -> Response:
    path = request.url.path
    if request.method != "GET":
        return _error(404, "route.notFound", "Route not found")
    if path == "/v2/entities":
        note_template(request.scope, path)
        return _entities(workspace, request)
    if path == "/v2/notes":
        note_template(request.scope, path)
        return _page(workspace, request, list(workspace.notes.values()), _whole(request, "fields"))
    if found := _RELATIONSHIPS.fullmatch(path):
        note_template(request.scope, f"/v2/{found[1]}/{{id}}/relationships")
        return _relationships(workspace, request, found[1], found[2])
    if found := _ONE.fullmatch(path):
        note_template(request.scope, "/v2/entities/{id}")
        record = workspace.entities.get(found[1])
        if record is None:
            return _error(404, "resource.notFound", "Resource not found")
        return _json({"data": _view(workspace, record, whole=_whole(request, "fields[]"))})
    return _error(404, "route.notFound", "Route not found")


def _entities(workspace: Workspace, request: Request) -> Response:
    wanted = request.query_params.getlist("type[]")
    if not set(wanted) <= set(TYPES):
        return _error(400, "request.invalid", "Unknown type")
    records = [one for one in workspace.entities.values() if not wanted or one.type in wanted]
    archived = request.query_params.get("archived")
    if archived is not None:
        records = [one for one in records if bool(one.fields.get("archived")) == (archived == "true")]
    return _page(workspace, request, records, _whole(request, "fields[]"))


def _relationships(workspace: Workspace, request: Request, pool: str, record_id: str) -> Response:
    record = (workspace.entities if pool == "entities" else workspace.notes).get(record_id)
    if record is None:
        return _error(404, "resource.notFound", "Resource not found")
    views = _related(workspace, record)
    start = _position(request, record_id)
    if start is None or not start.isdecimal():
        return _error(400, "request.invalid", "Invalid page cursor")
    end = int(start) + workspace.options.embedded
    following = _address(request.url.path, {}, record_id, str(end)) if end < len(views) else None
    return _json({"data": views[int(start) : end], "links": {"next": following}})


def _page(workspace: Workspace, request: Request, records: Sequence[Record], whole: bool) -> Response:
    """A page in the order of ids; the cursor names the last one, so that what comes or goes meanwhile does no harm."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "pageCursor"]
    place = f"{request.url.path}?{urlencode(query)}"
    after = _position(request, place, first="")
    if after is None:
        return _error(400, "request.invalid", "Invalid page cursor")
    # The empty page before one that continues a list has a cursor of its own to the same place.
    empty = workspace.options.empty_pages and after and not after.startswith("!")
    rest = sorted((one for one in records if one.id > after.lstrip("!")), key=lambda one: one.id)
    shown = [] if empty else rest[: workspace.options.page]
    following = None
    if empty:
        following = _address(request.url.path, dict(query), place, f"!{after}")
    elif len(rest) > len(shown):
        following = _address(request.url.path, dict(query), place, shown[-1].id)
    return _json({"data": [_view(workspace, one, whole=whole) for one in shown], "links": {"next": following}})


def _whole(request: Request, name: str) -> bool:
    return "all" in request.query_params.getlist(name)


# ----------------------------------------------------------------------------------------------------------- cursors


def _digest(place: str) -> str:
    return hashlib.sha256(place.encode()).hexdigest()[:12]


def _address(path: str, query: dict[str, str], place: str, position: str) -> str:
    cursor = base64.urlsafe_b64encode(f"{_digest(place)} {position}".encode()).decode()
    return f"{ADDRESS}{path}?{urlencode({**query, 'pageCursor': cursor})}"


def _position(request: Request, place: str, first: str = "0") -> str | None:
    """Position that the cursor of a request names; None for one that is not of this list."""
    cursor = request.query_params.get("pageCursor")
    if cursor is None:
        return first
    try:
        digest, _, position = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
    except ValueError:
        return None
    return position if digest == _digest(place) else None


# ------------------------------------------------------------------------------------------------------------- views


def _view(workspace: Workspace, record: Record, *, whole: bool) -> dict[str, Any]:
    fields = dict(record.fields)
    if record.type == "user" and not workspace.options.sees_people:
        fields.update({name: REDACTED for name in PERSONAL if fields.get(name) is not None})
    if not whole:
        fields = {name: value for name, value in fields.items() if value not in (None, "", [])}
    related = _related(workspace, record)
    pool = "notes" if record.id in workspace.notes else "entities"
    path = f"/v2/{pool}/{record.id}"
    embedded = workspace.options.embedded
    more = _address(f"{path}/relationships", {}, record.id, str(embedded)) if len(related) > embedded else None
    relationships: Any = {"data": related[:embedded], "links": {"next": more}}
    if pool == "notes" and workspace.options.bare:
        relationships = related
    return {
        "id": record.id,
        "type": record.type,
        "fields": fields,
        "links": {"self": f"{ADDRESS}{path}", "html": _html(record)},
        "createdAt": iso(record.created),
        "updatedAt": iso(record.created),
        "relationships": relationships,
    }


def _html(record: Record) -> str | None:
    return f"https://acme.productboard.invalid/detail/{record.id}" if record.type in ("feature", "subfeature") else None


def _related(workspace: Workspace, record: Record) -> list[dict[str, Any]]:
    found = []
    for kind, target in record.relationships:
        links = {"self": f"{ADDRESS}/v2/entities/{target}"}
        found.append({"type": kind, "target": {"id": target, "type": workspace.entities[target].type, "links": links}})
    return found


def _error(status: int, code: str, title: str) -> Response:
    return _json({"id": "00000000-0000-4000-8000-000000000000", "errors": [{"code": code, "title": title}]}, status)


def _json(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
