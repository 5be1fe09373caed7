"""Faults a test puts into a look-alike, in the shapes Salesforce gives them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from integration_assets.sandbox.lookalike import Fault, LoggedRequest
from integration_assets.sandbox.salesforce.errors import ApiError, refused

Matches = Callable[[LoggedRequest], bool]


def path_contains(text: str) -> Matches:
    """Requests whose path contains this text."""
    return lambda request: text in request.path


def refusal(matches: Matches, status: int, code: str, message: str = "injected", times: int | None = 1) -> Fault:
    """A refusal of the data API, with nothing done."""
    return _fault(matches, refused(status, code, message), times)


def answer_lost(matches: Matches, times: int | None = 1) -> Fault:
    """503 after the work is done: the answer is lost on the way."""
    fault = _fault(matches, refused(503, "SERVER_UNAVAILABLE", "server unavailable"), times)
    fault.after_commit = True
    return fault


def maintenance(matches: Matches, times: int | None = 1) -> Fault:
    """A web page in place of an answer, as during maintenance."""
    page = b"<html><body>We are down for maintenance.</body></html>"
    return Fault(matches=matches, times=times, status=503, body=page, headers={"content-type": "text/html"})


def _fault(matches: Matches, error: ApiError, times: int | None) -> Fault:
    return Fault(matches=matches, times=times, status=error.status, body=msgspec.json.encode(error.body))
