"""The HTTP side of the Quackback look-alike: routes, key, scopes, limit, and how refusals read."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from integration_assets.sandbox.lookalike import LoggedRequest, Lookalike, note_template
from integration_assets.sandbox.quackback import reads
from integration_assets.sandbox.quackback.reads import ApiError, Call, Json
from integration_assets.sandbox.quackback.workspace import Workspace

_ROUTES: tuple[tuple[str, Callable[[Call], Json], bool], ...] = (
    ("/api/v1/boards", reads.list_boards, False),
    ("/api/v1/statuses", reads.list_statuses, False),
    ("/api/v1/posts", reads.list_posts, True),
    ("/api/v1/posts/{id}", reads.read_post, True),
    ("/api/v1/posts/{id}/voters", reads.list_voters, True),
    ("/api/v1/users", reads.list_users, True),
    ("/api/v1/users/{id}", reads.read_user, True),
    ("/api/v1/principals", reads.list_team, True),
    ("/api/v1/companies", reads.list_companies, True),
)
"""Path, what answers it, and whether a key needs the scope for it; boards and statuses are public."""
_COMPILED = tuple((compile_path(path)[0], path, read, scoped) for path, read, scoped in _ROUTES)
_SCOPE = "read:feedback"
_PAGE = "<!doctype html><html><body>Feedback</body></html>"


def quackback_lookalike(workspace: Workspace, latency: Callable[[LoggedRequest], float] | None = None) -> Lookalike:
    """The look-alike server of a workspace: what of `/api/v1` reads."""
    return Lookalike(_application(workspace), latency=latency)


def _application(workspace: Workspace) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await _response(workspace, Request(scope, receive))(scope, receive, send)

    return application


def _response(workspace: Workspace, request: Request) -> Response:
    for pattern, path, read, scoped in _COMPILED:
        match = pattern.match(request.url.path)
        if match is None or request.method != "GET":
            continue
        note_template(request.scope, path)
        wait = workspace.window.refuse(importing=request.headers.get("x-import-mode") == "true")
        # Before the key is looked at: the limit is the address's.
        if wait is not None:
            refusal = _refused(429, "RATE_LIMITED", "Too many requests. Please try again later.")
            refusal.headers["retry-after"] = str(wait)
            return refusal
        if request.headers.get("authorization") != f"Bearer {workspace.key.secret}":
            refusal = _refused(401, "UNAUTHORIZED", "Invalid or missing API key.")
            refusal.headers["www-authenticate"] = 'Bearer realm="Quackback API"'
            return refusal
        scopes = workspace.key.scopes
        if scoped and scopes is not None and _SCOPE not in scopes:
            return _refused(403, "FORBIDDEN", f"This API key is missing the '{_SCOPE}' scope")
        try:
            return _json(read(Call(workspace, match.groupdict(), request.query_params)))
        except ApiError as error:
            return _refused(error.status, error.code, error.message)
    # Whatever is no route of the API is the portal's page.
    return HTMLResponse(_PAGE)


def _refused(status: int, code: str, message: str) -> Response:
    return _json({"error": {"code": code, "message": message}}, status)


def _json(content: Json, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
