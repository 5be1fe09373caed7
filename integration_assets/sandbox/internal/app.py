"""The HTTP side of the billing look-alike: a token endpoint, and the accounts, paged in five ways.

| endpoint | paging |
|---|---|
| `GET /v1/accounts?page=&per_page=` | page number; `{"data": […], "page": 1, "pages": 7}` |
| `GET /v1/all` | none: a bare list |
| `GET /v1/offset?offset=&limit=` | offset; `{"accounts": […], "has_more": true}` |
| `POST /v1/search` `{"cursor": …, "limit": …}` | cursor in the body; `{"result": {"items": […], "next": "…"}}` |
| `GET /v1/links?limit=` | `{"items": […], "links": {"next": "/v1/links?…"}}` |

And as two billing systems list theirs, whose key is the user name of HTTP Basic, without a password:

| endpoint | paging |
|---|---|
| `GET /api/v2/subscriptions?limit=&offset=` | `{"list": [{"subscription": …, "customer": …}], "next_offset": "…"}` |
| `GET /v1/customers?per_page=&cursor=` | `{"entries": […], "cursor": "…", "has_more": true}` |
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from integration_assets.sandbox.internal.billing import Billing
from integration_assets.sandbox.lookalike import LoggedRequest, Lookalike, note_template

USUAL_PAGE = 50


class _RefusedError(Exception):
    """A request the system does not answer as asked."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def billing_lookalike(billing: Billing, latency: Callable[[LoggedRequest], float] | None = None) -> Lookalike:
    """The billing system over its state."""

    def route(path: str, method: str, answer: Callable[[Request, Any], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            note_template(request.scope, path)
            try:
                _authorised(billing, request)
                return JSONResponse(answer(request, await _body(request)))
            except _RefusedError as refused:
                return _refusal(refused)

        return Route(path, endpoint, methods=[method])

    async def token(request: Request) -> Response:
        note_template(request.scope, "/oauth/token")
        try:
            return _token(billing, request, await request.body())
        except _RefusedError as refused:
            return _refusal(refused)

    app = Starlette(
        routes=[
            Route("/oauth/token", token, methods=["POST"]),
            route("/v1/accounts", "GET", lambda request, _: _by_page(billing, request)),
            route("/v1/all", "GET", lambda _request, _: billing.accounts),
            route("/v1/offset", "GET", lambda request, _: _by_offset(billing, request)),
            route("/v1/search", "POST", lambda _, body: _by_cursor(billing, body)),
            route("/api/v2/subscriptions", "GET", lambda request, _: _as_subscriptions(billing, request)),
            route("/v1/customers", "GET", lambda request, _: _as_customers(billing, request)),
            route("/v1/links", "GET", lambda request, _: _by_link(billing, request)),
        ]
    )
    return Lookalike(app, latency=latency)


def _refusal(refused: _RefusedError) -> Response:
    headers = {"www-authenticate": "Bearer"} if refused.status == 401 else {}
    return JSONResponse({"error": refused.error}, refused.status, headers)


# -- who asks


def _authorised(billing: Billing, request: Request) -> None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    known = (
        billing.public
        or (scheme.lower() == "bearer" and billing.knows(value))
        or (scheme.lower() == "basic" and _same(_decoded(value), f"{billing.username}:{billing.password}"))
        or (scheme.lower() == "basic" and _same(_decoded(value), f"{billing.key}:"))
        or _same(request.headers.get(billing.key_header, ""), billing.key)
    )
    if not known:
        raise _RefusedError(401, "invalid_token")


def _token(billing: Billing, request: Request, raw: bytes) -> Response:
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind != "application/x-www-form-urlencoded":
        raise _RefusedError(400, "invalid_request")
    form = {name: values[0] for name, values in parse_qs(raw.decode("utf-8", "replace")).items()}
    if form.get("grant_type") != "client_credentials":
        raise _RefusedError(400, "unsupported_grant_type")
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        client, _, secret = _decoded(value).partition(":")
        client, secret = unquote_plus(client), unquote_plus(secret)
    else:
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
    if not (_same(client, billing.client_id) and _same(secret, billing.client_secret)):
        raise _RefusedError(401, "invalid_client")
    if form.get("scope", billing.scope) != billing.scope:
        raise _RefusedError(400, "invalid_scope")
    granted = {"access_token": billing.new_token(), "token_type": "Bearer", "expires_in": billing.token_seconds}
    return JSONResponse(granted, headers={"cache-control": "no-store"})


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _same(given: str, known: str) -> bool:
    return compare_digest(given.encode(), known.encode())


# -- pages


def _by_page(billing: Billing, request: Request) -> dict[str, Any]:
    size = _size(billing, request.query_params.get("per_page"))
    page = _number(request.query_params.get("page", "1"), least=1)
    pages = -(-len(billing.accounts) // size)
    return {"data": billing.accounts[(page - 1) * size : page * size], "page": page, "pages": pages}


def _by_offset(billing: Billing, request: Request) -> dict[str, Any]:
    size = _size(billing, request.query_params.get("limit"))
    start = _number(request.query_params.get("offset", "0"), least=0)
    return {"accounts": billing.accounts[start : start + size], "has_more": start + size < len(billing.accounts)}


def _by_cursor(billing: Billing, body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise _RefusedError(400, "the body must be an object")
    start, rows, left = _after(billing, body.get("cursor"), _size(billing, body.get("limit")))
    return {"result": {"items": rows, "next": f"c{start + len(rows)}" if left else None}}


def _by_link(billing: Billing, request: Request) -> dict[str, Any]:
    size = _size(billing, request.query_params.get("limit"))
    start, rows, left = _after(billing, request.query_params.get("after"), size)
    following = urlencode({"limit": size, "after": f"c{start + len(rows)}"})
    return {"items": rows, "links": {"next": f"/v1/links?{following}" if left else None}}


def _as_subscriptions(billing: Billing, request: Request) -> dict[str, Any]:
    if request.query_params.get("status[in]") != '["active","non_renewing"]':
        raise _RefusedError(400, "only active and non-renewing subscriptions are asked for")
    start, rows, left = _after(
        billing, request.query_params.get("offset"), _size(billing, request.query_params.get("limit"))
    )
    # The last page has no such key at all.
    return {"list": rows, **({"next_offset": f"c{start + len(rows)}"} if left else {})}


def _as_customers(billing: Billing, request: Request) -> dict[str, Any]:
    start, rows, left = _after(
        billing, request.query_params.get("cursor"), _size(billing, request.query_params.get("per_page"))
    )
    return {"entries": rows, "cursor": f"c{start + len(rows)}", "has_more": left}


def _after(billing: Billing, cursor: Any, size: int) -> tuple[int, list[dict[str, Any]], bool]:
    if cursor is not None and not (isinstance(cursor, str) and cursor[:1] == "c"):
        raise _RefusedError(400, "the cursor is none of ours")
    start = 0 if cursor is None else _number(cursor[1:], least=0)
    rows = billing.accounts[start : start + size]
    return start, rows, start + len(rows) < len(billing.accounts)


def _size(billing: Billing, asked: Any) -> int:
    """More than the largest page is not refused: less is given, as such systems do."""
    return min(USUAL_PAGE if asked is None else _number(asked, least=1), billing.largest_page)


def _number(value: Any, *, least: int) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < least:
        raise _RefusedError(400, "not a number that makes sense")
    return int(text)


async def _body(request: Request) -> Any:
    if request.method != "POST":
        return None
    try:
        return await request.json()
    except ValueError:
        raise _RefusedError(400, "the body is no JSON") from None
