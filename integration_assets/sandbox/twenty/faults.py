"""Faults a test puts into the look-alike, in the shapes Twenty answers with."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from integration_assets.sandbox.lookalike import Fault, LoggedRequest
from integration_assets.sandbox.twenty.errors import ApiError, bad_key, limit_reached, refused

Matches = Callable[[LoggedRequest], bool]


def path_contains(text: str, method: str | None = None) -> Matches:
    """Requests whose path contains this text, of one method or of any."""
    return lambda request: text in request.path and method in (None, request.method)


def _fault(matches: Matches, refusal: ApiError, times: int | None) -> Fault:
    return Fault(matches=matches, times=times, status=refusal.status, body=msgspec.json.encode(refusal.body))


def rate_limit(matches: Matches, times: int | None = 1) -> Fault:
    """429, without a word on how long to wait."""
    return _fault(matches, limit_reached(100), times)


def key_revoked(matches: Matches, times: int | None = None) -> Fault:
    """401, for as long as the fault is there."""
    return _fault(matches, bad_key(first_generation=False), times)


def server_error(matches: Matches, times: int | None = 1) -> Fault:
    """500, nothing done."""
    return _fault(matches, refused("Internal server error", status=500, kind="InternalServerErrorException"), times)


def answer_lost(matches: Matches, times: int | None = 1) -> Fault:
    """504 of a proxy: the work is done and the answer is lost."""
    return Fault(
        matches=matches,
        times=times,
        status=504,
        body=b"<html>Gateway Time-out</html>",
        headers={"content-type": "text/html"},
        after_commit=True,
    )
