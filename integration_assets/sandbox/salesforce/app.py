"""The ASGI application of an org: routes, tokens, the daily limit, and answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from integration_assets.sandbox.lookalike import LoggedRequest, Lookalike, note_template
from integration_assets.sandbox.salesforce import metadata, reading, writing
from integration_assets.sandbox.salesforce.errors import ApiError, Json, RowError, refused, unknown_object
from integration_assets.sandbox.salesforce.ids import full_id
from integration_assets.sandbox.salesforce.org import API_ENABLED, MODIFY_METADATA, Org, User
from integration_assets.sandbox.salesforce.tokens import token_answer

MOST_URI = 16_384
MOST_SUBREQUESTS, MOST_QUERIES = 25, 5
_DATA = re.compile(r"/services/data/v(\d+)\.0(/.*)?")
_USAGE = re.compile(r"batchSize=(\d+)")


@dataclass
class Call:
    """One request to the data API, or one part of a composite one. `path` is what follows the version."""

    org: Org
    user: User
    method: str
    path: str
    query: QueryParams
    headers: Headers
    raw: bytes
    version: str
    parts: tuple[str, ...] = ()

    @property
    def body(self) -> Any:
        """The decoded JSON body.

        Raises:
            ApiError: 415 or 400.
        """
        if not self.headers.get("content-type", "").startswith("application/json"):
            raise refused(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type not supported")
        try:
            return msgspec.json.decode(self.raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise refused(400, "JSON_PARSER_ERROR", "The HTTP entity body is required, or is no JSON") from None


Reply = tuple[int, Any]
Handler = Callable[[Call], Reply]


def salesforce_lookalike(org: Org, *, latency: Callable[[LoggedRequest], float] | None = None) -> Lookalike:
    """The look-alike server of an org. `latency` gives the seconds a request waits before it is worked on."""
    return Lookalike(org_app(org), latency=latency)


def org_app(org: Org) -> ASGIApp:
    """The bare application, without log and faults."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("the look-alike answers HTTP only")
        raw = await _body(receive)
        with org.lock:
            status, headers, body = _answer(org, scope, raw)
        content = b"" if body is None else msgspec.json.encode(body)
        listed = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        if content:
            listed.append((b"content-type", b"application/json;charset=UTF-8"))
        listed.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": listed})
        await send({"type": "http.response.body", "body": content})

    return app


async def _body(receive: Receive) -> bytes:
    parts = bytearray()
    while True:
        message = await receive()
        parts += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(parts)


def _answer(org: Org, scope: Scope, raw: bytes) -> tuple[int, dict[str, str], Any]:
    headers, path = Headers(scope=scope), scope["path"]
    query = scope.get("query_string", b"")
    usage: dict[str, str] = {}
    try:
        size = len(path) + len(query) + sum(len(name) + len(value) for name, value in scope["headers"])
        if size > MOST_URI:
            return 431, {}, None
        if path == "/services/oauth2/token" and scope["method"] == "POST":
            note_template(scope, path)
            return (
                200,
                {},
                token_answer(org, raw, headers.get("authorization", ""), f"http://{headers.get('host', '')}"),
            )
        if path.rstrip("/") == "/services/data":
            note_template(scope, "/services/data")
            return 200, {}, [_listed_version(number) for number in org.options.versions]
        user = _authorised(org, headers)
        if path == "/services/oauth2/userinfo":
            note_template(scope, path)
            return 200, {}, {"user_id": user.id, "organization_id": org.org_id, "preferred_username": user.username}
        matched = _DATA.fullmatch(path)
        if matched is None:
            raise unknown_object(path)
        number, rest = int(matched[1]), matched[2] or "/"
        usage = org.usage()
        _refuse_version(org, number)
        usage = org.counted()
        call = Call(org, user, scope["method"], rest, QueryParams(query), headers, raw, f"{number}.0")
        template, status, body = _handled(call)
        note_template(scope, template)
    except ApiError as refusal:
        return refusal.status, usage, refusal.body
    return status, org.usage(), body


def _authorised(org: Org, headers: Headers) -> User:
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind not in ("Bearer", "OAuth") or not token:
        raise refused(401, "INVALID_SESSION_ID", "INVALID_HEADER_TYPE")
    user = org.user_of(token)
    if not org.options.api_enabled:
        raise refused(403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.")
    if API_ENABLED not in user.permissions:
        raise refused(403, "API_CURRENTLY_DISABLED", "API is disabled for this User")
    return user


def _listed_version(number: int) -> Json:
    return {"label": f"Release {number}", "url": f"/services/data/v{number}.0", "version": f"{number}.0"}


def _refuse_version(org: Org, number: int) -> None:
    if number in org.options.versions:
        return
    if number < min(org.options.versions):
        raise refused(410, "GONE", "The requested API version is no longer supported")
    raise unknown_object(f"v{number}.0")


def _handled(call: Call) -> tuple[str, int, Any]:
    for method, template, handler in ROUTES:
        found = re.fullmatch(re.sub(r"\{[^}]*\}", "([^/]+)", template), call.path)
        if found and method == call.method:
            call.parts = found.groups()
            return template, *handler(call)
    if any(re.fullmatch(re.sub(r"\{[^}]*\}", "([^/]+)", template), call.path) for _, template, _ in ROUTES):
        raise refused(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{call.method}' not allowed.")
    raise unknown_object(call.path)


# ------------------------------------------------------------------------------------------------------------ handlers


def _query(call: Call, *, deleted_too: bool = False) -> Reply:
    asked = _USAGE.search(call.headers.get("sforce-query-options", ""))
    batch = int(asked[1]) if asked else None
    text = call.query.get("q", "")
    found = reading.query(call.org, call.user, text, call.version, batch=batch, deleted_too=deleted_too)
    return 200, found


def _query_all(call: Call) -> Reply:
    return _query(call, deleted_too=True)


def _more(call: Call) -> Reply:
    return 200, reading.more(call.org, call.parts[0], call.version)


def _tooling(call: Call) -> Reply:
    return 200, reading.tooling_query(call.org, call.query.get("q", ""))


def _global(call: Call) -> Reply:
    listed = [one.listed() for one in call.org.objects.values() if call.org.sees_object(call.user, one)]
    return 200, {"encoding": "UTF-8", "maxBatchSize": writing.MOST_RECORDS, "sobjects": listed}


def _describe(call: Call) -> Reply:
    return 200, reading.describe(call.org, call.user, call.org.object_for(call.user, call.parts[0]))


def _limits(call: Call) -> Reply:
    maximum = call.org.options.daily_calls
    return 200, {"DailyApiRequests": {"Max": maximum, "Remaining": maximum - call.org.calls_used}}


def _counts(call: Call) -> Reply:
    counted = []
    for name in call.query.get("sObjects", "").split(","):
        count = sum(1 for _ in call.org.objects[name].live()) if name in call.org.objects else 0
        if count:  # an object without records is left out
            counted.append({"count": count, "name": name})
    return 200, {"sObjects": counted}


def _read_one(call: Call) -> Reply:
    one = call.org.object_for(call.user, call.parts[0])
    row = _row(call, one)
    names = call.query.get("fields")
    return 200, reading.whole_record(call.org, call.user, one, row, call.version, names.split(",") if names else None)


def _row(call: Call, one: Any) -> Any:
    try:
        row = call.org.find(one, call.parts[1])
    except RowError as refusal:
        raise refusal.whole(404) from None
    if row is None:
        raise refused(404, "ENTITY_IS_DELETED" if call.parts[1] in one.rows else "NOT_FOUND", "no such record")
    return row


def _create_one(call: Call) -> Reply:
    one = call.org.object_for(call.user, call.parts[0])
    try:
        row = writing.create(call.org, call.user, one, _fields(call))
    except RowError as refusal:
        raise refusal.whole() from None
    return 201, {"id": row["Id"], "success": True, "errors": []}


def _update_one(call: Call) -> Reply:
    one = call.org.object_for(call.user, call.parts[0])
    try:
        writing.update(call.org, call.user, one, _row(call, one), _fields(call))
    except RowError as refusal:
        raise refusal.whole() from None
    return 204, None


def _delete_one(call: Call) -> Reply:
    one = call.org.object_for(call.user, call.parts[0])
    call.org.delete(one.name, _row(call, one)["Id"])
    return 204, None


def _upsert_one(call: Call) -> Reply:
    one, (_, key_name, value) = call.org.object_for(call.user, call.parts[0]), call.parts
    try:
        key = call.org.column(call.user, one, key_name)
        found = writing.matching(one, key, value)
        if len(found) > 1:
            return 300, [reading.attributes(one, row, call.version)["url"] for row in found]
        if not found and call.query.get("updateOnly") == "true":
            raise refused(404, "NOT_FOUND", "The requested resource does not exist")
        row, created = writing.upsert(call.org, call.user, one, key, value, _fields(call))
    except RowError as refusal:
        raise refusal.whole() from None
    return 201 if created else 200, {"id": row["Id"], "success": True, "errors": [], "created": created}


def _read_by_key(call: Call) -> Reply:
    one, (_, key_name, value) = call.org.object_for(call.user, call.parts[0]), call.parts
    try:
        found = writing.matching(one, call.org.column(call.user, one, key_name), value)
    except RowError as refusal:
        raise refusal.whole() from None
    if len(found) > 1:
        return 300, [reading.attributes(one, row, call.version)["url"] for row in found]
    if not found:
        raise refused(404, "NOT_FOUND", "The requested resource does not exist")
    return 200, reading.whole_record(call.org, call.user, one, found[0], call.version, None)


def _fields(call: Call) -> Json:
    if not isinstance(call.body, dict):
        raise refused(400, "JSON_PARSER_ERROR", "an object is expected")
    return call.body


def _create_many(call: Call) -> Reply:
    records, all_or_none = writing.records_of(call.body)

    def work(record: Json) -> Json:
        one = call.org.object_for(call.user, str(record.get("attributes", {}).get("type")))
        return {"id": writing.create(call.org, call.user, one, record)["Id"]}

    return 200, writing.collected(call.org, records, work, all_or_none=all_or_none)


def _update_many(call: Call) -> Reply:
    records, all_or_none = writing.records_of(call.body)

    def work(record: Json) -> Json:
        one = call.org.object_for(call.user, str(record.get("attributes", {}).get("type")))
        asked = record.get("id") or record.get("Id")
        row = call.org.find(one, asked)
        if row is None:
            # One in the recycle bin is told apart from one that never was.
            code = "ENTITY_IS_DELETED" if full_id(str(asked)) in one.rows else "INVALID_CROSS_REFERENCE_KEY"
            raise RowError(code, "entity is deleted" if code == "ENTITY_IS_DELETED" else "invalid cross reference id")
        writing.update(call.org, call.user, one, row, record)
        return {"id": row["Id"]}

    return 200, writing.collected(call.org, records, work, all_or_none=all_or_none)


def _upsert_many(call: Call) -> Reply:
    name, key_name = call.parts
    one = call.org.object_for(call.user, name)
    return 200, writing.upserted(call.org, call.user, one, key_name, call.body)


def _delete_many(call: Call) -> Reply:
    ids = [one for one in call.query.get("ids", "").split(",") if one]
    if len(ids) > writing.MOST_RECORDS:
        raise refused(400, "LIMIT_EXCEEDED", f"cannot delete more than {writing.MOST_RECORDS} records")

    def work(record_id: str) -> Json:
        for one in call.org.objects.values():
            row = call.org.find(one, record_id)
            if row is not None:
                call.org.delete(one.name, row["Id"])
                return {"id": row["Id"]}
        raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")

    all_or_none = call.query.get("allOrNone") == "true"
    return 200, writing.collected(call.org, ids, work, all_or_none=all_or_none)


def _composite(call: Call) -> Reply:
    asked = _fields(call).get("compositeRequest")
    if not isinstance(asked, list) or not asked:
        raise refused(400, "JSON_PARSER_ERROR", "compositeRequest: a list is expected")
    if len(asked) > MOST_SUBREQUESTS:
        raise refused(400, "LIMIT_EXCEEDED", f"at most {MOST_SUBREQUESTS} subrequests")
    if sum("/query" in one["url"] for one in asked) > MOST_QUERIES:
        raise refused(400, "LIMIT_EXCEEDED", f"at most {MOST_QUERIES} query subrequests")
    return 200, {"compositeResponse": [_part(call, one) for one in asked]}


def _part(call: Call, asked: Json) -> Json:
    parts = urlsplit(asked["url"])
    matched = _DATA.fullmatch(parts.path)
    inner = Call(
        org=call.org,
        user=call.user,
        method=asked["method"],
        path=(matched[2] if matched else None) or "/",
        query=QueryParams(parts.query),
        headers=call.headers,
        raw=msgspec.json.encode(asked.get("body")),
        version=call.version,
    )
    try:
        _, status, body = _handled(inner)
    except ApiError as refusal:
        status, body = refusal.status, refusal.body
    return {"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": asked.get("referenceId")}


def _deploy(call: Call) -> Reply:
    if MODIFY_METADATA not in call.user.permissions:
        message = "insufficient access rights: Modify Metadata Through Metadata API Functions"
        raise refused(403, "INSUFFICIENT_ACCESS", message)
    made = metadata.deploy(call.org, call.headers.get("content-type", ""), call.raw)
    result = {"id": made.id, "done": False, "status": "Pending", "success": False, "checkOnly": made.check_only}
    return 201, {"id": made.id, "deployResult": result}


def _deployment(call: Call) -> Reply:
    made = call.org.deployments.get(call.parts[0])
    if made is None:
        raise unknown_object(call.parts[0])
    return 200, metadata.shown(made, details=call.query.get("includeDetails") == "true")


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/query/?", _query),
    ("GET", "/queryAll/?", _query_all),
    ("GET", "/query/{locator}", _more),
    ("GET", "/tooling/query/?", _tooling),
    ("GET", "/limits/recordCount", _counts),
    ("GET", "/limits/?", _limits),
    ("GET", "/sobjects/?", _global),
    ("GET", "/sobjects/{object}/describe/?", _describe),
    ("POST", "/sobjects/{object}/?", _create_one),
    ("GET", "/sobjects/{object}/{id}", _read_one),
    ("PATCH", "/sobjects/{object}/{id}", _update_one),
    ("DELETE", "/sobjects/{object}/{id}", _delete_one),
    ("GET", "/sobjects/{object}/{field}/{value}", _read_by_key),
    ("PATCH", "/sobjects/{object}/{field}/{value}", _upsert_one),
    ("POST", "/composite/?", _composite),
    ("POST", "/composite/sobjects/?", _create_many),
    ("PATCH", "/composite/sobjects/?", _update_many),
    ("DELETE", "/composite/sobjects/?", _delete_many),
    ("PATCH", "/composite/sobjects/{object}/{field}", _upsert_many),
    ("POST", "/metadata/deployRequest", _deploy),
    ("GET", "/metadata/deployRequest/{id}", _deployment),
)
