"""The HTTP side of the Canny look-alike: where calls arrive, in which order they are checked, and how errors read."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from integration_assets.sandbox.canny.body import RefusedError, check, parse
from integration_assets.sandbox.canny.reads import READS
from integration_assets.sandbox.canny.workspace import Workspace
from integration_assets.sandbox.canny.writes import WRITES
from integration_assets.sandbox.lookalike import LoggedRequest, Lookalike, note_template

ENDPOINTS = {f"/api/{name}": endpoint for name, endpoint in (READS | WRITES).items()}


def canny_lookalike(workspace: Workspace, latency: Callable[[LoggedRequest], float] | None = None) -> Lookalike:
    """The Canny API over a workspace: `/api/v1/...` and `/api/v2/...`, POST only, key in the body."""
    return Lookalike(_application(workspace), latency=latency)


def _application(workspace: Workspace) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw = await request.body()
        await _response(workspace, request, raw)(scope, receive, send)

    return application


def _response(workspace: Workspace, request: Request, raw: bytes) -> Response:
    endpoint = ENDPOINTS.get(request.url.path)
    if endpoint is None or request.method != "POST":
        return _json({"error": "not found"}, 404)
    note_template(request.scope, request.url.path)
    if request.url.query:
        return _json({"error": "parameters belong into the body"}, 400)
    try:
        body, form = parse(raw, request.headers.get("content-type", ""))
        if body.pop("apiKey", None) != workspace.api_key:
            return _json({"error": "invalid api key"}, workspace.options.bad_key_status)
        wait = workspace.limiter.refuse()
        if wait is not None:
            return _too_many(workspace, wait)
        return _json(endpoint.answer(workspace, check(body, endpoint.fields, form=form)))
    except RefusedError as refused:
        return _json({"error": refused.message}, refused.status)


def _too_many(workspace: Workspace, wait: int) -> Response:
    response = _json({"error": "rate limit exceeded"}, 429)
    if workspace.options.retry_after == "seconds":
        response.headers["retry-after"] = str(wait)
    elif workspace.options.retry_after == "date":
        response.headers["retry-after"] = formatdate(time.time() + wait, usegmt=True)
    return response


def _json(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
