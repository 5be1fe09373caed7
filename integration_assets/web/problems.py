"""Refusals: one type for pages and API, a table of what each of our errors becomes, and the JSON of RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from integration_assets.errors import (
    ConfigurationError,
    HeldError,
    IntegrationError,
    PermanentError,
    TransientError,
)
from integration_assets.tenants.registry.changes import FieldError, NotFoundError, SecretNeededError, TakenError


class Problem(Exception):  # noqa: N818 - it is what the RFC calls it
    """A request that is refused. `errors` are messages by field."""

    def __init__(self, status: int, detail: str = "", errors: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or HTTPStatus(status).phrase)
        self.status = int(status)
        self.detail = detail
        self.errors = dict(errors or {})


def refuse(errors: Mapping[str, str]) -> None:
    """Go on only without errors.

    Raises:
        Problem: there are some.
    """
    if errors:
        raise Problem(HTTPStatus.BAD_REQUEST, "some fields cannot be accepted", errors)


STATUSES: tuple[tuple[type[IntegrationError], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (SecretNeededError, HTTPStatus.CONFLICT),
    (TakenError, HTTPStatus.CONFLICT),
    (ConfigurationError, HTTPStatus.BAD_REQUEST),
    (TransientError, HTTPStatus.SERVICE_UNAVAILABLE),
    (HeldError, HTTPStatus.CONFLICT),
    (PermanentError, HTTPStatus.INTERNAL_SERVER_ERROR),
)
"""The first that fits."""


def problem_of(error: IntegrationError) -> Problem:
    """Turn one of our errors into a refusal. Their messages hold no secret and no address by their own rule."""
    # The order counts: subclasses stand before what they are kinds of.
    status = next((code for kind, code in STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    return Problem(status, error.message, field_errors(error))


def field_errors(error: IntegrationError) -> dict[str, str]:
    """Messages by field, where an error is about fields."""
    if isinstance(error, FieldError):
        return {error.field: error.reason}
    if isinstance(error, SecretNeededError):
        return {"secret": error.message}
    return {}


def problem_answer(problem: Problem) -> Response:
    """`application/problem+json`."""
    document: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
    }
    if problem.detail:
        document["detail"] = problem.detail
    if problem.errors:
        document["errors"] = [{"field": name, "message": message} for name, message in problem.errors.items()]
    return Response(msgspec.json.encode(document), problem.status, media_type="application/problem+json")
