"""The API described (OpenAPI 3.1), made of the types it decodes and encodes. Served to those who are logged in."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from starlette.responses import Response

from integration_assets import __version__
from integration_assets.tenants.registry.views import AuditView, InternalView, ThirdPartyView
from integration_assets.web import api, api_rankings
from integration_assets.web.api_bodies import (
    InternalCreate,
    InternalUpdate,
    ProblemDocument,
    Session,
    ThirdPartyCreate,
    ThirdPartyUpdate,
    Tried,
)
from integration_assets.web.request_context import RequestContext

_TYPES = (
    ThirdPartyCreate,
    ThirdPartyUpdate,
    ThirdPartyView,
    InternalCreate,
    InternalUpdate,
    InternalView,
    AuditView,
    Session,
    Tried,
    ProblemDocument,
)
_SUMMARIES = {
    "list": "All of the tenant",
    "create": "Make one",
    "read": "One of them",
    "update": "Change what is named: absent keeps, null clears, a value replaces",
    "delete": "Remove one with its secret",
    "test": "Test the connection as it is stored",
    "enable": "Have runs use it",
    "disable": "Have runs leave it out",
}


def document(_request_context: RequestContext) -> Response:
    """The document."""
    return Response(msgspec.json.encode(description()), media_type="application/json")


@cache
def description() -> dict[str, Any]:
    """The document as an object."""
    _, components = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "integration_assets",
            "version": __version__,
            "description": "Log in on the pages; send X-CSRF-Token (from /api/session) and Origin with every change.",
        },
        "paths": {
            "/api/session": {"get": _operation("session", "Who is logged in", "Session")},
            "/api/audit-trail": {"get": _operation("audit_trail", "The newest entries", "AuditView", many=True)},
            **_rankings(),
            **_group(api.THIRD_PARTY, "third_party", "ThirdParty"),
            **_group(api.INTERNAL, "internal", "Internal"),
        },
        "components": {
            "schemas": {**components, **_RANKINGS},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-sid"},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
            },
        },
        "security": [{"session": [], "csrf": []}],
    }


def _rankings() -> dict[str, Any]:
    company = {"name": "company_id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        api_rankings.RANKING: {
            "get": _operation("ranking", "The requests of the ranking that fit", "Ranking", problems=(400, 404, 500))
            | {"parameters": [_parameter(name) for name in api_rankings.PARAMETERS]},
        },
        api_rankings.COMPANY: {
            "get": _operation(
                "company_requests", "The requests of one company", "CompanyRequests", problems=(400, 404, 500)
            )
            | {"parameters": [company, *(_parameter(name) for name in api_rankings.LIMIT)]},
        },
    }


def _parameter(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if name == api_rankings.REPEATED:
        schema = {"type": "array", "items": schema}
    return {"name": name, "in": "query", "description": api_rankings.PARAMETERS[name], "schema": schema}


def _document(*names: str, **others: Any) -> dict[str, Any]:
    """Schema of a list of requests with its numbers, and what else stands beside them."""
    numbers = {name: {"type": "integer"} for name in ("total", "shown", *names)}
    required = ["currency", *numbers, "requests"]
    requests = {"type": "array", "items": {"type": "object"}}
    properties = {"currency": {"type": "string"}, **numbers, **others, "requests": requests}
    return {"type": "object", "required": required, "properties": properties}


_RANKINGS = {
    # Columns of requests are those that are published, and described with them.
    "Ranking": _document("shipped_or_closed_left_out", counted={"type": "string"}),
    "CompanyRequests": _document(company={"type": "object"}),
}


def _group(path: str, name: str, kind: str) -> dict[str, Any]:
    view = f"{kind}View"
    one = {
        "parameters": [
            {"name": "record_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        ]
    }
    actions = {
        f"{path}/{{record_id}}/{action}": {
            **one,
            "post": _operation(
                f"{action}_{name}",
                _SUMMARIES[action],
                "Tried" if action == "test" else view,
                problems=(400, 404, 429) if action == "test" else (400, 404, 409),
            ),
        }
        for action in ("test", "enable", "disable")
    }
    return {
        path: {
            "get": _operation(f"list_{name}", _SUMMARIES["list"], view, many=True),
            "post": _operation(
                f"create_{name}",
                _SUMMARIES["create"],
                view,
                body=f"{kind}Create",
                status=201,
                problems=(400, 409, 413, 415),
            ),
        },
        f"{path}/{{record_id}}": {
            **one,
            "get": _operation(f"read_{name}", _SUMMARIES["read"], view, problems=(404,)),
            "patch": _operation(
                f"update_{name}",
                _SUMMARIES["update"],
                view,
                body=f"{kind}Update",
                problems=(400, 404, 409, 413, 415),
            ),
            "delete": _operation(f"delete_{name}", _SUMMARIES["delete"], None, status=204, problems=(400, 404)),
        },
        **actions,
    }


def _operation(
    name: str,
    summary: str,
    answer: str | None,
    *,
    many: bool = False,
    body: str | None = None,
    status: int = 200,
    problems: tuple[int, ...] = (),
) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done"}
    if answer:
        schema = {"type": "array", "items": _ref(answer)} if many else _ref(answer)
        good["content"] = {"application/json": {"schema": schema}}
    refused = {
        str(code): {
            "description": "Refused",
            "content": {"application/problem+json": {"schema": _ref("ProblemDocument")}},
        }
        for code in (401, 403, 409, 503, *problems)
    }
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {str(status): good, **refused},
    }
    if body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    return operation


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
