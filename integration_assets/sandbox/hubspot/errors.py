"""The error answers of the look-alike: one exception that carries status and body, and the documented shapes.

Shapes follow HubSpot's "Error handling" page (https://developers.hubspot.com/docs/api-reference/error-handling).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """A request that is refused. `body` is the whole JSON answer, `headers` go with it."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {body.get('message')}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class PropertyProblem:
    """One value that is not acceptable. `code` is HubSpot's word for the reason, e.g. `PROPERTY_DOESNT_EXIST`."""

    name: str
    code: str
    message: str


def error(
    status: int,
    category: str | None,
    message: str,
    *,
    sub_category: str | None = None,
    context: Mapping[str, list[str]] | None = None,
    errors: list[Json] | None = None,
) -> ApiError:
    """An error answer; parts that are None are left out of the body."""
    body: Json = {"status": "error", "message": message, "correlationId": str(uuid.uuid4())}
    if context is not None:
        body["context"] = dict(context)
    if errors is not None:
        body["errors"] = errors
    if category is not None:
        body["category"] = category
    if sub_category is not None:
        body["subCategory"] = sub_category
    return ApiError(status, body)


def validation(message: str, **parts: Any) -> ApiError:
    """400 VALIDATION_ERROR."""
    return error(400, "VALIDATION_ERROR", message, **parts)


def not_found(message: str, **parts: Any) -> ApiError:
    """404 OBJECT_NOT_FOUND."""
    return error(404, "OBJECT_NOT_FOUND", message, **parts)


def conflict(message: str, **parts: Any) -> ApiError:
    """409 CONFLICT."""
    return error(409, "CONFLICT", message, **parts)


def problems_text(problems: Iterable[PropertyProblem], portal_id: int) -> str:
    """The message of a rejected record: the list of its problems as JSON text inside the sentence."""
    listed = [
        {
            "isValid": False,
            "message": problem.message,
            "error": problem.code,
            "name": problem.name,
            "localizedErrorMessage": problem.message,
            "portalId": portal_id,
        }
        for problem in problems
    ]
    return f"Property values were not valid: {json.dumps(listed, separators=(',', ':'))}"


def invalid_properties(problems: list[PropertyProblem], portal_id: int) -> ApiError:
    """400 for one record, or for a whole batch that cannot be answered record by record."""
    errors = [
        {"message": problem.message, "code": problem.code, "context": {"propertyName": [problem.name]}}
        for problem in problems
    ]
    return validation(problems_text(problems, portal_id), errors=errors)


def missing_scopes(scopes: list[str]) -> ApiError:
    """403 that names the scopes which would have done."""
    return error(
        403,
        "MISSING_SCOPES",
        "This app hasn't been granted all required scopes to make this call.",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": scopes},
            }
        ],
    )


def bad_credentials() -> ApiError:
    """401 for a missing or unknown token."""
    return error(
        401,
        "INVALID_AUTHENTICATION",
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more "
        "details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
    )


def rate_limited(policy: str, message: str, *, with_category: bool) -> ApiError:
    """429. There is no Retry-After, and by default no category either."""
    body: Json = {
        "status": "error",
        "message": message,
        "errorType": "RATE_LIMIT",
        "correlationId": str(uuid.uuid4()),
        "policyName": policy,
        "requestId": str(uuid.uuid4()),
    }
    if with_category:
        body["category"] = "RATE_LIMITS"
    return ApiError(429, body)
