"""The ASGI application of a portal: routes, token, limits, scopes, and answers with surprises in them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from starlette.datastructures import Headers, QueryParams
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from integration_assets.sandbox.hubspot import (
    routes_account,
    routes_associations,
    routes_exports,
    routes_limits,
    routes_objects,
    routes_owners,
    routes_pipelines,
    routes_properties,
    routes_schemas,
)
from integration_assets.sandbox.hubspot.calls import Call, Operation, Reply
from integration_assets.sandbox.hubspot.errors import ApiError, Json, bad_credentials, error, missing_scopes
from integration_assets.sandbox.hubspot.portal import Portal
from integration_assets.sandbox.hubspot.search import SearchCache
from integration_assets.sandbox.lookalike import LoggedRequest, Lookalike, note_template

_OPERATIONS: tuple[Operation, ...] = (
    *routes_account.OPERATIONS,
    *routes_associations.OPERATIONS,
    *routes_exports.OPERATIONS,
    *routes_limits.OPERATIONS,
    *routes_schemas.OPERATIONS,
    *routes_properties.OPERATIONS,
    *routes_objects.OPERATIONS,
    *routes_owners.OPERATIONS,
    *routes_pipelines.OPERATIONS,
)
_COMPILED = tuple((compile_path(operation.path)[0], operation) for operation in _OPERATIONS)

_LEGACY = (
    ("/crm/v3/objects/", "/crm/objects/2026-09/"),
    ("/crm/v4/objects/", "/crm/objects/2026-09/"),
    ("/crm/v3/properties/", "/crm/properties/2026-09/"),
    ("/crm/v4/associations/", "/crm/associations/2026-09/"),
    ("/crm/associations/v4/", "/crm/associations/2026-09/"),
    ("/crm-object-schemas/v3/schemas", "/crm-object-schemas/2026-09/schemas"),
    ("/crm/v3/schemas", "/crm-object-schemas/2026-09/schemas"),
    ("/account-info/v3/", "/account-info/2026-09/"),
)
"""Older paths and the ones that replaced them."""

_NOT_FOUND_PAGE = b"<html><head><title>404</title></head><body>Not found</body></html>"


def hubspot_lookalike(portal: Portal, *, latency: Callable[[LoggedRequest], float] | None = None) -> Lookalike:
    """The look-alike server of a portal. `latency` gives the seconds a request waits before it is worked on."""
    return Lookalike(portal_app(portal), latency=latency)


def portal_app(portal: Portal, *, legacy_paths: bool | None = None) -> ASGIApp:
    """The bare application, without log and faults. `legacy_paths` overrides the option `accept_legacy_paths`."""
    searches = SearchCache()
    legacy_too = portal.options.accept_legacy_paths if legacy_paths is None else legacy_paths

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("the look-alike answers HTTP only")
        raw = await _body(receive)
        with portal.lock:
            status, headers, body = _answer(portal, scope, raw, searches, legacy_too=legacy_too)
        listed = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        listed.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": listed})
        await send({"type": "http.response.body", "body": body})

    return app


async def _body(receive: Receive) -> bytes:
    parts = bytearray()
    while True:
        message = await receive()
        parts += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(parts)


def _answer(
    portal: Portal, scope: Scope, raw: bytes, searches: SearchCache, *, legacy_too: bool
) -> tuple[int, dict[str, str], bytes]:
    path, legacy = _current_path(scope["path"]) if legacy_too else (scope["path"], False)
    operation, params, known_path = _route(scope["method"], path)
    if operation is None:
        if known_path:
            return _encoded(error(405, None, f"{scope['method']} is not allowed here"))
        return 404, {"content-type": "text/html"}, _NOT_FOUND_PAGE
    note_template(scope, operation.path)
    headers = Headers(scope=scope)
    query = scope.get("query_string", b"")
    call = Call(
        portal=portal,
        path=path,
        params=params,
        query=QueryParams(query),
        raw=raw,
        content_type=headers.get("content-type", ""),
        searches=searches,
        legacy=legacy,
        host=headers.get("host", ""),
    )
    rate_headers: dict[str, str] = {}
    try:
        if len(scope["path"]) + len(query) > portal.options.max_url_length:
            raise error(414, None, "URI Too Long")
        if operation.kind != "free":
            if headers.get("authorization") != f"Bearer {portal.token}":
                raise bad_credentials()
            rate_headers = portal.rates.admit(operation.kind, portal.clock())
            missing = [name for name in operation.scopes(call) if name not in portal.scopes]
            if missing:
                raise missing_scopes(missing)
        reply = operation.handler(call)
    except ApiError as refusal:
        refusal.headers.update(rate_headers)
        return _encoded(refusal)
    if reply.file is not None:
        return reply.status, {"content-type": "application/octet-stream"}, reply.file
    if reply.body is None:
        return reply.status, rate_headers, b""
    return _sent(portal, reply, rate_headers)


def _current_path(path: str) -> tuple[str, bool]:
    """The path under its present name, and whether it was asked for by an older one."""
    for old, new in _LEGACY:
        if path.startswith(old):
            return new + path.removeprefix(old), True
    return path, False


def _route(method: str, path: str) -> tuple[Operation | None, dict[str, str], bool]:
    known = False
    for pattern, operation in _COMPILED:
        match = pattern.match(path)
        if match is None:
            continue
        if operation.method == method:
            return operation, match.groupdict(), True
        known = True
    return None, {}, known


def _encoded(refusal: ApiError) -> tuple[int, dict[str, str], bytes]:
    return (
        refusal.status,
        {"content-type": "application/json;charset=utf-8", **refusal.headers},
        msgspec.json.encode(refusal.body),
    )


def _sent(portal: Portal, reply: Reply, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    body = _surprised(portal, reply.body or {})
    return (
        reply.status,
        {"content-type": "application/json;charset=utf-8", **headers},
        msgspec.json.encode(body),
    )


def _surprised(portal: Portal, body: Json) -> Json:
    """The answer with a field nobody documented here and there, as HubSpot may add at any time."""
    rate, dice = portal.options.unknown_field_rate, portal.random
    if rate <= 0:
        return body
    results = body.get("results")
    if isinstance(results, list):
        results = [{**one, "fieldOfTomorrow": None} if dice.random() < rate else one for one in results]
        body = {**body, "results": results}
    return {**body, "fieldOfTomorrow": {"enabled": True}} if dice.random() < rate else body
