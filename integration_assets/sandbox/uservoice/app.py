"""The HTTP side of the UserVoice look-alike: tokens, limit, routes. Refusals say nothing: their form is not known."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from integration_assets.sandbox.lookalike import LoggedRequest, Lookalike, note_template
from integration_assets.sandbox.uservoice.account import Account
from integration_assets.sandbox.uservoice.reads import BESIDE, Call, Json, RefusedError, read_list, read_one

API = "/api/v2"
_ADMIN = re.compile(rf"{API}/admin/(\w+)(?:/([0-9]+))?")
_FORM = "application/x-www-form-urlencoded"


def uservoice_lookalike(account: Account, latency: Callable[[LoggedRequest], float] | None = None) -> Lookalike:
    """The look-alike server of an account: `/api/v2`, what of it reads."""
    return Lookalike(_application(account), latency=latency)


def _application(account: Account) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await _response(account, request, await request.body())(scope, receive, send)

    return application


def _response(account: Account, request: Request, body: bytes) -> Response:
    if request.url.path == f"{API}/oauth/token":
        note_template(request.scope, request.url.path)
        return _token(account, request, body)
    found = _ADMIN.fullmatch(request.url.path)
    if found is None or found[1] not in BESIDE or request.method != "GET":
        return _json({}, 404)
    note_template(request.scope, f"{API}/admin/{found[1]}{'/{id}' if found[2] else ''}")
    if account.token is None or request.headers.get("authorization") != f"Bearer {account.token}":
        return _json({}, 401)
    refused = account.refuse()
    response = _json({}, 429) if refused else _read(Call(account, found[1], dict(request.query_params)), found[2])
    response.headers.update(account.rate_headers(refused=refused))
    return response


def _token(account: Account, request: Request, body: bytes) -> Response:
    if request.method != "POST" or request.headers.get("content-type", "").partition(";")[0] != _FORM:
        return _json({}, 404)
    wanted = {
        "grant_type": "client_credentials",
        "client_id": account.client_id,
        "client_secret": account.client_secret,
    }
    if dict(parse_qsl(body.decode("latin-1"))) != wanted:
        return _json({}, 401)
    return _json({"access_token": account.new_token()})


def _read(call: Call, record_id: str | None) -> Response:
    try:
        return _json(read_list(call) if record_id is None else read_one(call, record_id))
    except RefusedError as error:
        return _json({}, error.status)


def _json(content: Json, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
