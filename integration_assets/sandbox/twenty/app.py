"""The HTTP side of the look-alike: routes, key, limits, and how refusals read."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from integration_assets.sandbox.lookalike import LoggedRequest, Lookalike, note_template
from integration_assets.sandbox.twenty import metadata_calls, record_calls
from integration_assets.sandbox.twenty.calls import Call, Reply
from integration_assets.sandbox.twenty.errors import ApiError, bad_key, refused
from integration_assets.sandbox.twenty.workspace import Workspace

Handler = Callable[[Call], Reply]

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/metadata", metadata_calls.query_metadata),
    ("GET", "/rest/metadata/objects", metadata_calls.list_objects),
    ("POST", "/rest/metadata/objects", metadata_calls.create_object),
    ("POST", "/rest/metadata/fields", metadata_calls.create_field),
    ("POST", "/rest/batch/{plural}", record_calls.create_records),
    ("PATCH", "/rest/restore/{plural}", record_calls.restore_records),
    ("GET", "/rest/{plural}", record_calls.list_records),
    ("POST", "/rest/{plural}", record_calls.create_record),
    ("DELETE", "/rest/{plural}", record_calls.delete_records),
    ("GET", "/rest/{plural}/{id}", record_calls.read_record),
    ("PATCH", "/rest/{plural}/{id}", record_calls.update_record),
    ("DELETE", "/rest/{plural}/{id}", record_calls.delete_record),
)
_COMPILED = tuple((method, compile_path(path)[0], path, handler) for method, path, handler in ROUTES)


def twenty_lookalike(workspace: Workspace, *, latency: Callable[[LoggedRequest], float] | None = None) -> Lookalike:
    """The look-alike server of a workspace. `latency` gives the seconds a request waits before it is worked on."""
    return Lookalike(_application(workspace), latency=latency)


def _application(workspace: Workspace) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw = await request.body()
        with workspace.lock:
            status, body = _answer(workspace, request, raw)
        content = b"" if body is None else msgspec.json.encode(body)
        await Response(content, status, media_type="application/json")(scope, receive, send)

    return application


def _answer(workspace: Workspace, request: Request, raw: bytes) -> tuple[int, object]:
    try:
        reply = _reply(workspace, request, raw)
    except ApiError as refusal:
        return refusal.status, refusal.body
    return reply.status, reply.body


def _reply(workspace: Workspace, request: Request, raw: bytes) -> Reply:
    if len(request.url.path) + len(request.url.query) > workspace.options.longest_url:
        raise ApiError(431, None)
    if request.headers.get("authorization") != f"Bearer {workspace.key}":
        raise bad_key(first_generation=workspace.options.first_generation)
    workspace.take_token()
    for method, pattern, path, handler in _COMPILED:
        match = pattern.match(request.url.path)
        if match is not None and method == request.method:
            note_template(request.scope, path)
            return handler(Call(workspace, match.groupdict(), request.query_params, raw))
    raise refused(f"Cannot {request.method} {request.url.path}", status=404, kind="Not Found")
