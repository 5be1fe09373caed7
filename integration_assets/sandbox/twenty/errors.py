"""The refusals of the look-alike: one exception with status and body, and the forms of both generations."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """A request that is refused. `body` is the whole JSON answer, or None for an empty one."""

    def __init__(self, status: int, body: Json | None) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body


def refused(message: str, *, status: int = 400, kind: str = "BadRequestException") -> ApiError:
    """A refusal of the record API."""
    return ApiError(status, {"statusCode": status, "error": kind, "messages": [message]})


def metadata_refused(message: str, *, part: str, first_generation: bool) -> ApiError:
    """A refusal of the metadata API; `part` is `fieldMetadata` or `objectMetadata`."""
    if first_generation:
        return ApiError(400, {"statusCode": 400, "error": "BadRequestException", "messages": [message]})
    errors = {part: [{"errors": [{"code": "INVALID_INPUT", "message": message}]}]}
    return ApiError(
        400,
        {
            "statusCode": 400,
            "error": "METADATA_VALIDATION_ERROR",
            "message": "Validation errors occurred",
            "errors": errors,
        },
    )


def bad_key(*, first_generation: bool) -> ApiError:
    """401 for a missing or unknown key."""
    message = "No payload" if first_generation else "Token invalid."
    return ApiError(401, {"statusCode": 401, "messages": [message], "error": "UNAUTHENTICATED"})


def limit_reached(calls: int) -> ApiError:
    """429; there is no Retry-After."""
    return refused(f"Limit reached ({calls} tokens per 60000 ms)", status=429, kind="HttpException")
